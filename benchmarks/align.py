"""How well pairs are aligned: known transforms are put on registered pairs, and estimated again.

    python -m benchmarks.align --data FOLDER [--sets msrs roadscene] [--pairs 8] [--method ours ecc]
    python -m benchmarks.align --data FOLDER --judge
    python -m benchmarks.align --data FOLDER --shifts [--plot FILE.png]

FOLDER holds one folder for each set, with test/vi and test/ir; without it generated scenes are used. For every kind of
transform a table tells the mean distance of the four corners from where they belong, in pixels: measured against the
pair as its set has it registered, and against the estimate for the pair before the transform ("again"), which the set's
own errors do not touch. Only confident estimates count as such; the rest are the share that is refused. Several methods
are compared in one table. With --judge, a measure that the estimate does not know says whether the set's registration
or the estimate is nearer to the truth. With --shifts, pairs shifted by up to 16 px are fused, as they are and aligned.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure

from dream_if.data.pairs import PairFiles
from dream_if.data.scene_pairs import ScenePairs
from dream_if.errors import InputError
from dream_if.inference import fuse, make_fuser
from dream_if.metrics.functional import qabf, viff
from dream_if.registration.edges import View, edges_of, scaling
from dream_if.registration.estimate import apart, estimate
from dream_if.registration.motions import Motion
from dream_if.registration.refine import corners
from dream_if.registration.search import about_centre, search
from dream_if.storage import match

SHIFTS = (0, 1, 2, 4, 8, 16)
PARTS = (-0.9, -0.7, -0.5, -0.3, -0.1, 0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.7, 1.9)
"""Of the way from a set's registration to the estimate; 0 is not among them, as nothing is interpolated there."""
RIM = 8  # pixels that are left out
MOTIONS: dict[str, Motion] = {  # kind of transform -> what is free
    "none": "similarity",
    "shift": "translation",
    "turn": "similarity",
    "zoom": "similarity",
    "all three": "similarity",
    "homography": "homography",
}


class Row(NamedTuple):
    """One estimate: distances in pixels, whether it was confident, and seconds of CPU."""

    group: str
    kind: str
    error: float
    again: float
    confident: bool
    seconds: float


def transform(kind: str, size: tuple[int, int], rng: np.random.Generator) -> Any:
    """A 3x3 matrix of a kind: shift to 40 px, turn to 5 degrees, zoom 0.8 to 1.25, corners moved by up to 4 %."""
    shift = rng.uniform(-40, 40, 2) if kind in ("shift", "all three") else (0.0, 0.0)
    turn = np.deg2rad(rng.uniform(-5, 5)) if kind in ("turn", "all three") else 0.0
    zoom = np.exp(rng.uniform(*np.log([0.8, 1.25]))) if kind in ("zoom", "all three") else 1.0
    if kind == "homography":
        source = corners(size).astype(np.float32)
        moved = source + rng.uniform(-0.04, 0.04, (4, 2)) * size[::-1]
        return cv2.getPerspectiveTransform(source, moved.astype(np.float32))
    cosine, sine = zoom * np.cos(turn), zoom * np.sin(turn)
    inner = np.array([[cosine, -sine, shift[0]], [sine, cosine, shift[1]], [0, 0, 1]])
    return about_centre(size) @ inner @ np.linalg.inv(about_centre(size))


def ours(visible: Any, infrared: Any, motion: Motion) -> tuple[Any, bool]:
    """The package's estimate."""
    found = estimate(visible, infrared, motion)
    return found.matrix, found.confident


