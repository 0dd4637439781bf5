"""`dream-if figure`: the pixels of a figure are those of the images, at the places that the boxes name."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dream_if.models import DreamIF

SIZE = (40, 60)  # height, width
DPI = 100
WIDTH = 1.2  # inches of a column: each pixel of an image becomes two of the figure
RED, GREEN = (255, 45, 45), (35, 197, 82)


@pytest.fixture
def folders(tmp_path, monkeypatch) -> Path:
    """Scenes a, b, c and d: black sources, methods `one` and `two` grey but for a white block at 30,10 of 10x8."""
    monkeypatch.chdir(tmp_path)
    for folder, level in {"vi": 0, "ir": 0, "one": 90, "two": 150}.items():
        Path(folder).mkdir()
        for name in "abcd":
            pixels = np.full(SIZE, level, np.uint8)
            if level:
                pixels[10:18, 30:40] = 255
            Image.fromarray(pixels).save(f"{folder}/{name}.png")
    return tmp_path


@pytest.fixture
def figure(run, folders):  # noqa: ARG001  (it works there)
    def draw(*args: object, out: str = "f.png", methods=("one", "two")):
        fused = [word for name in methods for word in ("--fused", f"{name.upper()}={name}")]
        size = ("--width", WIDTH, "--dpi", DPI)
        return run("figure", "--visible", "vi", "--infrared", "ir", *fused, "-o", out, *size, *args)

    return draw


def read(path: str = "f.png") -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def count(pixels: np.ndarray, colour, off: int = 8) -> int:
    return int((np.abs(pixels - np.array(colour)).max(axis=2) <= off).sum())


class TestComparison:
    def test_a_column_for_each_source_and_method_and_a_row_for_each_scene(self, figure):
        outcome = figure("--scenes", "b,a")
        assert outcome.out == "Wrote f.png: b, a.\n"
        pixels = read()
        assert pixels.shape[1] == pytest.approx((0.2 + 4 * (WIDTH + 0.03)) * DPI, abs=1)
        picture, block = 120 * 80, 20 * 16
        assert count(pixels, (90,) * 3, 2) == pytest.approx(2 * (picture - block), rel=0.03)
        assert count(pixels, (150,) * 3, 2) == pytest.approx(2 * (picture - block), rel=0.03)
        assert count(pixels, (0,) * 3, 2) >= 4 * picture * 0.97

    def test_the_first_three_if_none_are_named(self, figure):
        assert figure().out == "Wrote f.png: a, b, c.\n"

    def test_the_enlargement_is_what_is_in_the_box(self, figure):
        assert figure("--scenes", "a").status == 0
        without = read()
        assert figure("--scenes", "a", "--zoom", "30,10,10,8").status == 0
        pixels = read()
        strip = pixels[without.shape[0] :]
        assert count(pixels, RED) > 500
        white = (strip == 255).all(axis=2)
        # Height 0.6 inches, width 0.75: one box alone is half as high as its picture is wide.
        assert strip.shape[0] == pytest.approx(63, abs=2)
        assert count(strip[3:-4, 100 + 180 : 100 + 300], (90,) * 3) == 0  # below ONE all is the white block
        assert white[10:-10].mean() > 0.5
        black = np.abs(strip).max(axis=2) <= 2
        assert black.sum() == pytest.approx(2 * 75 * 60, rel=0.15)  # both sources' boxes are black

    def test_boxes_of_one_scene_and_of_all(self, figure):
        assert (
            figure("--scenes", "a,b", "--zoom", "a:0,0,20,10", "--zoom", "b:5,5,10,10", "--zoom", "30,20,10,10").status
            == 0
        )
        pixels = read()
        assert count(pixels, RED) > 500
        assert count(pixels, GREEN) > 500

    def test_in_corners_the_figure_does_not_grow(self, figure):
        figure("--scenes", "a")
        without = read()
        figure("--scenes", "a", "--zoom", "30,10,10,8", "--insets", "corner")
        pixels = read()
        assert pixels.shape == without.shape
        assert count(pixels, (255,) * 3, 0) > count(without, (255,) * 3, 0) + 2 * 500
        lower_right = pixels[-32:-9, 350:380]  # of ONE, the third column, which ends at 386
        assert count(lower_right, (255,) * 3, 2) == lower_right.shape[0] * lower_right.shape[1]

    @pytest.mark.parametrize(("ending", "start"), [("pdf", b"%PDF"), ("svg", b"<?xml")])
    def test_vector_formats_hold_text(self, figure, ending, start):
        assert figure("--scenes", "a", "--zoom", "0,0,9,9", out=f"f.{ending}").status == 0
        data = Path(f"f.{ending}").read_bytes()
        assert data.startswith(start)
        if ending == "svg":
            assert b">ONE<" in data
            assert b">visible<" in data
        figure("--scenes", "a", "--zoom", "0,0,9,9", out=f"again.{ending}")
        assert Path(f"again.{ending}").read_bytes() == data

    def test_dots_per_inch(self, figure):
        figure("--scenes", "a", "--dpi", 200)
        assert round(Image.open("f.png").info["dpi"][0]) == 200


class TestDominance:
    def test_a_column_for_each_level_on_one_scale(self, figure, tiny_net, tmp_path):
        torch.manual_seed(0)
        DreamIF(**tiny_net).save_pretrained(tmp_path / "net")
        assert figure("--dominance", "--weights", "net", "--scenes", "a", methods=()).status == 0
        pixels = read()
        assert pixels.shape[1] == pytest.approx((0.2 + 4 * (WIDTH + 0.03)) * DPI, abs=1)
        assert pixels.shape[0] == pytest.approx((0.2 + 2 * (WIDTH * 40 / 60 + 0.03)) * DPI, abs=1)
        figure("--dominance", "--weights", "net", "--scenes", "a", out="f.svg", methods=())
        words = Path("f.svg").read_text()
        assert all(f">{title}<" in words for title in ("source", "1/4 of the size", "1/2 of the size", "full size"))

    def test_a_network_without_maps(self, figure, tiny_net, tmp_path):
        DreamIF(**tiny_net, use_rd=False, use_ce=False, use_se=False).save_pretrained(tmp_path / "net")
        message = figure("--dominance", "--weights", "net", methods=()).message
        assert message == "--dominance: the network of net has no dominance maps (use_rd is false)."


class TestMistakes:
    @pytest.mark.parametrize(
        ("args", "options", "said"),
        [
            ((), {"out": "f.jpg"}, "f.jpg: expected a figure that ends in .png, .pdf or .svg, got '.jpg'"),
            ((), {"methods": ()}, "nothing to compare: give --fused NAME=FOLDER, or --dominance"),
            (("--dominance",), {}, "--dominance draws one network's maps"),
            (("--scenes", "a,x"), {}, "--scenes: x: no pair of this stem in vi and ir; there are a, b, c, d."),
            (("--zoom", "1,2,3"), {}, "--zoom: expected X,Y,W,H or SCENE:X,Y,W,H in pixels"),
            (("--zoom", "55,0,9,9"), {}, "--zoom 55,0,9,9: does not lie in a, which is 60x40 pixels"),
            (("--zoom", "q:5,0,9,9"), {}, "--zoom: q is no scene of the figure, which has a, b, c"),
            (("--zoom", "0,0,9,9") * 5, {}, "5 boxes for a; at most 4"),
            (("--dpi", "1"), {}, "--dpi 20 to 2400, got 1.2 and 1"),
            (("--fused", "ONE=two"), {}, "the name 'ONE' is given twice"),
        ],
    )
    def test_are_named(self, figure, folders, args, options, said):
        assert said in figure(*args, **options).message
        assert {path.name for path in folders.iterdir()} == {"vi", "ir", "one", "two"}

    def test_an_image_that_is_missing_or_of_another_size(self, figure):
        Path("one/b.png").unlink()
        assert "ONE: no image of the stem b in one" in figure().message
        Image.new("L", (50, 40)).save("one/b.png")
        assert "one/b.png is 50x40, and its sources are 60x40" in figure().message

    def test_the_old_figure_stays_where_the_new_one_fails(self, figure):
        figure("--scenes", "a")
        before = Path("f.png").read_bytes()
        Path("two/a.png").write_bytes(before[:99])
        assert "two/a.png: not a picture" in figure("--scenes", "a").message
        assert Path("f.png").read_bytes() == before
        assert Image.open(io.BytesIO(before)).format == "PNG"
