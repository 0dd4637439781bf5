"""Reading any picture: modes, depths, orientation, metadata, and files that are none."""

import io
import random
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from dream_if.errors import InputError
from dream_if.inference.pictures import READABLE, read_picture

EXTENSIONS = {"PNG": "png", "JPEG": "jpg", "TIFF": "tiff", "BMP": "bmp", "WEBP": "webp"}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("kind", READABLE)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_format_in_grey_and_colour(kind, channels, texture, tmp_path):
    values = texture(40, 50, channels)
    path = tmp_path / f"picture.{EXTENSIONS[kind]}"
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    Image.fromarray(values.squeeze()).save(path, **options)
    picture = read_picture(path)
    assert picture.size == (40, 50)
    assert picture.pixels.dtype == np.uint8
    assert picture.alpha is None
    expected = np.repeat(values, 3, axis=2) if kind == "WEBP" and channels == 1 else values  # WebP knows no grey
    difference = np.abs(picture.pixels.astype(int) - expected)
    assert picture.pixels.shape == expected.shape
    assert difference.max() <= (12 if kind == "JPEG" else 0)


def test_the_name_does_not_decide_the_format(texture, tmp_path):
    Image.fromarray(texture(20, 20, 3)).save(tmp_path / "picture.png")
    (tmp_path / "picture.png").rename(tmp_path / "picture.jpg")
    assert read_picture(tmp_path / "picture.jpg").pixels.shape == (20, 20, 3)


@pytest.mark.parametrize("ending", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_kept(ending, channels, texture, tmp_path):
    values = texture(24, 30, channels).astype(np.uint16) * 200 + np.arange(30, dtype=np.uint16)[:, None]
    path = tmp_path / f"deep.{ending}"
    stored = (
        values if channels == 1 else cv2.cvtColor(values, cv2.COLOR_RGB2BGR if channels == 3 else cv2.COLOR_RGBA2BGRA)
    )
    assert cv2.imwrite(str(path), stored)
    picture = read_picture(path)
    assert picture.pixels.dtype == np.uint16
    np.testing.assert_array_equal(picture.pixels, values[:, :, :3])
    if channels == 4:
        np.testing.assert_allclose(picture.alpha, values[:, :, 3] / 257, atol=1)


def test_floating_point_and_integers_of_a_measuring_camera(tmp_path):
    celsius = np.linspace(-20, 60, 600, dtype=np.float32).reshape(20, 30)
    Image.fromarray(celsius).save(tmp_path / "celsius.tiff")
    np.testing.assert_array_equal(read_picture(tmp_path / "celsius.tiff").pixels[:, :, 0], celsius)
    counts = np.arange(600, dtype=np.int32).reshape(20, 30) * 1000
    Image.fromarray(counts).save(tmp_path / "counts.tiff")
    np.testing.assert_array_equal(read_picture(tmp_path / "counts.tiff").pixels[:, :, 0], counts)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "tiff", "webp"])
def test_pictures_come_upright(orientation, ending, tmp_path):
    stored = np.zeros((32, 48, 3), np.uint8)
    stored[:16, :16] = (255, 0, 0)  # red in the stored top left corner
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{ending}"
    Image.fromarray(stored).save(path, exif=exif, **({"quality": 100} if ending == "jpg" else {}))
    pixels = read_picture(path).pixels.astype(int)
    assert pixels.shape[:2] == ((32, 48) if orientation <= 4 else (48, 32))
    # Where the stored top left corner is seen, by the table of the EXIF standard (tag 274: 0th row, 0th column).
    top, left = {1: (1, 1), 2: (1, 0), 3: (0, 0), 4: (0, 1), 5: (1, 1), 6: (1, 0), 7: (0, 0), 8: (0, 1)}[orientation]
    for row, column in ((1, 1), (1, 0), (0, 0), (0, 1)):
        corner = pixels[4 if row else -5, 4 if column else -5]
        assert (corner[0] > 128) == ((row, column) == (top, left))


@pytest.mark.parametrize(
    ("mode", "channels", "clear"),
    [("1", 1, False), ("LA", 1, True), ("P", 3, False), ("RGBA", 3, True)],
)
def test_modes(mode, channels, clear, texture, tmp_path):
    image = Image.fromarray(texture(20, 22, 3)).convert(mode)
    image.save(tmp_path / "mode.png")
    picture = read_picture(tmp_path / "mode.png")
    assert picture.pixels.shape == (20, 22, channels)
    assert (picture.alpha is not None) == clear
    np.testing.assert_array_equal(
        picture.pixels, np.asarray(image.convert("L" if channels == 1 else "RGB")).reshape(20, 22, channels)
    )


