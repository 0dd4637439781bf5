"""Lightning's verbs, fit, validate, test and predict, with the task and the data of this package."""

import io
import os
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path
from traceback import walk_tb
from typing import Any

import torch
import yaml
from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities import rank_zero_info

from dream_if.callbacks import (
    BestCheckpoint,
    EpochLines,
    FusedImages,
    ImagePanels,
    LastCheckpoint,
    RunConfig,
    RunMetrics,
    TrackerRecords,
    WholeCheckpoints,
    make_parent_of_runs,
    run_directory,
)
from dream_if.cli.launch import check_processes, set_arithmetic, set_bar, share_cores
from dream_if.cli.model_parser import ModelParser, checkpoint_network, named_classes, plain
from dream_if.cli.options import OneLineErrors
from dream_if.compat import verb_settings
from dream_if.data import FusionDataModule
from dream_if.data.loader_timing import DataWait
from dream_if.errors import InputError
from dream_if.inference import load_network
from dream_if.messages import LONGEST, configurations, explain, keys_of, read_configuration
from dream_if.models import FusionNetwork
from dream_if.models.foreign import check_trust
from dream_if.runs.agent import agent_words
from dream_if.shipped import with_shipped
from dream_if.task import FusionTask

__all__ = ["FusionCLI", "run_lightning", "settings_of"]


