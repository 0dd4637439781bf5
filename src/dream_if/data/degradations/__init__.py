"""Random degradations as modules: a draw that holds all chance, then pure arithmetic on the draw.

Every kind takes its level as one number or as a (low, high) range, and has four fixed severities, `Kind.at_level(n)`.
Level 3 is the strongest corruption of the default training range; level 4 lies beyond it.

| kind | argument | trained on | level 1 | level 2 | level 3 | level 4 |
| --- | --- | --- | --- | --- | --- | --- |
| `GaussianNoise` | `sigma`, grey levels of 255 | 0 to 35 | 10 | 20 | 35 | 50 |
| `PoissonNoise` | `log10_peak`, photons at white | 4 to 2 | 3 | 2.5 | 2 | 1.5 |
| `SpeckleNoise` | `epsilon`, grey levels of 255 | 2 to 25 | 8 | 16 | 25 | 50 |
| `Rain` | `density` per 10 000 pixels | 15 to 70 | 20 | 40 | 70 | 110 |
| | `length`, pixels | 16 to 36 | 20 | 28 | 36 | 48 |
| | `opacity` | 0.2 to 0.45 | 0.25 | 0.35 | 0.45 | 0.6 |
| `Blur` | `sigma`, pixels | 0.1 to 2.8 | 1 | 1.8 | 2.8 | 4 |
| `Resize` | `factor` | 2 to 4 | 2 | 3 | 4 | 6 |

These are the paper's. Beyond it, drawn only where they are named, each for the source that it applies to:

| kind | source | argument | drawn from | level 1 | level 2 | level 3 | level 4 |
| --- | --- | --- | --- | --- | --- | --- | --- |
| `LowLight` | visible | `gamma` | 1.4 to 2.5 | 1.4 | 1.9 | 2.5 | 3.5 |
| | | `gain` | 0.9 to 0.7 | 0.9 | 0.8 | 0.7 | 0.5 |
| `OverExposure` | visible | `stops` | 0.5 to 1.5 | 0.5 | 1 | 1.5 | 2.5 |
| `LowContrast` | infrared | `contrast` | 0.6 to 0.25 | 0.6 | 0.4 | 0.25 | 0.1 |
| `Haze` | visible | `density` | 0.6 to 1.8 | 0.6 | 1.2 | 1.8 | 2.8 |
| `StripeNoise` | infrared | `sigma`, grey levels of 255 | 4 to 15 | 4 | 8 | 15 | 30 |
| `Jpeg` | both | `quality` | 95 to 30 | 70 | 50 | 30 | 10 |

What a level does not fix stays random: the noise itself, the angle of the rain, the interpolations of a resize, the
airlight and horizon of haze. The blur of a level is isotropic, with a kernel of 21 pixels.

`Local` confines any of them to a region: a box, a blob, a band, or a gradient across the image.

`RandomDegradations`, `FixedDegradation` and `Shift` choose what an image gets; `OneSided` and `Mixed` choose for each
pair which source is corrupted, and by which of several. `degrade_batch` applies them to a batch.
`KIND_CLASSES` has the kinds by name.
"""

from collections.abc import Mapping

from dream_if.data.degradations.base import ALL_KINDS, FURTHER, KINDS, Degradation, Level
from dream_if.data.degradations.compose import (
    Composition,
    FixedDegradation,
    RandomDegradations,
    Shift,
    applied,
    degrade_batch,
    sample_generator,
)
from dream_if.data.degradations.further import Haze, Jpeg, LowContrast, LowLight, OverExposure, StripeNoise
from dream_if.data.degradations.local import Local
from dream_if.data.degradations.noise import GaussianNoise, PoissonNoise, SpeckleNoise
from dream_if.data.degradations.pairs import Mixed, OneSided
from dream_if.data.degradations.rain_blur_resize import Blur, Rain, Resize

__all__ = [
    "ALL_KINDS",
    "FURTHER",
    "KINDS",
    "KIND_CLASSES",
    "Blur",
    "Composition",
    "Degradation",
    "FixedDegradation",
    "GaussianNoise",
    "Haze",
    "Jpeg",
    "Level",
    "Local",
    "LowContrast",
    "LowLight",
    "Mixed",
    "OneSided",
    "OverExposure",
    "PoissonNoise",
    "Rain",
    "RandomDegradations",
    "Resize",
    "Shift",
    "SpeckleNoise",
    "StripeNoise",
    "applied",
    "degrade_batch",
    "sample_generator",
]

KIND_CLASSES: Mapping[str, type[Degradation]] = {
    kind.name: kind
    for kind in (
        *(GaussianNoise, PoissonNoise, SpeckleNoise, Rain, Blur, Resize),
        *(LowLight, OverExposure, LowContrast, Haze, StripeNoise, Jpeg),
    )
}
"""The kinds by name, in the order of `ALL_KINDS`."""
