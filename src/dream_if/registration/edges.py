"""What cameras of different spectra share: where edges are, and along which line they run."""

from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Edges", "View", "edges_of", "scaling"]

Matrix: TypeAlias = npt.NDArray[np.float64]
Floats: TypeAlias = npt.NDArray[Any]  # float32; OpenCV's own types say no more

_AROUND = 33  # pixels of a square in which edges are compared
_SIZES = 8  # between a picture and half of it
_BORDER = 4  # pixels; blur and what lies outside make false edges there


class Edges(NamedTuple):
    """Edges of a picture.

    Attributes:
        field: (H, W) complex; its length says how strong an edge is against those around it, from 0 to 1, and its angle
            is twice that of the gradient, so that dark to bright counts as bright to dark.
        known: (H, W) float32, 1 where the picture shows something and 0 on a rim, where the field is 0, too.
    """

    field: npt.NDArray[np.complex64]
    known: Floats

    def blurred(self, sigma: float) -> "Edges":
        """The same with a field that is smooth over some pixels."""
        parts = (cv2.GaussianBlur(np.ascontiguousarray(part), (0, 0), sigma) for part in _parts(self.field))
        return Edges(_joined(*parts), self.known)

    def slopes(self) -> tuple[npt.NDArray[np.complex64], npt.NDArray[np.complex64]]:
        """How the field changes to the right and downwards, per pixel."""
        parts = _parts(self.field)
        across, down = (
            _joined(*(cv2.Sobel(np.ascontiguousarray(part), cv2.CV_32F, *way, scale=1 / 8) for part in parts))
            for way in ((1, 0), (0, 1))
        )
        return across, down


def _parts(field: npt.NDArray[np.complex64]) -> tuple[Floats, Floats]:
    return field.real, field.imag


def _joined(real: Floats, imaginary: Floats) -> npt.NDArray[np.complex64]:
    return np.asarray(real + np.complex64(1j) * imaginary, np.complex64)


def edges_of(grey: Floats, known: npt.NDArray[Any]) -> Edges:
    """Find the edges of a grey picture.

    Args:
        grey: (H, W), of any range.
        known: (H, W), 0 where the picture shows nothing.
    """
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.5)
    gradient = _joined(cv2.Scharr(smooth, cv2.CV_32F, 1, 0), cv2.Scharr(smooth, cv2.CV_32F, 0, 1))
    strength = np.abs(gradient)
    around = np.sqrt(np.maximum(cv2.blur(strength**2, (_AROUND, _AROUND)), 0))  # running sums round below 0
    usual = np.median(strength[known > 0]) if known.any() else 0
    field = gradient**2 / (strength**2 + 1e-6) * (strength / (strength + around + usual + 1e-3))
    inside = cv2.copyMakeBorder(known, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inside = cv2.erode(inside, np.ones((2 * _BORDER + 1,) * 2, np.uint8))[1:-1, 1:-1].astype(np.float32)
    return Edges(np.asarray(field * inside, np.complex64), inside)


def scaling(factor: float) -> Matrix:
    """Where the centres of pixels go as a picture is made larger by a factor."""
    return np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1]])


class View:
    """A picture as registration sees it: grey, with its rim, and in any smaller size.

    Args:
        pixels: (H, W, C) of any number type.

    Attributes:
        size: height and width.
    """

    def __init__(self, pixels: npt.NDArray[Any]) -> None:
        grey = pixels.astype(np.float32).mean(axis=2)
        spread = float(np.ptp(np.percentile(grey, (0.1, 99.9)))) or 1.0
        self.size = grey.shape
        self.blank = bool(grey.min() == grey.max())
        self._known = _without_rim(grey)
        self._sizes: dict[float, tuple[Floats, npt.NDArray[Any]]] = {}
        self._grey = (grey - grey.min()) * np.float32(255 / spread)

    def reduced(self, factor: float) -> tuple[Floats, npt.NDArray[Any]]:
        """Grey values and what is known, made smaller by a factor below 1, else as they are."""
        if factor >= 1:
            return self._grey, self._known
        if factor not in self._sizes:
            self._sizes[factor] = self._resized(factor)
        return self._sizes[factor]

    def _resized(self, factor: float) -> tuple[Floats, npt.NDArray[Any]]:
        size = max(round(self.size[1] * factor), 8), max(round(self.size[0] * factor), 8)
        return (
            cv2.resize(self._grey, size, interpolation=cv2.INTER_AREA),
            cv2.resize(self._known, size, interpolation=cv2.INTER_NEAREST),
        )

    def seen_through(self, matrix: Matrix, size: tuple[int, int], factor: float) -> Edges:
        """The edges of this picture on another one's grid.

        Args:
            matrix: takes a point of the grid to this picture.
            size: of the grid, height and width.
            factor: this picture is first made smaller by this, so that no detail is finer than the grid.
        """
        factor = min(1.0, 2 ** (np.ceil(_SIZES * np.log2(factor)) / _SIZES))  # few sizes, to make each once
        grey, known = self.reduced(factor)
        inner = scaling(factor) @ matrix
        shape = size[1], size[0]
        flags = cv2.WARP_INVERSE_MAP
        grey = cv2.warpPerspective(grey, inner, shape, flags=flags | cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return edges_of(grey, cv2.warpPerspective(known, inner, shape, flags=flags | cv2.INTER_NEAREST))


def _without_rim(grey: Floats) -> npt.NDArray[Any]:
    """1 where a picture shows something: a rim that rectifying or moving left is one black area at the border."""
    _, labels, facts, _ = cv2.connectedComponentsWithStats((grey <= 0).astype(np.uint8), connectivity=4)
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    areas = facts[:, cv2.CC_STAT_AREA]
    rims = [label for label in border if label and areas[label] > 0.001 * grey.size]
    return np.asarray(~np.isin(labels, rims), np.uint8)
