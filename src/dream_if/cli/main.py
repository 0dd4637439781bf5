"""The one command, `dream-if`: Lightning's verbs fit, validate, test and predict, and our own.

A user's mistake ends in one line and exit status 2, a bug in the code in a traceback. If the environment variable
``DREAM_IF_TRACEBACK`` is set, both end in a traceback.
"""

import errno
import inspect
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from dream_if.cli.options import is_stream, read_options
from dream_if.cli.short_help import SHORT_HELP
from dream_if.errors import InputError, out_of_memory
from dream_if.messages import configurations, read_configuration
from dream_if.shipped import with_shipped
from dream_if.user_code import from_here
from dream_if.yaml_files import parse_yaml

__all__ = ["main"]

USAGE = """\
usage: dream-if VERB [options]
Trains, tests and uses Dream-IF, a network that fuses visible and infrared images.

  fit          train a network
  validate     score a checkpoint on the validation pairs
  test         score a checkpoint on the test sets, beside classical methods
  predict      fuse the test pairs with a checkpoint, and write the images
  fuse V I     fuse two pictures, two folders of them or two videos, with trained weights
  align V I    align infrared pictures with the visible ones, or calibrate a rig of two cameras
  app          fuse pictures in the browser
  export       write trained weights as one file for ONNX Runtime or torch
  publish RUN  save the weights of a training, so that fuse finds them by name
  check DATA   list the pairs in a folder, and their faults
  prepare      pack the pairs in a folder into files that are read without decoding
  scenes OUT   write generated pairs as image files
  degrade      write corrupted test pairs of a folder, as test sees them
  evaluate     score folders of fused images from any method
  figure       draw fused images side by side with zoom boxes, or dominance maps
  sweep FILE   run the grid of a W&B sweep file here, without W&B
  tables N     make one of the paper's tables, from finished runs or by running methods
  metrics      list the metrics, with their conventions and sources
  doctor       describe this machine and installation, for an issue

dream-if VERB --help lists the options of a verb. To start: dream-if fit --config demo
"""

# What Lightning and torch say that a user of this command can do nothing about, and why.
USELESS_WARNINGS = (
    "LightningCLI's args parameter is intended to run from within Python",  # it is: by main, with the same arguments
    "`isinstance\\(treespec, LeafSpec\\)` is deprecated",  # within Lightning
    "The `srun` command is available on your system but is not used",  # a cluster's front end is a fine place to try
    "`ModelCheckpoint\\(monitor=.* could not find the monitored key",  # before a validation; BestCheckpoint tells
    "The number of training batches .* is smaller than the logging interval",  # losses are logged once an epoch
)
USELESS_MESSAGES = (
    "💡 Tip",  # an advertisement
    "GPU available",  # printed on machines without one, too
    "TPU available",
    "Loading `train_dataloader` to estimate",  # every time
)


HINT = "[DREAM_IF_TRACEBACK=1 shows where]"
# What a machine refuses, which no code can foresee: room, rights, memory, a disk that fails.
REFUSALS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENOMEM),
    *(errno.ENAMETOOLONG, errno.EFBIG),
)
LIGHTNINGS = ("fit", "validate", "test", "predict")
OWN = (  # each a module of dream_if.cli.verbs
    *("check", "prepare", "scenes", "degrade", "metrics", "doctor"),
    *("fuse", "align", "app", "export", "publish", "evaluate", "figure", "sweep", "tables"),
)
NO_FOLDER = "no such folder."
INPUTS = {
    **dict.fromkeys(["check", "prepare", "degrade"], (1, NO_FOLDER)),
    **dict.fromkeys(["fuse", "align"], (2, "cannot be read (no such file or folder).")),
    "publish": (1, f"not the folder of a finished `dream-if fit`: {NO_FOLDER}"),
}
"""How many words after a verb name what is read, and what is said where that is missing, before any large import."""


