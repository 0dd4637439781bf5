"""A point of a sweep on disk: where its run is, whether it is finished, and whether its settings match."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dream_if.errors import InputError
from dream_if.storage import write_atomically

__all__ = ["IDLE", "RESULTS", "Point", "place_of"]

FORBIDDEN = frozenset("/\\#?%:")  # what W&B allows in no project's name

RECORD = "point.json"
LOG = "point.log"
RESULTS = "metrics.json"

IDLE = frozenset({"data.num_workers", "log.checkpoints", "log.requeue", "threads", "trainer.enable_progress_bar"})
"""Settings that may differ between two calls for the same point, and between the runs of a table.

They change nothing that is computed but, with another number of threads, the last digits.
"""

# Mappings in which the user, not the version of dream-if, decides which keys there are.
OPEN = frozenset({"test_degradation", "init_args", "dict_kwargs"})


@dataclass(frozen=True)
class Point:
    """A run of ``dream-if fit`` that a sweep asks for.

    Attributes:
        name: of the point, and of its run's folder.
        parameters: what the sweep varies, by name.
        command: the words that run it.
        settings: all settings of the run, as ``dream-if fit --print_config`` gives them.
        folder: of the run.
    """

    name: str
    parameters: Mapping[str, Any]
    command: tuple[str, ...]
    settings: Mapping[str, Any]
    folder: Path

    @property
    def log(self) -> Path:
        """What the run prints."""
        return self.folder / LOG

    @property
    def last_stage(self) -> str:
        """What the run ends with: ``test`` where one follows the training, else ``fit``."""
        return "test" if self.settings.get("then_test") else "fit"

    def is_finished(self) -> bool:
        """Whether the run has got to its end: that of the test, where one follows the training.

        Raises:
            InputError: Its ``metrics.json`` cannot be read.
        """
        path = self.folder / RESULTS
        return path.exists() and self.last_stage in _read(path)

    def checkpoint(self) -> Path | None:
        """The state after the last whole epoch of an earlier attempt, if there was one."""
        path = self.folder / "checkpoints" / "last.ckpt"
        return path if path.exists() else None

    def write_record(self) -> None:
        """Note beside the run what it is."""
        record = {"parameters": self.parameters, "command": list(self.command), "settings": self.settings}
        write_atomically(self.folder / RECORD, (json.dumps(record, indent=2) + "\n").encode())

    def missing_data(self) -> list[Path]:
        """The folders of data that the settings name and that are not there."""
        data = self.settings.get("data") or {}
        given = [data.get(name) or [] for name in ("root", "test_root")]
        roots = [root for roots in given for root in ([roots] if isinstance(roots, str) else roots)]
        return [Path(root) for root in dict.fromkeys(roots) if not Path(root).expanduser().exists()]

    def refuse_another(self) -> None:
        """Make sure that a run that is there already has the settings that are asked for.

        A setting that only one of the two knows is passed over, since the version of dream-if may have changed, but
        not among names that a user gives, such as those of ``data.test_degradation``.

        Raises:
            InputError: It has not, so that the results of two experiments would be mixed.
        """
        path = self.folder / RECORD
        if not path.exists():
            return
        held = _read(path).get("settings", {})
        differing = [
            f"{key} is {there} there and {here} here"
            for key, there, here in sorted(_differences(held, self.settings), key=lambda found: found[0])
            if key not in IDLE
        ]
        if differing:
            told = "; ".join(differing[:5])
            more = f"; and {len(differing) - 5} more" if len(differing) > 5 else ""
            raise InputError(
                f"{self.folder}: this point has been run with other settings: {told}{more}. For another experiment "
                "name another folder, by --trainer.logger.save_dir after the --; or remove this one to run it again."
            )


def _read(path: Path) -> dict[str, Any]:
    try:
        held = json.loads(path.read_text())
        assert isinstance(held, dict)
    except (OSError, ValueError, AssertionError) as error:
        raise InputError(f"{path}: cannot be read as JSON; remove the folder to run its point again.") from error
    return held


def _differences(held: Any, asked: Any, above: str = "", *, users: bool = False) -> Iterator[tuple[str, Any, Any]]:
    """Key and both values where these differ, of the keys that both have, and of all keys that are the user's."""
    if isinstance(held, Mapping) and isinstance(asked, Mapping):
        for key in held.keys() | asked.keys() if users else held.keys() & asked.keys():
            there, here = held.get(key, "not set"), asked.get(key, "not set")
            # A logger's arguments are those of its library's version, and compute nothing.
            opened = str(key) in OPEN and not above.startswith("trainer.logger")
            yield from _differences(there, here, f"{above}.{key}" if above else str(key), users=users or opened)
    elif held != asked:
        yield above, held, asked


def place_of(settings: Mapping[str, Any], project: str) -> Path:
    """The folder in which the runs of a sweep lie side by side, each by its W&B run id.

    Args:
        settings: all settings of one of its runs.
        project: of W&B, where the settings name none.

    Raises:
        InputError: The runs do not log to W&B first, so that their folders cannot be told beforehand, or the project's
            name is none.
    """
    trainer = settings.get("trainer") or {}
    logger = trainer.get("logger")
    first = logger[0] if isinstance(logger, list) and logger else logger
    arguments = first.get("init_args", {}) if isinstance(first, dict) else {}
    if not isinstance(first, dict) or not str(first.get("class_path")).endswith("WandbLogger"):
        raise InputError(
            "A sweep's runs are told apart by W&B's run id, also without an account: have its command end with "
            "--trainer.logger=WandbLogger, behind the presets."
        )
    if arguments.get("id") or arguments.get("version"):
        raise InputError("trainer.logger: all points of a sweep would have the same id; leave id and version out.")
    root = arguments.get("dir") or arguments.get("save_dir") or trainer.get("default_root_dir") or "."
    project = str(arguments.get("project") or project)
    if not project.strip(".") or set(project) & FORBIDDEN:
        raise InputError(
            f"project: {project} cannot be the name of a project of W&B and of a folder: leave out "
            f"{' '.join(sorted(FORBIDDEN))} in the sweep file's project, WANDB_PROJECT or trainer.logger."
        )
    return Path(root) / project
