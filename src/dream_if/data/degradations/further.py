"""Six kinds beyond the paper: light, contrast, haze, stripes and compression.

Later work on degraded sources adds such kinds, for example L. Tang, Y. Wang, Z. Cai, J. Jiang, J. Ma: "ControlFusion",
NeurIPS 2025. `RandomDegradations` draws none of them unless they are named there.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import cv2
import torch
from torch import Tensor
from torch.nn import functional as F

from dream_if.data.degradations.base import Degradation, Level, level_range, uniform
from dream_if.data.images import Image, to_image, to_tensor

__all__ = ["Haze", "Jpeg", "LowContrast", "LowLight", "OverExposure", "StripeNoise"]


class LowLight(Degradation):
    """Too little light, of the visible source: `gain * x ** gamma`.

    F. Lv, Y. Li, F. Lu: "Attention guided low-light image enhancement with a large scale low-light simulation dataset",
    IJCV 2021, whose second factor inside the power is part of the gain here. They go up to gamma 5 on bright
    photographs; the pairs of this field are dark before. The noise of a short exposure is not part of it: compose it
    with `PoissonNoise`.

    Args:
        gamma: Exponent, at least 1; larger is darker.
        gain: Factor, in [0, 1]; what is left of white.
    """

    name = "low_light"
    SOURCES = ("visible",)
    LEVELS: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"gamma": 1.4, "gain": 0.9},
        {"gamma": 1.9, "gain": 0.8},
        {"gamma": 2.5, "gain": 0.7},
        {"gamma": 3.5, "gain": 0.5},
    )

    def __init__(self, gamma: Level = (1.4, 2.5), gain: Level = (0.7, 0.9)) -> None:
        super().__init__()
        self.gamma = level_range("LowLight.gamma", gamma, 1.0, 10.0)
        self.gain = level_range("LowLight.gain", gain, 0.0, 1.0)

    def draw(self, generator: torch.Generator, shape: tuple[int, int, int]) -> dict[str, Tensor]:
        """Draw gamma and gain; the image's shape does not matter."""
        del shape
        return {"gamma": uniform(generator, self.gamma), "gain": uniform(generator, self.gain)}

    def corrupt(self, image: Tensor, draw: Mapping[str, Tensor]) -> Tensor:
        """Darken."""
        return draw["gain"] * image.clamp(min=0.0) ** draw["gamma"]


class OverExposure(Degradation):
    """Too long an exposure, of the visible source: `min(1, x * 2 ** (stops / 2.2))`.

    A stop doubles the light; behind a display gamma of 2.2 that is a factor of 1.37, and what comes out above white is
    lost. M. Afifi, K. G. Derpanis, B. Ommer, M. S. Brown: "Learning multi-scale photo exposure correction", CVPR 2021,
    render photographs with up to 1.5 stops too many.

    Args:
        stops: Powers of two of the light.
    """

    name = "over_exposure"
    SOURCES = ("visible",)
    LEVELS: ClassVar[tuple[Mapping[str, Any], ...]] = ({"stops": 0.5}, {"stops": 1.0}, {"stops": 1.5}, {"stops": 2.5})
    GAMMA = 2.2

    def __init__(self, stops: Level = (0.5, 1.5)) -> None:
        super().__init__()
        self.stops = level_range("OverExposure.stops", stops, 0.0, 10.0)

    def draw(self, generator: torch.Generator, shape: tuple[int, int, int]) -> dict[str, Tensor]:
        """Draw the stops; the image's shape does not matter."""
        del shape
        return {"stops": uniform(generator, self.stops)}

    def corrupt(self, image: Tensor, draw: Mapping[str, Tensor]) -> Tensor:
        """Brighten; `forward` clips."""
        return image * 2.0 ** (draw["stops"] / self.GAMMA)


class LowContrast(Degradation):
    """Little contrast, of the infrared source: `mean + contrast * (x - mean)`, with the mean of the image.

    As where everything in view has nearly one temperature and the range of the camera stays wide. The formula is that
    of D. Hendrycks, T. Dietterich: "Benchmarking neural network robustness to common corruptions and perturbations",
    ICLR 2019, whose contrasts go from 0.4 to 0.05.

    Args:
        contrast: What is left of the contrast, in [0, 1].
    """

    name = "low_contrast"
    SOURCES = ("infrared",)
    LEVELS: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"contrast": 0.6},
        {"contrast": 0.4},
        {"contrast": 0.25},
        {"contrast": 0.1},
    )

    def __init__(self, contrast: Level = (0.25, 0.6)) -> None:
        super().__init__()
        self.contrast = level_range("LowContrast.contrast", contrast, 0.0, 1.0)

    def draw(self, generator: torch.Generator, shape: tuple[int, int, int]) -> dict[str, Tensor]:
        """Draw the contrast; the image's shape does not matter."""
        del shape
        return {"contrast": uniform(generator, self.contrast)}

    def corrupt(self, image: Tensor, draw: Mapping[str, Tensor]) -> Tensor:
        """Draw all values towards the mean of the channel."""
        mean = image.mean(dim=(-2, -1), keepdim=True)
        return mean + draw["contrast"] * (image - mean)


