"""The weights that come with the package: ``weights/<name>.safetensors``, and ``<name>.json``, which describes them."""

import json
import re
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

__all__ = ["SHIPPED", "is_hub_id", "read_weights", "shipped"]

SHIPPED = Path(__file__).resolve().parents[1] / "weights"
"""Folder of the package's own weights."""


def shipped(folder: Path = SHIPPED) -> list[str]:
    """Names of the weights that come with the package."""
    return sorted(path.stem for path in folder.glob("*.safetensors") if path.with_suffix(".json").is_file())


def is_hub_id(name: str) -> bool:
    """Whether text may be an id of the Hugging Face hub, ``owner/name``: there is no folder ``owner`` here."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", name) is not None and not Path(name).parent.is_dir()


def read_weights(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A network's arguments, from ``net`` in the JSON beside the file, and its tensors.

    Raises:
        OSError, ValueError, KeyError, safetensors.SafetensorError: One of the two files is missing or damaged.
    """
    settings: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())["net"]
    return settings, load_file(path)
