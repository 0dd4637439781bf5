"""`dream-if figure`: the pixels of a figure are those of the images, at the places that the boxes name."""

import base64
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from PIL import Image

from dream_if.figures import drawing
from dream_if.models import DreamIF
from tests.conftest import scene

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


def points(element: ElementTree.Element) -> tuple[float, float]:
    """Where an element of an SVG stands, from the left and from the top, in points."""
    left, top = (float(number) for number in re.findall(r"[-.\d]+", element.get("transform"))[-2:])
    return left, top


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

    def test_a_scene_that_is_named_twice_is_drawn_once(self, figure):
        figure("--scenes", "a,b")
        once = read()
        assert figure("--scenes", "a,b,a").out == "Wrote f.png: a, b.\n"
        assert (read() == once).all()

    def test_names_are_no_formulas(self, figure, folders):
        for folder in ("vi", "ir", "one"):
            (folders / folder / "a.png").rename(folders / folder / "$x_{a$.png")
        assert figure("--scenes", "$x_{a$", "--fused", "a$\\b$=one", out="f.svg", methods=()).status == 0
        words = Path("f.svg").read_text()
        assert ">$x_{a$<" in words
        assert ">a$\\b$<" in words

    @pytest.mark.parametrize(("ending", "lines"), [("png", 1), ("pdf", 1), ("svg", 0)])
    @pytest.mark.filterwarnings("always")
    def test_letters_that_the_font_lacks_are_told_in_one_line(self, figure, recwarn, ending, lines):
        outcome = figure("--scenes", "a", "--fused", "融合=one", "--fused", "合 é=two", out=f"f.{ending}", methods=())
        assert outcome.status == 0
        assert (
            outcome.err
            == "Note: the font of the figure has no 合融; names show boxes for it. SVG keeps them.\n" * lines
        )
        assert not [one for one in recwarn if "Glyph" in str(one.message)]

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

    def test_what_would_have_too_many_pixels_is_refused_at_once(self, figure, monkeypatch):
        message = figure("--width", 20, "--dpi", 2400).message
        assert message.startswith("f.png: would have 186")  # of 80.3 x 40.3 inches, 5.76 million pixels each
        assert "million pixels at 2400 dots per inch, and at most 200 million are drawn" in message
        assert "--width or --dpi" in message
        assert not Path("f.png").exists()
        figure("--scenes", "a")
        height, width = read().shape[:2]
        monkeypatch.setattr(drawing, "MOST_PIXELS", 1.02 * height * width)
        assert figure("--scenes", "a").status == 0
        monkeypatch.setattr(drawing, "MOST_PIXELS", 0.98 * height * width)
        assert "--width or --dpi" in figure("--scenes", "a").message
        assert figure("--scenes", "a", out="f.pdf").status == 0  # its pixels are those of the images
        # 4 enlargements of 0.75 by 0.6 inches
        monkeypatch.setattr(drawing, "MOST_PIXELS", 0.98 * 4 * 75 * 60)
        assert "f.pdf: would have" in figure("--scenes", "a", "--zoom", "30,10,10,8", out="f.pdf").message


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

    def test_each_map_and_its_range_stand_at_its_source_and_level(self, figure, tiny_net, folders):
        visible, infrared = scene(*SIZE, seed=3)
        Image.fromarray(visible).save("vi/a.png")
        Image.fromarray(infrared).save("ir/a.png")
        torch.manual_seed(0)
        net = DreamIF(**tiny_net).eval()
        net.save_pretrained(folders / "net")
        sources = torch.from_numpy(visible).permute(2, 0, 1)[None] / 255, torch.from_numpy(infrared)[None, None] / 255
        with torch.inference_mode():
            found = net(*sources)
        figure("--dominance", "--weights", "net", "--scenes", "a", out="f.svg", methods=())

        page = ElementTree.parse("f.svg").getroot()
        name = "{http://www.w3.org/2000/svg}"
        pictures = {points(one): one for one in page.iter(f"{name}image")}
        ranges = {points(one): one.text for one in page.iter(f"{name}text") if " to " in one.text}
        assert len(pictures) == 8
        assert len(ranges) == 6
        # Columns begin every 1.23 inches of 72 points from 0.2 on, rows every 0.83; a range stands low in its picture.
        cells, printed = (
            {(int((top / 72 - 0.19) / 0.83), int((left / 72 - 0.19) / 1.23)): one for (left, top), one in them.items()}
            for them in (pictures, ranges)
        )
        assert len(set(printed.values())) == 6
        for level, pair in enumerate(zip(found.dominance_visible, found.dominance_infrared, strict=True)):
            low, high = float(min(one.min() for one in pair)), float(max(one.max() for one in pair))
            for row, wanted in enumerate(one[0, 0].numpy() for one in pair):
                cell = row, 3 - level
                least, most = (float(word) for word in printed[cell].split(" to "))
                assert (least, most) == pytest.approx((wanted.min(), wanted.max()), abs=0.00051)
                data = cells[cell].get("{http://www.w3.org/1999/xlink}href").split(",")[1]
                shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)
                colours = colormaps["viridis"]((wanted - low) / (high - low))[..., :3] * 255
                assert np.abs(shown - colours).max() < 6  # neighbouring colours are up to 5 apart

    def test_the_fusion_weight_is_named(self, figure, folders, tiny_net):
        DreamIF(**tiny_net, dominance="weighing").save_pretrained(folders / "net")
        figure("--dominance", "--weights", "net", "--scenes", "a", out="f.svg", methods=())
        words = [one.text for one in ElementTree.parse("f.svg").getroot().iter("{http://www.w3.org/2000/svg}text")]
        titles = ["source", "1/4 of the size", "1/2 of the size", "full size", "fusion weight"]
        assert [word for word in words if word in titles] == titles

    def test_a_network_without_maps(self, figure, tiny_net, tmp_path):
        DreamIF(**tiny_net, use_rd=False, use_ce=False, use_se=False).save_pretrained(tmp_path / "net")
        message = figure("--dominance", "--weights", "net", methods=()).message
        assert message == "--dominance: the network of net has no dominance maps."


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
            (("--zoom", "q:5,0,9,9"), {}, "--zoom: q is not a scene of the figure, which has a, b, c"),
            (("--zoom", "0,0,9,9") * 5, {}, "5 boxes for a; at most 4"),
            (("--dpi", "1"), {}, "--dpi 20 to 2400, got 1.2 and 1"),
            (("--fused", "ONE=two"), {}, "the name 'ONE' is given twice"),
            (("--fused", "visible=one"), {}, "--fused: the column 'visible' belongs to the sources"),
            (("--fused", "infrared=one"), {}, "--fused: the column 'infrared' belongs to the sources"),
            (("--weights", "nonsense"), {}, "--weights names the network of --dominance"),
            (("--weights", "small"), {}, "--weights names the network of --dominance"),
            (("--insets", "corner"), {}, "--insets says where enlarged parts go; name one with --zoom"),
            (("--dominance", "--insets", "below"), {"methods": ()}, "give --fused, --zoom and --insets to a figure"),
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

    def test_sources_of_unequal_sizes(self, figure):
        Image.new("L", (50, 40)).save("ir/b.png")
        assert "unequal sizes: vi/b.png is 60x40 but ir/b.png is 50x40 (width x height)" in figure().message

    def test_the_old_figure_stays_where_the_new_one_fails(self, figure):
        figure("--scenes", "a")
        before = Path("f.png").read_bytes()
        Path("two/a.png").write_bytes(before[:99])
        assert "two/a.png: not a picture" in figure("--scenes", "a").message
        assert Path("f.png").read_bytes() == before
        assert Image.open(io.BytesIO(before)).format == "PNG"
