"""`dream-if check`: what is in a folder of pairs, and what is wrong with it."""

from dataclasses import dataclass
from pathlib import Path

from dream_if.cli import align_options
from dream_if.cli.options import option, positional
from dream_if.data.check import all_pairs, check_pairs
from dream_if.data.check_report import format_report
from dream_if.data.file_list import find_differences
from dream_if.data.prepared import describe, find_damage, is_prepared, read_manifest
from dream_if.registration.rig import read_rig

__all__ = ["Options", "run"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which set."""

    data: str = positional("folder of the set")
    layout: str | None = option(
        "how it is arranged: llvip, msrs, m3fd, roadscene, tno, folder or your own function as module.function; "
        "detected if left out",
        default=None,
    )
    rig: str | None = align_options.rig()
    manifest: str | None = option(
        "a <table>_pairs.csv, as tables writes it: say which of its pairs the folder lacks or has otherwise, no more",
        default=None,
        metavar="FILE",
    )


def run(options: Options) -> int:
    """List the pairs in a folder, and everything about them that training or testing would trip over.

    Of a set that `dream-if prepare` wrote the checksums are compared; with a file list, the files with those listed.

    Returns:
        1 if a file is missing, unreadable, of another size than its partner or not the one listed, else 0.

    Raises:
        InputError: There is no such folder, its layout is unknown, or the rig or the list cannot be read.
    """
    data = Path(options.data)
    if options.manifest is not None:
        listed = Path(options.manifest).expanduser()
        pairs = all_pairs(options.layout, data)
        count, different = find_differences(listed, data.resolve().name, pairs)
        print("\n".join(different) or f"All {count} pair(s) are those that {listed} lists.")
        return int(bool(different))
    if is_prepared(data):
        print(f"{data}: {describe(read_manifest(data))}")
        damage = find_damage(data)
        print("\n".join(damage) or "All checksums match.")
        return int(bool(damage))
    rig = None if options.rig is None else read_rig(Path(options.rig).expanduser())
    report = check_pairs(options.layout, data, rig=rig)
    print(format_report(report))
    return int(report.problems)
