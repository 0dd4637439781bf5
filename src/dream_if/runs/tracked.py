"""Runs that W&B holds: the files that tables are made from, fetched into a cache folder."""

import os
import re
import shutil
from pathlib import Path

from dream_if.errors import InputError
from dream_if.storage import make_folder

__all__ = ["ARTIFACT", "RECORDS", "SCHEME", "fetch_runs"]

SCHEME = "wandb:"
"""What the name of a project or sweep begins with, where folders of runs are expected."""

ARTIFACT = "dream-if-run"
"""Type of the artifact that holds the files of a run."""

RECORDS = ("config.yaml", "metrics.json", "per_image.csv")
"""The files of a run that a table is made from."""

SOURCE = re.compile(rf"{SCHEME}([\w-]+)/([^/\\#?%:]*[^/\\#?%:.])(?:/([\w-]+))?")


def fetch_runs(source: str) -> tuple[Path, list[str]]:
    """Fetch the records of the runs of a project or sweep of W&B, without their checkpoints.

    Args:
        source: ``wandb:entity/project`` or ``wandb:entity/project/sweep``.

    Returns:
        The folder in the user's cache that now holds these runs and no others, each in a folder of its id; and a
        sentence on each run that has no files at W&B.

    Raises:
        InputError: There is no such project or sweep, none of its runs has files there, W&B cannot be reached or does
            not let the user in, or the package wandb is missing.
    """
    found = SOURCE.fullmatch(source)
    if found is None:
        raise InputError(f"{source}: expected {SCHEME}entity/project or {SCHEME}entity/project/sweep.")
    entity, project, sweep = found.groups()
    try:
        import wandb
    except ImportError as error:
        raise InputError(f"{source}: the package wandb is missing; pip install wandb.") from error
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    home = make_folder(cache / "dream-if" / "wandb" / entity / project / (sweep or "all"))
    fetched: set[str] = set()
    lacking: list[str] = []
    try:
        listed = wandb.Api().runs(f"{entity}/{project}", filters={"sweep": sweep} if sweep else {})
        for run in listed:
            held = [artifact for artifact in run.logged_artifacts() if artifact.type == ARTIFACT]
            if not held:
                lacking.append(f"{source}: run {run.id} was left out: it is {run.state} and has no files at W&B.")
                continue
            files = max(held, key=lambda artifact: int(artifact.version.removeprefix("v")))
            for name in RECORDS:
                (home / run.id / name).unlink(missing_ok=True)  # an earlier version may have had it
                if name in files.manifest.entries:
                    files.get_entry(name).download(root=str(home / run.id))
            fetched.add(run.id)
    except Exception as error:
        if "Could not find project" in str(error):
            raise InputError(f"{source}: W&B knows no such project, or does not show it to you.") from error
        # Its client has a class of errors for users, and raises others as well, also of what it fetches files with.
        if type(error).__module__.partition(".")[0] in ("wandb", "requests"):
            raise InputError(f"{source}: cannot be fetched; W&B says: {error}") from error
        raise
    for folder in home.iterdir():
        if folder.name not in fetched:
            shutil.rmtree(folder)
    if not fetched:
        raise InputError(
            f"{source}: none of its {len(lacking)} run(s) has files at W&B. A run sends them when its training or test "
            "ends; name the folder that holds the runs instead, or wait."
        )
    return home, lacking