def run_own(name: str, args: Sequence[str]) -> int:
    """Run one of our own verbs, which need neither trainer nor data, and return its exit status.

    Only what the verb needs is imported: Lightning and what trains take longer to load than a picture to be fused.
    """
    count, missing = INPUTS.get(name, (0, ""))
    for word in args[:count]:
        if word.startswith("-"):
            break
        if not is_stream(word) and not Path(word).expanduser().exists():
            raise InputError(f"{word}: {missing}")
    verb = import_module(f"dream_if.cli.verbs.{name}")
    about = (inspect.getdoc(verb.run) or "").split("\n", 1)[0]
    return verb.run(read_options(verb.Options, args, prog=f"dream-if {name}", about=about))


def main(args: Sequence[str] | None = None) -> int:
    """Run `dream-if` with these arguments, those of the command line by default, and return its exit status."""
    # Read as torch is imported: threads that wait for each other sleep, and leave their cores to others' work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    args = list(sys.argv[1:] if args is None else args)
    if not args or args[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    if args[0] == "--version":
        print(f"dream-if {version('dream-if')}")
        return 0
    try:
        with _quiet(), from_here():
            if args[0] in OWN:
                return run_own(args[0], args[1:])
            verbs = [*LIGHTNINGS, *OWN]
            if args[0] not in verbs and not args[0].startswith("-"):
                raise InputError(f"there is no verb {args[0]}; expected {', '.join(verbs)}.")
            if args[0] in SHORT_HELP and {"-h", "--help"} & set(args):
                print(SHORT_HELP[args[0]], end="")
                return 0
            args = ["--help" if word == "--help-all" else word for word in args]
            for path in configurations(with_shipped(args)):  # a mistake in a file is told before seconds of imports
                read_configuration(Path(path))
            for word in args:
                if "&" in word and "*" in word:  # aliases of aliases, which would keep the parser busy for minutes
                    parse_yaml(word.partition("=")[2] if word.startswith("-") else word, word.partition("=")[0][:40])
            from dream_if.callbacks import name_project
            from dream_if.cli.lightning import run_lightning

            name_project()
            run_lightning(args)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BrokenPipeError:  # the reader, such as head, has seen enough
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (what the interpreter flushes at its end)
        return 0
    except KeyboardInterrupt:
        return 130  # as a shell counts it
    except Exception as error:
        if os.environ.get("DREAM_IF_TRACEBACK") or not (line := _in_a_line(error, args)):
            raise
        sys.stderr.write(f"dream-if: {line} {HINT}\n")
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
            warnings.filterwarnings("ignore", module=r"PIL\.")  # damage in what is not needed of a picture
            yield
    finally:
        log.removeFilter(useful)


def _in_a_line(error: Exception, args: Sequence[str]) -> str:
    """What was wrong with what the user gave, or with the machine; empty where our own code is wrong."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, InputError):
        cause = cause.__context__  # writing logs after a failure may fail as well
    if cause is not None:  # without the traceback that a data worker wraps it in
        return f"error: {' '.join(str(cause).rsplit('InputError: ', 1)[-1].split())}"
    if isinstance(error, OSError) and (error.errno in REFUSALS or str(error.filename) in args):
        name = " ".join(str(error.filename).split())[:200]  # it may be any text that was taken for a name
        return f"error: {name}: {error.strerror}" if error.filename else f"error: {error.strerror}"
    if out_of_memory(error):
        return f"error: the memory of this machine did not suffice ({' '.join(str(error).split())[:200]})."
    # Lightning's is for settings that contradict each other; it is not imported for its name alone.
    if isinstance(error, FloatingPointError) or type(error).__name__ == "MisconfigurationException":
        return f"error: {' '.join(str(error).split())}"
    if isinstance(error, RuntimeError) and "Connection closed by peer" in str(error):
        return "another process of this run has ended, and with it this one; see what it said."
    return ""
