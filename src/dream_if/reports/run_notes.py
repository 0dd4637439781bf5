"""Notes below a table on how its runs were trained and tested."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from dream_if.errors import InputError
from dream_if.models import DreamIF
from dream_if.runs.finished import Run

__all__ = ["network_size", "on_scenes", "parameters", "settings_notes"]

UNKNOWN = "not recorded"


def on_scenes(run: Run) -> bool:
    """Whether the data of a run is generated."""
    return bool(run.config["data"].get("layout") == "scenes")


def parameters(run: Run) -> int | None:
    """The number of parameters of a run's network; None for foreign code in runs of versions that noted none.

    Raises:
        InputError: The run notes none, and this version has no such network.
    """
    if run.parameters is not None or "class_path" in run.config["model"]["net"]:
        return run.parameters
    try:
        with torch.device("meta"):
            net = DreamIF(**run.config["model"]["net"])
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{run.folder / 'config.yaml'}: model.net is no network of this version ({error}); make the table with the "
            "version that trained it."
        ) from error
    return sum(parameter.numel() for parameter in net.parameters())


def network_size(run: Run) -> str:
    """Width and depth of a run's network, in words, or the class of a foreign one."""
    net = run.config["model"]["net"]
    if "class_path" in net:
        return _words(net)
    return (
        f"{net.get('dim')} channels at full resolution, {_words(net.get('num_blocks'))} blocks at the four levels, "
        f"{net.get('num_refinement_blocks')} for refinement"
    )


def settings_notes(runs: Sequence[Run]) -> list[str]:
    """Data, training, network, checkpoint rule, hardware and versions of runs that share their settings.

    Args:
        runs: at least one; the settings are read from the first, what was measured from all.
    """
    config = runs[0].config
    data, model, trainer, checkpoint = (config.get(part) or {} for part in ("data", "model", "trainer", "checkpoint"))
    source = "generated scenes" if on_scenes(runs[0]) else f"{data.get('layout')} in {_words(data.get('root'))}"
    crop = data.get("test_crop")
    tested = f"a crop of {crop} pixels of each image" if crop else "whole images"
    optimizer = model.get("optimizer") or {}
    rule = runs[0].checkpoint or UNKNOWN
    if rule == "best.ckpt":
        best = "highest" if checkpoint.get("mode") == "max" else "lowest"
        rule += f", the epoch with the {best} {checkpoint.get('monitor')} on the validation pairs"
    fits = [run.fit for run in runs]
    return [
        f"Data: {source}. Corruption in training: {_words(data.get('degradation'))}; in the test: "
        f"{_words(data.get('test_degradation'))}; of {data.get('degrade')} source(s). Tested on {tested}. Metrics "
        "compare with the clean sources.",
        f"Training: {_span(fit.get('steps') for fit in fits)} steps in {_span(fit.get('epochs') for fit in fits)} "
        f"epoch(s), batches of {data.get('batch_size')} crops of {data.get('crop')} pixels, "
        f"{_words(optimizer)}, precision {trainer.get('precision') or '32-true'}.",
        f"Network: {network_size(runs[0])}.",
        f"Tested checkpoint: {rule}.",
        f"Hardware: {_each(fit.get('hardware') for fit in fits)}. Versions: "
        f"{_each(_versions(fit.get('versions')) for fit in fits)}.",
    ]


def _words(value: Any) -> str:
    """A setting in a line: a class with those of its arguments that are set, names with their values."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        if "class_path" in value:
            given = {
                key: setting
                for key, setting in _by_name(value.get("init_args")).items()
                if setting not in (None, False)
            }
            inner = ", ".join(f"{key} {_words(setting)}" for key, setting in given.items())
            return str(value["class_path"]).rsplit(".", 1)[-1] + (f" ({inner})" if inner else "")
        return ", ".join(f"{key}: {_words(setting)}" for key, setting in value.items())
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_words, value))}]"
    return str(value)


def _by_name(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _span(values: Iterable[int | None]) -> str:
    known = {value for value in values if value is not None}
    if not known:
        return f"({UNKNOWN})"
    return str(min(known)) if len(known) == 1 else f"{min(known)} to {max(known)}"


def _each(values: Iterable[str | None]) -> str:
    return " and ".join(dict.fromkeys(value or UNKNOWN for value in values))


def _versions(versions: Any) -> str | None:
    if not isinstance(versions, Mapping):
        return versions
    return ", ".join(f"{name} {number}" for name, number in versions.items())
