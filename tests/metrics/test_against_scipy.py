"""Each function against its definition written once more, plainly, in NumPy and SciPy, one image at a time."""

import math

import numpy as np
import pytest
from scipy import ndimage, signal, stats

from dream_if.metrics import functional as F


def average_gradient(fused, *_):
    gy, gx = np.gradient(fused)
    return np.sqrt((gx**2 + gy**2) / 2).mean()


def spatial_frequency(fused, *_):
    return math.hypot(np.sqrt(np.mean(np.diff(fused, axis=1) ** 2)), np.sqrt(np.mean(np.diff(fused, axis=0) ** 2)))


def entropy(fused, *_):
    return stats.entropy(np.unique(fused, return_counts=True)[1], base=2)


def standard_deviation(fused, *_):
    return np.std(fused)


def edge_intensity(fused, *_):
    return np.hypot(ndimage.sobel(fused, 0, mode="nearest"), ndimage.sobel(fused, 1, mode="nearest")).mean()


def _mutual_information(first, second):
    joint, _, _ = np.histogram2d(first.ravel(), second.ravel(), bins=256, range=((-0.5, 255.5),) * 2)
    return sum(stats.entropy(joint.sum(axis), base=2) for axis in (0, 1)) - stats.entropy(joint.ravel(), base=2)


def mutual_information(fused, visible, infrared):
    return _mutual_information(fused, visible) + _mutual_information(fused, infrared)


def _r(first, second):
    return np.corrcoef(first.ravel(), second.ravel())[0, 1]


def correlation_coefficient(fused, visible, infrared):
    return (_r(fused, visible) + _r(fused, infrared)) / 2


def sum_of_correlations_of_differences(fused, visible, infrared):
    return _r(fused - infrared, visible) + _r(fused - visible, infrared)


def qabf(fused, visible, infrared):
    def edges(image):
        across = signal.convolve2d(image, [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], mode="same")
        down = signal.convolve2d(image, [[1, 2, 1], [0, 0, 0], [-1, -2, -1]], mode="same")
        with np.errstate(divide="ignore", invalid="ignore"):
            angle = np.where(across == 0, np.pi / 2, np.arctan(down / across))
        return np.hypot(across, down), angle

    g_f, a_f = edges(fused)
    kept, weight = 0.0, 0.0
    for source in (visible, infrared):
        g_s, a_s = edges(source)
        with np.errstate(divide="ignore", invalid="ignore"):
            strength = np.where(g_f > g_s, g_s / g_f, np.where(g_f == g_s, g_f, g_f / g_s))
        orientation = 1 - np.abs(a_s - a_f) * 2 / np.pi
        q = 0.9994 / (1 + np.exp(-15 * (strength - 0.5))) * 0.9879 / (1 + np.exp(-22 * (orientation - 0.8)))
        kept, weight = kept + (q * g_s).sum(), weight + g_s.sum()
    return kept / weight


def _gaussian(size, sigma):
    taps = signal.windows.gaussian(size, sigma)
    window = np.outer(taps, taps)
    return window / window.sum()


def _local(first, second, window):
    """Means and covariance where the window fits, by two-dimensional correlation."""
    mean_first, mean_second, product = (
        signal.correlate2d(image, window, mode="valid") for image in (first, second, first * second)
    )
    return mean_first, mean_second, product - mean_first * mean_second


def ssim(fused, visible, infrared):
    window, total = _gaussian(11, 1.5), 0.0
    c1, c2 = 2.55**2, 7.65**2
    for source in (visible, infrared):
        m_s, m_f, covariance = _local(source, fused, window)
        v_s, v_f = _local(source, source, window)[2], _local(fused, fused, window)[2]
        quality = (2 * m_s * m_f + c1) * (2 * covariance + c2) / ((m_s**2 + m_f**2 + c1) * (v_s + v_f + c2))
        total += quality.mean()
    return total


def _vif_channels(source, fused):
    for scale in range(1, 5):
        size = 2 ** (5 - scale) + 1
        window = _gaussian(size, size / 5)
        if scale > 1:
            source, fused = (signal.correlate2d(image, window, mode="valid")[::2, ::2] for image in (source, fused))
        v_s = np.maximum(_local(source, source, window)[2], 0)
        v_f = np.maximum(_local(fused, fused, window)[2], 0)
        covariance = _local(source, fused, window)[2]
        gain = covariance / (v_s + 1e-10)
        noise = v_f - gain * covariance
        gain[v_s < 1e-10], noise[v_s < 1e-10] = 0, v_f[v_s < 1e-10]
        v_s[v_s < 1e-10] = 0
        gain[v_f < 1e-10], noise[v_f < 1e-10] = 0, 0
        noise[gain < 0] = v_f[gain < 0]
        gain[gain < 0] = 0
        yield gain, np.maximum(noise, 1e-10), v_s


def vif(fused, visible, infrared):
    total = 0.0
    for source in (visible, infrared):
        kept = available = 0.0
        for gain, noise, variance in _vif_channels(source, fused):
            kept += np.log10(1 + gain**2 * variance / (noise + 2)).sum()
            available += np.log10(1 + variance / 2).sum()
        total += kept / available
    return total


def viff(fused, visible, infrared):
    ratios = []
    for of_infrared, of_visible in zip(_vif_channels(infrared, fused), _vif_channels(visible, fused), strict=True):
        smaller = of_infrared[0] < of_visible[0]
        gain, noise, variance = (np.where(smaller, a, b) for a, b in zip(of_infrared, of_visible, strict=True))
        kept = np.log10(1 + gain**2 * variance / (noise + 325.125)) + 1e-7
        available = np.log10(1 + variance / 325.125) + 1e-7
        ratios.append(kept.sum() / available.sum())
    return np.dot(ratios, [1, 0, 0.15, 1]) / 2.15


PLAIN = [
    average_gradient,
    spatial_frequency,
    entropy,
    standard_deviation,
    edge_intensity,
    mutual_information,
    correlation_coefficient,
    sum_of_correlations_of_differences,
    qabf,
    ssim,
    vif,
    viff,
]
OF_FUSED = {"average_gradient", "spatial_frequency", "entropy", "standard_deviation", "edge_intensity"}


@pytest.mark.parametrize("plain", PLAIN, ids=lambda function: function.__name__)
def test_batched_equals_plain_one_by_one(plain, scenes):
    function = getattr(F, plain.__name__)
    values = function(*scenes[:1]) if plain.__name__ in OF_FUSED else function(*scenes)
    expected = [plain(*(image[k, 0].numpy() for image in scenes)) for k in range(4)]
    assert values.tolist() == pytest.approx(expected, rel=1e-9)
    assert len(set(expected)) == 4
