"""What docs/fuse.md says in numbers: time and memory, precision, tiles against the whole, one source alone.

    python -m benchmarks.fuse cost VISIBLE INFRARED --weights W --precision float32 --threads 2
    python -m benchmarks.fuse precision VISIBLE INFRARED --weights W
    python -m benchmarks.fuse tiles VISIBLE INFRARED --weights W
    python -m benchmarks.fuse missing VISIBLE INFRARED --weights W --noise 35
    python -m benchmarks.fuse doubts VISIBLE INFRARED --step 1

`missing` and `doubts` take folders, too, and every n-th pair of them with `--step n`. The peak of a process's resident
memory is counted anew before the second fusion, which Linux alone can do.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor
from torchmetrics import MetricCollection

from dream_if.inference import Fuser, load_network
from dream_if.inference.intensity import InfraredRange, infrared_values, luminance, visible_values
from dream_if.inference.memory import SPARE
from dream_if.inference.pictures import read_picture
from dream_if.inference.tiles import cut, tile_size
from dream_if.inference.trust import doubt
from dream_if.machine import forget_peak, peak_memory, used_memory
from dream_if.metrics import fusion_metrics

MIB = 2**20
CORNER = (320, 400)  # pixels of each picture that `missing` takes: enough to see, and quick


def read(visible: Path, infrared: Path) -> tuple[Tensor, Tensor]:
    """(1, 3, H, W) and (1, 1, H, W) in [0, 1]."""
    colours = torch.from_numpy(visible_values(read_picture(visible))).permute(2, 0, 1).expand(3, -1, -1)
    grey = torch.from_numpy(infrared_values(read_picture(infrared), InfraredRange())[0])
    return colours[None], grey[None, None]


def pairs(visible: Path, infrared: Path, step: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The pair, or every so many of two folders."""
    if visible.is_file():
        yield read(visible, infrared)
        return
    for file in sorted(visible.iterdir())[::step]:
        yield read(file, next(infrared.glob(f"{file.stem}.*")))


def levels(image: Tensor) -> Tensor:
    """Grey levels of a saved picture."""
    return (image.clamp(0, 1) * 255).round()


def psnr(image: Tensor, other: Tensor) -> float:
    """In dB, of images in [0, 1]."""
    return float(-10 * torch.log10(((image - other) ** 2).mean()))


def apart(image: Tensor, other: Tensor) -> str:
    """How far two images differ."""
    difference = (levels(image) - levels(other)).abs().flatten()
    top = float(difference[::7].quantile(0.99))
    return (
        f"PSNR {psnr(image, other):.1f} dB; of 255 levels {float(difference.mean()):.2f} on average, 99 % within "
        f"{top:.0f}, at most {float(difference.max()):.0f}"
    )


def cost(fuser: Fuser, visible: Tensor, infrared: Tensor) -> None:
    """Seconds and memory of one pair."""
    fuser(visible[..., :64, :64], infrared[..., :64, :64])
    held = used_memory(fuser.device)
    forget_peak()
    begin, worked = time.perf_counter(), time.process_time()
    tile = fuser(visible, infrared, maps=False).tile
    seconds, worked = time.perf_counter() - begin, time.process_time() - worked
    height, width = visible.shape[-2:]
    counted = fuser.bytes_per_pixel * height * width + SPARE
    print(
        f"{width}x{height} in {fuser.precision}, tiles {tile}: {seconds:.1f} s, {worked:.1f} s of processors; peak of "
        f"the process {peak_memory() / MIB:.0f} MiB, of which {(peak_memory() - held) / MIB:.0f} for the fusion, "
        f"counted {counted / MIB:.0f}"
    )


