"""`dream-if scenes`: generated pairs as image files."""

from dataclasses import dataclass
from pathlib import Path

from dream_if.cli.options import option, positional
from dream_if.data.scenes import save_scenes

__all__ = ["Options", "run"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Where, how many, and which."""

    out: str = positional("folder to make; it must not hold anything yet")
    train: int = option("training pairs", default=64)
    val: int = option("validation pairs", default=8)
    test: int = option("test pairs", default=16)
    seed: int = option("of the scenes", default=0)
    size: tuple[int, int] = option("height and width in pixels", default=(240, 320))


def run(options: Options) -> int:
    """Write generated road scenes as image files: visible, infrared, and boxes and masks of people and vehicles.

    Raises:
        InputError: A number is too small, or the folder is in use or cannot be written.
    """
    counts = {"train": options.train, "val": options.val, "test": options.test}
    save_scenes(Path(options.out), counts, seed=options.seed, size=options.size)
    print(
        f"Wrote {sum(counts.values())} pairs to {options.out}. Train on them with --data.layout folder --data.root "
        f"{options.out}"
    )
    return 0
