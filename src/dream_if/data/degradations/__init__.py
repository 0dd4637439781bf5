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

What a level does not fix stays random: the noise itself, the angle of the rain, the interpolations of a resize. The
blur of a level is isotropic, with a kernel of 21 pixels.

`RandomDegradations` and `FixedDegradation` choose what a sample gets, `degrade_batch` applies them to a batch.
"""

from dream_if.data.degradations.base import KINDS, Degradation, Level
from dream_if.data.degradations.compose import (
    Composition,
    FixedDegradation,
    RandomDegradations,
    applied,
    degrade_batch,
    sample_generator,
)
from dream_if.data.degradations.kinds import Blur, GaussianNoise, PoissonNoise, Rain, Resize, SpeckleNoise

__all__ = [
    "KINDS",
    "Blur",
    "Composition",
    "Degradation",
    "FixedDegradation",
    "GaussianNoise",
    "Level",
    "PoissonNoise",
    "Rain",
    "RandomDegradations",
    "Resize",
    "SpeckleNoise",
    "applied",
    "degrade_batch",
    "sample_generator",
]
