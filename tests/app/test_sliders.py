"""What the sliders do to a source, against the degradations called one by one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dream_if.app.sliders import CHAIN, MOST, Sliders
from dream_if.data.degradations import ALL_KINDS, KIND_CLASSES, sample_generator
from dream_if.errors import InputError
from dream_if.inference.intensity import InfraredRange
from dream_if.inference.pictures import Picture

AUTO = InfraredRange()


@pytest.fixture
def colour() -> Picture:
    pixels = np.random.default_rng(1).integers(40, 220, (30, 36, 3), np.uint8)
    return Picture(pixels, np.full((30, 36), 200, np.uint8), {"dpi": (72, 72)}, ("a note",), "scene.png")


def test_every_kind_has_a_slider():
    assert set(CHAIN) == set(ALL_KINDS)
    for kind in CHAIN.values():
        kind.at_level(MOST)
        with pytest.raises(InputError):
            kind.at_level(MOST + 1)


def test_nothing_chosen_leaves_the_very_picture(colour):
    assert Sliders().degrade(colour, "visible", AUTO) is colour
    assert Sliders({"rain": 0}).degrade(colour, "visible", AUTO) is colour
    assert Sliders({"rain": 3}, "infrared").degrade(colour, "visible", AUTO) is colour
    assert Sliders({"rain": 3}, "infrared").degrades("infrared")


@pytest.mark.parametrize("name", ALL_KINDS)
def test_one_kind_is_that_degradation(colour, name):
    kind = KIND_CLASSES[name]
    source = kind.SOURCES[0]
    picture = colour if source == "visible" else replace(colour, pixels=colour.pixels[:, :, :1])
    found = Sliders({name: 2}, seed=5).degrade(picture, source, AUTO)
    image = torch.from_numpy(picture.pixels).permute(2, 0, 1) / 255
    chance = sample_generator(5, 0, ALL_KINDS.index(name), source, "app")
    expected = kind.at_level(2)(image, kind.at_level(2).draw(chance, tuple(image.shape)))
    np.testing.assert_allclose(found.pixels, expected.permute(1, 2, 0).numpy(), atol=1e-6)
    assert np.abs(found.pixels - picture.pixels / 255).mean() > 0.005
    assert found.pixels.dtype == np.float32
    assert (found.alpha == 200).all()
    assert (found.metadata, found.name, found.notes) == ({"dpi": (72, 72)}, "scene.png", ("a note",))


def test_what_befalls_the_other_source_alone_leaves_the_very_picture(colour):
    grey = replace(colour, pixels=colour.pixels[:, :, :1])
    assert Sliders({"stripes": 4, "low_contrast": 4}).degrade(colour, "visible", AUTO) is colour
    assert Sliders({"haze": 4, "low_light": 4}).degrade(grey, "infrared", AUTO) is grey
    with_rain = Sliders({"haze": 4, "rain": 2}).degrade(grey, "infrared", AUTO)
    assert (with_rain.pixels == Sliders({"rain": 2}).degrade(grey, "infrared", AUTO).pixels).all()


def test_rain_falls_before_the_sensor_is_noisy(colour):
    both = Sliders({"gaussian": 1, "rain": 4}).degrade(colour, "visible", AUTO).pixels
    rain = Sliders({"rain": 4}).degrade(colour, "visible", AUTO).pixels
    noise = Sliders({"gaussian": 1}).degrade(colour, "visible", AUTO).pixels - colour.pixels / np.float32(255)
    inside = (both > 0.02) & (both < 0.98) & (rain < 1)  # not cut off at black or white
    assert inside.mean() > 0.5
    np.testing.assert_allclose((both - rain)[inside], noise[inside], atol=1e-5)


def test_a_seed_repeats_and_another_does_not(colour):
    first, again, other = (Sliders({"poisson": 3}, seed=seed).degrade(colour, "visible", AUTO) for seed in (1, 1, 2))
    assert (first.pixels == again.pixels).all()
    assert (first.pixels != other.pixels).mean() > 0.5


def test_the_sources_do_not_share_their_noise(colour):
    grey = Picture(colour.pixels[:, :, :1])
    visible, infrared = (
        Sliders({"gaussian": 3}).degrade(grey, source, AUTO).pixels for source in ("visible", "infrared")
    )
    assert visible.shape == infrared.shape == (30, 36, 1)
    assert (visible != infrared).mean() > 0.5


def test_grey_stored_as_colours_gets_none(colour):
    grey = Picture(np.repeat(colour.pixels[:, :, :1], 3, axis=2))
    assert Sliders({"gaussian": 4}).degrade(grey, "visible", AUTO).pixels.shape == (30, 36, 1)


def test_infrared_counts_are_scaled_before(colour):
    counts = Picture((7000 + colour.pixels[:, :, :1].astype(np.uint16)), name="counts.tif")
    found = Sliders({"blur": 1}).degrade(counts, "infrared", InfraredRange.parse("7000,7255"))
    like = Sliders({"blur": 1}).degrade(Picture(colour.pixels[:, :, :1]), "infrared", AUTO)
    np.testing.assert_allclose(found.pixels, like.pixels, atol=1e-5)
    assert found.notes == ("counts.tif: infrared values from 7000 (black) to 7255 (white)",)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"levels": {"fog": 1}}, "degradation fog at level 1"),
        ({"levels": {"rain": 5}}, "rain at level 5: expected one of .* at 0 to 4"),
        ({"levels": {"rain": 1.5}}, "rain at level 1.5"),
        ({"sources": "neither"}, "expected both, visible, infrared, got 'neither'"),
        ({"seed": None}, "seed: expected a whole number, got None"),
    ],
)
def test_what_cannot_be_used_is_said(settings, words):
    with pytest.raises(InputError, match=words):
        Sliders(**settings)
