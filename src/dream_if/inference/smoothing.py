"""Smoothing fused frames over time against flicker, without ghosts behind what moves."""

import cv2
import numpy as np
import numpy.typing as npt

from dream_if.errors import InputError
from dream_if.inference.flicker import luminance_of

__all__ = ["Smoother", "check_strength"]

Floats = npt.NDArray[np.float32]

SAME = 6.0  # of 255 grey levels: a change that is larger on average around a pixel is motion rather than flicker
AROUND = 1.5  # pixels, the standard deviation of the Gaussian that averages around a pixel
CUT = 0.25  # share of the picture that stays the same: below it, this is another scene
OUTSIDE = (2.0,) * 4  # where the frame before shows nothing: far from every value in [0, 1], so never mixed in


def check_strength(strength: float) -> None:
    """Make sure that frames can be smoothed by a strength.

    Raises:
        InputError: It is out of range.
    """
    if not 0 <= strength < 1:
        raise InputError(f"--temporal: expected 0 (off) to below 1, got {strength}; 0.8 is a mean over about 5 frames.")


class Smoother:
    """Mixes each fused frame with the ones before it wherever the picture stays the same.

    F is the new frame, and M the smoothed frame before it, shifted by whole pixels as the camera pans. The smoothed
    frame is F + w (M - F). At each pixel w = strength x exp(-e / SAME^2), where e is the mean square of M - F around
    the pixel. So changes of a few grey levels average out, and larger ones, such as things that move, are shown at
    once. Where nearly everything changes, the scene was cut, and the new frame is shown as it is.

    Args:
        strength: the share of the frames before, 0 to below 1; with 0.8 a mean over about 5 frames.

    Raises:
        InputError: The strength is out of range.
    """

    def __init__(self, strength: float) -> None:
        check_strength(strength)
        self._strength = strength
        self._before: Floats | None = None  # (H, W, 2 or 4): the smoothed frame, and the luminance of the fused one
        self._same = 0.0  # pixels that stayed the same, over all frames
        self._changes = np.zeros(2)  # of their luminance, added up: fused and smoothed

    def __call__(self, fused: Floats) -> Floats:
        """Smooth the next frame.

        Args:
            fused: (H, W, 1 or 3) in [0, 1], of the same shape every time.

        Returns:
            The same shape, in [0, 1]. With strength 0 it is the frame itself.
        """
        if self._strength == 0:
            return fused
        grey = luminance_of(fused)
        smoothed = fused
        if self._before is not None:
            moved, same = self._most_alike(fused, grey)
            if same.mean() >= CUT:
                smoothed = fused + self._strength * same[:, :, None] * (moved[:, :, :-1] - fused)
                after = luminance_of(smoothed), luminance_of(moved[:, :, :-1])
                for number, (now, then) in enumerate(((grey, moved[:, :, -1]), after)):
                    self._changes[number] += float((same * np.abs(now - then)).sum()) * 255
                self._same += float(same.sum())
        self._before = np.dstack([smoothed, grey])
        return smoothed

    def _most_alike(self, fused: Floats, grey: Floats) -> tuple[Floats, Floats]:
        """The frame before, as it was or shifted by the pan, and where it is the same as this one: (H, W) in [0, 1]."""
        assert self._before is not None
        height, width = grey.shape
        found = []
        for right, down in {(0, 0), _pan(self._before[:, :, -1], grey)}:
            matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
            shifted = cv2.warpAffine(
                self._before, matrix, (width, height), flags=cv2.INTER_NEAREST, borderValue=OUTSIDE
            )
            moved = np.asarray(shifted, np.float32)
            change = np.square(255 * (moved[:, :, :-1] - fused)).mean(axis=2)
            same = np.exp(-cv2.GaussianBlur(change, (0, 0), AROUND) / SAME**2)
            found.append((moved, np.asarray(same, np.float32)))
        return max(found, key=lambda each: float(each[1].mean()))

    def notes(self) -> tuple[str, ...]:
        """A sentence that says what it did, in figures; none with strength 0 or where nothing stayed the same."""
        if not self._same:
            return ()
        before, after = self._changes / self._same
        return (
            f"where nothing moves, pixels change by {after:.2f} of 255 grey levels from frame to frame, and by "
            f"{before:.2f} without smoothing",
        )


def _pan(before: Floats, now: Floats) -> tuple[int, int]:
    """By how many pixels the picture moved to the right and down, an eighth of the frame at most; blank ones by any."""
    height, width = now.shape
    down, right = height // 8, width // 8
    middle = np.ascontiguousarray(now[down : height - down, right : width - right])
    fits = cv2.matchTemplate(np.ascontiguousarray(before), middle, cv2.TM_CCOEFF_NORMED)
    x, y = cv2.minMaxLoc(fits)[3]
    return right - x, down - y
