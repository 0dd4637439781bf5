"""Rain, blur and loss of resolution, of the paper's six kinds; blur and resize after BSRGAN (Zhang et al. 2021)."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from kornia.filters import filter2d
from torch import Tensor
from torch.nn import functional as F

from dream_if.data.degradations.base import Degradation, Level, level_range, uniform
from dream_if.errors import InputError

__all__ = ["Blur", "Rain", "Resize"]


class Rain(Degradation):
    """Bright streaks of one direction, from near (long, wide, bright, few) to far, screened onto the image.

    Drops are points with a brightness each; every one is spread along the fall (a parabola that ends softly) and
    across it (a Gaussian), and the sum r in [0, 1] brightens as a screen does: `1 - (1 - x) * (1 - opacity * r)`.
    Streaks have no colour.

    A one-channel image is taken for infrared and gets `infrared_share` of the opacity: a drop has nearly the
    temperature of the air around it, so in the long-wave infrared it stands out far less than a lit one in the visible.

    Args:
        density: Streaks per 10 000 pixels.
        length: Length of the nearest streaks in pixels; farther ones are shorter.
        angle: Direction in degrees from the vertical; positive falls towards the right. Each layer of streaks
            differs by up to `SPREAD`.
        width: Standard deviation across the nearest streaks in pixels.
        opacity: Strength of the brightest streak, in [0, 1].
        infrared_share: Share of the opacity in a one-channel image, in [0, 1].
    """

    name = "rain"
    LEVELS: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"density": 20, "length": 20, "opacity": 0.25},
        {"density": 40, "length": 28, "opacity": 0.35},
        {"density": 70, "length": 36, "opacity": 0.45},
        {"density": 110, "length": 48, "opacity": 0.6},
    )
    # size and brightness of each layer relative to the nearest, and its share of the streaks
    LAYERS: ClassVar[tuple[tuple[float, float, float], ...]] = ((1.0, 1.0, 0.2), (0.7, 0.75, 0.3), (0.5, 0.5, 0.5))
    SPREAD = 2.0  # degrees by which the direction of a layer may differ

    def __init__(
        self,
        density: Level = (15.0, 70.0),
        length: Level = (16.0, 36.0),
        angle: Level = (-30.0, 30.0),
        width: Level = (0.5, 0.9),
        opacity: Level = (0.2, 0.45),
        infrared_share: float = 0.4,
    ) -> None:
        super().__init__()
        self.density = level_range("Rain.density", density, 0.0, 1000.0)
        self.length = level_range("Rain.length", length, 1.0, 500.0)
        self.angle = level_range("Rain.angle", angle, -90.0, 90.0)
        self.width = level_range("Rain.width", width, 0.3, 20.0)
        self.opacity = level_range("Rain.opacity", opacity, 0.0, 1.0)
        self.infrared_share = level_range("Rain.infrared_share", infrared_share, 0.0, 1.0)[0]

    def draw(self, generator: torch.Generator, shape: tuple[int, int, int]) -> dict[str, Tensor]:
        """Draw the settings and the drops, (layers, H + 2 r, W + 2 r): a margin lets streaks enter from outside."""
        channels, height, width = shape
        drawn = {
            "density": uniform(generator, self.density),
            "length": uniform(generator, self.length),
            "angle": uniform(generator, self.angle)
            + self.SPREAD * (2 * torch.rand(len(self.LAYERS), generator=generator) - 1),
            "width": uniform(generator, self.width),
            "opacity": uniform(generator, self.opacity) * (self.infrared_share if channels == 1 else 1.0),
        }
        radius = math.ceil(float(drawn["length"]) / 2 + 3 * float(drawn["width"]))
        chance = torch.rand(len(self.LAYERS), height + 2 * radius, width + 2 * radius, generator=generator)
        share = torch.tensor([share for _, _, share in self.LAYERS]).view(-1, 1, 1)
        rate = (drawn["density"] / 10_000 * share).clamp(min=1e-12)
        # where a drop falls, chance / rate is uniform in [0, 1): it serves as the drop's brightness
        drawn["drops"] = torch.where(chance < rate, 0.4 + 0.6 * chance / rate, 0.0)
        return drawn

    def corrupt(self, image: Tensor, draw: Mapping[str, Tensor]) -> Tensor:
        """Spread the drops into streaks and screen them onto the image."""
        drops = draw["drops"]
        radius = (drops.shape[-1] - image.shape[-1]) // 2
        if drops.shape[-2:] != (image.shape[-2] + 2 * radius, image.shape[-1] + 2 * radius):
            raise ValueError(f"the draw is for another size than that of the image, {tuple(image.shape)}")
        length, width = float(draw["length"]), float(draw["width"])
        kernels = torch.stack(
            [
                brightness * self.streak(size * length, max(size * width, 0.45), float(angle), radius)
                for (size, brightness, _), angle in zip(self.LAYERS, draw["angle"].tolist(), strict=True)
            ]
        ).to(image.device)
        # The kernels are large and smooth: a product of spectra costs an eighth of the sliding window (96 x 96).
        # It wraps around, which touches the margin only.
        size = (drops.shape[-2], drops.shape[-1])
        spectrum = torch.fft.rfft2(drops) * torch.fft.rfft2(kernels, s=size)
        summed = torch.fft.irfft2(spectrum.sum(0), s=size)[2 * radius :, 2 * radius :]
        streaks: Tensor = summed.clamp(0.0, 1.0) * draw["opacity"]
        return image + streaks * (1 - image)

    @staticmethod
    def streak(length: float, width: float, angle: float, radius: int) -> Tensor:
        """Picture one drop of brightness 1.

        Args:
            length: Pixels from end to end.
            width: Standard deviation across, in pixels.
            angle: Degrees from the vertical.
            radius: Half the size of the picture, at least half the length.

        Returns:
            (2 radius + 1, 2 radius + 1), peak 1 in the middle.
        """
        axis = torch.arange(-radius, radius + 1, dtype=torch.float32)
        down, right = torch.meshgrid(axis, axis, indexing="ij")
        sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
        along, across = right * sine + down * cosine, right * cosine - down * sine
        return (1 - (2 * along / length) ** 2).clamp(min=0.0) * torch.exp(-0.5 * (across / width) ** 2)


class Blur(Degradation):
    """Gaussian blur, isotropic or anisotropic, as in BSRGAN.

    BSRGAN draws isotropic standard deviations up to 2.8 pixels (scale 4), and for anisotropic kernels the two
    eigenvalues of the covariance up to 8, that is standard deviations up to the same 2.8. One range serves both here.
    Borders are reflected.

    Args:
        sigma: Standard deviation in pixels; an anisotropic kernel draws one for each of its axes.
        size: Kernel size in pixels, odd, at most 31.
        anisotropic: Probability of an anisotropic kernel, in [0, 1].
    """

    name = "blur"
    LEVELS: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"sigma": 1.0, "size": 21},
        {"sigma": 1.8, "size": 21},
        {"sigma": 2.8, "size": 21},
        {"sigma": 4.0, "size": 21},
    )

    def __init__(
        self, sigma: Level = (0.1, 2.8), size: int | tuple[int, int] = (7, 21), anisotropic: float = 0.5
    ) -> None:
        super().__init__()
        self.sigma = level_range("Blur.sigma", sigma, 0.05)
        low, high = level_range("Blur.size", size, 1, 31)
        if low % 2 != 1 or high % 2 != 1:
            raise InputError(f"Blur.size: expected odd whole numbers such as (7, 21), got {size!r}")
        self.size = (int(low), int(high))
        self.anisotropic = level_range("Blur.anisotropic", anisotropic, 0.0, 1.0)[0]

    def draw(self, generator: torch.Generator, shape: tuple[int, int, int]) -> dict[str, Tensor]:
        """Draw the kernel (k, k); the image's shape does not matter."""
        del shape
        low, high = self.size
        size = low + 2 * int(torch.randint((high - low) // 2 + 1, (), generator=generator))
        anisotropic = float(torch.rand((), generator=generator)) < self.anisotropic
        first, second = uniform(generator, self.sigma), uniform(generator, self.sigma)
        angle = float(uniform(generator, (0.0, math.pi)))
        return {"kernel": self.kernel(size, float(first), float(second if anisotropic else first), angle)}

    def corrupt(self, image: Tensor, draw: Mapping[str, Tensor]) -> Tensor:
        """Correlate with the kernel, which is symmetric."""
        radius = draw["kernel"].shape[-1] // 2
        if min(image.shape[-2:]) <= radius:
            raise ValueError(f"a blur of radius {radius} reflects more than the image {tuple(image.shape)} holds")
        return filter2d(image[None], draw["kernel"][None], border_type="reflect").squeeze(0)

    @staticmethod
    def kernel(size: int, first: float, second: float, angle: float) -> Tensor:
        """Sample a Gaussian on a grid.

        Args:
            size: Pixels, odd.
            first: Standard deviation along the first axis in pixels.
            second: The same along the second axis.
            angle: Of the first axis from the horizontal, in radians.

        Returns:
            (size, size) weights that sum to one.
        """
        axis = torch.arange(size, dtype=torch.float32) - size // 2
        down, right = torch.meshgrid(axis, axis, indexing="ij")
        u = right * math.cos(angle) + down * math.sin(angle)
        v = down * math.cos(angle) - right * math.sin(angle)
        weight = torch.exp(-0.5 * ((u / first) ** 2 + (v / second) ** 2))
        return weight / weight.sum()


class Resize(Degradation):
    """Loss of resolution: down by a factor and up again to the same size, each way by a random interpolation.

    Down: nearest (which aliases), or bilinear or bicubic with a low-pass filter, or the mean over areas. Up: nearest
    (which shows blocks), bilinear or bicubic. The picture stays in place; only sampling the nearest pixel at an even
    factor, where no pixel is in the middle, moves it by half a pixel.

    Args:
        factor: Ratio of the sizes, at least 1.
    """

    name = "resize"
    LEVELS: ClassVar[tuple[Mapping[str, Any], ...]] = ({"factor": 2}, {"factor": 3}, {"factor": 4}, {"factor": 6})
    DOWN = ("nearest-exact", "bilinear", "bicubic", "area")
    UP = ("nearest-exact", "bilinear", "bicubic")

    def __init__(self, factor: Level = (2.0, 4.0)) -> None:
        super().__init__()
        self.factor = level_range("Resize.factor", factor, 1.0, 64.0)

    def draw(self, generator: torch.Generator, shape: tuple[int, int, int]) -> dict[str, Tensor]:
        """Draw the factor and the positions of the two interpolations in `DOWN` and `UP`."""
        del shape
        return {
            "factor": uniform(generator, self.factor),
            "down": torch.randint(len(self.DOWN), (), generator=generator),
            "up": torch.randint(len(self.UP), (), generator=generator),
        }

    def corrupt(self, image: Tensor, draw: Mapping[str, Tensor]) -> Tensor:
        """Shrink and enlarge."""
        height, width = image.shape[-2:]
        factor = float(draw["factor"])
        small = (max(1, round(height / factor)), max(1, round(width / factor)))
        down, up = self.DOWN[int(draw["down"])], self.UP[int(draw["up"])]
        shrunk = F.interpolate(image[None], small, mode=down, antialias=down in ("bilinear", "bicubic"))
        enlarged: Tensor = F.interpolate(shrunk, (height, width), mode=up)
        return enlarged[0]