def ecc_step(views: tuple[View, View], start: Any, motion: Motion, side: int) -> tuple[float, Any]:
    """OpenCV's ECC on how strong edges are, at a size: correlation, -1 if it fails, and the matrix."""
    kind = {"translation": cv2.MOTION_TRANSLATION, "homography": cv2.MOTION_HOMOGRAPHY}.get(motion, cv2.MOTION_AFFINE)
    factor = min(1.0, side / max(views[0].size))
    visible_edges, infrared_edges = (edges_of(*view.reduced(factor)) for view in views)
    begin = (scaling(factor) @ start @ np.linalg.inv(scaling(factor))).astype(np.float32)
    begin = np.ascontiguousarray(begin if kind == cv2.MOTION_HOMOGRAPHY else begin[:2])
    mask = infrared_edges.known.astype(np.uint8)
    try:
        value, found = cv2.findTransformECC(
            np.abs(visible_edges.field), np.abs(infrared_edges.field), begin, kind, (3, 50, 1e-4), mask, 5
        )
    except cv2.error:  # it did not converge
        return -1.0, start
    found = np.vstack([found, [0, 0, 1]])[:3]
    return value, np.linalg.inv(scaling(factor)) @ found @ scaling(factor)


def ecc(visible: Any, infrared: Any, motion: Motion) -> tuple[Any, bool]:
    """ECC, coarse to fine."""
    views = View(visible), View(infrared)
    value, matrix = 0.0, np.eye(3)
    for side in (80, 160, 320, 640):
        value, matrix = ecc_step(views, matrix, motion, side)
    return matrix, value > 0


def search_ecc(visible: Any, infrared: Any, motion: Motion) -> tuple[Any, bool]:
    """The package's coarse search, then ECC in place of its own refinement."""
    views = View(visible), View(infrared)
    first: Motion = "translation" if motion == "translation" else "similarity"
    found = [ecc_step(views, start.matrix, first, 160) for start in search(*views, motion)[:10]]
    found = [ecc_step(views, matrix, first, 320) for _, matrix in sorted(found, key=lambda each: -each[0])[:4]]
    value, matrix = max(found, key=lambda each: each[0])
    value, matrix = ecc_step(views, matrix, motion, 640)
    return matrix, value > 0


def kornia(visible: Any, infrared: Any, motion: Motion) -> tuple[Any, bool]:
    """Kornia's ImageRegistrator on how strong edges are: gradient descent over a pyramid."""
    from kornia.geometry.transform import ImageRegistrator

    fields = (edges_of(*View(image).reduced(1)).field for image in (visible, infrared))
    visible_field, infrared_field = (torch.from_numpy(np.abs(field))[None, None] for field in fields)
    kind = motion if motion in ("translation", "similarity") else "homography"
    registrator = ImageRegistrator(kind, num_iterations=60, pyramid_levels=4, lr=5e-3, tolerance=1e-6)
    with torch.enable_grad():
        found: Any = registrator.register(infrared_field, visible_field)
    found = found.detach()[0].double().numpy()
    height, width = visible.shape[:2]
    unit = np.array([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])  # its -1 to 1
    return np.linalg.inv(unit) @ found @ unit, True


METHODS = {"ours": ours, "ecc": ecc, "search+ecc": search_ecc, "kornia": kornia}


def pairs(data: Path | None, sets: list[str], most: int) -> Iterator[tuple[str, Any, Any]]:
    """Pairs evenly spaced by name: set, visible, infrared. LLVIP's scenes 01 and 19 are known to be shifted."""
    sources: dict[str, Any] = {"scenes": ScenePairs("test", most, 0, (480, 640))}
    for name in sets if data else []:
        files = match(data / name / "test" / "vi", data / name / "test" / "ir").pairs  # type: ignore[operator]
        sources[name] = PairFiles([pair for pair in files if name != "llvip" or pair.name[:2] not in ("01", "19")])
    for name, source in sources.items():
        for position in np.linspace(0, len(source) - 1, min(most, len(source))).round().astype(int):
            visible, infrared, _ = source.read(int(position))
            yield name, visible, infrared


def measure(group: str, visible: Any, infrared: Any, method: Any, seed: int) -> Iterator[Row]:
    """Every kind of transform on one pair."""
    size = infrared.shape[:2]
    before: dict[str, Any] = {}
    for number, (kind, motion) in enumerate(MOTIONS.items()):
        true = transform(kind, size, np.random.default_rng([seed, number]))
        moved = cv2.warpPerspective(infrared, true, size[::-1])[:, :, None]
        start = time.process_time()
        matrix, confident = method(visible, moved, motion)
        seconds = time.process_time() - start
        if motion not in before:
            before[motion] = matrix if kind == "none" else method(visible, infrared, motion)[0]
        yield Row(
            group, kind, apart(matrix, true, size), apart(matrix, true @ before[motion], size), confident, seconds
        )


