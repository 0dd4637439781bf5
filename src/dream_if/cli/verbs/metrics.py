"""`dream-if metrics`: what the metrics are."""

from dataclasses import dataclass

from dream_if.metrics.catalogue import catalogue

__all__ = ["Options", "run"]


@dataclass(frozen=True)
class Options:
    """None."""


def run(_: Options) -> int:
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
