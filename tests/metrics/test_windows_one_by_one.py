"""The metrics of the second rank against their definitions, window by window where they have windows."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import fft, ndimage, signal, stats

from dream_if.metrics import functional as F


@pytest.fixture(scope="module")
def triple(scenes):
    """One small triple as arrays: fused, visible, infrared (44, 49)."""
    return tuple(image[1, 0, 20:64, 5:54].numpy() for image in scenes)


def _value(function, triple, **options):
    return function(*(torch.from_numpy(image)[None] for image in triple), **options).item()


def _entropies(first, second):
    joint, _, _ = np.histogram2d(first.ravel(), second.ravel(), bins=256, range=((-0.5, 255.5),) * 2)
    return (
        stats.entropy(joint.sum(1), base=2),
        stats.entropy(joint.sum(0), base=2),
        stats.entropy(joint.ravel(), base=2),
    )


def _stretched(image):
    return np.floor((image - image.min()) / (image.max() - image.min()) * 255 + 0.5)


def test_normalized_mutual_information(triple):
    fused, *sources = map(_stretched, triple)
    expected = 0.0
    for source in sources:
        h_s, h_f, h_both = _entropies(source, fused)
        expected += 2 * (h_s + h_f - h_both) / (h_s + h_f)
    assert _value(F.normalized_mutual_information, triple) == pytest.approx(expected, rel=1e-9)


def test_nonlinear_correlation_information_entropy(triple):
    matrix = np.eye(3)
    for (row, first), (column, second) in itertools.permutations(enumerate(map(_stretched, triple)), 2):
        h_first, h_second, h_both = _entropies(first, second)
        matrix[row, column] = (h_first + h_second - h_both) / 8
    shares = np.linalg.eigvalsh(matrix) / 3
    expected = 1 + (shares * np.log2(shares)).sum() / 8
    assert _value(F.nonlinear_correlation_information_entropy, triple) == pytest.approx(expected, rel=1e-9)


def test_cross_entropy(triple):
    fused, *sources = ([np.mean(image == level) for level in range(256)] for image in triple)
    expected = sum(
        p * math.log2(p / q) for source in sources for p, q in zip(source, fused, strict=True) if p > 0 and q > 0
    )
    assert _value(F.cross_entropy, triple) == pytest.approx(expected / 2, rel=1e-9)


def test_errors(triple):
    fused, visible, infrared = triple
    error = (np.mean((fused - visible) ** 2) + np.mean((fused - infrared) ** 2)) / 2
    assert _value(F.mean_squared_error, triple) == pytest.approx(error)
    assert _value(F.mean_squared_error, triple, scale=1.0) == pytest.approx(error / 65025)
    assert _value(F.root_mean_squared_error, triple) == pytest.approx(math.sqrt(error))
    decibel = 10 * math.log10(65025 / error)
    assert _value(F.peak_signal_noise_ratio, triple) == pytest.approx(decibel)
    assert _value(F.peak_signal_noise_ratio, triple, form="mixed_scales") == pytest.approx(
        decibel + 20 * math.log10(255)
    )


def test_petrovic_shares_add_up_and_qabf_is_that_of_the_paper(triple):
    def gradient(image):
        down = ndimage.convolve(image, np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8, mode="mirror")
        across = ndimage.convolve(image, np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]]) / 8, mode="mirror")
        return np.hypot(down, across), np.arctan(down / np.where(across == 0, 1e-300, across))

    g_f, a_f = gradient(triple[0])
    kept = total = 0.0
    for source in triple[1:]:
        g_s, a_s = gradient(source)
        strength = np.minimum(g_s, g_f) / np.maximum(np.maximum(g_s, g_f), 1e-300)
        orientation = np.abs(np.abs(a_s - a_f) - np.pi / 2) * 2 / np.pi
        q = 0.9999 / (1 + np.exp(-19 * (strength - 0.5))) * 0.9995 / (1 + np.exp(-22 * (orientation - 0.5)))
        weight = np.where(g_s >= 2, g_s**1.5, 0.001)
        kept, total = kept + (np.sqrt(q) * weight).sum(), total + weight.sum()
    qabf = _value(F.petrovic_qabf, triple)
    assert qabf == pytest.approx(kept / total, rel=1e-9)
    assert qabf + _value(F.labf, triple) + _value(F.nabf, triple) == pytest.approx(1, rel=1e-12)
    assert _value(F.nabf, triple) > 0


def _patches(image, size):
    return np.lib.stride_tricks.sliding_window_view(image, (size, size))


def test_mef_ssim_patch_by_patch(triple):
    window = np.outer(*[signal.windows.gaussian(11, 1.5)] * 2)
    window /= window.sum()
    exponents = np.array([0.0448, 0.2856, 0.3001])
    images, expected = triple, 1.0
    for exponent in exponents / exponents.sum():
        fused, *sources = (_patches(image, 11).reshape(-1, 11, 11) for image in images)
        scores = []
        for patch, *pair in zip(fused, *sources, strict=True):
            removed = [source - source.mean() for source in pair]
            norms = [np.linalg.norm(source) for source in removed]
            agreement = (np.linalg.norm(sum(removed)) + 2**-52) / (sum(norms) + 2**-52)
            norms = [norm + 0.001 for norm in norms]
            power = min(math.tan(math.pi / 2 * min(agreement, 1 - 2**-52)), 10)
            weights = [(norm / 11) ** power + 2**-52 for norm in norms]
            blend = sum(w / sum(weights) * s / n for w, s, n in zip(weights, removed, norms, strict=True))
            desired = blend * max(norms) / np.linalg.norm(blend)
            centred = [image - (window * image).sum() for image in (patch, desired)]
            v_f, v_d = ((window * image**2).sum() for image in centred)
            covariance = (window * centred[0] * centred[1]).sum()
            scores.append((2 * covariance + 7.65**2) / (v_f + v_d + 7.65**2))
        expected *= np.mean(scores) ** exponent
        images = [
            ndimage.correlate(image, np.full((2, 2), 0.25), mode="reflect", origin=-1)[::2, ::2] for image in images
        ]
    assert _value(F.mef_ssim, triple) == pytest.approx(expected, rel=1e-9)


def test_ms_ssim_of_even_sizes(scenes):
    fused, visible, infrared = (image[:1].repeat(1, 1, 3, 3)[..., :192, :208] for image in scenes)
    exponents = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    total = 0.0
    for source in (visible, infrared):
        x, y, product = source[0, 0].numpy(), fused[0, 0].numpy(), 1.0
        for scale, exponent in enumerate(exponents):
            taps = signal.windows.gaussian(11, 1.5)
            window = np.outer(taps, taps) / taps.sum() ** 2
            m_x, m_y, m_xx, m_yy, m_xy = (
                signal.correlate2d(image, window, mode="valid") for image in (x, y, x * x, y * y, x * y)
            )
            quality = (2 * (m_xy - m_x * m_y) + 7.65**2) / (m_xx - m_x**2 + m_yy - m_y**2 + 7.65**2)
            if scale == 4:
                quality *= (2 * m_x * m_y + 2.55**2) / (m_x**2 + m_y**2 + 2.55**2)
            product *= max(quality.mean(), 0) ** exponent
            if scale < 4:
                x, y = (image.reshape(len(image) // 2, 2, image.shape[1] // 2, 2).mean((1, 3)) for image in (x, y))
        total += product
    assert F.ms_ssim(fused, visible, infrared).item() == pytest.approx(total, rel=1e-9)


def _piella(triple):
    """Wang and Bovik's index and the variances of the sources in 8 x 8 windows: blended similarity and weight."""
    blended, weights = [], []
    for fused, *pair in zip(*(_patches(image, 8).reshape(-1, 64) for image in triple), strict=True):
        indices = []
        for source in pair:
            covariance = np.cov(source, fused)
            means = source.mean(), fused.mean()
            denominator = (means[0] ** 2 + means[1] ** 2) * (covariance[0, 0] + covariance[1, 1])
            indices.append(4 * covariance[0, 1] * means[0] * means[1] / denominator)
        spread = [source.var(ddof=1) for source in pair]
        blended.append(np.dot(spread, indices) / sum(spread))
        weights.append(max(spread))
    return np.array(blended), np.array(weights)


