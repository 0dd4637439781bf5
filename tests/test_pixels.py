"""Images and figures as 8 bit and PNG."""

import io

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from dream_if.pixels import figure_png, image_png, to_8_bit


def test_levels_are_the_nearest_of_256() -> None:
    values = torch.tensor([-1.0, 0.0, 0.4 / 255, 0.6 / 255, 254.4 / 255, 1.0, 2.0])
    assert to_8_bit(values).tolist() == [0, 0, 0, 1, 254, 255, 255]
    assert to_8_bit(torch.arange(256) / 255).tolist() == list(range(256))


def test_a_png_holds_the_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    for image in (pixels, pixels[..., :1], pixels[..., 0]):
        np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(image_png(image)))), image.squeeze())


def test_a_figure_is_a_png() -> None:
    assert Image.open(io.BytesIO(figure_png(Figure(figsize=(2, 1), dpi=100)))).size == (200, 100)
