"""Three noises after Zhang et al. 2021: Gaussian, photon and speckle noise.

K. Zhang, J. Liang, L. Van Gool, R. Timofte: "Designing a practical degradation model for deep blind image
super-resolution", ICCV 2021, called BSRGAN below, from which Dream-IF takes its noise ranges.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from dream_if.data.degradations.base import Degradation, Level, level_range, uniform

__all__ = ["GaussianNoise", "PoissonNoise", "SpeckleNoise", "poisson_quantile"]


def _field(image: Tensor, draw: Mapping[str, Tensor]) -> Tensor:
    """Return the drawn noise field, refusing one that would only fit by broadcasting."""
    noise = draw["noise"]
    if noise.shape != image.shape:
        raise ValueError(f"the draw is for an image {tuple(noise.shape)}, the image is {tuple(image.shape)}")
    return noise


class GaussianNoise(Degradation):
    """Sensor noise independent of the signal and of the channel: `x + N(0, sigma / 255)`.

    Args:
        sigma: Standard deviation in grey levels of 255. The paper's tables use 35.
    """

    name = "gaussian"
    LEVELS: ClassVar[tuple[Mapping[str, Any], ...]] = ({"sigma": 10}, {"sigma": 20}, {"sigma": 35}, {"sigma": 50})

    def __init__(self, sigma: Level = (0.0, 35.0)) -> None:
        super().__init__()
        self.sigma = level_range("GaussianNoise.sigma", sigma, 0.0)

    def draw(self, generator: torch.Generator, shape: tuple[int, int, int]) -> dict[str, Tensor]:
        """Draw sigma and a standard normal field (C, H, W)."""
        return {"sigma": uniform(generator, self.sigma), "noise": torch.randn(shape, generator=generator)}

    def corrupt(self, image: Tensor, draw: Mapping[str, Tensor]) -> Tensor:
        """Add the scaled field."""
        return image + _field(image, draw) * (draw["sigma"] / 255)


class PoissonNoise(Degradation):
    """Photon noise: `Poisson(x * peak) / peak` with `peak = 10 ** log10_peak` photons at white.

    Its variance is `x / peak`: at mid grey, log10_peak 4, 3, 2 give standard deviations of 1.8, 5.7, 18 grey levels.

    Args:
        log10_peak: Decimal exponent of the photon count at white; smaller is noisier.
    """

    name = "poisson"
    LEVELS: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"log10_peak": 3.0},
        {"log10_peak": 2.5},
        {"log10_peak": 2.0},
        {"log10_peak": 1.5},
    )

    def __init__(self, log10_peak: Level = (2.0, 4.0)) -> None:
        super().__init__()
        self.log10_peak = level_range("PoissonNoise.log10_peak", log10_peak, 0.0, 6.0)

    def draw(self, generator: torch.Generator, shape: tuple[int, int, int]) -> dict[str, Tensor]:
        """Draw the exponent and a standard normal field (C, H, W), read as the quantile of each pixel's count."""
        return {"log10_peak": uniform(generator, self.log10_peak), "noise": torch.randn(shape, generator=generator)}

    def corrupt(self, image: Tensor, draw: Mapping[str, Tensor]) -> Tensor:
        """Replace each pixel by its drawn quantile of the photon count."""
        peak = 10.0 ** draw["log10_peak"]
        return poisson_quantile(image.clamp(min=0.0) * peak, _field(image, draw)) / peak


def poisson_quantile(rate: Tensor, normal: Tensor) -> Tensor:
    """Turn standard normal numbers w into Poisson counts: the smallest n with `CDF(n; rate) >= Phi(w)`.

    Torch's own sampler mixes chance and arithmetic and differs between devices; a quantile of a drawn field does not.
    Rates below 10 sum the distribution. Above, the Cornish-Fisher expansion of the continuous Poisson to order
    1 / rate (M. B. Giles, "Algorithm 955: approximation of the inverse Poisson cumulative distribution function", ACM
    TOMS 42, 2016) is off by one count in fewer than one pixel in a thousand.

    Args:
        rate: Expected counts, any shape, >= 0.
        normal: Standard normal numbers of the same shape. Below rate 10 the highest millionth counts as 1 - 1e-6,
            where float32 still tells cumulative sums apart.

    Returns:
        Counts as floats, same shape.
    """
    root, square = rate.sqrt().clamp(min=1e-6), normal * normal
    centre = rate + root * normal + (1 / 3 + square / 6)
    skew = normal * (1 / 36 + square / 72) / root
    tail = (-8 / 405 + square * (7 / 810 + square / 270)) / rate.clamp(min=1e-6)
    count = (centre - skew + tail).floor().clamp(min=0.0)

    small = rate < 10.0
    few = rate[small]
    level = torch.special.ndtr(normal[small]).clamp(max=1.0 - 1e-6)
    probability = torch.exp(-few)
    cumulative, quantile = probability.clone(), torch.zeros_like(few)
    for n in range(1, 30):  # the quantile of 1 - 1e-6 at rate 10 is 28
        quantile += level > cumulative
        probability *= few / n
        cumulative += probability
    count[small] = quantile
    return count


class SpeckleNoise(Degradation):
    """Noise proportional to the signal: `x * (1 + N(0, epsilon / 255))`, independent per channel.

    Args:
        epsilon: Standard deviation in grey levels of 255 at white.
    """

    name = "speckle"
    LEVELS: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"epsilon": 8},
        {"epsilon": 16},
        {"epsilon": 25},
        {"epsilon": 50},
    )

    def __init__(self, epsilon: Level = (2.0, 25.0)) -> None:
        super().__init__()
        self.epsilon = level_range("SpeckleNoise.epsilon", epsilon, 0.0)

    def draw(self, generator: torch.Generator, shape: tuple[int, int, int]) -> dict[str, Tensor]:
        """Draw epsilon and a standard normal field (C, H, W)."""
        return {"epsilon": uniform(generator, self.epsilon), "noise": torch.randn(shape, generator=generator)}

    def corrupt(self, image: Tensor, draw: Mapping[str, Tensor]) -> Tensor:
        """Scale each pixel by one plus its noise."""
        return image + image * _field(image, draw) * (draw["epsilon"] / 255)
