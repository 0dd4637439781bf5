"""The coarse start: every zoom and turn of a grid is tried on a small picture, and every shift at once by Fourier."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import fft

from dream_if.registration.edges import Edges, Matrix, View, edges_of, scaling
from dream_if.registration.motions import Motion

__all__ = ["Start", "about_centre", "search"]

_SIDE = 128  # pixels of the small picture
_ZOOMS = np.exp(np.arange(-15, 16) * 0.035)  # 0.6 to 1.7, of equal width taken for 1
_TURNS = np.arange(-6, 7, 2.0)  # degrees
_PEAKS = 6  # shifts taken up for each zoom and turn
_APART = 5  # pixels of the small picture between them, more than that
_LEAST_OVERLAP = 0.2  # of the visible picture


class Start(NamedTuple):
    """One place to start from, and how well edges match there."""

    match: float
    matrix: Matrix


def about_centre(size: tuple[int, int], unit: float = 1.0) -> Matrix:
    """Takes points around (0, 0), in a unit of so many pixels, to a picture of this height and width."""
    return np.array([[unit, 0, (size[1] - 1) / 2], [0, unit, (size[0] - 1) / 2], [0, 0, 1]])


def search(visible: View, infrared: View, motion: Motion) -> list[Start]:
    """Look for the transform from the visible to the infrared picture.

    Both are taken to show about the same width, centred; the infrared one may show from 0.6 to 1.7 times that, be
    turned by up to 6 degrees and shifted by up to a quarter of the picture.

    Returns:
        Best first, several for each zoom and turn.
    """
    factor = min(1.0, _SIDE / max(visible.size))
    small = edges_of(*visible.reduced(factor))
    height, width = small.known.shape
    fit = infrared.size[1] / visible.size[1]
    size = tuple(fft.next_fast_len(side + side // 2) for side in (height, width))
    reach = height // 4, width // 4

    def transformed(edges: Edges) -> list[npt.NDArray[Any]]:
        field, known = edges
        return [fft.fft2(field, size), fft.rfft2(known, size), fft.rfft2(np.abs(field) ** 2, size)]

    visible_spectra = [spectrum.conj() for spectrum in transformed(small)]
    found = []
    for zoom in _ZOOMS if motion != "translation" else (1.0,):
        for turn in np.deg2rad(_TURNS if motion != "translation" else (0.0,)):
            scale = zoom * fit
            turned = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
            turned[:2] *= scale
            guess = about_centre(infrared.size) @ turned @ np.linalg.inv(about_centre(visible.size))
            to_visible = np.linalg.inv(scaling(factor))
            infrared_spectra = transformed(infrared.seen_through(guess @ to_visible, (height, width), factor / scale))
            common = fft.ifft2(visible_spectra[0] * infrared_spectra[0]).real
            of_visible, of_infrared, overlap = (
                fft.irfft2(visible_spectra[one] * infrared_spectra[other], size)
                for one, other in ((2, 1), (1, 2), (1, 1))
            )
            # Chance correlation falls with the root of the overlap, which makes small ones comparable.
            match = common / np.sqrt(np.maximum(of_visible, 1) * np.maximum(of_infrared, 1))
            match *= np.sqrt(np.maximum(overlap, 0) / (height * width))
            match[overlap < _LEAST_OVERLAP * height * width] = 0
            match = np.roll(match, reach, (0, 1))[: 2 * reach[0] + 1, : 2 * reach[1] + 1]
            for _ in range(_PEAKS):
                row, column = divmod(int(match.argmax()), match.shape[1])
                shift = np.array([[1.0, 0, column - reach[1]], [0, 1, row - reach[0]], [0, 0, 1]])
                found.append(Start(float(match[row, column]), guess @ to_visible @ shift @ scaling(factor)))
                match[max(row - _APART, 0) : row + _APART + 1, max(column - _APART, 0) : column + _APART + 1] = 0
    return sorted(found, key=lambda start: -start.match)
