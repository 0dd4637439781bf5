"""The one command, `dream-if`: Lightning's verbs fit, validate, test and predict, and our own.

A user's mistake ends in one line and exit status 2. With the environment variable ``DREAM_IF_TRACEBACK`` set it ends in
a traceback instead, for whoever looks for the place.
"""

import inspect
import io
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any, NoReturn

import torch
import yaml
from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI

from dream_if.callbacks import (
    BestCheckpoint,
    FusedImages,
    ImagePanels,
    LastCheckpoint,
    RunConfig,
    RunMetrics,
    WholeCheckpoints,
    make_output_folder,
    name_project,
)
from dream_if.data import FusionDataModule
from dream_if.data.check import check_pairs, format_report
from dream_if.data.prepare import prepare
from dream_if.data.prepared import describe, find_damage, is_prepared, read_manifest
from dream_if.data.scenes import save_scenes
from dream_if.data.waiting import DataWait
from dream_if.errors import InputError
from dream_if.evaluation import command as evaluation
from dream_if.launch import check_processes, share_cores
from dream_if.messages import configurations, explain, keys_of, read_configuration
from dream_if.metrics.catalogue import catalogue
from dream_if.sweeps import command as sweeps
from dream_if.tables import command as tables
from dream_if.task import FusionTask

__all__ = ["main"]

USAGE = """\
usage: dream-if VERB [options]

Trains, tests and uses Dream-IF, a network that fuses visible and infrared images.

  fit          train a network
  validate     score a checkpoint on the validation pairs
  test         score a checkpoint on the test sets, beside averaging and maximum
  predict      fuse the test pairs with a checkpoint, and write the images
  check DATA   list the pairs in a folder, and what is wrong with them
  prepare      pack the pairs in a folder into files that are read without decoding
  scenes OUT   write generated pairs as image files
  evaluate     score folders of fused images, of any method
  sweep FILE   run the grid of a W&B sweep file here, without W&B
  tables N     make table N of the paper from finished runs
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


class Parser(LightningArgumentParser):
    """Says what is wrong in a line, without the usage of a hundred options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, allow_abbrev=False, **kwargs)  # half a flag is a typo like any other

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise the message as an InputError."""
        raise InputError(message) from ex


class FusionCLI(LightningCLI):
    """LightningCLI with the task and the data fixed, and guards on what Lightning lets pass."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Lightning's verbs, less the arguments that `test` and `predict` here decide about."""
        skipped = LightningCLI.subcommands()
        skipped["test"] |= {"verbose"}
        skipped["predict"] |= {"return_predictions"}
        return skipped

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the callbacks that every run has, each with its own group of options."""
        parser.add_lightning_class_args(BestCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.monitor": "val/Qabf",
                "checkpoint.mode": "max",
                "checkpoint.filename": "best",
                "checkpoint.auto_insert_metric_name": False,
                "checkpoint.enable_version_counter": False,
            }
        )
        parser.add_lightning_class_args(ImagePanels, "panels")
        parser.add_argument(
            "--threads", type=int | None, default=None, help="Threads of torch in each process; found out if null."
        )
        parser.add_argument(
            "--group", type=str | None, default=None, help="What runs of one kind have in common: W&B's group, a row."
        )
        parser.add_argument(
            "--then_test",
            type=bool,
            default=False,
            help="After fit, test its best checkpoint; the results go to the same folder.",
        )

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse, and remember the network that was asked for before a checkpoint's settings replace it."""
        assert isinstance(args, list)
        contents = [read_configuration(Path(path)) for path in configurations(args)]
        try:
            super().parse_arguments(parser, args)
        except InputError as error:
            known = next(iter(self._subcommand_parsers.values())).get_defaults().keys()
            written = [key for content in contents for key in keys_of(content)]
            raise InputError(explain(str(error), known, written)) from error
        verb = self.config.subcommand
        options = self.config[verb]
        for group in ("model", "model.net", "model.loss", "data", "trainer", "checkpoint", "panels"):
            if not isinstance(options.get(group), Namespace):
                raise InputError(f"{group}: expected settings by name, got {options.get(group)}.")
        if not 0 <= options.seed_everything < 2**32:
            raise InputError(f"seed_everything must be from 0 up and below {2**32}, got {options.seed_everything}.")
        self.checkpoint = options.get("ckpt_path")
        if self.checkpoint is not None:
            _check_checkpoint(Path(self.checkpoint))
            given = parser.parse_args(args, defaults=False)
            self.asked = options.model.net.clone() if given.get(f"{verb}.model.net") else None
        elif verb != "fit":
            raise InputError(
                f"{verb} needs a trained network: name its checkpoint with --ckpt_path, such as "
                "<run>/checkpoints/best.ckpt."
            )

    def before_instantiate_classes(self) -> None:
        """Settle what follows from other settings, and refuse a checkpoint of another network than the one asked for.

        Lightning would load such a checkpoint silently.
        """
        options = self.config[self.config.subcommand]
        if self.config.subcommand == "fit" and options.data.train_seed is None:
            options.data.train_seed = options.seed_everything
        logger = options.trainer.logger
        if options.group and isinstance(logger, Namespace) and logger.class_path.endswith("WandbLogger"):
            logger.init_args.group = options.group
        loaded = self.config[self.config.subcommand].model.net
        if self.checkpoint is None or self.asked is None or loaded == self.asked:
            return
        wanted, held = vars(self.asked), vars(loaded)
        differences = "; ".join(
            f"{key} is {wanted[key]} in the configuration and {held[key]} in the checkpoint"
            for key in wanted
            if wanted[key] != held[key]
        )
        raise InputError(
            f"{self.checkpoint} holds another network than the one configured: {differences}. Give the configuration "
            "it was trained with (config.yaml in its run's folder), or leave model.net out of the configuration to "
            "take the checkpoint's."
        )

    def instantiate_classes(self) -> None:
        """Build network, data and trainer; a setting that they refuse is the user's to mend."""
        try:
            super().instantiate_classes()
        except (ValueError, TypeError, MisconfigurationException) as error:
            raise InputError(explain(str(error))) from error

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Build the trainer, with checkpoints that are written whole."""
        trainer = super().instantiate_trainer(**kwargs)
        trainer.strategy.checkpoint_io = WholeCheckpoints()
        return trainer

    def after_instantiate_classes(self) -> None:
        """Find what is wrong with data and output before a run's folder is made or other processes are started.

        Raises:
            InputError: The data is not as the layout says, the folder for runs cannot be written to, the training has
                no end, or the best checkpoint is to be chosen by a metric that is not computed.
        """
        assert self.subcommand is not None
        check_processes(self.trainer)
        share_cores(self.trainer, self._get(self.config, "threads"))
        limits = self._get(self.config, "trainer")
        endless = limits.max_epochs == -1 or (limits.max_epochs is None and limits.max_time is not None)
        if self.subcommand == "fit" and endless and limits.max_steps == -1:
            raise InputError(
                "The learning-rate schedule needs an end: set trainer.max_epochs or trainer.max_steps, also beside "
                "trainer.max_time."
            )
        if self.subcommand == "fit":
            self._try_optimizer()
        monitor = self._get(self.config, "checkpoint").monitor or ""
        computed = [f"val/{name}" for name in self.model.metric_names]
        unknown = monitor.startswith("val/") and not monitor.startswith("val/loss") and monitor not in computed
        if self.subcommand == "fit" and unknown:
            raise InputError(
                f"checkpoint.monitor is {monitor}, which is not computed: add it to model.metrics, or monitor one of "
                f"{', '.join(computed)}, val/loss."
            )
        self.datamodule.trainer = self.trainer  # it asks how many processes there are
        self.datamodule.setup(self.subcommand)
        if self.subcommand == "fit" and self._get(self.config, "then_test"):
            self.datamodule.setup("test")
        make_output_folder(self.trainer)

    def _try_optimizer(self) -> None:
        """Make the optimizer once for a parameter of each group, with and without decay, to hear what it refuses."""
        groups = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(2)]
        try:
            self.model.optimizer(groups)
        except (ValueError, TypeError) as error:
            raise InputError(f"model.optimizer: {error}") from error

    def after_fit(self) -> None:
        """Test the best checkpoint, if asked to."""
        if not self._get(self.config, "then_test"):
            return
        best: str = self._get(self.config_init, "checkpoint").best_model_path  # none in a trial run
        self.trainer.test(self.model, datamodule=self.datamodule, ckpt_path=best or None, verbose=False)

    def test(self, **kwargs: Any) -> None:
        """Test without Lightning's own table: `RunMetrics` prints a better one."""
        self.trainer.test(**kwargs, verbose=False)

    def predict(self, **kwargs: Any) -> None:
        """Predict without keeping the images of all sets in memory: `FusedImages` has written them."""
        self.trainer.predict(**kwargs, return_predictions=False)