def test_piella_indices_window_by_window(triple):
    blended, weights = _piella(triple)
    q, qw = blended.mean(), (blended * weights).sum() / weights.sum()
    kernel = np.array([[1, 0, -1]] * 3)
    edges = [np.hypot(*(signal.correlate2d(image, k, mode="same") for k in (kernel, kernel.T))) for image in triple]
    blended, weights = _piella(edges)
    assert _value(F.piella_q, triple, form="universal") == pytest.approx(q, rel=1e-9)
    assert _value(F.piella_qw, triple, form="universal") == pytest.approx(qw, rel=1e-9)
    qe = qw * (blended * weights).sum() / weights.sum()
    assert _value(F.piella_qe, triple, form="universal") == pytest.approx(qe, rel=1e-9)


def _stretch_and_filter(image, radius_of):
    height, width = image.shape
    v, u = np.meshgrid(np.arange(height) - height // 2, np.arange(width) - width // 2, indexing="ij")
    return np.real(fft.ifft2(fft.ifftshift(fft.fftshift(fft.fft2(image)) * radius_of(np.hypot(u, v)))))


def test_qcb(triple):
    def contrast(image):
        seen = _stretch_and_filter(
            _stretched(image), lambda r: np.exp(-((r / 15 / 15.3870) ** 2)) - 0.7622 * np.exp(-((r / 15 / 1.3456) ** 2))
        )
        y, x = np.mgrid[-15:16, -15:16]
        blurred = [
            signal.convolve2d(seen, np.exp(-(x**2 + y**2) / (2 * s * s)) / (2 * np.pi * s * s), mode="same")
            for s in (2, 4)
        ]
        c = np.abs(blurred[0] / blurred[1] - 1)
        return c**3 / (c**2 + 0.0001)

    fused, visible, infrared = map(contrast, triple)
    quality = sum(
        source**2 / (visible**2 + infrared**2) * np.minimum(source, fused) / np.maximum(source, fused)
        for source in (visible, infrared)
    )
    assert _value(F.qcb, triple) == pytest.approx(quality.mean(), rel=1e-7)


def test_qcv_block_by_block(triple):
    fused, *sources = map(_stretched, triple)

    def sensitivity(r):
        return 2.6 * (0.0192 + 0.144 * r / 4) * np.exp(-((0.144 * r / 4) ** 1.1))

    def blocks(image):
        padded = np.pad(image, ((0, -image.shape[0] % 16), (0, -image.shape[1] % 16)))
        return [
            padded[i : i + 16, j : j + 16] for i in range(0, len(padded), 16) for j in range(0, padded.shape[1], 16)
        ]

    error = weight = 0.0
    for source in sources:
        strength = np.hypot(*(ndimage.sobel(source, axis, mode="constant") for axis in (0, 1)))
        salience = [(block**5).sum() for block in blocks(strength)]
        errors = [(block**2).mean() for block in blocks(_stretch_and_filter(source - fused, sensitivity))]
        error, weight = error + np.dot(salience, errors), weight + sum(salience)
    assert _value(F.qcv, triple) == pytest.approx(error / weight, rel=1e-9)


def _window_information(first, second):
    """Normalised information of two windows, read column by column, as plain sums over the nine positions."""
    if (first == second).all():
        return 1.0
    densities = []
    for window in (first, second):
        values = window.T.ravel()
        span = values.max() - values.min()
        values = (values - values.min()) / span if span > 0 else np.ones(9)
        densities.append(values / values.sum())
    p, q = densities
    c = 0.0 if p.std() < 1e-15 or q.std() < 1e-15 else np.corrcoef(p, q)[0, 1]
    position = np.arange(1, 10)
    deviations = [math.sqrt((d * position**2).sum() - (d * position).sum() ** 2) for d in densities]
    rows, columns = np.cumsum(p)[:, None], np.cumsum(q)[None, :]
    extreme = np.minimum(rows, columns) if c >= 0 else np.maximum(rows + columns - 1, 0)
    excess = extreme - rows * columns
    phi = c * deviations[0] * deviations[1] / excess.sum() if c != 0 else 0.0
    cumulative = np.pad(rows * columns + phi * excess, ((1, 0), (1, 0)))
    joint = np.diff(np.diff(cumulative, axis=0), axis=1)
    terms = joint[joint != 0]
    of_both = stats.entropy(p, base=2) + stats.entropy(q, base=2)
    return 2 * (of_both + (terms * np.log2(np.abs(terms))).sum()) / of_both


FEATURES = {
    "pixel": lambda image: image,
    "gradient": lambda image: np.gradient(image, axis=1),
    "dct": lambda image: fft.dctn(image, norm="ortho"),
}


@pytest.mark.parametrize("feature", FEATURES)
def test_feature_mutual_information_window_by_window(triple, feature):
    fused, *sources = (_patches(FEATURES[feature](image), 3).reshape(-1, 3, 3) for image in triple)
    expected = np.mean([_window_information(s, f) for source in sources for s, f in zip(source, fused, strict=True)])
    assert _value(F.feature_mutual_information, triple, feature=feature) == pytest.approx(expected, abs=1e-6)


def test_the_wavelet_is_orthonormal_and_meyers():
    from dream_if.metrics.functional.feature_information import _meyer_filters

    low, high = (torch.tensor(taps, dtype=torch.float64) for taps in _meyer_filters())
    assert low.sum().item() == pytest.approx(math.sqrt(2), abs=1e-12)
    assert high.sum().item() == pytest.approx(0, abs=1e-12)
    for shift in range(0, 12, 2):
        expected = 1.0 if shift == 0 else 0.0
        assert (low[shift:] * low[: 62 - shift]).sum().item() == pytest.approx(expected, abs=1e-4)
        assert (low[shift:] * high[: 62 - shift]).sum().item() == pytest.approx(0, abs=1e-4)


def test_the_wavelet_bands_of_a_ramp_hold_it_in_the_low_band():
    """Meyer's high band is blind to polynomials, so away from the mirrored ends a ramp leaves nothing there."""
    from dream_if.metrics.functional.feature_information import _wavelet_basis

    size = 200
    bands = _wavelet_basis(size, torch.zeros(1, dtype=torch.float64)) @ torch.arange(float(size), dtype=torch.float64)
    low, high = bands.chunk(2)
    inner = slice(40, 90)
    assert high[inner].abs().max() < 2e-3
    assert torch.allclose(low[inner].diff(), torch.full((49,), 2 * math.sqrt(2), dtype=torch.float64), atol=1e-3)