class LightningParser(OneLineErrors, ModelParser):
    """Of Lightning's verbs."""


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
        parser.add_lightning_class_args(TrackerRecords, "log")
        parser.add_argument(
            "--threads", type=int | None, default=None, help="Threads of torch in each process; found out if null."
        )
        parser.add_argument(
            "--group", type=str | None, default=None, help="What runs of one kind have in common: W&B's group, a row."
        )
        parser.add_argument(
            "--start_from",
            type=str | None,
            default=None,
            help="Weights that fit starts from in place of random ones, and whose network it takes: a shipped name "
            "such as small, a run's best.ckpt, a published file, or an id of the Hugging Face hub. The optimizer and "
            "the learning rate start afresh. To continue a stopped training, give --ckpt_path, which comes first.",
        )
        parser.add_argument(
            "--trust-code",
            action="store_true",
            help="Import the network's class where a checkpoint or weights name one that is not part of dream-if.",
        )
        parser.add_argument(
            "--then_test",
            type=bool,
            default=False,
            help="After fit, test its best checkpoint; the results go to the same folder.",
        )

    @property
    def _settings(self) -> Namespace:
        """Of the verb that runs."""
        return self.config[self.config.subcommand]

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse, and remember the network that was asked for before that of a checkpoint or of weights replaces it."""
        assert isinstance(args, list)
        contents = [read_configuration(Path(path)) for path in configurations(args)]
        try:
            super().parse_arguments(parser, args)
        except InputError as error:
            written = [key for content in contents for key in keys_of(content)]
            known = [name for name in verb_settings(self) if not name.startswith("model.net.init_args.")]
            raise InputError(explain(str(error), known, written)) from error
        verb, options = self.config.subcommand, self._settings
        for group in ("model", "model.net", "model.loss", "data", "trainer", "checkpoint", "panels", "log"):
            if not isinstance(options.get(group), Namespace):
                raise InputError(f"{group}: expected settings by name, got {options.get(group)}.")
        seed = options.seed_everything
        if not isinstance(seed, int) or not 0 <= seed < 2**32:
            raise InputError(f"seed_everything must be from 0 up and below {2**32}, got {str(seed)[:LONGEST]}.")
        if _rename_old(options.model.net):
            rank_zero_info("model.net.joint_dominance: true is now called model.net.dominance: joint; taken for that.")
        self.checkpoint = options.get("ckpt_path")
        self.start: FusionNetwork | None = None
        start = options.start_from if self.checkpoint is None else self.checkpoint
        if start is None and options.model.net.get("class_path", "").endswith(".DreamIF"):
            raise InputError("model.net: give the settings of DreamIF themselves, such as dim, without class_path.")
        if start is not None:
            given = parser.parse_args(args, defaults=False)
            self.asked = options.model.net.clone() if given.get(f"{verb}.model.net") else None
        if self.checkpoint is not None:  # a run that goes on, or is tested, has its start behind it
            held = checkpoint_network(self.checkpoint)
            if self.asked is None:
                check_trust(held, self.checkpoint, options.trust_code)
            elif self.asked.get("class_path") != held.get("class_path"):
                self._refuse_other_network(held, self.checkpoint)
        elif verb == "fit" and options.start_from is not None:
            self.start = load_network(options.start_from, trust_code=options.trust_code)
            options.model.net = Namespace(**self.start.config)  # type: ignore[no-untyped-call]  # jsonargparse's
            self._refuse_other_network(options.model.net, options.start_from)
        elif verb != "fit":
            raise InputError(
                f"{verb} needs a trained network: name its checkpoint with --ckpt_path, such as "
                "<run>/checkpoints/best.ckpt."
            )

    def before_instantiate_classes(self) -> None:
        """Settle what follows from other settings, and refuse a checkpoint of another network than the one asked for.

        Lightning would load such a checkpoint silently.
        """
        options = self._settings
        if self.config.subcommand == "fit" and options.data.train_seed is None:
            options.data.train_seed = options.seed_everything
        loggers = options.trainer.logger
        for logger in loggers if isinstance(loggers, list) else [loggers]:
            if options.group and isinstance(logger, Namespace) and logger.class_path.endswith("WandbLogger"):
                logger.init_args.group = options.group
        if self.checkpoint is not None:
            _rename_old(options.model.net)
            self._refuse_other_network(options.model.net, self.checkpoint)

    def _refuse_other_network(self, loaded: Any, source: str) -> None:
        """Make sure that the network that was configured, if one was, is that of a checkpoint or of weights."""
        if self.asked is None or plain(loaded) == plain(self.asked):
            return
        wanted, held = plain(self.asked), plain(loaded)
        other_class = wanted.get("class_path", "DreamIF"), held.get("class_path", "DreamIF")
        differences = "; ".join(
            f"{key} is {wanted.get(key)} in the configuration and {held.get(key)} in {source}"
            for key in wanted | held
            if wanted.get(key) != held.get(key)
        )
        if other_class[0] != other_class[1]:
            differences = "it is {} in the configuration and {} in {}".format(*other_class, source)
        raise InputError(
            f"{source} holds another network than the one configured: {differences}. Give the configuration it was "
            "trained with (config.yaml in its run's folder), or leave model.net out of the configuration to take its "
            "network."
        )

    def instantiate_classes(self) -> None:
        """Build network, data and trainer; a setting that they refuse is the user's to mend."""
        try:
            super().instantiate_classes()
        except (ValueError, TypeError, MisconfigurationException) as error:
            if not isinstance(error, InputError) and _was_in_our_code(error):
                raise
            raise InputError(explain(str(error))) from error
        if self.start is not None:
            self.model.net.load_state_dict(self.start.state_dict())

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Build the trainer, with checkpoints that are written whole and a bar that agrees with the epochs' lines."""
        trainer = super().instantiate_trainer(**kwargs)
        trainer.strategy.checkpoint_io = WholeCheckpoints()
        # Of several, Lightning takes the first for the one that knows the best checkpoint.
        trainer.callbacks.sort(key=lambda one: isinstance(one, Checkpoint) and not isinstance(one, BestCheckpoint))  # type: ignore[attr-defined]  # set by a connector
        set_bar(trainer)
        return trainer

    def after_instantiate_classes(self) -> None:
        """Find what is wrong with data and output before a run's folder is made or other processes are started.

        Raises:
            InputError: The data is not as the layout says, the folder for runs cannot be written to, the training has
                no end, or the best checkpoint is to be chosen by a metric that is not computed.
        """
        assert self.subcommand is not None
        check_processes(self.trainer)
        share_cores(self.trainer, self._settings.threads)
        set_arithmetic(self.trainer)
        limits = self._settings.trainer
        endless = limits.max_epochs == -1 or (limits.max_epochs is None and limits.max_time is not None)
        if self.subcommand == "fit" and endless and limits.max_steps == -1:
            raise InputError(
                "The learning-rate schedule needs an end: set trainer.max_epochs or trainer.max_steps, also beside "
                "trainer.max_time."
            )
        if self.subcommand == "fit":
            self._go_on()
            self._try_optimizer()
            smallest, crop = getattr(self.model.loss, "smallest", 1), self.datamodule.crop
            if crop < smallest:
                raise InputError(
                    f"data.crop is {crop}, and the term viff of model.loss needs {smallest} pixels or more: enlarge "
                    "data.crop, or set viff to 0 in model.loss.weights and model.loss.warmup_weights."
                )
        monitor = self._settings.checkpoint.monitor or ""
        computed = [f"val/{name}" for name in self.model.metric_names]
        unknown = monitor.startswith("val/") and not monitor.startswith("val/loss") and monitor not in computed
        if self.subcommand == "fit" and unknown:
            raise InputError(
                f"checkpoint.monitor is {monitor}, which is not computed: add it to model.metrics, or monitor one of "
                f"{', '.join(computed)}, val/loss."
            )
        self.datamodule.trainer = self.trainer  # it asks how many processes there are
        self.datamodule.setup(self.subcommand)
        if self.subcommand == "fit" and self._settings.then_test:
            self.datamodule.setup("test")
        make_parent_of_runs(self.trainer)

    def _go_on(self) -> None:
        """Have a run that an agent of W&B starts again go on after its last whole epoch."""
        folder = run_directory(self.trainer).with_name(os.environ.get("WANDB_RUN_ID", "none"))
        last = folder / "checkpoints" / "last.ckpt"
        if self.checkpoint is None and "WANDB_SWEEP_ID" in os.environ and last.is_file():
            self._settings.ckpt_path = self.config_init[self.config.subcommand].ckpt_path = str(last)
            rank_zero_info(f"This run was started before; it continues from {last}.")

    def _try_optimizer(self) -> None:
        """Make the optimizer once for a parameter of each group, with and without decay, to hear what it refuses.

        It lets pass numbers that are no numbers in float32.
        """
        groups = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(2)]
        try:
            optimizer = self.model.optimizer(groups)
        except (ValueError, TypeError, RuntimeError) as error:
            raise InputError(f"model.optimizer: {error}") from error
        kind = torch.finfo(torch.float32)
        for name, value in optimizer.defaults.items():
            for number in value if isinstance(value, tuple | list) else [value]:
                if isinstance(number, float) and number and not kind.tiny <= abs(number) <= kind.max:
                    raise InputError(f"model.optimizer: {name}: expected a number that float32 can hold, got {number}.")

    def after_fit(self) -> None:
        """Test the best checkpoint, if asked to."""
        if not self._settings.then_test:
            return
        best: str = self.config_init[self.config.subcommand].checkpoint.best_model_path  # none in a trial run
        self.trainer.test(self.model, datamodule=self.datamodule, ckpt_path=best or None, verbose=False)

    def test(self, **kwargs: Any) -> None:
        """Test without Lightning's own table: `RunMetrics` prints a better one."""
        self.trainer.test(**kwargs, verbose=False)

    def predict(self, **kwargs: Any) -> None:
        """Predict without keeping the images of all sets in memory: `FusedImages` has written them."""
        self.trainer.predict(**kwargs, return_predictions=False)


