"""`dream-if degrade`: the test pairs of a set corrupted, as files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dream_if.cli.options import option, positional
from dream_if.cli.progress import progress_bar
from dream_if.data.conditions import Condition, Sources
from dream_if.data.degrade import write_degraded

__all__ = ["Options", "run"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which set, how it is corrupted, and where it goes."""

    data: str = positional("folder of the set")
    out: str = positional("folder to make; it must not hold anything yet")
    kind: str = positional(
        "name of a degradation, such as gaussian, or of several in their order, such as haze+gaussian; random for the "
        "mixture of the training, or shift; a wrong one gets the list. After local+, as in local+gaussian, each kind "
        "is confined to a region"
    )
    level: int | list[int] | None = option(
        "severity from 1 to 4, or one for each kind, such as '[2, 3]'; 3 if neither this nor arguments are given",
        default=None,
    )
    arguments: dict[str, Any] | None = option(
        "of the kind in place of a level, such as '{sigma: 25}'; those left out have their training range", default=None
    )
    degrade: Sources = option(
        "which of the sources, or one, drawn for each pair; the other one is written as it is. Some kinds apply to one "
        "source alone",
        default="both",
    )
    layout: str | None = option(
        "how the set is arranged: llvip, msrs, m3fd, roadscene, tno, folder or your own function as module.function; "
        "detected if left out",
        default=None,
    )
    seed: int = option("of the corruption, as data.seed of a test", default=0)


def run(options: Options) -> int:
    """Write the test pairs of a data set corrupted, exactly as `test` and `predict` see them, for other methods.

    Raises:
        InputError: See `write_degraded`; or the condition is none.
    """
    out = Path(options.out).expanduser()
    keys = {"level": options.level, "arguments": options.arguments, "seed": options.seed, "source": options.degrade}
    condition = Condition.of(options.kind, "", options.kind, **keys)
    with progress_bar("pairs") as advance:
        manifest = write_degraded(Path(options.data).expanduser(), out, condition, options.layout, advance)
    print(
        f"Wrote {len(manifest['pairs'])} corrupted test pair(s) to {out}, with their hashes in manifest.json. A test "
        f"has the same inputs with --config {out / 'test.yaml'} --data.root {options.data}"
    )
    return 0
