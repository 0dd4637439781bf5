"""Speed of the metrics against plain NumPy and SciPy versions of the same formulas, in one run.

    python benchmarks/metrics.py [--size 640x480 1280x1024] [--threads 2] [--seconds 2] [--batch 16]

The plain versions are what evaluation scripts of the field run: one image at a time, separable filters, no sharing
between metrics. Both sides get the same 8-bit levels as float64 arrays and must agree to 1e-9 before they are timed.
With a CUDA device, triples per second of the set there are printed too. Times are the best of several runs; what
counts is the ratio.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from dream_if.metrics import functional as F
from dream_if.metrics import fusion_metrics

Array = NDArray[np.float64]
SET = ("AG", "SF", "EN", "SD", "MI", "Qabf", "SSIM", "VIF", "VIFF")
PUBLISHED_SECONDS = 7.9  # the Python evaluator published with CDDFuse, 1280x1024, one core of the same kind of machine


def average_gradient(fused: Array, *_: Array) -> float:
    """AG."""
    down, across = np.gradient(fused)
    return float(np.sqrt((across**2 + down**2) / 2).mean())


def spatial_frequency(fused: Array, *_: Array) -> float:
    """SF."""
    return float(np.sqrt((np.diff(fused, axis=1) ** 2).mean() + (np.diff(fused, axis=0) ** 2).mean()))


def _entropy(counts: NDArray[np.int64]) -> float:
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log2(p)).sum())


def entropy(fused: Array, *_: Array) -> float:
    """EN."""
    return _entropy(np.bincount(fused.astype(np.int64).ravel(), minlength=256))


def standard_deviation(fused: Array, *_: Array) -> float:
    """SD."""
    return float(fused.std())


def mutual_information(fused: Array, visible: Array, infrared: Array) -> float:
    """MI."""
    total = 0.0
    for source in (infrared, visible):
        index = fused.astype(np.int64).ravel() * 256 + source.astype(np.int64).ravel()
        joint = np.bincount(index, minlength=65536).reshape(256, 256)
        total += _entropy(joint.sum(0)) + _entropy(joint.sum(1)) - _entropy(joint.ravel())
    return total


def qabf(fused: Array, visible: Array, infrared: Array) -> float:
    """Qabf."""

    def edges(image: Array) -> tuple[Array, Array]:
        across = ndimage.sobel(image, axis=1, mode="constant")
        down = -ndimage.sobel(image, axis=0, mode="constant")
        angle = np.where(across == 0, np.pi / 2, np.arctan(down / across))
        return np.sqrt(across**2 + down**2), angle

    strength_f, angle_f = edges(fused)
    kept = weight = 0.0
    for source in (infrared, visible):
        strength, angle = edges(source)
        ratio = np.where(strength > strength_f, strength_f / strength, strength / strength_f)
        ratio = np.where(strength == strength_f, strength_f, ratio)
        aligned = 1 - np.abs(angle - angle_f) / (np.pi / 2)
        quality = 0.9994 / (1 + np.exp(-15 * (ratio - 0.5))) * (0.9879 / (1 + np.exp(-22 * (aligned - 0.8))))
        kept += float((quality * strength).sum())
        weight += float(strength.sum())
    return kept / weight


def _average(image: Array, size: int, sigma: float) -> Array:
    taps = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * sigma**2))
    taps /= taps.sum()
    for axis in (0, 1):
        image = ndimage.correlate1d(image, taps, axis=axis)
    margin = size // 2
    return image[margin:-margin, margin:-margin]


def ssim(fused: Array, visible: Array, infrared: Array) -> float:
    """SSIM, summed over the sources."""
    total = 0.0
    for source in (infrared, visible):
        m_s, m_f, m_ss, m_ff, m_sf = (
            _average(image, 11, 1.5) for image in (source, fused, source * source, fused * fused, source * fused)
        )
        quality = (2 * m_s * m_f + 6.5025) * (2 * (m_sf - m_s * m_f) + 58.5225)
        quality /= (m_s**2 + m_f**2 + 6.5025) * (m_ss - m_s**2 + m_ff - m_f**2 + 58.5225)
        total += float(quality.mean())
    return total


def _channels(source: Array, fused: Array) -> list[tuple[Array, Array, Array]]:
    channels = []
    for scale, size in enumerate((17, 9, 5, 3)):
        if scale > 0:
            source, fused = (_average(image, size, size / 5)[::2, ::2] for image in (source, fused))
        m_s, m_f, m_ss, m_ff, m_sf = (
            _average(image, size, size / 5) for image in (source, fused, source * source, fused * fused, source * fused)
        )
        v_s, v_f, covariance = np.maximum(m_ss - m_s**2, 0), np.maximum(m_ff - m_f**2, 0), m_sf - m_s * m_f
        gain = covariance / (v_s + 1e-10)
        noise = v_f - gain * covariance
        flat = v_s < 1e-10
        gain[flat], noise[flat], v_s[flat] = 0, v_f[flat], 0
        flat = v_f < 1e-10
        gain[flat], noise[flat] = 0, 0
        negative = gain < 0
        noise[negative], gain[negative] = v_f[negative], 0
        channels.append((gain, np.maximum(noise, 1e-10), v_s))
    return channels


def vif(fused: Array, visible: Array, infrared: Array) -> float:
    """VIF, the sum of two VIFp."""
    total = 0.0
    for source in (infrared, visible):
        kept = available = 0.0
        for gain, noise, variance in _channels(source, fused):
            kept += float(np.log10(1 + gain**2 * variance / (noise + 2)).sum())
            available += float(np.log10(1 + variance / 2).sum())
        total += kept / available
    return total


def viff(fused: Array, visible: Array, infrared: Array) -> float:
    """VIFF of Han et al."""
    total = 0.0
    pairs = zip(_channels(infrared, fused), _channels(visible, fused), (1.0, 0.0, 0.15, 1.0), strict=True)
    for first, second, weight in pairs:
        smaller = first[0] < second[0]
        gain, noise, variance = (np.where(smaller, a, b) for a, b in zip(first, second, strict=True))
        kept = np.log10(1 + gain**2 * variance / (noise + 325.125)) + 1e-7
        available = np.log10(1 + variance / 325.125) + 1e-7
        total += weight / 2.15 * float(kept.sum() / available.sum())
    return total


PLAIN: dict[str, Callable[..., float]] = {
    "AG": average_gradient,
    "SF": spatial_frequency,
    "EN": entropy,
    "SD": standard_deviation,
    "MI": mutual_information,
    "Qabf": qabf,
    "SSIM": ssim,
    "VIF": vif,
    "VIFF": viff,
}
OF_FUSED = ("AG", "SF", "EN", "SD")


def scene(height: int, width: int) -> tuple[Array, Array, Array]:
    """Generated levels (fused, visible, infrared): texture, waves, blocks and noise in both sources."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    visible = 100 + 60 * np.sin(x / 7) * np.cos(y / 11) + rng.normal(0, 10, (height, width))
    infrared = (
        70 + 40 * np.cos((x + 2 * y) / 37) + 90 * ((x // 64 + y // 48) % 5 == 0) + rng.normal(0, 5, (height, width))
    )
    fused = 0.5 * (visible + infrared)
    first, second, third = (np.clip(np.rint(image), 0, 255) for image in (fused, visible, infrared))
    return first, second, third


def best_of(function: Callable[[], object], seconds: float) -> float:
    """The shortest time of one call, over calls for `seconds` in all and at least three."""
    function()
    best, spent, calls = float("inf"), 0.0, 0
    while spent < seconds or calls < 3:
        start = time.perf_counter()
        function()
        elapsed = time.perf_counter() - start
        best, spent, calls = min(best, elapsed), spent + elapsed, calls + 1
    return best


def call(name: str, tensors: list[torch.Tensor]) -> torch.Tensor:
    """The function behind a symbol, on levels."""
    function = getattr(F, PLAIN[name].__name__)
    value: torch.Tensor = function(*(tensors[:1] if name in OF_FUSED else tensors))
    return value


def on_cpu(height: int, width: int, seconds: float) -> None:
    """Print a table for one size: plain, ours, ratio; then the set, one after the other and together."""
    arrays = scene(height, width)
    tensors = [torch.from_numpy(array)[None] for array in arrays]
    print(f"\n{width}x{height}, one triple, CPU with {torch.get_num_threads()} threads; milliseconds")
    print(f"{'':12}{'NumPy':>9}{'ours':>9}{'ratio':>8}")
    plain_total = 0.0
    for name in SET:
        expected, value = PLAIN[name](*arrays), call(name, tensors).item()
        if not np.isclose(expected, value, rtol=1e-9):
            raise SystemExit(f"{name}: {value} here, {expected} in plain NumPy")
        plain = best_of(lambda name=name: PLAIN[name](*arrays), seconds)  # type: ignore[misc]
        ours = best_of(lambda name=name: call(name, tensors), seconds)  # type: ignore[misc]
        plain_total += plain
        print(f"{name:12}{plain * 1e3:9.1f}{ours * 1e3:9.1f}{plain / ours:8.1f}")

    def together(kept: F.KeptWork | None = None) -> None:
        with F.shared_work(kept):
            for name in SET:
                call(name, tensors)

    ours = best_of(together, seconds)
    print(f"{'the set':12}{plain_total * 1e3:9.1f}{ours * 1e3:9.1f}{plain_total / ours:8.1f}")
    kept = F.KeptWork().of(*tensors[1:])
    again = best_of(lambda: together(kept), seconds)
    print(
        f"{'again':12}{plain_total * 1e3:9.1f}{again * 1e3:9.1f}{plain_total / again:8.1f}   another image of the pair"
    )
    images = [tensor.unsqueeze(1).float() / 255 for tensor in tensors]
    images[0], images[1] = images[0].expand(-1, 3, -1, -1), images[1].expand(-1, 3, -1, -1)
    metrics = fusion_metrics(SET)
    classes = best_of(lambda: metrics.update(*images), seconds)
    print(f"{'with classes':12}{'':9}{classes * 1e3:9.1f}{plain_total / classes:8.1f}   from colour floats in [0, 1]")
    if (height, width) == (1024, 1280):
        times = PUBLISHED_SECONDS / classes
        print(f"the published Python evaluator needs about {PUBLISHED_SECONDS} s, {times:.0f} times as long")


def on_gpu(height: int, width: int, batch: int, seconds: float) -> None:
    """Print triples per second of the set on the CUDA device."""
    images = [torch.from_numpy(array).float().cuda().expand(batch, 1, -1, -1) / 255 for array in scene(height, width)]
    images[0], images[1] = images[0].repeat(1, 3, 1, 1), images[1].repeat(1, 3, 1, 1)
    metrics = fusion_metrics(SET).to("cuda")

    def update() -> None:
        metrics.update(*images)
        torch.cuda.synchronize()

    elapsed = best_of(update, seconds)
    print(f"{width}x{height}, {torch.cuda.get_device_name()}, batches of {batch}: {batch / elapsed:.0f} triples/s")


def main() -> None:
    """Run for the sizes asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", default=["640x480", "1280x1024"], help="WIDTHxHEIGHT")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0, help="per measurement")
    parser.add_argument("--batch", type=int, default=16, help="on the GPU")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    np.seterr(divide="ignore", invalid="ignore")
    for size in options.size:
        width, height = map(int, size.split("x"))
        on_cpu(height, width, options.seconds)
        if torch.cuda.is_available():
            on_gpu(height, width, options.batch, options.seconds)


if __name__ == "__main__":
    main()
