"""A run's best weights as two files, found by name where the package has them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from dream_if.errors import InputError
from dream_if.inference.card import card
from dream_if.inference.weights import digest, load_network
from dream_if.models.shipped import SHIPPED
from dream_if.storage import write_atomically
from dream_if.yaml_files import read_yaml

__all__ = ["publish"]


def publish(
    folder: Path,
    name: str,
    out: Path = SHIPPED,
    *,
    terms: str = "",
    commit: str = "",
    with_card: bool = False,
    trust_code: bool = False,
) -> Path:
    """Write the best weights of a run, in half precision, and beside them how they came about.

    Half precision halves the file; what a network of float32 loses by it is less than bfloat16 loses in computing.

    Args:
        folder: of a finished training, with ``config.yaml``, ``metrics.json`` and ``checkpoints/best.ckpt``.
        name: of the files, letters, digits, - and _.
        out: where they go.
        terms: a sentence on the data's licences.
        commit: of the code that trained them.
        with_card: write ``<name>.md`` as well, see `card`.
        trust_code: see `load_network`.

    Returns:
        The path of the weights, ``<name>.safetensors``.

    Raises:
        InputError: The name cannot be one, or the run is not finished or damaged.
    """
    if not name.replace("-", "").replace("_", "").isalnum():
        raise InputError(f"--name: expected letters, digits, - and _, got {name!r}.")
    try:
        config = read_yaml(folder / "config.yaml")
        fit = json.loads((folder / "metrics.json").read_text())["fit"]
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise InputError(
            f"{folder}: not the folder of a finished `dream-if fit`, which has config.yaml, and 'fit' in its "
            f"metrics.json ({error})."
        ) from error
    read = config if isinstance(config, dict) else {}
    lacks = [key for key in ("data", "model", "trainer") if not isinstance(read.get(key), dict)]
    if lacks:
        raise InputError(f"{folder / 'config.yaml'}: has no {' and no '.join(lacks)}; expected that of a finished fit.")
    checkpoint = folder / "checkpoints/best.ckpt"
    if not checkpoint.is_file():
        raise InputError(f"{folder}: has no checkpoints/best.ckpt: the training ended before its first validation.")
    net = load_network(checkpoint, trust_code=trust_code).half()
    validation = torch.load(checkpoint, weights_only=True, map_location="cpu", mmap=True).get("validation", {})
    blob = save({key: tensor.clone(memory_format=torch.contiguous_format) for key, tensor in net.state_dict().items()})
    told = {
        "net": net.config,
        "data": _without_places(config["data"]),
        "terms": terms,
        "training": {
            "seed": config.get("seed_everything"),
            "start_from": Path(start).name if (start := config.get("start_from")) else None,
            "loss": config["model"]["loss"],
            "optimizer": config["model"]["optimizer"],
            "trainer": {key: config["trainer"].get(key) for key in ("max_epochs", "precision", "gradient_clip_val")},
            "commit": commit,
            **{key: fit.get(key) for key in ("epochs", "steps", "hardware", "versions", "best_by", "best_value")},
        },
        "validation": validation,
        "parameters": sum(tensor.numel() for tensor in net.parameters()),
        "digest": digest(net),
        "sha256": hashlib.sha256(blob).hexdigest(),
    }
    path = out / f"{name}.safetensors"
    write_atomically(path, blob)
    write_atomically(path.with_suffix(".json"), (json.dumps(told, indent=2) + "\n").encode())
    if with_card:
        write_atomically(path.with_suffix(".md"), card(name, told).encode())
    return path


def _without_places(data: dict[str, Any]) -> dict[str, Any]:
    """The data's settings with the sets' names in place of their folders, which are of one machine."""
    roots = data.get("root")
    names = [Path(root).name for root in ([roots] if isinstance(roots, str) else roots or [])]
    return {key: value for key, value in data.items() if key not in ("root", "test_root")} | {"root": names}
