"""Warps infrared pictures onto visible ones, by the transform of a rig or by an estimate for each pair."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dream_if.errors import InputError
from dream_if.inference.pictures import Picture
from dream_if.inference.writing import DEEP, check_ending, write_deep, write_picture
from dream_if.registration.estimate import Alignment, estimate
from dream_if.registration.motions import MOTIONS, Motion
from dream_if.registration.rig import Rig, calibrate, read_rig
from dream_if.registration.warp import warp

__all__ = ["Aligner", "write_aligned"]


@dataclass(frozen=True)
class Aligner:
    """Lays infrared pictures on the grid of visible ones.

    Attributes:
        how: a rig, whose transform is taken; or a motion, which is estimated for each pair.
    """

    how: Rig | Motion

    @classmethod
    def of(cls, how: "str | Path | Rig | Aligner") -> "Aligner":
        """From the name of a motion, a rig, or the path of its file.

        Raises:
            InputError: See `read_rig`.
        """
        if isinstance(how, Aligner):
            return how
        if isinstance(how, Rig):
            return cls(how)
        return cls(how) if how in MOTIONS else cls(read_rig(Path(how).expanduser()))

    def __str__(self) -> str:
        """For a journal: everything that the result depends on."""
        return self.how if isinstance(self.how, str) else f"rig {np.round(self.how.matrix, 6).tolist()}"

    def __call__(self, visible: Picture, infrared: Picture) -> Picture:
        """The infrared picture on the visible one's grid, transparent where it shows nothing; see `warp`.

        Raises:
            InputError: Sizes are not the rig's, or the estimate cannot be relied on.
        """
        return self.estimated(visible, infrared)[0]

    def estimated(self, visible: Picture, infrared: Picture) -> tuple[Picture, Alignment | None]:
        """The same, with the estimate; None where there is a rig.

        Raises:
            InputError: See `__call__`.
        """
        try:
            if isinstance(self.how, Rig):
                self.how.check_sizes(visible.pixels, infrared.pixels)
                found, matrix = None, self.how.matrix
            else:
                found = estimate(visible.pixels, infrared.pixels, self.how)
                matrix = found.matrix
                found.require()
            pixels, covered = warp(infrared.pixels, matrix, visible.size)
            if infrared.alpha is not None:
                covered &= warp(infrared.alpha[:, :, None], matrix, visible.size)[0][:, :, 0] > 127
        except InputError as error:
            raise InputError(f"{infrared.name}: {error}") from error
        alpha = None if covered.all() else np.where(covered, 255, 0).astype(np.uint8)
        return replace(infrared, pixels=pixels, alpha=alpha), found

    def fixed(self, pairs: Sequence[tuple[Picture, Picture]]) -> "Aligner":
        """One that has the same transform for all of a video, calibrated on some of its frames.

        Raises:
            InputError: Too few frames can be aligned with confidence.
        """
        if isinstance(self.how, Rig):
            return self
        estimates = []
        for visible, infrared in pairs:
            with suppress(InputError):  # a blank frame, as where a video fades in
                estimates.append(estimate(visible.pixels, infrared.pixels, self.how))
        return Aligner(calibrate(estimates, self.how, "frames"))

    @property
    def rig(self) -> Rig:
        """That of a fixed one."""
        assert isinstance(self.how, Rig)
        return self.how


def write_aligned(path: Path, picture: Picture) -> tuple[str, ...]:
    """Write an aligned picture with its depth: 8 bit with transparency, deeper ones without.

    Returns:
        Sentences about what the format could not keep.

    Raises:
        InputError: The ending names no format or none of that depth, or the folder cannot be written to.
    """
    if picture.pixels.dtype == np.uint8:
        return write_picture(path, picture)
    if check_ending(path) not in DEEP or (picture.pixels.dtype != np.uint16 and check_ending(path) != "TIFF"):
        raise InputError(f"{path}: {picture.pixels.dtype} values need a TIFF file, or PNG for 16 bit; name one.")
    write_deep(path, picture.pixels)
    return () if picture.alpha is None else (f"{path}: has no transparency at this depth; its border is continued",)
