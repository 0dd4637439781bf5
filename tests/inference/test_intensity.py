"""Values between files and network: infrared ranges and colour modes."""

import kornia
import numpy as np
import pytest
import torch
from matplotlib import colormaps

from dream_if.errors import InputError
from dream_if.inference.intensity import (
    LUMA,
    InfraredRange,
    coloured,
    infrared_values,
    luminance,
    tinted,
    visible_values,
)
from dream_if.inference.pictures import Picture


def picture(values: np.ndarray) -> Picture:
    return Picture(values if values.ndim == 3 else values[:, :, None], name="picture")


RAMP = np.arange(400).reshape(20, 20)


class TestInfraredRange:
    def test_eight_bits_are_taken_as_they_are(self):
        values, notes = infrared_values(picture((RAMP // 4).astype(np.uint8)), InfraredRange())
        np.testing.assert_allclose(values, RAMP // 4 / 255, rtol=1e-6)
        assert notes == ()

    def test_sixteen_bits_by_percentiles_and_it_is_said(self):
        stored = (7000 + RAMP).astype(np.uint16)
        stored[0, 0], stored[-1, -1] = 0, 65535  # a dead and a hot pixel
        big = np.tile(stored, (8, 8))
        big[20:] = np.tile(7000 + RAMP, (7, 8))  # the two among a thousand others
        values, notes = infrared_values(picture(big), InfraredRange())
        low, high = np.percentile(big, (0.1, 99.9))
        assert 6999 < low < 7010 < 7390 < high < 7401
        np.testing.assert_allclose(values, ((big - low) / (high - low)).clip(0, 1), atol=1e-5)
        assert f"from {low:g} (black) to {high:g} (white), percentiles" in notes[0]

    @pytest.mark.parametrize(
        ("span", "low", "high"), [("full", 0, 65535), ("7000,9000", 7000, 9000), ((7000, 9000), 7000, 9000)]
    )
    def test_given(self, span, low, high):
        stored = (RAMP * 150).astype(np.uint16)
        values, _ = infrared_values(picture(stored), InfraredRange.parse(span))
        np.testing.assert_allclose(values, ((stored - np.float32(low)) / (high - low)).clip(0, 1), atol=1e-6)

    def test_degrees_by_percentiles_and_unit_floats_as_they_are(self):
        celsius = (RAMP / 10 - 5).astype(np.float32)
        values, _ = infrared_values(picture(celsius), InfraredRange())
        assert values.min() == 0
        assert values.max() == 1
        unit = (RAMP / 800).astype(np.float32)
        np.testing.assert_array_equal(infrared_values(picture(unit), InfraredRange())[0], unit)

    def test_a_flat_picture_is_black_not_nothing(self):
        values, _ = infrared_values(picture(np.full((20, 20), 7000, np.uint16)), InfraredRange())
        assert np.isfinite(values).all()

    def test_equal_channels_are_one_of_them_and_colours_their_luminance(self):
        grey = (RAMP // 2).astype(np.uint8)
        values, notes = infrared_values(picture(np.stack([grey] * 3, axis=-1)), InfraredRange())
        np.testing.assert_array_equal(values, grey / np.float32(255))
        assert notes == ()
        colours = np.zeros((20, 20, 3), np.uint8)
        colours[..., 1] = 255
        values, notes = infrared_values(picture(colours), InfraredRange())
        np.testing.assert_allclose(values, 0.587, rtol=1e-6)
        assert "false colours" in notes[0]

    def test_a_shared_range_holds_the_percentiles_of_all(self):
        ramps = [picture((RAMP + start).astype(np.uint16)) for start in (7000, 7300, 8000)]
        span = InfraredRange("shared").over(ramps)
        low, high = np.percentile(ramps[0].pixels, 0.1), np.percentile(ramps[2].pixels, 99.9)
        assert span == InfraredRange("fixed", low, high)
        assert InfraredRange("percentile").over(ramps) == InfraredRange("percentile")
        eight = picture((RAMP // 4).astype(np.uint8))
        with pytest.raises(InputError, match="picture has uint16 and picture has uint8 values; a shared range needs"):
            InfraredRange("shared").over([*ramps, eight])

    @pytest.mark.parametrize("given", ["", "warm", "1", "5,1", "1,2,3", "nan,1", (3, 3)])
    def test_what_is_no_range(self, given):
        with pytest.raises(InputError, match="LOW,HIGH"):
            InfraredRange.parse(given)

    def test_values_that_are_none(self):
        values = np.full((20, 20), np.nan, np.float32)
        with pytest.raises(InputError, match="NaN or infinite"):
            infrared_values(picture(values), InfraredRange())
        with pytest.raises(InputError, match="no full range"):
            infrared_values(picture(RAMP.astype(np.int32)), InfraredRange("full"))


@pytest.mark.parametrize(("kind", "white"), [(np.uint8, 255), (np.uint16, 65535), (np.int32, 65535), (np.float32, 1)])
def test_visible_values_span_their_type(kind, white):
    stored = (np.linspace(0, 1, 400).reshape(20, 20, 1) * white).astype(kind)
    np.testing.assert_allclose(visible_values(picture(stored)), stored / white, rtol=1e-6)


@pytest.mark.parametrize("stored", [RAMP.astype(np.float32), RAMP.astype(np.int32) * 1000, -RAMP.astype(np.int32)])
def test_visible_values_of_no_known_scale(stored):
    with pytest.raises(InputError, match="expected 8 or 16 bit"):
        visible_values(picture(stored))


class TestColours:
    def test_ycbcr_is_the_fused_luminance_under_the_visible_colours(self):
        generator = torch.Generator().manual_seed(0)
        visible = 0.3 + 0.4 * torch.rand(2, 3, 8, 9, generator=generator)
        fused = 0.4 + 0.2 * torch.rand(2, 3, 8, 9, generator=generator)
        found = kornia.color.rgb_to_ycbcr(coloured(fused, visible, "ycbcr"))
        expected_y = kornia.color.rgb_to_ycbcr(fused)[:, :1]
        expected_chroma = kornia.color.rgb_to_ycbcr(visible)[:, 1:]
        torch.testing.assert_close(found[:, :1], expected_y, atol=2e-3, rtol=0)  # kornia rounds its coefficients
        torch.testing.assert_close(found[:, 1:], expected_chroma, atol=2e-3, rtol=0)

    def test_ycbcr_stays_in_range(self):
        white, blue = torch.ones(1, 3, 4, 4), torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
        found = coloured(white, blue, "ycbcr")
        assert found.min() >= 0
        assert found.max() <= 1

    def test_grey_and_rgb(self):
        fused = torch.rand(2, 3, 8, 9, generator=torch.Generator().manual_seed(1))
        assert coloured(fused, fused, "rgb") is fused
        torch.testing.assert_close(coloured(fused, fused, "grey"), kornia.color.rgb_to_grayscale(fused))
        assert luminance(fused).shape == (2, 1, 8, 9)

    def test_a_palette_gives_hot_pixels_its_colours_and_keeps_the_luminance(self):
        fused = 0.5 + 0.1 * torch.rand(1, 3, 1, 3, generator=torch.Generator().manual_seed(1))
        infrared = torch.tensor([0.0, 0.2, 0.4]).view(1, 1, 1, 3)
        found = tinted(fused, infrared, "inferno")
        torch.testing.assert_close(found[..., 0], fused[..., 0])
        expected, chroma = (
            kornia.color.rgb_to_grayscale(fused),
            torch.tensor(colormaps["inferno"](0.4)[:3], dtype=torch.float32),
        )
        torch.testing.assert_close(kornia.color.rgb_to_grayscale(found), expected, atol=2e-3, rtol=0)
        hot = 0.6 * fused[0, :, 0, 2] + 0.4 * (
            expected[0, 0, 0, 2] + chroma - chroma @ torch.tensor(LUMA, dtype=chroma.dtype)
        )
        torch.testing.assert_close(found[0, :, 0, 2], hot, atol=2e-3, rtol=0)
        assert tinted(fused[:, :1], infrared, "hot").shape == (1, 3, 1, 3)
        with pytest.raises(InputError, match="such as inferno, hot or turbo, got 'warm'"):
            tinted(fused, infrared, "warm")