def table(rows: list[Row]) -> str:
    """Rows by set and kind, as Markdown."""
    lines = [
        "| set | transform | estimates | confident | median, all | median, confident | within 3 px, confident | "
        "median again, confident | within 3 px again, confident |",
        "|" + " --- |" * 9,
    ]
    for group in [*dict.fromkeys(row.group for row in rows), "all"]:
        for kind in [*MOTIONS, "any"]:
            own = [row for row in rows if group in (row.group, "all") and kind in (row.kind, "any")]
            sure = [row for row in own if row.confident]
            every = np.median([row.error for row in own])
            cells = ["–"] * 4
            if sure:
                error, again = (np.array([getattr(row, name) for row in sure]) for name in ("error", "again"))
                cells = [f"{np.median(error):.1f}", f"{np.mean(error <= 3):.0%}"]
                cells += ["–"] * 2 if kind == "none" else [f"{np.median(again):.1f}", f"{np.mean(again <= 3):.0%}"]
            lines.append(f"| {group} | {kind} | {len(own)} | {len(sure)} | {every:.1f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def comparison(found: dict[str, list[Row]]) -> str:
    """Rows by method, as Markdown; seconds are of generated scenes and MSRS, which are 640x480."""
    lines = [
        "| method | estimates | confident | median | within 3 px | median again | within 3 px again | seconds |",
        "|" + " --- |" * 8,
    ]
    for name, rows in found.items():
        own = [row for row in rows if row.kind != "none"]
        seconds = np.mean([row.seconds for row in rows if row.group in ("scenes", "msrs")])
        cells = [str(len(own)), f"{np.mean([row.confident for row in own]):.0%}"]
        for key in ("error", "again"):
            errors = np.array([getattr(row, key) for row in own])
            cells += [f"{np.median(errors):.1f}", f"{np.mean(errors <= 3):.0%}"]
        lines.append(f"| {name} | {' | '.join(cells)} | {seconds:.1f} |")
    return "\n".join(lines)


def shared_information(one: Any, other: Any) -> float:
    """Normalised mutual information of grey values, which `estimate` does not look at: 1 for none, 2 for all."""
    counts = np.histogram2d(one, other, bins=32)[0]
    entropies = [entropy(part / counts.sum()) for part in (counts.sum(0), counts.sum(1), counts.ravel())]
    return float((entropies[0] + entropies[1]) / entropies[2])


def entropy(shares: Any) -> float:
    """In nats."""
    return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())


def best_part(visible: Any, infrared: Any, matrix: Any) -> float:
    """How far to go from the set's registration, 0, to the estimate, 1, and beyond, to share most information."""
    size = visible.shape[1::-1]
    grey = cv2.cvtColor(visible, cv2.COLOR_RGB2GRAY)[RIM:-RIM, RIM:-RIM]
    warped = []
    for part in PARTS:
        way = (1 - part) * np.eye(3) + part * matrix
        moved = cv2.warpPerspective(
            infrared[..., 0].astype(np.float32),
            way,
            size,
            flags=cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC,
            borderValue=-1e6,
        )
        warped.append(moved[RIM:-RIM, RIM:-RIM])
    common = np.min(warped, axis=0) > -1e3
    return PARTS[int(np.argmax([shared_information(grey[common], moved[common]) for moved in warped]))]