def _check_checkpoint(path: Path) -> None:
    """Make sure that a file is a checkpoint of ours before anything is built."""
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint. A run keeps its own in <run>/checkpoints/.")
    try:
        held = torch.load(path, weights_only=True, map_location="cpu")
        held["hyper_parameters"]["net"], held["state_dict"]
    except Exception as error:  # torch names half a dozen kinds for a file that is none of its own
        raise InputError(f"{path}: not a checkpoint of dream-if, or cut short ({type(error).__name__}).") from error


def run_lightning(args: Sequence[str]) -> None:
    """Run one of Lightning's verbs."""
    FusionCLI(
        FusionTask,
        FusionDataModule,
        args=list(args),
        parser_class=Parser,
        parser_kwargs={"prog": "dream-if"},
        save_config_callback=RunConfig,
        seed_everything_default=0,
        auto_configure_optimizers=False,
        trainer_defaults={
            "callbacks": [RunMetrics(), FusedImages(), LastCheckpoint(), DataWait()],
            "enable_model_summary": False,  # it counts no operations of ours; RunMetrics tells the size
            "logger": {
                "class_path": "lightning.pytorch.loggers.CSVLogger",
                "init_args": {"save_dir": "runs", "name": "dream-if"},
            },
        },
    )


def settings_of(args: Sequence[str]) -> dict[str, Any]:
    """All settings of a run of one of Lightning's verbs, without running it."""
    with redirect_stdout(io.StringIO()) as printed, suppress(SystemExit):
        run_lightning([*args, "--print_config"])
    settings: dict[str, Any] = yaml.safe_load(printed.getvalue())
    return settings


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


OWN_VERBS: dict[str, Callable[..., int]] = {"check": check, "prepare": prepare, "scenes": scenes, "metrics": metrics}
COMMANDS = {  # verbs with a module of their own for their options
    "evaluate": evaluation,
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
