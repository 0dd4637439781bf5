"""The multiscale methods against the same formulas written with OpenCV and scipy, in double precision."""

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage

from dream_if.baselines import GuidedFilter, LaplacianPyramid, TwoScaleSaliency, Wavelet
from dream_if.baselines.guided_filter import guided_filter
from dream_if.baselines.windows import window_mean

SIZES = [(96, 128), (61, 83), (17, 40)]


def pair(size: tuple[int, int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return tuple(ndimage.gaussian_filter(rng.random(size), 2) * 2 - 0.5 + 0.1 * rng.random(size) for _ in range(2))


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.astype(np.float32))[None, None]


def fuse(method, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return method.fuse(tensor(first), tensor(second))[0, 0].numpy()


def larger(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.where(np.abs(first) >= np.abs(second), first, second)


@pytest.mark.parametrize("size", [(96, 128), (61, 83)])
def test_laplacian_pyramid_is_opencvs(size: tuple[int, int]) -> None:
    images, details = list(pair(size)), []
    for _ in range(3):
        smaller = [cv2.pyrDown(image) for image in images]
        details.append(
            larger(
                *(
                    image - cv2.pyrUp(small, dstsize=image.shape[::-1])
                    for image, small in zip(images, smaller, strict=True)
                )
            )
        )
        images = smaller
    expected = (images[0] + images[1]) / 2
    for detail in reversed(details):
        expected = cv2.pyrUp(expected, dstsize=detail.shape[::-1]) + detail
    inner = slice(24, -24)  # at its border pyrUp continues the small image, not the spread one
    found = fuse(LaplacianPyramid(levels=3), *pair(size))
    np.testing.assert_allclose(found[inner, inner], expected[inner, inner], atol=1e-5)


DAUBECHIES = np.array(
    [0.482962913144534, 0.836516303737808, 0.224143868042013, -0.129409522551260]
)  # his table of 1988


def test_wavelet_is_that_of_the_table() -> None:
    """Band by band with scipy, and back by solving for the image, not by a formula for the inverse."""
    size = (20, 24)
    first, second = pair(size)
    levels, margin = 2, 12
    padded = [np.pad(image, margin, mode="edge") for image in (first, second)]
    mirror = np.array([1, -1, 1, -1]) * DAUBECHIES[::-1]

    def along(image: np.ndarray, taps: np.ndarray, step: int, axis: int) -> np.ndarray:
        return sum(tap * np.roll(image, -step * place, axis) for place, tap in enumerate(taps))

    def bands(image: np.ndarray) -> list[np.ndarray]:
        found = []
        for level in range(levels):
            low, high = (along(image, taps, 2**level, 1) for taps in (DAUBECHIES, mirror))
            found += [along(low, mirror, 2**level, 0)]
            found += [along(high, taps, 2**level, 0) for taps in (DAUBECHIES, mirror)]
            image = along(low, DAUBECHIES, 2**level, 0)
        return [*found, image]

    *details, rest = zip(*(bands(image) for image in padded), strict=True)
    fused = [larger(*detail) for detail in details] + [(rest[0] + rest[1]) / 2]
    # One level back: the image whose bands come closest in the least-squares sense, in the frequency domain.
    shape = padded[0].shape

    def response(taps: np.ndarray, step: int, axis: int) -> np.ndarray:
        impulse = np.zeros(shape)
        impulse[0, 0] = 1
        return np.fft.fft2(along(impulse, taps, step, axis))

    image = fused[-1]
    for level in reversed(range(levels)):
        low, high = ([response(taps, 2**level, axis) for taps in (DAUBECHIES, mirror)] for axis in (0, 1))
        answers = [low[0] * high[0], low[1] * high[0], low[0] * high[1], low[1] * high[1]]
        measured = [np.fft.fft2(band) for band in (image, *fused[3 * level : 3 * level + 3])]
        numerator = sum(np.conj(answer) * band for answer, band in zip(answers, measured, strict=True))
        image = np.fft.ifft2(numerator / sum(np.abs(answer) ** 2 for answer in answers)).real
    inner = image[margin:-margin, margin:-margin]
    np.testing.assert_allclose(fuse(Wavelet(levels=levels), first, second), inner, atol=1e-5)


def test_wavelet_moves_with_the_image() -> None:
    """Without decimation a shift of the sources is a shift of the result, by odd numbers of pixels too."""
    first, second = pair((120, 140))
    whole = fuse(Wavelet(levels=3), first, second)
    cut = fuse(Wavelet(levels=3), first[5:, 3:], second[5:, 3:])
    np.testing.assert_allclose(cut[48:-48, 48:-48], whole[53:-48, 51:-48], atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("radius", [1, 7, 45])
def test_windows_end_at_the_border(size: tuple[int, int], radius: int) -> None:
    image, _ = pair(size)
    found = window_mean(tensor(image), radius)[0, 0].numpy()
    for row, column in [(0, 0), (size[0] - 1, 3), (8, size[1] - 1), (size[0] // 2, size[1] // 2)]:
        part = image[max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1]
        assert found[row, column] == pytest.approx(part.mean(), abs=1e-6)


def mean(image: np.ndarray, radius: int) -> np.ndarray:
    """Over windows that end at the border: sums of the image over sums of ones."""
    sums = [ndimage.uniform_filter(each, 2 * radius + 1, mode="constant") for each in (image, np.ones_like(image))]
    return sums[0] / sums[1]


def filtered(image: np.ndarray, guide: np.ndarray, radius: int, eps: float) -> np.ndarray:
    variance = mean(guide**2, radius) - mean(guide, radius) ** 2
    slope = (mean(guide * image, radius) - mean(guide, radius) * mean(image, radius)) / (variance + eps)
    return mean(slope, radius) * guide + mean(mean(image, radius) - slope * mean(guide, radius), radius)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("radius", "eps"), [(7, 1e-6), (45, 0.3)])
def test_guided_filter(size: tuple[int, int], radius: int, eps: float) -> None:
    guide, image = pair(size)
    found = guided_filter(tensor(image), tensor(guide), radius, eps)[0, 0].numpy()
    np.testing.assert_allclose(found, filtered(image, guide, radius, eps), atol=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_guided_filter_fusion(size: tuple[int, int]) -> None:
    images = pair(size)
    laplacian = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    saliency = [
        ndimage.gaussian_filter(  # scipy's mirror repeats no border pixel
            np.abs(ndimage.correlate(image, laplacian, mode="nearest")), 5, mode="mirror", radius=5
        )
        for image in images
    ]
    chosen = [(saliency[0] > saliency[1]).astype(float), (saliency[1] > saliency[0]).astype(float)]
    base = [mean(image, 15) for image in images]
    detail = [image - below for image, below in zip(images, base, strict=True)]
    expected = 0
    for layer, radius, eps in ((base, 45, 0.3), (detail, 7, 1e-6)):
        weights = [filtered(map_, image, radius, eps).clip(0, 1) for map_, image in zip(chosen, images, strict=True)]
        expected = expected + sum(w * part for w, part in zip(weights, layer, strict=True)) / sum(weights)
    np.testing.assert_allclose(fuse(GuidedFilter(), *images), expected, atol=2e-3)


@pytest.mark.parametrize("size", SIZES)
def test_two_scale_saliency(size: tuple[int, int]) -> None:
    images = pair(size)
    base = [mean(image, 17) for image in images]
    saliency = [
        np.abs(below - ndimage.median_filter(image, 3, mode="nearest"))
        for image, below in zip(images, base, strict=True)
    ]
    expected = (base[0] + base[1]) / 2 + sum(
        weight * (image - below) for weight, image, below in zip(saliency, images, base, strict=True)
    ) / sum(saliency)
    np.testing.assert_allclose(fuse(TwoScaleSaliency(), *images), expected, atol=1e-3)
