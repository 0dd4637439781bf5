"""The verbs that are a function each: its arguments are the verb's, its docstring the verb's help."""

from pathlib import Path

from dream_if.data.check import check_pairs, format_report
from dream_if.data.degrade import degrade
from dream_if.data.prepare import prepare
from dream_if.data.prepared import describe, find_damage, is_prepared, read_manifest
from dream_if.data.scenes import save_scenes
from dream_if.metrics.catalogue import catalogue

__all__ = ["check", "degrade", "metrics", "prepare", "scenes"]


def check(data: str, layout: str | None = None) -> int:
    """List the pairs in a folder, and everything about them that training or testing would trip over.

    Of a set that `dream-if prepare` wrote the checksums are compared.

    Args:
        data: folder of the set.
        layout: how it is arranged: llvip, msrs, m3fd, roadscene, tno or folder; found out by itself if left out.

    Returns:
        1 if a file is missing, unreadable or of another size than its partner, else 0.
    """
    if is_prepared(Path(data)):
        print(f"{data}: {describe(read_manifest(Path(data)))}")
        damage = find_damage(Path(data))
        print("\n".join(damage) or "All checksums match.")
        return int(bool(damage))
    report = check_pairs(layout, Path(data))
    print(format_report(report))
    return int(report.problems)


def scenes(
    out: str, train: int = 64, val: int = 8, test: int = 16, seed: int = 0, size: tuple[int, int] = (240, 320)
) -> int:
    """Write generated road scenes as image files: visible, infrared, and boxes of people and vehicles.

    Args:
        out: folder to make; it must not hold anything yet.
        train: training pairs.
        val: validation pairs.
        test: test pairs.
        seed: of the scenes.
        size: height and width in pixels.

    Returns:
        0.
    """
    save_scenes(Path(out), {"train": train, "val": val, "test": test}, seed=seed, size=size)
    print(f"Wrote {train + val + test} pairs to {out}. Train on them with --data.layout folder --data.root {out}")
    return 0


def metrics() -> int:
    """List the fusion metrics: what each measures, which way is better, its range, conventions and source."""
    for entry in catalogue():
        unit = f" {entry.unit}" if entry.unit else ""
        print(f"{entry.name}: {entry.direction} is better, {entry.lowest:g} to {entry.highest:g}{unit}")
        print(f"  {entry.formula}")
        others = [f"{name} ({how})" for name, how in entry.conventions.items() if how != "default"]
        if others:
            print(f"  conventions beside the default: {'; '.join(others)}")
        print(f"  {entry.reference}\n")
    return 0