class Haze(Degradation):
    """Haze, of the visible source: `x * t + a * (1 - t)` with `t = exp(-density * distance)`.

    The model of atmospheric scattering (H. Koschmieder, 1924; S. G. Narasimhan, S. K. Nayar: "Vision and the
    atmosphere", IJCV 2002). Densities and airlight have the ranges of B. Li et al.: "Benchmarking single-image dehazing
    and beyond", IEEE TIP 2019.

    Pairs have no depth map, so the distance is roughly that of a street: 1 from the horizon up, and falling smoothly
    below it. A smooth field makes the haze denser here and thinner there. Haze is seen by the light of the scene, so
    its brightness a is a share of that of the image's bright parts: at night it does not glow like a sky by day. The
    infrared source is left alone: waves of 10 micrometres pass haze, whose droplets are smaller.

    Args:
        density: Optical thickness at the horizon.
        airlight: Brightness of the haze, as a share of that which `BRIGHT` of the pixels do not exceed, in [0, 1].
        horizon: Its height as a share of the image's, from the top, in [0, 0.9].
    """

    name = "haze"
    SOURCES = ("visible",)
    LEVELS: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"density": 0.6},
        {"density": 1.2},
        {"density": 1.8},
        {"density": 2.8},
    )
    BRIGHT = 0.95
    NEAR = 0.3  # how far below the horizon, as a share of the height, the row lies that is half as far away
    PATCHES = (3, 4)  # independent values of the field, down and across
    PATCHINESS = 0.25  # by which share the field changes the density at most

    def __init__(self, density: Level = (0.6, 1.8), airlight: Level = (0.7, 1.0), horizon: Level = (0.3, 0.5)) -> None:
        super().__init__()
        self.density = level_range("Haze.density", density, 0.0, 20.0)
        self.airlight = level_range("Haze.airlight", airlight, 0.0, 1.0)
        self.horizon = level_range("Haze.horizon", horizon, 0.0, 0.9)

    def draw(self, generator: torch.Generator, shape: tuple[int, int, int]) -> dict[str, Tensor]:
        """Draw the settings and the field at a few points; the image's shape does not matter."""
        del shape
        return {
            "density": uniform(generator, self.density),
            "airlight": uniform(generator, self.airlight),
            "horizon": uniform(generator, self.horizon),
            "field": torch.rand(self.PATCHES, generator=generator),
        }

    def corrupt(self, image: Tensor, draw: Mapping[str, Tensor]) -> Tensor:
        """Mix image and airlight by how much passes through the haze."""
        height, width = image.shape[-2:]
        rows = (torch.arange(height, device=image.device) + 0.5) / height
        distance = 1 / (1 + ((rows - draw["horizon"]).clamp(min=0.0) / self.NEAR) ** 2)
        field = F.interpolate(draw["field"][None, None], (height, width), mode="bilinear", align_corners=True)[0, 0]
        thickness = draw["density"] * distance[:, None] * (1 + self.PATCHINESS * (2 * field - 1))
        passes = torch.exp(-thickness)
        bright = image.mean(dim=0).flatten().kthvalue(max(1, round(self.BRIGHT * height * width))).values
        return image * passes + draw["airlight"] * bright * (1 - passes)


class StripeNoise(Degradation):
    """An offset of its own for each column, of the infrared source: `x + N(0, sigma / 255)`, constant down a column.

    The fixed pattern of uncooled detectors, whose columns are read by an amplifier each, as it remains between two
    corrections by the shutter. See Y. Cao, M. Y. Yang, C.-L. Tisse: "Effective strip noise removal for low-textured
    infrared images based on 1-D guided filtering", IEEE TCSVT 2016.

    Args:
        sigma: Standard deviation in grey levels of 255.
    """

    name = "stripes"
    SOURCES = ("infrared",)
    LEVELS: ClassVar[tuple[Mapping[str, Any], ...]] = ({"sigma": 4}, {"sigma": 8}, {"sigma": 15}, {"sigma": 30})

    def __init__(self, sigma: Level = (4.0, 15.0)) -> None:
        super().__init__()
        self.sigma = level_range("StripeNoise.sigma", sigma, 0.0)

    def draw(self, generator: torch.Generator, shape: tuple[int, int, int]) -> dict[str, Tensor]:
        """Draw sigma and a standard normal number for each column, (1, W)."""
        return {"sigma": uniform(generator, self.sigma), "noise": torch.randn(1, shape[2], generator=generator)}

    def corrupt(self, image: Tensor, draw: Mapping[str, Tensor]) -> Tensor:
        """Add the scaled offsets."""
        noise = draw["noise"]
        if noise.shape[-1] != image.shape[-1]:
            raise ValueError(f"the draw is for images {noise.shape[-1]} wide, the image is {tuple(image.shape)}")
        return image + noise * (draw["sigma"] / 255)


class Jpeg(Degradation):
    """Compression as JPEG, by OpenCV's encoder and decoder, so on the CPU whatever the device; no gradient passes.

    Training range as in BSRGAN (Zhang et al. 2021), which goes down to a quality of 30.

    Args:
        quality: As the encoder counts it, from 1 to 100; smaller is worse. A drawn one is rounded.
    """

    name = "jpeg"
    LEVELS: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"quality": 70},
        {"quality": 50},
        {"quality": 30},
        {"quality": 10},
    )

    def __init__(self, quality: Level = (30.0, 95.0)) -> None:
        super().__init__()
        self.quality = level_range("Jpeg.quality", quality, 1.0, 100.0)

    def draw(self, generator: torch.Generator, shape: tuple[int, int, int]) -> dict[str, Tensor]:
        """Draw the quality; the image's shape does not matter."""
        del shape
        return {"quality": uniform(generator, self.quality)}

    def corrupt(self, image: Tensor, draw: Mapping[str, Tensor]) -> Tensor:
        """Encode and decode the image, rounded to 8 bit as a file holds it."""
        levels = to_image(image.detach())
        colour = levels.shape[2] == 3
        stored = cv2.cvtColor(levels, cv2.COLOR_RGB2BGR) if colour else levels
        _, encoded = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, round(float(draw["quality"]))])
        read = cast(Image, cv2.imdecode(encoded, cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE))
        decoded = cast(Image, cv2.cvtColor(read, cv2.COLOR_BGR2RGB) if colour else read[:, :, None])
        return to_tensor(decoded).to(image.device)
