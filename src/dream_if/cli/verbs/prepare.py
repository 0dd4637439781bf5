"""`dream-if prepare`: the pairs in a folder as files that are read without decoding."""

from dataclasses import dataclass
from pathlib import Path

from dream_if.cli.options import option, positional
from dream_if.cli.progress import progress_bar
from dream_if.data.prepare import prepare_pairs
from dream_if.data.prepared import describe
from dream_if.data.splits import Split

__all__ = ["Options", "run"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which set, and where it goes."""

    data: str = positional("folder of the set")
    out: str = positional(
        "folder to make; name it with --data.root in place of the other. It takes 4 bytes a pixel with 8-bit files"
    )
    layout: str | None = option(
        "how the set is arranged: llvip, msrs, m3fd, roadscene, tno, folder or your own function as module.function; "
        "detected if left out",
        default=None,
    )
    splits: list[Split] | None = option("such as [train,val]; all that the set has if left out", default=None)


def run(options: Options) -> int:
    """Pack the pairs of a data set into a few files without compression, from which crops are read without decoding.

    Raises:
        InputError: See `prepare_pairs`.
    """
    with progress_bar("pairs") as advance:
        manifest, written = prepare_pairs(
            Path(options.data).expanduser(), Path(options.out).expanduser(), options.layout, options.splits, advance
        )
    print(f"{options.out}: {describe(manifest)}")
    if written:
        print(f"Use it with --data.root {options.out}")
    else:
        print("It already existed, with the pairs of the folder: nothing was done. Remove it to prepare it again.")
    return 0
