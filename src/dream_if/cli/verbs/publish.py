"""`dream-if publish`: a run's best weights as two files, found by name where the package has them."""

import sys
from dataclasses import dataclass
from pathlib import Path

from dream_if.cli import network_options
from dream_if.cli.options import option, positional
from dream_if.errors import InputError
from dream_if.inference.publish import publish
from dream_if.models.shipped import SHIPPED

__all__ = ["Options", "run"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which run, and what is said of it."""

    run: str = positional("folder of a finished training", metavar="RUN")
    name: str = option("of the files; without --out `dream-if fuse --weights` finds them by it")
    terms: str = option("a sentence on the data's licences, for those who use the weights", default="")
    commit: str = option("of the code that trained them", default="")
    card: bool = option(
        "also write NAME.md, which is the README.md of a repository on the Hugging Face hub", default=False
    )
    force: bool = option("overwrite weights of this name", default=False)
    out: str | None = option(
        "folder to write to; the package's own folder of weights if left out", default=None, metavar="FOLDER"
    )
    trust_code: bool = network_options.trust_code()


def run(options: Options) -> int:
    """Keep a run's best weights as two files, the weights and how they came about.

    Raises:
        InputError: The run is not finished or damaged, or the output cannot be written.
    """
    out = SHIPPED if options.out is None else Path(options.out).expanduser()
    if (there := out / f"{options.name}.safetensors").exists() and not options.force:
        raise InputError(f"{there} already exists; choose another --name, or overwrite it with --force.")
    path = publish(
        Path(options.run).expanduser(),
        options.name,
        out,
        terms=options.terms,
        commit=options.commit,
        with_card=options.card,
        trust_code=options.trust_code,
    )
    size = path.stat().st_size / 2**20
    found_by = options.name if options.out is None else path
    trust = " --trust-code" if options.trust_code else ""
    sys.stdout.write(
        f"Wrote {path} ({size:.1f} MiB) and {path.with_suffix('.json').name}; fuse with --weights {found_by}{trust}\n"
    )
    return 0
