"""The one command, `dream-if`: Lightning's verbs fit, validate, test and predict, and our own.

A user's mistake ends in one line and exit status 2. With the environment variable ``DREAM_IF_TRACEBACK`` set it ends in
a traceback instead, for whoever looks for the place.
"""

import inspect
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lightning.fabric.utilities.exceptions import MisconfigurationException

from dream_if.app import command as app
from dream_if.callbacks import name_project
from dream_if.data.check import check_pairs, format_report
from dream_if.data.degrade import degrade
from dream_if.data.prepare import prepare
from dream_if.data.prepared import describe, find_damage, is_prepared, read_manifest
from dream_if.data.scenes import save_scenes
from dream_if.errors import InputError
from dream_if.evaluation import command as evaluation
from dream_if.export import command as export
from dream_if.figures import command as figures
from dream_if.inference import command as inference
from dream_if.inference import publish
from dream_if.messages import explain
from dream_if.metrics.catalogue import catalogue
from dream_if.sweeps import command as sweeps
from dream_if.tables import command as tables
from dream_if.training import FusionCLI, Parser, run_lightning, settings_of

__all__ = ["main"]

USAGE = """\
usage: dream-if VERB [options]

Trains, tests and uses Dream-IF, a network that fuses visible and infrared images.

  fit          train a network
  validate     score a checkpoint on the validation pairs
  test         score a checkpoint on the test sets, beside classical methods
  predict      fuse the test pairs with a checkpoint, and write the images
  fuse V I     fuse two pictures, two folders of them or two videos, with trained weights
  app          fuse pictures in the browser
  export       write trained weights as one file for ONNX Runtime or torch
  publish RUN  make weights of a training that fuse finds by name
  check DATA   list the pairs in a folder, and what is wrong with them
  prepare      pack the pairs in a folder into files that are read without decoding
  scenes OUT   write generated pairs as image files
  degrade      write the test pairs of a folder corrupted, as test sees them
  evaluate     score folders of fused images, of any method
  figure       draw fused images side by side with zoom boxes, or dominance maps
  sweep FILE   run the grid of a W&B sweep file here, without W&B
  tables N     make a table of the paper, from finished runs or by running methods
  metrics      list the metrics, with their conventions and sources

dream-if VERB --help lists the options of a verb. To begin with: dream-if fit --config experiments/demo.yaml
"""

# What Lightning and torch say that a user of this command can do nothing about, and why.
USELESS_WARNINGS = (
    "LightningCLI's args parameter is intended to run from within Python",  # it is: by main, with the same arguments
    "`isinstance\\(treespec, LeafSpec\\)` is deprecated",  # within Lightning
    "The `srun` command is available on your system but is not used",  # a cluster's front end is a fine place to try
    "The number of training batches .* is smaller than the logging interval",  # losses are logged once an epoch
)
USELESS_MESSAGES = (
    "💡 Tip",  # an advertisement
    "GPU available",  # printed on machines without one, too
    "TPU available",
    "Loading `train_dataloader` to estimate",  # every time
)


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


OWN_VERBS: dict[str, Callable[..., int]] = {
    "check": check,
    "prepare": prepare,
    "scenes": scenes,
    "degrade": degrade,
    "metrics": metrics,
}
COMMANDS = {  # verbs with a module of their own for their options
    "fuse": inference,
    "app": app,
    "export": export,
    "publish": publish,
    "evaluate": evaluation,
    "figure": figures,
    "sweep": sweeps,
    "tables": tables,
}


def run_own(name: str, args: Sequence[str]) -> int:
    """Run one of our own verbs, which need neither trainer nor data, and return its exit status."""
    command = COMMANDS.get(name)
    overrides: Sequence[str] = ()
    if name == "sweep" and "--" in args:
        place = args.index("--")
        args, overrides = args[:place], args[place + 1 :]
    about = inspect.getdoc(command.run if command else OWN_VERBS[name]) or ""
    parser = Parser(prog=f"dream-if {name}", description=about.split("\n", 1)[0])
    if command:
        command.add_arguments(parser)
    else:
        parser.add_function_arguments(OWN_VERBS[name], as_positional=True)
    try:
        options = parser.parse_args(list(args))
    except InputError as error:
        raise InputError(explain(str(error), parser.get_defaults().keys())) from error
    if command is sweeps:
        return sweeps.run(options, overrides, settings_of)
    return command.run(options) if command else OWN_VERBS[name](**vars(options))


def main(args: Sequence[str] | None = None) -> int:
    """Run `dream-if` with these arguments, those of the command line by default, and return its exit status."""
    args = list(sys.argv[1:] if args is None else args)
    if not args or args[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    try:
        with _quiet():
            own = [*OWN_VERBS, *COMMANDS]
            if args[0] in own:
                return run_own(args[0], args[1:])
            verbs = [*FusionCLI.subcommands(), *own]
            if args[0] not in verbs and not args[0].startswith("-"):
                raise InputError(f"there is no verb {args[0]}; expected {', '.join(verbs)}.")
            name_project()
            run_lightning(args)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BrokenPipeError:  # the reader, such as head, has seen enough
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (what the interpreter flushes at its end)
        return 0
    except KeyboardInterrupt:
        return 130  # as a shell counts it
    except (InputError, FloatingPointError, MisconfigurationException, OSError) as error:
        if os.environ.get("DREAM_IF_TRACEBACK"):
            raise
        sys.stderr.write(f"dream-if: error: {_in_a_line(error)}\n")
        return 2
    except RuntimeError as error:
        if "Connection closed by peer" not in str(error) or os.environ.get("DREAM_IF_TRACEBACK"):
            raise
        sys.stderr.write("dream-if: another process of this run has ended, and with it this one; see what it said.\n")
        return 2
    return 0


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what no user can act on; everything else is printed as ever."""
    log = logging.getLogger("lightning.pytorch.utilities.rank_zero")

    def useful(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(USELESS_MESSAGES)

    log.addFilter(useful)
    try:
        with warnings.catch_warnings():
            for message in USELESS_WARNINGS:
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        log.removeFilter(useful)


def _in_a_line(error: BaseException) -> str:
    """What went wrong first, without the traceback that a data worker wraps it in."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, InputError):
        cause = cause.__context__  # writing logs after a failure may fail as well
    error = cause or error
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).rsplit("InputError: ", 1)[-1].split())