def test_a_transparent_colour_of_a_palette_is_alpha(tmp_path):
    image = Image.new("P", (20, 20), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(1, (0, 0, 10, 20))
    image.save(tmp_path / "palette.png", transparency=1)
    picture = read_picture(tmp_path / "palette.png")
    assert picture.alpha is not None
    assert picture.alpha[:, :10].max() == 0
    assert picture.alpha[:, 10:].min() == 255


class TestCmyk:
    def test_ink_becomes_light(self, tmp_path):
        image = Image.new("CMYK", (32, 32), (0, 0, 0, 0))  # bare paper
        image.paste((255, 0, 0, 0), (0, 0, 16, 32))  # cyan ink
        image.save(tmp_path / "ink.jpg", quality=100)
        picture = read_picture(tmp_path / "ink.jpg")
        assert picture.pixels[:, 24:].min() > 250
        assert picture.pixels[:, 8, 0].max() < 5  # cyan ink swallows red
        assert picture.pixels[:, 8, 1:].min() > 250
        assert "CMYK" in " ".join(picture.notes)

    def test_a_profile_that_is_none_is_no_hindrance(self, tmp_path):
        Image.new("CMYK", (32, 32), (0, 0, 0, 255)).save(tmp_path / "ink.jpg", icc_profile=b"no profile")
        picture = read_picture(tmp_path / "ink.jpg")
        assert picture.pixels.max() < 5
        assert picture.metadata["icc_profile"] is None


class TestMetadata:
    def test_what_a_camera_says_is_kept_and_the_old_layout_is_not(self, texture, tmp_path):
        exif = Image.Exif()
        exif[0x010F], exif[0x0112] = "Camera", 6
        exif[0x8769] = {0x829A: 0.01, 0xA002: 40}  # exposure time; width, which a turned picture no longer has
        exif[0x8825] = {1: "N", 2: (50.0, 1.0, 2.0)}
        path = tmp_path / "photo.jpg"
        Image.fromarray(texture(32, 40, 3)).save(path, exif=exif, icc_profile=SRGB, dpi=(300, 300))
        metadata = read_picture(path).metadata
        kept = Image.Exif()
        kept.load(metadata["exif"])
        assert kept[0x010F] == "Camera"
        assert 0x0112 not in kept
        assert dict(kept.get_ifd(0x8769)) == {0x829A: 0.01}
        assert kept.get_ifd(0x8825)[2] == (50.0, 1.0, 2.0)
        assert metadata["icc_profile"] == SRGB
        assert metadata["dpi"] == (300, 300)

    def test_tags_that_describe_a_tiff_file_are_left_out(self, texture, tmp_path):
        Image.fromarray(texture(32, 40, 3)).save(tmp_path / "scan.tiff", description="a scan")
        kept = Image.Exif()
        kept.load(read_picture(tmp_path / "scan.tiff").metadata["exif"])
        assert kept[0x010E] == "a scan"
        assert not {0x0100, 0x0101, 0x0111, 0x0117} & set(kept)  # width, height, strips

    def test_a_damaged_block_costs_only_itself(self, texture, tmp_path):
        path = tmp_path / "photo.jpg"
        Image.fromarray(texture(32, 40, 3)).save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f", quality=95)
        assert read_picture(path).size == (32, 40)


def test_the_first_of_several_frames(texture, tmp_path):
    frames = [Image.fromarray(texture(20, 20, 3, seed)) for seed in range(3)]
    frames[0].save(tmp_path / "frames.tiff", save_all=True, append_images=frames[1:])
    picture = read_picture(tmp_path / "frames.tiff")
    np.testing.assert_array_equal(picture.pixels, np.asarray(frames[0]))
    assert "first" in picture.notes[0]


class TestRefused:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (None, "cannot be read"),
            (b"", "0 bytes"),
            (b"no picture at all, but text", "not a picture"),
            (b"GIF89a" + bytes(40), "not a picture"),
            (b"\x89PNG\r\n\x1a\n" + bytes(40), "not a picture"),
        ],
    )
    def test_what_is_no_picture(self, content, said, tmp_path):
        path = tmp_path / "file.png"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match=said) as caught:
            read_picture(path)
        assert str(path) in str(caught.value)

    def test_a_folder(self, tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_picture(tmp_path)

    @pytest.mark.parametrize("size", [(1, 1), (15, 40), (40, 15)])
    def test_what_is_too_small(self, size, tmp_path):
        Image.new("RGB", size).save(tmp_path / "small.png")
        with pytest.raises(InputError, match=f"is {size[0]}x{size[1]} pixels; at least 16x16"):
            read_picture(tmp_path / "small.png")

    def test_more_pixels_than_anyone_means(self, tmp_path):
        header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
        data = io.BytesIO()
        Image.new("RGB", (20, 20)).save(data, "PNG")
        crc = struct.pack(">I", zlib.crc32(b"IHDR" + header))
        (tmp_path / "bomb.png").write_bytes(data.getvalue()[:16] + header + crc + data.getvalue()[33:])
        with pytest.raises(InputError, match="says that it has 100000x100000 pixels"):
            read_picture(tmp_path / "bomb.png")

    @pytest.mark.parametrize("kind", READABLE)
    def test_what_is_cut_short(self, kind, texture, tmp_path):
        path = tmp_path / f"cut.{EXTENSIONS[kind]}"
        Image.fromarray(texture(64, 64, 3)).save(path)
        data = path.read_bytes()
        for share in (0.2, 0.5, 0.8):
            path.write_bytes(data[: int(share * len(data))])
            with pytest.raises(InputError, match=r"damaged or cut short|not a picture"):
                read_picture(path)

    def test_a_flipped_bit_in_a_png_is_no_other_picture(self, texture, tmp_path):
        """Whatever a full decode by Pillow refuses is refused; half a picture would be fused without a word."""
        path = tmp_path / "flipped.png"
        Image.fromarray(texture(96, 96, 3)).save(path)
        data, rng = path.read_bytes(), random.Random(0)
        start = data.index(b"IDAT") + 4
        for _ in range(40):
            flipped = bytearray(data)
            flipped[rng.randrange(start, len(data) - 16)] ^= 1 << rng.randrange(8)
            path.write_bytes(flipped)
            with pytest.raises(Exception), Image.open(path) as image:  # noqa: B017, PT011  (it raises anything)
                image.load()
            with pytest.raises(InputError, match="damaged or cut short"):
                read_picture(path)


INPUTS = 1200


def test_mutated_files_are_read_or_refused(texture, tmp_path):
    """1200 files, each a good one with bytes changed, cut out, doubled or swapped: a picture or an InputError."""
    rng = random.Random(0)
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Camera", 6
    exif[0x8769] = {0x829A: 0.01}
    seeds = []
    for kind in READABLE:
        for mode in ("L", "RGB", "RGBA", "P", "CMYK", "I;16"):
            image = Image.fromarray(texture(24, 24, 3))
            image = (
                Image.fromarray(np.asarray(image)[:, :, 0].astype(np.uint16) * 100)
                if mode == "I;16"
                else image.convert(mode)
            )
            buffer = io.BytesIO()
            try:
                image.save(
                    buffer, kind, **({} if kind == "BMP" else {"exif": exif.tobytes(), "icc_profile": SRGB[:400]})
                )
            except (OSError, ValueError):  # the format has no such mode
                continue
            seeds.append(buffer.getvalue())
    assert len(seeds) >= 18
    path = tmp_path / "mutated"
    read = 0
    for number in range(INPUTS):
        data = bytearray(seeds[number % len(seeds)])
        for _ in range(rng.choice((1, 1, 2, 8, 40))):
            place = rng.randrange(len(data)) if rng.random() < 0.5 else rng.randrange(min(len(data), 200))
            length = rng.randrange(1, 9)
            match rng.randrange(5):
                case 0:
                    data[place] = rng.randrange(256)
                case 1:
                    data[place] ^= 1 << rng.randrange(8)
                case 2:
                    data[place : place + length] = rng.choice((b"\xff", b"\0", b"\x7f")) * length
                case 3:
                    del data[place : place + length]
                case 4:
                    data[place:place] = data[place : place + length]
            if not data:
                data = bytearray(1)
        path.write_bytes(data)
        try:
            picture = read_picture(path)
        except InputError:
            continue
        read += 1
        with Image.open(io.BytesIO(data)) as image:
            image.load()  # raises, if a full decode refuses it
        assert picture.pixels.ndim == 3
        assert picture.pixels.shape[2] in (1, 3)
        assert min(picture.size) >= 16
    assert 100 < read < INPUTS - 100  # else nothing was damaged, or everything