def judged(given: Iterator[tuple[str, Any, Any]]) -> str:
    """For each set: confident estimates, their distance from its registration, and what shared information says."""
    found: dict[str, list[tuple[float, float]]] = {}
    for name, visible, infrared in given:
        one = estimate(visible, infrared, "similarity")
        if one.confident:
            distance = apart(one.matrix, np.eye(3), visible.shape[:2])
            found.setdefault(name, []).append((distance, best_part(visible, infrared, one.matrix)))
    lines = [
        "| set | confident | median distance, px | median of the best part | nearer to the estimate | beyond it |",
        "|" + " --- |" * 6,
    ]
    for name, rows in found.items():
        distances, parts = np.array(rows).T
        lines.append(
            f"| {name} | {len(rows)} | {np.median(distances):.1f} | {np.median(parts):.2f} | "
            f"{np.mean(parts > 0.5):.0%} | {np.mean(parts > 1.5):.0%} |"
        )
    return "\n".join(lines)


def shifted(given: list[tuple[str, Any, Any]]) -> dict[tuple[str, int], Any]:
    """Mean Qabf and VIFF of the small network over pairs, by whether it aligned and by the shift to the right.

    The metrics compare with the infrared picture before the shift. A pair whose estimate is refused stays as it is.
    """
    fuser = make_fuser("small", device="cpu", precision="float32")
    scores: dict[tuple[str, int], list[Any]] = {}
    for number, (_, visible, infrared) in enumerate(given):
        for shift in SHIFTS:
            matrix = np.array([[1.0, 0, shift], [0, 1, 0], [0, 0, 1]])
            moved = cv2.warpPerspective(infrared, matrix, infrared.shape[1::-1])
            for name, align in (("as it is", None), ("aligned", "translation")):
                try:
                    fused = fuse(visible, moved, weights=fuser, colour="grey", align=align)
                except InputError:
                    fused = fuse(visible, moved, weights=fuser, colour="grey")
                grey = cv2.cvtColor(visible, cv2.COLOR_RGB2GRAY)
                planes = [torch.tensor(plane.reshape(1, *grey.shape)).float() for plane in (fused, grey, infrared)]
                values = [float(metric(*planes)) for metric in (qabf, viff)]
                scores.setdefault((name, shift), []).append(values)
        sys.stderr.write(f"{number + 1} pairs\n")
    return {key: np.mean(values, axis=0) for key, values in scores.items()}


def plot(scores: dict[tuple[str, int], Any], path: Path) -> None:
    """Both metrics over the shift."""
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    for place, (axes, metric) in enumerate(zip(figure.subplots(1, 2), ("Qabf", "VIFF"), strict=True)):
        for name in ("as it is", "aligned"):
            axes.plot(SHIFTS, [scores[name, shift][place] for shift in SHIFTS], marker="o", label=name)
        axes.set(xlabel="shift of the infrared picture, px", ylabel=metric, ylim=(0, None))
        axes.legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--sets", nargs="+", default=["msrs", "roadscene", "m3fd", "llvip"])
    parser.add_argument("--pairs", type=int, default=8, help="of each set")
    parser.add_argument("--method", nargs="+", choices=METHODS, default=["ours"])
    parser.add_argument("--judge", action="store_true", help="ask which is better, the set's registration or ours")
    parser.add_argument("--shifts", action="store_true", help="fuse shifted pairs instead")
    parser.add_argument("--plot", type=Path, help="where --shifts draws")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.judge:
        print(judged(pairs(options.data, options.sets, options.pairs)))
        return
    if options.shifts:
        scores = shifted(list(pairs(options.data, options.sets, options.pairs)))
        print("| shift, px | Qabf | Qabf, aligned | VIFF | VIFF, aligned |\n|" + " --- |" * 5)
        for shift in SHIFTS:
            both = [scores[name, shift][place] for place in (0, 1) for name in ("as it is", "aligned")]
            print(f"| {shift} | {' | '.join(f'{value:.3f}' for value in both)} |")
        if options.plot is not None:
            plot(scores, options.plot)
        return
    found: dict[str, list[Row]] = {name: [] for name in options.method}
    for seed, (group, visible, infrared) in enumerate(pairs(options.data, options.sets, options.pairs)):
        for name, rows in found.items():
            rows += measure(group, visible, infrared, METHODS[name], seed)
        sys.stderr.write(f"{seed + 1} pairs\n")
    if len(found) == 1:
        print(table(*found.values()), end="\n\n")
    print(comparison(found))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(str(error))
