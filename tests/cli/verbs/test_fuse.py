"""`dream-if fuse` as a user meets it: files, folders, what is done already, what goes wrong."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from dream_if.cli import fuse_options
from dream_if.decoding import decode
from dream_if.inference.intensity import LUMA
from dream_if.models import DreamIF

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
EXACT = ("--device", "cpu", "--precision", "float32", "--threads", "1")


@pytest.fixture(autouse=True)
def _one_thread():
    yield
    torch.set_num_threads(1)


@pytest.fixture
def fuse(run, weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *args: run("fuse", *args, "--weights", weights, *EXACT)


@pytest.fixture
def fuse_by_mean(run, averaging, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fuse_options, "make_fuser", lambda *_: averaging)
    return lambda *args: run("fuse", *args, "--threads", "1")


@pytest.fixture
def folders(tmp_path, texture) -> Path:
    """Folders `vi` and `ir` with pairs a, b and c, of which c has another size."""
    for seed, (name, size) in enumerate({"a": (24, 30), "b": (24, 30), "c": (33, 20)}.items()):
        for folder, channels in (("vi", 3), ("ir", 1)):
            (tmp_path / folder).mkdir(exist_ok=True)
            picture = Image.fromarray(texture(*size, channels, seed).squeeze())
            picture.save(tmp_path / folder / f"{name}.{'png' if folder == 'vi' else 'bmp'}")
    return tmp_path


def expected(net, visible: Path, infrared: Path) -> np.ndarray:
    """What the network makes of two files, (H, W, 3) of 8 bit."""
    seen = torch.from_numpy(np.array(Image.open(visible).convert("RGB"))).permute(2, 0, 1)[None] / 255
    heated = torch.from_numpy(np.array(Image.open(infrared).convert("L")))[None, None] / 255
    with torch.inference_mode():
        fused = net(seen, heated).fused
    return (fused.clamp(0, 1)[0].permute(1, 2, 0) * 255).round().byte().numpy()


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


class TestTwoFiles:
    def test_they_become_what_the_network_makes_of_them(self, fuse, net, folders):
        outcome = fuse("vi/a.png", "ir/a.bmp", "-o", "fused.png")
        assert (outcome.status, outcome.out) == (0, "Wrote fused.png\n")
        assert "1 pair(s) in float32 on cpu, 1 thread" in outcome.err
        difference = np.abs(read(folders / "fused.png") - expected(net, folders / "vi/a.png", folders / "ir/a.bmp"))
        assert difference.max() <= 1
        assert set(os.listdir(folders)) == {"vi", "ir", "fused.png"}

    @pytest.mark.parametrize("ending", ["jpg", "jpeg", "tif", "tiff", "bmp", "webp", "PNG"])
    def test_formats(self, fuse, folders, ending):
        assert fuse("vi/a.png", "ir/a.bmp", "-o", f"deep/down/fused.{ending}").status == 0
        kinds = {"jpg": "JPEG", "tif": "TIFF", "PNG": "PNG"} | {"jpeg": "JPEG", "tiff": "TIFF"}
        with Image.open(folders / f"deep/down/fused.{ending}") as image:
            assert image.format == kinds.get(ending, ending.upper())
            assert image.size == (30, 24)

    def test_into_a_folder_that_is_there(self, fuse, folders):
        (folders / "out").mkdir()
        assert fuse("vi/a.png", "ir/a.bmp", "-o", "out", "--format", "webp").status == 0
        assert os.listdir(folders / "out") == ["a.webp"]

    def test_dominance_maps(self, fuse, net, folders):
        assert fuse("vi/a.png", "ir/a.bmp", "-o", "fused.jpg", "--dominance").status == 0
        seen, heated = (torch.from_numpy(read(folders / file)) / 255 for file in ("vi/a.png", "ir/a.bmp"))
        with torch.inference_mode():
            output = net(seen.permute(2, 0, 1)[None].float(), heated[None, None].float())
        for source, maps in (("visible", output.dominance_visible), ("infrared", output.dominance_infrared)):
            found = read(folders / f"fused.dominance_{source}.png") / 65535
            np.testing.assert_allclose(found, maps[0][0, 0].numpy(), atol=1e-4)

    def test_what_the_visible_picture_says_of_itself_is_kept(self, fuse, folders, texture):
        exif = Image.Exif()
        exif[0x010F], exif[0x0112] = "Camera", 6  # turned by 90 degrees
        Image.fromarray(texture(30, 24, 3)).save(folders / "v.jpg", exif=exif, icc_profile=SRGB, dpi=(72, 72))
        for out in ("f.png", "f.jpg", "f.tiff", "f.webp"):
            outcome = fuse("v.jpg", "ir/a.bmp", "-o", out)
            assert outcome.status == 0, outcome.err
            with Image.open(folders / out) as image:
                assert image.size == (30, 24)
                assert image.info["icc_profile"] == SRGB
                assert image.getexif()[0x010F] == "Camera"
                assert image.getexif().get(0x0112, 1) == 1

    @pytest.mark.parametrize("out", ["f.png", "f.tiff", "f.webp"])
    def test_alpha_is_kept(self, fuse, folders, texture, out):
        Image.fromarray(texture(24, 30, 4)).save(folders / "v.png")
        outcome = fuse("v.png", "ir/a.bmp", "-o", out)
        assert "transparency" not in outcome.err
        np.testing.assert_array_equal(read(folders / out)[:, :, 3], texture(24, 30, 4)[:, :, 3])

    def test_alpha_that_cannot_be_kept_is_mentioned(self, fuse, folders, texture):
        Image.fromarray(texture(24, 30, 4)).save(folders / "v.png")
        outcome = fuse("v.png", "ir/a.bmp", "-o", "f.jpg")
        assert outcome.status == 0
        assert "Note: f.jpg: JPEG has no transparency" in outcome.err

    def test_the_range_of_sixteen_bit_infrared_is_stated(self, fuse, folders, texture):
        Image.fromarray(texture(24, 30, 1)[:, :, 0].astype(np.uint16) * 9 + 7000).save(folders / "i.png")
        outcome = fuse("vi/a.png", "i.png", "-o", "f.png")
        assert "Note: i.png: infrared values from 7" in outcome.err
        outcome = fuse("vi/a.png", "i.png", "-o", "f.png", "--infrared-range", "7000,9300")
        assert "from 7000 (black) to 9300 (white).\n" in outcome.err

    @pytest.mark.parametrize("colour", ["rgb", "ycbcr", "grey"])
    def test_colours(self, fuse, folders, colour):
        assert fuse("vi/a.png", "ir/a.bmp", "-o", "f.png", "--colour", colour).status == 0
        assert Image.open(folders / "f.png").mode == ("L" if colour == "grey" else "RGB")

    def test_a_limit_that_is_too_small_says_how_much_is_missing(self, fuse, folders):
        outcome = fuse("vi/a.png", "ir/a.bmp", "-o", "f.png", "--max-memory", "1M")
        assert "30x24 pixels do not fit into the available memory: " in outcome.message
        assert "MiB more are needed" in outcome.message
        assert not (folders / "f.png").exists()

    def test_without_one_of_them(self, fuse, folders):
        assert "--allow-missing" in fuse("vi/a.png", "-", "-o", "f.png").message
        assert fuse("vi/a.png", "-", "-o", "f.png", "--allow-missing").status == 0
        assert Image.open(folders / "f.png").mode == "RGB"
        assert fuse("-", "ir/a.bmp", "-o", "g.png", "--allow-missing").status == 0
        assert Image.open(folders / "g.png").mode == "L"
        assert "both sources are missing" in fuse("-", "-", "-o", "f.png", "--allow-missing").message
        message = fuse("-", "ir", "-o", "out", "--allow-missing").message
        assert message.startswith("- and ir: one is a folder and one is not")


class TestDepth:
    @pytest.mark.parametrize("ending", ["png", "tif", "TIFF"])
    @pytest.mark.parametrize("colour", ["rgb", "grey"])
    def test_sixteen_bits_hold_more_than_256_levels(self, fuse_by_mean, folders, ending, colour):
        ramp = np.linspace(0, 65535, 24 * 30).reshape(24, 30, 1).round().astype(np.uint16)
        Image.fromarray(ramp[:, :, 0]).save(folders / "i.png")
        options = ("--depth", "16", "--colour", colour, "--infrared-range", "full")
        outcome = fuse_by_mean("vi/a.png", "i.png", "-o", f"f.{ending}", *options)
        assert outcome.status == 0, outcome.err
        found = decode(folders / f"f.{ending}").pixels
        mean = (read(folders / "vi/a.png") * 257 + ramp) / 2
        assert found.dtype == np.uint16
        assert len(np.unique(found)) > 700
        np.testing.assert_allclose(found, mean if colour == "rgb" else (mean @ LUMA)[:, :, None], atol=1)

    def test_transparency_is_kept_and_metadata_left_out_is_said(self, fuse, folders, texture):
        Image.fromarray(texture(24, 30, 4)).save(folders / "v.png", dpi=(72, 72))
        outcome = fuse("v.png", "ir/a.bmp", "-o", "f.png", "--depth", "16")
        assert "f.png: with 16 bits, metadata of the visible source are left out" in outcome.err
        np.testing.assert_array_equal(read(folders / "f.png")[:, :, 3], texture(24, 30, 4)[:, :, 3])

    def test_a_folder(self, fuse, folders):
        assert fuse("vi", "ir", "-o", "out", "--depth", "16").status == 0
        assert all(decode(folders / f"out/{name}.png").pixels.dtype == np.uint16 for name in "abc")
        assert fuse("vi", "ir", "-o", "out").out.startswith("Fused 3 pair(s) to out, 3 of them again")


class TestInfrared:
    @pytest.fixture
    def counts(self, folders, texture) -> Path:
        """Infrared pictures of 16 bit in `raw`, as of one camera: the second is of a warmer scene."""
        (folders / "raw").mkdir()
        for name, start in (("a", 7000), ("b", 7600)):
            stored = texture(24, 30, 1)[:, :, 0].astype(np.uint16) * 4 + start
            stored[:3, :3] = 8000
            Image.fromarray(stored).save(folders / f"raw/{name}.png")
        (folders / "vi/c.png").unlink()
        (folders / "vi/a.png").write_bytes((folders / "vi/b.png").read_bytes())
        return folders

    @pytest.mark.parametrize("span", ["7000,9000", "shared"])
    def test_equal_counts_are_equal_grey_in_a_folder(self, fuse_by_mean, counts, span):
        outcome = fuse_by_mean("vi", "raw", "-o", "out", "--infrared-range", span)
        assert outcome.status == 0, outcome.err
        one, other = read(counts / "out/a.png"), read(counts / "out/b.png")
        np.testing.assert_array_equal(one[:3, :3], other[:3, :3])
        assert (other[3:] > one[3:]).mean() > 0.9
        fuse_by_mean("vi", "raw", "-o", "out", "--infrared-range", "percentile")
        assert (read(counts / "out/a.png")[:3, :3] != read(counts / "out/b.png")[:3, :3]).all()

    def test_a_range_that_leaves_no_contrast_is_warned_of(self, fuse, counts):
        outcome = fuse("vi/a.png", "raw/a.png", "-o", "f.png", "--infrared-range", "full")
        assert outcome.status == 0
        assert "Note: raw/a.png: distrusted by 0." in outcome.err
        assert "of 255 levels; another infrared range may help.\n" in outcome.err
        assert "distrusted" not in fuse("vi/a.png", "raw/a.png", "-o", "f.png").err

    def test_a_black_source_is_distrusted(self, fuse, folders):
        Image.new("L", (30, 24)).save(folders / "ir/a.bmp")
        outcome = fuse("vi", "ir", "-o", "out")
        assert outcome.status == 0
        line = "ir/a.bmp: distrusted by 1.00 of 1: its contrast is 0 of 255 levels, 100% of its pixels are black"
        assert outcome.err.splitlines()[-1] == f"Note: {line}."
        assert line in (folders / "out/fused.jsonl").read_text()

    def test_a_palette_colours_what_is_hot(self, fuse_by_mean, folders):
        heat = np.zeros((24, 30), np.uint8)
        heat[:, 15:] = 120
        Image.fromarray(heat).save(folders / "i.png")
        plain = ("vi/a.png", "i.png", "-o", "f.png", "--colour", "grey")
        assert fuse_by_mean(*plain, "--palette", "inferno").status == 0
        found = read(folders / "f.png")
        assert (np.ptp(found[:, :15], axis=2) <= 1).all()
        assert (found[:, 15:, 0] > found[:, 15:, 1] + 20).all()  # inferno is red and violet there
        fuse_by_mean(*plain)
        np.testing.assert_allclose(found @ LUMA, read(folders / "f.png"), atol=2)


class TestMistakes:
    @pytest.mark.parametrize(
        ("args", "said"),
        [
            (("vi/a.png", "ir/c.bmp", "-o", "f.png"), "30x24 but ir/c.bmp is 20x33"),
            (("vi/a.png", "ir/x.bmp", "-o", "f.png"), "ir/x.bmp: cannot be read"),
            (("vi/a.png", "ir", "-o", "f.png"), "one is a folder"),
            (("vi/a.png", "ir/a.bmp", "-o", "f.gif"), "got '.gif'"),
            (("vi/a.png", "ir/a.bmp", "-o", "f"), "no ending"),
            (("vi/a.png", "ir/a.bmp", "-o", "vi/a.png"), "is a source"),
            (("vi", "ir", "-o", "vi"), "is a source folder"),
            (("vi", "vi", "-o", "out"), "vi and vi: are the same; name the visible source first"),
            (("vi/a.png", "ir/../vi/a.png", "-o", "f.png"), "vi/a.png and ir/../vi/a.png: are the same"),
            (("vi/a.png", "ir/a.bmp", "-o", "f.png", "--format", "jpg"), "--format is for pictures in a folder; the"),
            (("vi/a.png", "ir/a.bmp", "-o", "f.png", "--batch-size", "0"), "1 or more"),
            (("vi/a.png", "ir/a.bmp", "-o", "f.png", "--max-memory", "lots"), "such as 4G or 900M, got 'lots'"),
            (("vi/a.png", "ir/a.bmp", "-o", "f.png", "--infrared-range", "9,1"), "LOW below HIGH"),
            (("vi/a.png", "ir/a.bmp", "-o", "f.png", "--colour", "sepia"), "sepia"),
            (("vi/a.png", "ir/a.bmp", "-o", "f.png", "--palette", "sepia"), "such as inferno, hot or turbo, got 'sepi"),
            (("vi/a.png", "ir/a.bmp", "-o", "f.png", "--depth", "12"), "depth: expected 8 or 16 bits, got 12"),
            (("vi/a.png", "ir/a.bmp", "-o", "f.jpg", "--depth", "16"), "f.jpg: JPEG has 8 bits; for a depth of 16"),
            (("vi", "ir", "-o", "out", "--format", "webp", "--depth", "16"), "WEBP has 8 bits; for a depth of 16"),
            (("vi/a.png", "ir/a.bmp"), "out"),
        ],
    )
    def test_one_line_and_nothing_written(self, fuse, folders, files_below, args, said):
        before = files_below(folders)
        assert said in fuse(*args).message
        assert files_below(folders) == before

    def test_weights_that_are_not_there(self, run, folders, monkeypatch):
        monkeypatch.chdir(folders)
        assert "no shipped weights of this name" in run(
            "fuse", "vi/a.png", "ir/a.bmp", "-o", "f.png", "--weights", "no-such"
        ).message  # fmt: skip

    def test_folders_without_a_pair(self, fuse, folders):
        (folders / "empty").mkdir()
        assert "no pair of pictures (3 visible, 0 infrared)" in fuse("vi", "empty", "-o", "out").message


class TestFolders:
    def test_pairs_by_stem(self, fuse, net, folders):
        outcome = fuse("vi", "ir", "-o", "out", "--batch-size", "4")
        assert outcome.status == 0, outcome.err
        assert outcome.out == "Fused 3 pair(s) to out.\n"
        for name in "abc":
            found = read(folders / f"out/{name}.png")
            difference = found - expected(net, folders / f"vi/{name}.png", folders / f"ir/{name}.bmp")
            assert np.abs(difference).max() <= 1
        assert set(os.listdir(folders / "out")) == {"a.png", "b.png", "c.png", "fused.jsonl"}

    def test_maps_lie_in_folders_of_their_own(self, fuse, folders, files_below):
        assert fuse("vi", "ir", "-o", "out", "--dominance").status == 0
        maps = {f"dominance_{source}/{name}.png" for source in ("visible", "infrared") for name in "abc"}
        assert files_below(folders / "out") == maps | {"a.png", "b.png", "c.png", "fused.jsonl"}

    def test_what_is_done_is_kept(self, fuse, folders):
        fuse("vi", "ir", "-o", "out")
        (folders / "out/b.png").unlink()
        times = {name: (folders / f"out/{name}.png").stat().st_mtime_ns for name in "ac"}
        assert fuse("vi", "ir", "-o", "out").out == "Fused 1 pair(s) to out; 2 already existed.\n"
        assert {name: (folders / f"out/{name}.png").stat().st_mtime_ns for name in "ac"} == times

    def test_other_settings_or_sources_are_noticed(self, fuse, folders):
        fuse("vi", "ir", "-o", "out")
        outcome = fuse("vi", "ir", "-o", "out", "--colour", "grey")
        assert outcome.out == "Fused 3 pair(s) to out, 3 of them again, for other settings or changed sources.\n"
        assert Image.open(folders / "out/a.png").mode == "L"
        Image.open(folders / "vi/b.png").convert("L").save(folders / "vi/b.png")
        outcome = fuse("vi", "ir", "-o", "out", "--colour", "grey")
        assert outcome.out.startswith("Fused 1 pair(s) to out, 1 of them again")
        assert outcome.out.endswith("2 already existed.\n")

    def test_maps_that_are_missing_are_made(self, fuse, folders):
        fuse("vi", "ir", "-o", "out")
        assert fuse("vi", "ir", "-o", "out", "--dominance").out.startswith("Fused 3 pair(s)")
        assert fuse("vi", "ir", "-o", "out", "--dominance").out.startswith("Fused 0 pair(s)")
        assert fuse("vi", "ir", "-o", "out").out.startswith("Fused 0 pair(s)")

    def test_maps_of_another_network_are_made_again(self, run, weights, tiny_net, folders, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        torch.manual_seed(1)
        DreamIF(**tiny_net).save_pretrained("other")

        def fuse(net, *options):
            return run("fuse", "vi", "ir", "-o", "out", "--weights", net, *EXACT, *options).out

        def maps():
            return {path.name: path.read_bytes() for path in Path("out/dominance_visible").iterdir()}

        fuse(weights, "--dominance")
        first = maps()
        fuse("other")
        assert fuse("other", "--dominance").startswith("Fused 3 pair(s)")
        second = maps()
        assert len(second) == 3
        assert all(second[name] != first[name] for name in first)
        assert fuse("other").startswith("Fused 0 pair(s)")
        assert fuse("other", "--dominance").startswith("Fused 0 pair(s)")
        assert maps() == second

    def test_tiles_are_made_where_memory_is_short(self, run, averaging, texture, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(fuse_options, "make_fuser", lambda *_: averaging)
        monkeypatch.setattr(averaging, "_pixels_at_once", lambda *_: 200 * 200)
        for name, channels, size in (("vi/a", 3, (301, 497)), ("ir/a", 1, (301, 497)), ("vi/b", 3, (20, 24)),
                                     ("ir/b", 1, (20, 24))):  # fmt: skip
            Path(name).parent.mkdir(exist_ok=True)
            Image.fromarray(texture(*size, channels, seed=channels).squeeze()).save(f"{name}.png")
        assert run("fuse", "vi", "ir", "-o", "out", "--threads", "1").status == 0
        large, small = map(json.loads, Path("out/fused.jsonl").read_text().splitlines())
        assert (large["file"], small["file"], small["tile"]) == ("a.png", "b.png", None)
        height, width = large["tile"]
        assert height * width <= 200 * 200
        assert all(shape[2] <= height and shape[3] <= width for shape in averaging.net.shapes)
        assert len(averaging.net.shapes) > 3
        assert (
            np.abs(read(Path("out/a.png")) - (read(Path("vi/a.png")) + read(Path("ir/a.png"))[..., None]) / 2).max() < 1
        )

    def test_a_journal_that_a_crash_cut_short(self, fuse, folders):
        fuse("vi", "ir", "-o", "out")
        journal = folders / "out/fused.jsonl"
        lines = journal.read_text().splitlines()
        assert [json.loads(line)["file"] for line in lines] == ["a.png", "b.png", "c.png"]
        journal.write_text("\n".join([*lines[:2], lines[2][:50]]))
        assert fuse("vi", "ir", "-o", "out").out.startswith("Fused 1 pair(s)")
        assert fuse("vi", "ir", "-o", "out").out.startswith("Fused 0 pair(s)")

    def test_one_bad_pair_does_not_stop_the_others(self, fuse, folders, texture):
        data = (folders / "vi/b.png").read_bytes()
        (folders / "vi/b.png").write_bytes(data[: len(data) // 2])
        Image.fromarray(texture(40, 40, 3)).save(folders / "vi/d.png")
        Image.fromarray(texture(40, 41, 1)[:, :, 0]).save(folders / "ir/d.png")
        outcome = fuse("vi", "ir", "-o", "out")
        assert outcome.status == 1
        assert outcome.out == "Fused 2 pair(s) to out.\n"
        told = [line for line in outcome.err.splitlines() if line.startswith("Not fused: ")]
        assert len(told) == 2
        assert told[0].startswith("Not fused: b: vi/b.png: the picture is damaged or cut short")
        assert told[1].startswith("Not fused: d: unequal sizes")

    def test_a_bad_one_in_a_batch_is_found(self, fuse, folders):
        Image.fromarray(np.full((24, 30), np.nan, np.float32)).save(folders / "ir/b.tiff")
        (folders / "ir/b.bmp").unlink()
        outcome = fuse("vi", "ir", "-o", "out", "--batch-size", "4")
        assert outcome.status == 1
        assert outcome.out == "Fused 2 pair(s) to out.\n"
        assert "Not fused: b: ir/b.tiff: holds NaN or infinite values" in outcome.err

    def test_files_without_a_partner_or_with_a_namesake(self, fuse, folders):
        (folders / "ir/a.bmp").unlink()
        (folders / "vi/b.png").unlink()
        Image.open(folders / "vi/c.png").save(folders / "vi/c.jpg")
        Image.open(folders / "vi/c.png").save(folders / "vi/e.png")
        Image.open(folders / "vi/c.png").convert("L").save(folders / "ir/e.png")
        (folders / "vi/Thumbs.db").write_bytes(b"none")
        outcome = fuse("vi", "ir", "-o", "out")
        assert outcome.status == 1
        assert outcome.out == "Fused 1 pair(s) to out.\n"
        assert "Not fused: a: vi/a.png has no infrared partner in ir" in outcome.err
        assert "Not fused: b: ir/b.bmp has no visible partner in vi" in outcome.err
        assert "Not fused: c: vi/c.jpg and vi/c.png differ only in their ending" in outcome.err
        outcome = fuse("vi", "ir", "-o", "out", "--allow-missing")
        assert outcome.out == "Fused 2 pair(s) to out; 1 already existed.\n"
        assert Image.open(folders / "out/a.png").mode == "RGB"
        assert Image.open(folders / "out/b.png").mode == "L"

    def test_a_folder_that_cannot_be_made(self, fuse, folders):
        (folders / "out").write_text("a file")
        assert "cannot be made" in fuse("vi", "ir", "-o", "out/deeper").message