def _was_in_our_code(error: Exception) -> bool:
    """Whether a class of ours was at work: of settings it says `InputError`, so anything else is its own mistake."""
    modules = [str(frame.f_globals.get("__name__", "")) for frame, _ in walk_tb(error.__traceback__)]
    return any(name.startswith("dream_if.") and not name.startswith("dream_if.cli.") for name in modules)


def _rename_old(net: Namespace) -> bool:
    """Have settings of a network name what older configurations and checkpoints call otherwise; whether they did."""
    joint = net.pop("joint_dominance", None)
    if joint and net.dominance == "weighing":
        raise InputError(
            "model.net.joint_dominance is the old name of dominance: joint, and dominance is weighing here."
        )
    if joint:
        net.dominance = "joint"
    return bool(joint)


def run_lightning(args: Sequence[str]) -> None:
    """Run one of Lightning's verbs."""
    words = with_shipped(agent_words(args))
    parser = type("Parser", (LightningParser,), {"named": named_classes(words)})
    verbs = FusionCLI.subcommands()
    verbs = {verb: verbs[verb] for verb in words[:1] if verb in verbs} or verbs  # the others' arguments take a while
    cli = type("CLI", (FusionCLI,), {"subcommands": staticmethod(lambda: verbs)})
    cli(
        FusionTask,
        FusionDataModule,
        args=words,
        parser_class=parser,
        parser_kwargs={"prog": "dream-if"},
        save_config_callback=RunConfig,
        seed_everything_default=0,
        auto_configure_optimizers=False,
        trainer_defaults={
            "callbacks": [RunMetrics(), FusedImages(), LastCheckpoint(), DataWait(), EpochLines()],
            "enable_model_summary": False,  # it counts no operations of ours; RunMetrics tells the size
            "logger": {
                "class_path": "lightning.pytorch.loggers.CSVLogger",
                "init_args": {"save_dir": "runs", "name": "dream-if"},
            },
        },
    )


def settings_of(args: Sequence[str]) -> dict[str, Any]:
    """All settings of a run of one of Lightning's verbs, without running it.

    Raises:
        InputError: A setting is wrong, or the arguments ask for something else, such as help.
    """
    with redirect_stdout(io.StringIO()) as printed, suppress(SystemExit):
        run_lightning([*args, "--print_config"])
    try:
        settings = yaml.safe_load(printed.getvalue())
    except yaml.YAMLError:
        settings = None
    if not isinstance(settings, dict) or "trainer" not in settings:
        asking = next((word for word in args if word in ("-h", "--help")), "what asks for something else")
        raise InputError(f"{' '.join(args)}: that is not a training; take out {asking}.")
    return settings
