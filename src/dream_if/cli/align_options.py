"""Options of the verbs that align infrared pictures with visible ones."""

from pathlib import Path
from typing import Any

from dream_if.cli.options import option
from dream_if.registration.motions import MOTIONS, Motion
from dream_if.registration.rig import Rig, read_rig

__all__ = ["motion", "rig", "rig_or_motion"]


def motion() -> Any:
    """The option ``--motion``."""
    return option(
        "what may differ between the cameras: translation; similarity: zoom and turn too; affine: stretch and "
        "skew too; homography: perspective too. The more may differ, the more structure a pair needs",
        default="similarity",
        choices=MOTIONS,
    )


def rig() -> Any:
    """The option ``--rig``."""
    return option(
        "file of a calibration (dream-if align --calibrate): its transform is taken, nothing is estimated",
        default=None,
        metavar="RIG.yaml",
    )


def rig_or_motion(rig: str | None, motion: Motion) -> Rig | Motion:
    """What was chosen.

    Raises:
        InputError: See `read_rig`.
    """
    return motion if rig is None else read_rig(Path(rig).expanduser())
