"""What happens behind the page, without a page."""

import itertools
from threading import Event, Thread
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

import dream_if
from dream_if.app.demo import Demo
from dream_if.app.sliders import Sliders
from dream_if.errors import InputError
from dream_if.inference import Fuser
from dream_if.inference.engine import fuse_pictures
from dream_if.models import DreamIF

NONE = Sliders()
SOURCES = ("visible", "infrared")


@pytest.fixture
def pair(uploads):
    return str(uploads / "visible.png"), str(uploads / "infrared.png")


def read(file) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image)


class TestFuse:
    def test_it_is_what_the_library_makes_of_the_files(self, demo, pair, fuser):
        outcome = demo.fuse(*pair, NONE, "rgb", "auto")
        fused, dominance_visible, _ = dream_if.fuse(*pair, weights=fuser, dominance=True)
        assert (read(outcome.file) == np.asarray(fused)).all()
        assert (outcome.fused == np.asarray(fused)).all()
        assert (outcome.visible == read(pair[0])).all()
        assert outcome.file.name == "visible_fused.png"
        low, high = dominance_visible.min(), dominance_visible.max()
        assert outcome.dominance_visible.span == f"{low:.3f} to {high:.3f}"
        assert outcome.dominance_infrared.image.shape == (32, 40, 3)
        assert outcome.summary.startswith("**40 x 32 pixels**, fused in ")
        assert outcome.summary.endswith(" s in float32 on cpu.")

    @pytest.mark.parametrize("colour", ["ycbcr", "grey"])
    def test_colour_modes(self, demo, pair, fuser, colour):
        outcome = demo.fuse(*pair, NONE, colour, "auto")
        expected = np.asarray(dream_if.fuse(*pair, weights=fuser, colour=colour))
        assert (read(outcome.file) == expected).all()
        assert outcome.fused.shape == (32, 40, 3)

    def test_heat_in_colours(self, demo, pair, fuser):
        outcome = demo.fuse(*pair, NONE, "rgb", "auto", palette="inferno")
        assert (read(outcome.file) == np.asarray(dream_if.fuse(*pair, weights=fuser, palette="inferno"))).all()

    def test_a_source_that_shows_too_little_is_named(self, demo, pair, uploads):
        Image.new("L", (40, 32)).save(uploads / "black.png")
        summary = demo.fuse(pair[0], str(uploads / "black.png"), NONE, "rgb", "auto").summary
        assert "Note: black.png: distrusted by 1.00 of 1: its contrast is 0 of 255 levels" in summary

    def test_degraded_sources_are_what_is_shown_and_fused(self, demo, pair, fuser):
        sliders = Sliders({"gaussian": 3, "rain": 2}, seed=4)
        outcome = demo.fuse(*pair, sliders, "rgb", "auto")
        visible_view, infrared_view = (
            demo.preview(file, source, sliders, "auto") for file, source in zip(pair, SOURCES, strict=True)
        )
        assert (outcome.visible == visible_view).all()
        assert np.abs(visible_view.astype(int) - read(pair[0])).mean() > 5
        assert np.abs(infrared_view[:, :, 0].astype(int) - read(pair[1])).mean() > 5
        # What is shown was rounded to 8 bit, what is fused was not.
        expected = dream_if.fuse(visible_view, infrared_view[:, :, 0], weights=fuser)
        assert np.abs(outcome.fused.astype(int) - expected).max() <= 3
        assert "both sources suffered: rain 2, gaussian 3 (seed 4)" in outcome.summary

    def test_only_the_infrared_source(self, demo, pair):
        sliders = Sliders({"blur": 4}, "infrared")
        outcome = demo.fuse(*pair, sliders, "rgb", "auto")
        assert (outcome.visible == read(pair[0])).all()
        assert (outcome.fused != demo.fuse(*pair, NONE, "rgb", "auto").fused).any()
        assert "the infrared source suffered: blur 4" in outcome.summary

    @pytest.mark.parametrize("levels", [{}, {"blur": 1}])
    def test_infrared_of_16_bit(self, demo, pair, uploads, levels):
        counts = 7000 + 4 * read(pair[1]).astype(np.uint16)
        Image.fromarray(counts).save(uploads / "counts.tif")
        sliders = Sliders(levels)
        deep = demo.fuse(pair[0], str(uploads / "counts.tif"), sliders, "rgb", "7000,8020")
        plain = demo.fuse(*pair, sliders, "rgb", "full")
        assert np.abs(deep.fused.astype(int) - plain.fused).max() <= 1
        assert deep.summary.count("infrared values") == 1
        assert "Note: counts.tif: infrared values from 7000 (black) to 8020 (white)." in deep.summary
        assert "infrared values" not in plain.summary

    def test_results_do_not_overwrite_each_other(self, demo, pair):
        first, second = (demo.fuse(*pair, Sliders({"rain": level}), "rgb", "auto").file for level in (0, 4))
        assert first != second
        assert (read(first) != read(second)).any()

    def test_tiles_are_told(self, pair, tiny_net, tmp_path, monkeypatch):
        fuser = Fuser(DreamIF(**tiny_net), device="cpu", precision="float32")
        monkeypatch.setattr(fuser, "_pixels_at_once", lambda _: 32 * 32)
        monkeypatch.setattr(fuser, "_tile_size", lambda *_: (32, 32))
        summary = Demo(fuser, tmp_path).fuse(*pair, NONE, "rgb", "auto").summary
        assert "fused in tiles of 32 x 32 in" in summary

    def test_a_network_without_maps(self, pair, tiny_net, tmp_path):
        net = DreamIF(**tiny_net, use_rd=False, use_ce=False, use_se=False)
        outcome = Demo(Fuser(net, device="cpu", precision="float32"), tmp_path).fuse(*pair, NONE, "rgb", "auto")
        assert outcome.dominance_visible is outcome.dominance_infrared is None


