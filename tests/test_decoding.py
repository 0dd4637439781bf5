"""The one reader of image files: nothing half decoded, nothing larger than the limit, nothing that waits for ever."""

import io
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dream_if import decoding
from dream_if.data.check import check_pairs
from dream_if.data.images import decode_image, read_image
from dream_if.decoding import LIMIT, decode
from dream_if.errors import InputError
from dream_if.inference.pictures import read_picture
from tests.data.pictures import encoded, smooth, write

READERS = (read_picture, decode_image, lambda path: read_image(path, 1))


def jpeg_of(width: int, height: int) -> bytes:
    """A small JPEG whose header declares another size."""
    data = bytearray(encoded(smooth(), "JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(data)


class TestHalfDecoded:
    def test_a_jpeg_of_which_the_decoder_warns(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """OpenCV prints libjpeg's warnings: a file of which it says something is refused, and nothing is printed."""
        data, rng, path = encoded(smooth(), "JPEG"), random.Random(0), tmp_path / "flipped.jpg"
        start, warned = data.index(b"\xff\xda") + 14, 0
        for _ in range(60):
            flipped = bytearray(data)
            flipped[rng.randrange(start, len(data) - 2)] ^= 1 << rng.randrange(8)
            path.write_bytes(flipped)
            cv2.imdecode(np.frombuffer(flipped, np.uint8), cv2.IMREAD_COLOR)
            if not capfd.readouterr().err:
                continue
            warned += 1
            for reader in READERS:
                with pytest.raises(InputError, match=r"flipped\.jpg: the picture is damaged or cut short"):
                    reader(path)
            assert capfd.readouterr().err == ""
        assert warned > 5

    @pytest.mark.parametrize("compression", [None, "tiff_lzw", "packbits", "tiff_adobe_deflate"])
    def test_both_readers_agree_on_mutated_tiffs(self, tmp_path: Path, compression: str | None) -> None:
        data, rng, path = encoded(smooth(), "TIFF", compression=compression), random.Random(0), tmp_path / "x.tiff"
        refused = 0
        for _ in range(40):
            mutated = bytearray(data)
            for _ in range(8):
                mutated[rng.randrange(8, len(data))] = rng.randrange(256)
            path.write_bytes(mutated)
            try:
                pixels = read_picture(path).pixels
            except InputError:
                refused += 1
                with pytest.raises(InputError):
                    decode_image(path)
            else:
                assert np.array_equal(decode_image(path), pixels)
        assert refused or compression is None  # bytes that are not packed are as good as any others

    @pytest.mark.parametrize("mode", ["L", "RGB", "YCbCr", "CMYK"])
    def test_jpeg_within_a_tiff(self, tmp_path: Path, mode: str) -> None:
        """A hole in one of its strips is warned of, and Pillow does not tell."""
        path, picture = tmp_path / "x.tif", Image.fromarray(smooth()).convert(mode)
        picture.save(path, compression="jpeg")
        read_picture(path)
        data = bytearray(path.read_bytes())
        with Image.open(path) as stored:
            start, size = stored.tag_v2[273][0], stored.tag_v2[279][0]
        data[start + size // 2 : start + size - 2] = bytes(size - 2 - size // 2)
        path.write_bytes(data)
        Image.open(path).load()
        for reader in READERS:
            with pytest.raises(InputError, match="damaged or cut short"):
                reader(path)

    @pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "CMYK", "I;16"])
    def test_runs_of_packbits_that_leave_their_strip(self, tmp_path: Path, mode: str) -> None:
        path = tmp_path / "x.tif"
        picture = Image.fromarray(smooth()).convert("L" if mode == "I;16" else mode).crop((0, 0, 61, 47))
        picture = picture.convert("I;16") if mode == "I;16" else picture
        picture.save(path, compression="packbits", strip_size=512)
        assert np.array_equal(np.asarray(Image.open(path)), np.asarray(picture))
        assert read_picture(path).pixels.shape[:2] == (47, 61)
        data = bytearray(path.read_bytes())
        with Image.open(path) as stored:
            start, size = stored.tag_v2[273][-1], stored.tag_v2[279][-1]
        runs = bytes([129, 7]) * (size // 2)  # of 128 each, which end beyond the strip
        data[start : start + len(runs)] = runs
        path.write_bytes(data)
        Image.open(path).load()
        for reader in READERS:
            with pytest.raises(InputError, match="damaged or cut short"):
                reader(path)

    def test_nothing_of_libtiff_is_printed(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        data = bytearray(encoded(smooth(), "TIFF", compression="tiff_lzw"))
        data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
        (tmp_path / "x.tif").write_bytes(data)
        with pytest.raises(InputError, match="damaged or cut short"):
            decode(tmp_path / "x.tif")
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("keep_rgb", [False, True])
    def test_jpegs_with_inks_and_without_luminance(self, tmp_path: Path, keep_rgb: bool) -> None:
        picture = Image.fromarray(smooth())
        picture.save(tmp_path / "rgb.jpg", keep_rgb=keep_rgb, quality=95)
        picture.convert("CMYK").save(tmp_path / "inks.jpg", quality=95)
        for name in ("rgb.jpg", "inks.jpg"):
            with Image.open(tmp_path / name) as image:
                expected = np.asarray(image.convert("RGB")).astype(int)
            assert np.abs(decode_image(tmp_path / name) - expected).max() <= 1
            grey = expected @ np.array([0.299, 0.587, 0.114])
            assert np.abs(read_image(tmp_path / name, 1)[:, :, 0] - grey).mean() < 1


class TestLimit:
    def test_is_asked_before_decoding(self, tmp_path: Path) -> None:
        """A kilobyte that declares 400 megapixels took 9.2 GiB."""
        (tmp_path / "bomb.jpg").write_bytes(jpeg_of(20000, 20000))
        program = (
            "import resource, sys; from pathlib import Path; from dream_if.decoding import decode\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "try: decode(Path(sys.argv[1]))\n"
            "except Exception as error: print(error)\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
        )
        words = [sys.executable, "-c", program, str(tmp_path / "bomb.jpg")]
        said, kilobytes = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
        assert "bomb.jpg: says that it has 20000x20000 pixels, and 100000000 are the most" in said
        assert LIMIT in said
        assert int(kilobytes) < 50_000

    def test_is_one_for_every_reader_and_adjustable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write(tmp_path / "x.png", smooth())
        for reader in READERS:
            monkeypatch.setenv(LIMIT, str(96 * 120 - 1))
            with pytest.raises(InputError, match="says that it has 120x96 pixels, and 11519 are the most"):
                reader(path)
            monkeypatch.setenv(LIMIT, str(96 * 120))
            reader(path)

    def test_may_be_higher_than_pillows(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
        assert decode(write(tmp_path / "x.png", smooth())).pixels.shape == (96, 120, 3)
        assert Image.MAX_IMAGE_PIXELS == 100

    @pytest.mark.parametrize("given", ["", "many", "-1", "1e9", "9" * 5000])
    def test_that_is_no_number(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
        monkeypatch.setenv(LIMIT, given)
        with pytest.raises(InputError, match=f"^{LIMIT}: expected a whole number of pixels") as caught:
            decode(write(tmp_path / "x.png", smooth()))
        assert len(str(caught.value)) < 200

    def test_one_large_pair_at_a_time_is_checked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(6):
            write(tmp_path / f"vi/{number}.png", smooth(seed=number))
            write(tmp_path / f"ir/{number}.png", smooth(channels=1, seed=number))
        inside, most, lock = 0, 0, threading.Lock()

        def watched(path: Path) -> np.ndarray:
            nonlocal inside, most
            with lock:
                inside += 1
                most = max(most, inside)
            threading.Event().wait(0.02)
            with lock:
                inside -= 1
            return decode_image(path)

        monkeypatch.setattr("os.cpu_count", lambda: 8)
        monkeypatch.setattr("dream_if.data.check.decode_image", watched)
        check_pairs("folder", tmp_path, align_at_most=0)
        assert most > 1
        most = 0
        monkeypatch.setattr("dream_if.decoding.LARGE", 96 * 120 - 1)
        check_pairs("folder", tmp_path, align_at_most=0)
        assert most == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for reader in READERS:
        with pytest.raises(
            InputError, match=rf"^{tmp_path}/pipe\.png: cannot be read \(it is a pipe or device, not a file\)"
        ):
            reader(tmp_path / "pipe.png")


def test_too_little_memory_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    Image.new("L", (20, 20)).save(tmp_path / "a.png")
    monkeypatch.setattr(decoding, "from_pillow", exhausted)
    with pytest.raises(InputError, match=r"a\.png: there is not enough memory"):
        decode(tmp_path / "a.png")


def test_a_name_that_is_none() -> None:
    with pytest.raises(InputError, match="cannot be read"):
        decode(Path("a\0b.png"))


def test_of_several_frames_the_first(tmp_path: Path) -> None:
    frames = [Image.fromarray(smooth(seed=seed)) for seed in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "MPO", save_all=True, append_images=frames[1:])
    (tmp_path / "phone.jpg").write_bytes(buffer.getvalue())
    decoded = decode(tmp_path / "phone.jpg")
    assert "first of its frames" in decoded.notes[0]
    assert np.array_equal(decoded.pixels, np.asarray(Image.open(tmp_path / "phone.jpg")))