def tiles(fuser: Fuser, visible: Tensor, infrared: Tensor) -> None:
    """Tiles of three sizes against the whole."""
    whole = fuser(visible, infrared, maps=False).image
    height, width = visible.shape[-2:]
    for share in (2, 4, 8):
        size = tile_size(height, width, height * width // share + 100_000 // share)
        if size is None:
            continue
        tiled = torch.zeros_like(whole[0])
        with torch.inference_mode():
            fuser.add_tiles(tiled, visible, infrared, size)
        count = len(list(cut(height, width, size)))
        print(f"{count} tiles of {size[1]}x{size[0]}: {apart(tiled[None], whole)}")


def missing(fuser: Fuser, visible: Path, infrared: Path, step: int, noise: float) -> None:
    """One source with black, or with itself, for the other."""
    generator = torch.Generator().manual_seed(0)
    metrics: dict[str, MetricCollection] = {}
    distances: dict[str, list[float]] = {}
    for whole_visible, whole_infrared in pairs(visible, infrared, step):
        clean_visible = whole_visible[..., : CORNER[0], : CORNER[1]]
        clean_infrared = whole_infrared[..., : CORNER[0], : CORNER[1]]
        noisy_visible, noisy_infrared = (
            (image + torch.randn(image.shape, generator=generator) * noise / 255).clamp(0, 1)
            for image in (clean_visible, clean_infrared)
        )
        black, three = torch.zeros_like(noisy_infrared), (-1, 3, -1, -1)
        found = {
            "visible and black": (fuser(noisy_visible, black).image, clean_visible),
            "visible twice": (fuser(noisy_visible, luminance(noisy_visible)).image, clean_visible),
            "visible as it is": (noisy_visible, clean_visible),
            "black and infrared": (fuser(black.expand(three), noisy_infrared).image, clean_infrared.expand(three)),
            "infrared twice": (fuser(noisy_infrared.expand(three), noisy_infrared).image, clean_infrared.expand(three)),
            "infrared as it is": (noisy_infrared.expand(three), clean_infrared.expand(three)),
        }
        for way, (image, target) in found.items():
            distances.setdefault(way, []).append(psnr(image, target))
            metrics.setdefault(way, fusion_metrics(["Qabf", "SSIM", "VIFF"])).update(image, target, luminance(target))
    for way, scores in metrics.items():
        values = ", ".join(f"{name} {float(value):.3f}" for name, value in scores.compute().items())
        print(f"{way}: PSNR {sum(distances[way]) / len(distances[way]):.1f} dB, {values}")


def fogged(grey: Tensor, share: float) -> Tensor:
    """A source behind a lens of which fog lets a share of the light pass: blurred, flat and grey, with noise, 8 bit."""
    generator = torch.Generator().manual_seed(0)
    blurred = gaussian_blur2d(grey, 41, (8.0, 8.0))
    noise = torch.randn(grey.shape, generator=generator) * 2 / 255
    return levels(blurred * share + 0.7 * (1 - share) + noise) / 255


def doubts(visible: Path, infrared: Path, step: int) -> None:
    """How many sources are distrusted, clean and corrupted."""
    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "clean": lambda grey: grey,
        "black": torch.zeros_like,
        "times 8": lambda grey: grey * 8,
        "fog, 0.1 passes": lambda grey: fogged(grey, 0.1),
        "fog, 0.2 passes": lambda grey: fogged(grey, 0.2),
    }
    found: Counter[str] = Counter()
    count = 0
    for whole_visible, whole_infrared in pairs(visible, infrared, step):
        count += 1
        sides: list[tuple[Literal["visible", "infrared"], Tensor]] = [
            ("visible", luminance(whole_visible)),
            ("infrared", whole_infrared),
        ]
        for way, change in ways.items():
            for role, grey in sides:
                distrusted = doubt(change(grey).clamp(0, 1)[0, 0].numpy(), role, role) is not None
                found[f"{role}, {way}"] += distrusted
    for what, times in found.items():
        print(f"{what}: {times} of {count} distrusted")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("cost", "precision", "tiles", "missing", "doubts"))
    parser.add_argument("visible", type=Path)
    parser.add_argument("infrared", type=Path)
    parser.add_argument("--weights", default="small")
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--noise", type=float, default=0, help="sigma, of 255 grey levels")
    parser.add_argument("--step", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.what == "doubts":
        doubts(options.visible, options.infrared, options.step)
        return
    net = load_network(options.weights)
    fuser = Fuser(net, device="cpu", precision=options.precision)
    if options.what == "missing":
        missing(fuser, options.visible, options.infrared, options.step, options.noise)
        return
    sources = read(options.visible, options.infrared)
    if options.what == "cost":
        cost(fuser, *sources)
    elif options.what == "tiles":
        tiles(fuser, *sources)
    else:
        exact = Fuser(net, device="cpu", precision="float32")(*sources).image
        print(apart(Fuser(net, device="cpu", precision="bfloat16")(*sources).image, exact))


if __name__ == "__main__":
    main()
