"""The one command, `dream-if`: Lightning's verbs fit, validate, test and predict, and our own."""

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import torch
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from dream_if.callbacks import FusedImages, ImagePanels, RunConfig, RunMetrics
from dream_if.data import FusionDataModule
from dream_if.data.check import check_pairs, format_report
from dream_if.data.scenes import save_scenes
from dream_if.errors import InputError
from dream_if.task import FusionTask

__all__ = ["main"]

EPILOG = "Other commands, each with its own --help: check (a folder of image pairs), scenes (write generated pairs)."


class Parser(LightningArgumentParser):
    """Says what is wrong in a line, without the usage of a hundred options."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print the message and exit with status 2."""
        if os.environ.get("DREAM_IF_TRACEBACK"):
            raise InputError(message) from ex
        sys.stderr.write(f"dream-if: error: {' '.join(message.split())}\n")
        sys.exit(2)


class FusionCLI(LightningCLI):
    """LightningCLI with the task and the data fixed, and a guard on checkpoints."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the callbacks that every run has, each with its own group of options."""
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.monitor": "val/Qabf",
                "checkpoint.mode": "max",
                "checkpoint.save_last": True,
                "checkpoint.filename": "best",
                "checkpoint.auto_insert_metric_name": False,
                "checkpoint.enable_version_counter": False,
            }
        )
        parser.add_lightning_class_args(ImagePanels, "panels")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse, and remember the network that was asked for before a checkpoint's settings replace it."""
        super().parse_arguments(parser, args)
        options = self.config[self.config.subcommand]
        self.asked = options.model.net.clone()
        given = args if isinstance(args, list) else []
        self.network_was_chosen = any(str(word).startswith(("--config", "-c", "--model")) for word in given)
        self.checkpoint = options.get("ckpt_path")
        if self.checkpoint not in (None, "best", "last", "hpc"):
            _check_checkpoint(Path(self.checkpoint))

    def before_instantiate_classes(self) -> None:
        """Refuse a checkpoint of another network than the one asked for, which Lightning would load silently."""
        loaded = self.config[self.config.subcommand].model.net
        if self.checkpoint is None or not self.network_was_chosen or loaded == self.asked:
            return
        wanted, held = vars(self.asked), vars(loaded)
        differences = "; ".join(
            f"{key} is {wanted[key]} in the configuration and {held[key]} in the checkpoint"
            for key in wanted
            if wanted[key] != held[key]
        )
        raise InputError(
            f"{self.checkpoint} holds another network than the one configured: {differences}. Give the configuration "
            "it was trained with (config.yaml in its run's folder), or leave --config and --model out to take the "
            "checkpoint's."
        )

    def instantiate_classes(self) -> None:
        """Build network, data and trainer; a setting that they refuse is the user's to mend."""
        try:
            super().instantiate_classes()
        except (ValueError, TypeError, MisconfigurationException) as error:
            raise InputError(str(error)) from error


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
        parser_kwargs={"prog": "dream-if", "epilog": EPILOG},
        save_config_callback=RunConfig,
        seed_everything_default=0,
        auto_configure_optimizers=False,
        trainer_defaults={
            "callbacks": [RunMetrics(), FusedImages()],
            "logger": {
                "class_path": "lightning.pytorch.loggers.CSVLogger",
                "init_args": {"save_dir": "runs", "name": "dream-if"},
            },
        },
    )


def check(data: str, layout: str | None = None) -> int:
    """List the pairs in a folder, and everything about them that training or testing would trip over.

    Args:
        data: folder of the set.
        layout: how it is arranged: llvip, msrs, m3fd, roadscene, tno or folder; found out by itself if left out.

    Returns:
        1 if a file is missing, unreadable or of another size than its partner, else 0.
    """
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


OWN_VERBS: dict[str, Callable[..., int]] = {"check": check, "scenes": scenes}


def main(args: Sequence[str] | None = None) -> int:
    """Run `dream-if` with these arguments, those of the command line by default, and return its exit status."""
    args = list(sys.argv[1:] if args is None else args)
    verb = OWN_VERBS.get(args[0]) if args else None
    try:
        if verb is not None:
            parser = Parser(prog=f"dream-if {args[0]}", description=inspect.getdoc(verb))
            parser.add_function_arguments(verb, as_positional=True)
            return verb(**vars(parser.parse_args(args[1:])))
        run_lightning(args or ["--help"])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except (InputError, FloatingPointError, MisconfigurationException, OSError, yaml.YAMLError) as error:
        if os.environ.get("DREAM_IF_TRACEBACK"):
            raise
        sys.stderr.write(f"dream-if: error: {_in_a_line(error)}\n")
        return 2
    return 0


def _in_a_line(error: BaseException) -> str:
    """The message alone, also where a data worker wrapped it in its own traceback."""
    return " ".join(str(error).rsplit("InputError: ", 1)[-1].split())
