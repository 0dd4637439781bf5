"""How far the two images of a pair are shifted against each other, estimated from their common edges.

`dream_if.registration` also finds shifts, along with other motions. On the same pairs it takes ten times as long, which
`check` cannot afford for every pair of a set; the two share no code, so each tests the other.
"""

from itertools import product
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft

from dream_if.data.pairs import Image

__all__ = ["Offset", "estimate_shift"]

_WORKING_SIDE = 640  # shifts are estimated on images reduced to this: thermal edges are no sharper
_REACH = 24  # largest shift looked for, in pixels of the reduced image
_PEAK_RADIUS = 6  # a second peak nearer than this belongs to the first
_MIN_PEAK = 7.0  # robust standard deviations above the rest of the correlation
_MIN_LEAD = 1.5  # by which the peak must exceed the highest one elsewhere
_AGREEMENT = 2.1  # pixels of the reduced image within which estimates count as one


class Offset(NamedTuple):
    """Where the infrared content lies against the visible, in pixels: an estimate over the whole image.

    ``gain`` says how much better the two match there than unshifted, in robust standard deviations.
    """

    right: float
    down: float
    gain: float

    def __str__(self) -> str:
        """In words, to half a pixel or so."""
        words = [
            f"{abs(amount):.1f} px {ahead if amount > 0 else behind}"
            for amount, ahead, behind in ((self.right, "right", "left"), (self.down, "down", "up"))
            if abs(amount) >= 0.5
        ]
        return " and ".join(words) or "less than half a pixel"


def _edge_field(grey: npt.NDArray[np.float32]) -> npt.NDArray[np.complex64]:
    """Edges as complex numbers: length says how strong, the angle is twice that of the gradient.

    Twice the angle, so that an edge counts the same from dark to bright and from bright to dark, as warm things are
    brighter in one source and darker in the other. Lengths are compressed, so that a few strong edges do not decide.
    """
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.5)
    gradient = cv2.Scharr(smooth, cv2.CV_32F, 1, 0) + 1j * cv2.Scharr(smooth, cv2.CV_32F, 0, 1)
    strength = np.abs(gradient)
    edges = gradient**2 / (strength**2 + 1e-6) * (strength / (strength + 2 * np.median(strength) + 1e-3))
    edges -= edges.mean()
    border = 4  # blur and padding make false edges there, and rectified images have black rims
    edges[:border], edges[-border:], edges[:, :border], edges[:, -border:] = 0, 0, 0, 0
    height, width = edges.shape
    taper = np.outer(np.hanning(height), np.hanning(width)) ** 0.25
    return np.asarray(edges * taper, np.complex64)


def _correlation(visible: npt.NDArray[np.complex64], infrared: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
    """Correlation of two edge fields for shifts of up to ``_REACH`` pixels either way, the spectrum half whitened."""
    size = tuple(fft.next_fast_len(side + _REACH) for side in visible.shape)
    spectrum = fft.fft2(visible, size).conj() * fft.fft2(infrared, size)
    spectrum /= np.sqrt(np.maximum(np.abs(spectrum), 1e-6))
    surface = np.roll(fft.ifft2(spectrum).real, (_REACH, _REACH), (0, 1))
    return np.asarray(surface[: 2 * _REACH + 1, : 2 * _REACH + 1], np.float32)


def _peak(surface: npt.NDArray[np.float32]) -> tuple[int, int]:
    """(right, down) of the highest point."""
    row, column = divmod(int(surface.argmax()), surface.shape[1])
    return column - _REACH, row - _REACH


def _vertex(before: float, at: float, after: float) -> float:
    """Where the parabola through three equally spaced points peaks, in steps from the middle one."""
    curvature = before - 2 * at + after
    return 0.5 * (before - after) / curvature if curvature < 0 else 0.0


def estimate_shift(visible: Image, infrared: Image) -> Offset | None:
    """Estimate how far the infrared image is shifted against the visible one.

    Orientation correlation (Fitch et al., BMVC 2002) with the gradient angle doubled against reversed contrast. It is
    computed for each quarter of the image, and the sum over the quarters is the estimate. It is given only where it
    can be trusted: its peak stands out from the correlation elsewhere, and at least three of the four estimates that
    leave one quarter out agree with it.

    Args:
        visible: (H, W, C), uint8 or uint16.
        infrared: (H, W, C), uint8 or uint16, of the same height and width.

    Returns:
        The shift; None where it cannot be told, as with too little common structure or less than about 100 pixels a
        side. Shifts of more than 24 pixels, on images reduced to 640 pixels a side, are outside its reach.
    """
    height, width = visible.shape[:2]
    factor = max(1.0, max(height, width) / _WORKING_SIDE)
    size = (round(width / factor), round(height / factor))
    if min(size) < 4 * _REACH:
        return None
    fields = []
    for image in (visible, infrared):
        grey = image.astype(np.float32).mean(axis=2) * np.float32(255 / np.iinfo(image.dtype).max)
        fields.append(_edge_field(cv2.resize(grey, size, interpolation=cv2.INTER_AREA)))
    halves = [(slice(0, side // 2), slice(side // 2, side)) for side in (size[1], size[0])]
    quarters = [_correlation(fields[0][part], fields[1][part]) for part in product(*halves)]
    whole = np.sum(quarters, axis=0)
    right, down = _peak(whole)
    steps = np.arange(-_REACH, _REACH + 1)
    elsewhere = whole[np.hypot(steps[:, None] - down, steps[None, :] - right) > _PEAK_RADIUS]
    floor = np.median(elsewhere)
    deviation = 1.4826 * np.median(np.abs(elsewhere - floor))
    if deviation == 0:
        return None
    height_of_peak, second, unshifted = (
        float(value - floor) / float(deviation) for value in (whole.max(), elsewhere.max(), whole[_REACH, _REACH])
    )
    partial = [_peak(whole - quarter) for quarter in quarters]
    agreeing = sum(np.hypot(x - right, y - down) <= _AGREEMENT for x, y in partial)
    if height_of_peak < _MIN_PEAK or height_of_peak - second < _MIN_LEAD or agreeing < 3:
        return None
    if max(abs(right), abs(down)) < _REACH:
        row, column = down + _REACH, right + _REACH
        fine = (_vertex(*whole[row, column - 1 : column + 2]), _vertex(*whole[row - 1 : row + 2, column]))
    else:
        fine = (0.0, 0.0)
    return Offset((right + fine[0]) * factor, (down + fine[1]) * factor, height_of_peak - unshifted)