class TestMistakes:
    @pytest.mark.parametrize(("missing", "given"), [("visible", (None, "x")), ("infrared", ("x", None))])
    def test_one_is_missing(self, demo, missing, given):
        with pytest.raises(InputError, match=f"The {missing} picture is missing"):
            demo.fuse(*given, NONE, "rgb", "auto")

    def test_unequal_sizes_by_the_names_of_the_files(self, demo, uploads):
        with pytest.raises(InputError) as error:
            demo.fuse(str(uploads / "visible.png"), str(uploads / "other.png"), NONE, "rgb", "auto")
        assert str(error.value).startswith("unequal sizes: visible.png is 40x32 but other.png is 40x30")
        assert str(uploads) not in str(error.value)

    def test_no_picture(self, demo, uploads):
        for call in (
            lambda: demo.fuse(str(uploads / "text.png"), str(uploads / "infrared.png"), NONE, "rgb", "auto"),
            lambda: demo.preview(str(uploads / "text.png"), "infrared", NONE, "auto"),
        ):
            with pytest.raises(InputError, match=r"^text\.png: not a picture of a known format"):
                call()

    def test_too_many_pixels(self, demo, uploads, monkeypatch):
        monkeypatch.setattr("dream_if.app.demo.MOST_PIXELS", 40 * 32 - 1)
        for call in (
            lambda: demo.fuse(str(uploads / "visible.png"), str(uploads / "infrared.png"), NONE, "rgb", "auto"),
            lambda: demo.preview(str(uploads / "visible.png"), "visible", NONE, "auto"),
        ):
            with pytest.raises(InputError, match=r"^visible\.png: has 1280 pixels; the page takes up to 1279"):
                call()

    def test_too_small(self, demo, uploads):
        Image.new("L", (15, 40)).save(uploads / "small.png")
        with pytest.raises(InputError, match=r"^small\.png: is 15x40 pixels; at least 16x16"):
            demo.preview(str(uploads / "small.png"), "infrared", NONE, "auto")

    def test_settings(self, demo, pair):
        with pytest.raises(InputError, match="infrared range: expected auto"):
            demo.fuse(*pair, NONE, "rgb", "warm")
        with pytest.raises(InputError, match="colour: expected rgb, ycbcr, grey, got 'red'"):
            demo.fuse(*pair, NONE, "red", "auto")


class TestTimeLimit:
    @pytest.mark.parametrize("tiles", [False, True])
    def test_a_slow_fusion_is_ended_and_the_next_one_is_whole(self, pair, fuser, tmp_path, monkeypatch, tiles):
        if tiles:
            monkeypatch.setattr(fuser, "_pixels_at_once", lambda _: 32 * 32)
            monkeypatch.setattr(fuser, "_tile_size", lambda *_: (32, 32))
        demo = Demo(fuser, tmp_path / "out")
        demo.folder.mkdir()
        whole = demo.fuse(*pair, NONE, "rgb", "auto").fused
        seconds = itertools.count(0, 100)  # each layer takes 100 s
        with monkeypatch.context() as slow:
            slow.setattr("dream_if.app.demo.time", Mock(monotonic=seconds.__next__, perf_counter=lambda: 0.0))
            with pytest.raises(InputError, match=r"^The fusion was stopped: the page allows it 600 seconds\."):
                demo.fuse(*pair, NONE, "rgb", "auto")
        assert next(seconds) == 800  # asked at 0 and before seven layers, of which the last would begin at 700
        assert len(list(demo.folder.iterdir())) == 1  # the first one's
        assert (demo.fuse(*pair, NONE, "rgb", "auto").fused == whole).all()


class TestPreview:
    def test_nothing_uploaded(self, demo):
        assert demo.preview(None, "visible", NONE, "auto") is None

    def test_the_range_that_the_network_sees(self, demo, uploads):
        view = demo.preview(str(uploads / "infrared.png"), "infrared", NONE, "100,150")
        stored = read(uploads / "infrared.png").astype(float)
        np.testing.assert_allclose(view[:, :, 0], np.clip((stored - 100) * 5.1, 0, 255), atol=0.6)


def test_the_end_waits_for_what_is_going_on_and_nothing_begins_after(demo, pair, monkeypatch):
    began, go_on, order = Event(), Event(), []

    def slowly(*args, **kwargs):
        began.set()
        go_on.wait(10)
        order.append("fused")
        return fuse_pictures(*args, **kwargs)

    monkeypatch.setattr("dream_if.app.demo.fuse_pictures", slowly)
    Thread(target=demo.fuse, args=(*pair, NONE, "rgb", "auto"), daemon=True).start()
    assert began.wait(10)
    end = Thread(target=lambda: (demo.finish(), order.append("ended")), daemon=True)
    end.start()
    end.join(0.2)
    assert order == []
    go_on.set()
    end.join(10)
    assert order == ["fused", "ended"]
    for call in (lambda: demo.fuse(*pair, NONE, "rgb", "auto"), lambda: demo.preview(pair[0], "visible", NONE, "auto")):
        late = Thread(target=lambda call=call: (call(), order.append("late")), daemon=True)
        late.start()
        late.join(0.5)
    assert order == ["fused", "ended"]
