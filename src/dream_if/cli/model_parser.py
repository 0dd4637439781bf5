"""Which settings name a user's class instead of ours, and the parser's arguments for them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jsonargparse import Namespace
from lightning.pytorch.cli import LightningArgumentParser
from torch import nn

from dream_if.errors import InputError
from dream_if.inference.weights import find_weights
from dream_if.losses import FusionLoss
from dream_if.messages import configurations, flat, read_configuration
from dream_if.models import DreamIF
from dream_if.models.shipped import read_weights
from dream_if.task import FusionTask
from dream_if.yaml_files import parse_yaml

__all__ = ["ModelParser", "checkpoint_network", "named_classes", "plain"]

OURS: dict[str, type[nn.Module]] = {"net": DreamIF, "loss": FusionLoss}
"""Settings of ``model`` that are ours by name, or anyone's by ``class_path``."""


class ModelParser(LightningArgumentParser):
    """Has ``model.net`` and ``model.loss`` by their settings, or by ``class_path`` where a class is named."""

    named: frozenset[str] = frozenset()

    def add_lightning_class_args(self, lightning_class: Any, nested_key: str, *args: Any, **kwargs: Any) -> list[str]:
        """Add a class's arguments; of the task, those of network and loss in the form that is asked for."""
        if lightning_class is not FusionTask:
            return super().add_lightning_class_args(lightning_class, nested_key, *args, **kwargs)
        added = self.add_class_arguments(
            FusionTask, nested_key, fail_untyped=False, instantiate=True, sub_configs=True, skip=set(OURS)
        )
        for name, ours in OURS.items():
            key = f"{nested_key}.{name}"
            if name not in self.named:
                added += self.add_class_arguments(ours, key, sub_configs=True)
                continue
            # Settings of ours may come before, in a configuration of which all but this class is to count.
            self.add_subclass_arguments(nn.Module, key, fail_untyped=False)
            self.set_defaults({key: {"class_path": f"{ours.__module__}.{ours.__qualname__}"}})
        return added


def named_classes(args: Sequence[str]) -> frozenset[str]:
    """The settings among `OURS` for which arguments or configurations name a class, or else the checkpoint's network.

    Raises:
        InputError: A configuration or checkpoint cannot be read.
    """
    said: dict[str, list[Any]] = {name: [] for name in OURS}
    for name in OURS:
        said[name] += _given(args, f"model.{name}")
    if not said["net"]:
        for key, read in (("ckpt_path", checkpoint_network), ("start_from", _weights_network)):
            said["net"] += [read(str(path)) for path in _given(args, key)[-1:] if path is not None]
    return frozenset(name for name, values in said.items() if any(map(_names_class, values)))


def _given(args: Sequence[str], key: str) -> list[Any]:
    """All that configurations and arguments say of a setting or of those below it."""
    found = []
    for path in configurations(args):
        content: Any = read_configuration(Path(path))
        for part in key.split("."):
            content = content.get(part) if isinstance(content, Mapping) else None
        found += [] if content is None else [content]
    for word, following in zip(args, [*args[1:], ""], strict=True):
        flag, equals, value = word.partition("=")
        value = value if equals else following
        if flag == f"--{key}":
            found.append(value)
        elif flag.startswith(f"--{key}."):
            found.append({flag.removeprefix(f"--{key}.").split(".")[0]: value})
    return found


def _names_class(value: Any) -> bool:
    if isinstance(value, str):
        try:
            if Path(value).is_file():
                return False
            value = parse_yaml(value, "the value")
        except (OSError, InputError):  # too long for a name; the parser of settings says what is wrong
            return False
        return isinstance(value, str) or _names_class(value)
    return isinstance(value, Mapping) and ("class_path" in value or "init_args" in value)


def checkpoint_network(path: str) -> Any:
    """The settings of the network in a checkpoint of a run.

    Raises:
        InputError: There is no such file, or it is no checkpoint of dream-if.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such checkpoint. A run keeps its own in <run>/checkpoints/.")
    try:
        held = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
        return (held["hyper_parameters"]["net"], held["state_dict"])[0]
    except Exception as error:  # torch names half a dozen kinds for a file that is none of its own
        raise InputError(f"{path}: not a checkpoint of dream-if, or cut short ({type(error).__name__}).") from error


def _weights_network(weights: str) -> Any:
    """The settings of the network in weights, as far as a file names a class; `load_network` tells what is wrong."""
    path = find_weights(weights)
    try:
        return read_weights(path)[0] if path.suffix == ".safetensors" else checkpoint_network(str(path))
    except Exception:  # also names of the package's own weights, which name no class
        return None


def plain(settings: Any) -> dict[str, Any]:
    """Settings by their full names, for comparisons and messages."""
    named = flat(settings.as_dict() if isinstance(settings, Namespace) else settings)
    return {name: value for name, value in named if not isinstance(value, Mapping)}  # of an empty group nothing
