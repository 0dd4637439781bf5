"""What an agent of W&B hands to a run that it starts."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import yaml

__all__ = ["agent_words"]


def agent_words(args: Sequence[str]) -> list[str]:
    """The words of a command, with the values of an agent of W&B as they are meant; all others stay.

    The agent writes them as Python does, so that null arrives as None. To a run that it starts again it hands every
    setting that the run has logged and not those of the sweep alone, and at times notes of W&B's own.
    """
    path = Path(os.environ.get("WANDB_SWEEP_PARAM_PATH", ""))
    handed = yaml.safe_load(path.read_text()) if path.is_file() else {}
    values = {key: held["value"] for key, held in handed.items() if isinstance(held, dict) and "value" in held}
    meant = []
    for word in args:
        key, equals, _ = word.removeprefix("--").partition("=")
        if key == "_wandb":
            continue
        if key == "trust_code" and equals:  # the one setting that is a flag without a value
            meant += ["--trust-code"] if values.get(key) else []
        elif key in values and equals and not isinstance(values[key], str):
            meant.append(f"--{key}={json.dumps(values[key])}")
        else:
            meant.append(word)
    return meant
