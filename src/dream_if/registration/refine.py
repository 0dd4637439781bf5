"""From a start to the transform: Gauss-Newton on the edges of both pictures, with a prior against wild distortions."""

from typing import NamedTuple

import numpy as np

from dream_if.registration.edges import Edges, Floats, Matrix, View, edges_of, scaling
from dream_if.registration.motions import Motion, change, count, directions, parameters
from dream_if.registration.search import about_centre

__all__ = ["Fit", "corners", "refine"]

_LEAST_OVERLAP = 0.1  # of the visible picture
_STEPS = 6  # at most
_STEP = 3.0  # pixels a corner may move at once
_LEAST_GAIN = 2e-4  # of the match, below which a step was the last
# Expected size of zoom, turn, stretch, skew and tilts, as a share of half the longer side: a rig of two cameras, or the
# 4 % that corners of a frame move. Where a picture has no edges, this decides.
_EXPECTED = np.array([np.inf, np.inf, 0.3, 0.1, 0.03, 0.03, 0.03, 0.03])
_CORRELATED = 400.0  # pixels that err together: blurred edges, and things that stand nearer than the rest


class Fit(NamedTuple):
    """A transform, and how well it fits.

    Attributes:
        match: correlation of the edges times the root of the overlap.
        matrix: from the visible to the infrared picture.
        error: expected error of the corners in pixels of the visible picture, if this is the right place at all.
    """

    match: float
    matrix: Matrix
    error: float


class _State(NamedTuple):
    match: float
    gain: float
    noise: float
    matrix: Matrix
    edges: Edges
    common: Floats


def corners(size: tuple[int, int]) -> Matrix:
    """(4, 2): x and y of the corners of a picture of this height and width."""
    height, width = size
    return np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], float)


def refine(
    visible: View, infrared: View, start: Matrix, motion: Motion, side: int, blur: float, base: Matrix | None = None
) -> Fit:
    """Improve a transform.

    Args:
        visible: picture on whose grid both are compared.
        infrared: the other one.
        start: from the visible to the infrared picture.
        motion: what may change.
        side: longer side to which the visible picture is reduced before.
        blur: of the edges, in pixels of the reduced picture: the reach, and what precision costs.
        base: what distortions are expected to be small against; the start if left out.
    """
    factor = min(1.0, side / max(visible.size))
    small = edges_of(*visible.reduced(factor)).blurred(blur)
    height, width = small.known.shape
    back = np.linalg.inv(scaling(factor))
    half = max(height, width) / 2
    frame = about_centre((height, width), half)
    y, x = np.mgrid[:height, :width].astype(np.float32) / half
    ways = directions(motion, x - (width - 1) / 2 / half, y - (height - 1) / 2 / half).astype(np.float32)
    expected = _EXPECTED[: count(motion)] * half

    def state(matrix: Matrix) -> _State:
        fine = factor / np.sqrt(abs(np.linalg.det(matrix[:2, :2])))
        edges = infrared.seen_through(matrix @ back, (height, width), fine).blurred(blur)
        common = small.known * edges.known
        share = float(common.mean())
        if share < _LEAST_OVERLAP:
            return _State(-1, 0, 1, matrix, edges, common)
        product = float((common * (small.field.conj() * edges.field).real).sum())
        energies = [float((common * np.abs(field) ** 2).sum()) + 1e-6 for field in (small.field, edges.field)]
        match = product / np.sqrt(energies[0] * energies[1]) * np.sqrt(share)
        noise = (energies[0] - product**2 / energies[1]) / float(common.sum())
        return _State(match, product / energies[1], noise, matrix, edges, common)

    base = start if base is None else base
    now = state(start)
    covariance = None
    for _ in range(_STEPS):
        if now.gain < 0.02:
            break
        across, down = now.edges.slopes()
        weight = np.sqrt(now.common)
        slopes = np.stack([((across * right + down * below) * weight).ravel() for right, below in ways])
        rest = ((small.field - now.gain * now.edges.field) * weight).ravel()
        curvature = (slopes @ slopes.conj().T).real.astype(np.float64) * now.gain**2
        pull = (slopes.conj() @ rest).real.astype(np.float64) * now.gain
        moved = parameters(np.linalg.inv(base @ back @ frame) @ now.matrix @ back @ frame)[: len(ways)] * half
        prior = now.noise * _CORRELATED / expected**2
        covariance = np.linalg.inv(curvature + np.diag(prior + 1e-6 * curvature.diagonal().max() + 1e-12))
        step = covariance @ (pull - prior * moved)
        step *= min(1.0, _STEP * (1 + blur) / max(float(np.abs(step).max()), 1e-9))
        better = None
        for share in (1.0, 0.3):
            matrix = now.matrix @ back @ frame @ change(share * step / half) @ np.linalg.inv(back @ frame)
            tried = state(matrix / matrix[2, 2])
            if tried.match > now.match:
                better = tried
                break
        if better is None:
            break
        before, now = now, better
        if now.match < before.match + _LEAST_GAIN:
            break
    return Fit(now.match, now.matrix, _corner_error(covariance, now.noise, motion, (height, width), half) / factor)


def _corner_error(covariance: Matrix | None, noise: float, motion: Motion, size: tuple[int, int], half: float) -> float:
    """Root of the expected squared error of the corners, in pixels."""
    if covariance is None:
        return float("inf")
    x, y = ((corners(size) - (np.array(size[::-1]) - 1) / 2) / half).T
    ways = directions(motion, x, y)
    squares = np.einsum("pck,pq,qck->k", ways, covariance * noise * _CORRELATED, ways)
    return float(np.sqrt(squares.mean()))
