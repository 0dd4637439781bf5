"""Which network fuses: a shipped one by name, a folder, a run's checkpoint, or one from the Hugging Face hub."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from dream_if.errors import InputError
from dream_if.models import DreamIF, ForeignNetwork, FusionNetwork
from dream_if.models.foreign import check_trust
from dream_if.models.shipped import SHIPPED, is_hub_id, read_weights, shipped

__all__ = ["digest", "find_weights", "load_network"]


def find_weights(weights: str | Path) -> Path:
    """The file or folder that is meant, which need not exist: ``mine`` is ``mine.safetensors`` if only that is there.

    Raises:
        InputError: Neither text nor a path.
    """
    if not isinstance(weights, str | Path):
        raise InputError(f"weights: expected a name, a path or a network of dream-if, got {type(weights).__name__}.")
    path = Path(weights).expanduser()
    beside = path.parent / f"{path.name}.safetensors"
    return beside if beside.is_file() and not path.exists() else path


def load_network(weights: str | Path, folder: Path = SHIPPED, *, trust_code: bool = False) -> FusionNetwork:
    """Load a network, on the CPU, in float32, ready to fuse.

    Args:
        weights: a name of shipped weights (a folder of that name is meant by ``./name``); a folder that
            ``save_pretrained`` wrote; a checkpoint of a run; a ``.safetensors`` file with its ``.json`` beside it, as
            ``dream-if publish --out`` writes them, with or without its ending; or an id of the Hugging Face hub,
            ``owner/name``.
        folder: where shipped weights are.
        trust_code: whether a network may be made whose code is not part of this package.

    Raises:
        InputError: There is no such thing, it holds no network, or one of code that is not trusted.
    """
    names = shipped(folder)
    path = find_weights(weights)
    net: FusionNetwork
    if str(weights) in names:
        net = _from_settings(folder / f"{weights}.safetensors", trust_code)
    elif path.is_dir():
        net = _from_folder(path, trust_code)
    elif path.is_file():
        read = _from_settings if path.suffix == ".safetensors" else _from_checkpoint
        net = read(path, trust_code)
    elif isinstance(weights, str) and is_hub_id(weights):
        net = _from_hub(weights)
    else:
        there = ", ".join(names) or "none in this version"
        raise InputError(
            f"weights {str(weights)!r}: no shipped weights of this name (there are: {there}), and no file or folder. "
            "Give a run's checkpoint such as runs/small/version_0/checkpoints/best.ckpt, a .safetensors file with its "
            ".json, a folder that save_pretrained wrote, or an id of the Hugging Face hub."
        )
    return net.eval()


def digest(net: FusionNetwork) -> str:
    """Twelve hexadecimal digits that stand for a network's settings and weights, wherever they were loaded from."""
    found = hashlib.sha256(json.dumps(_for_digest(net.config), sort_keys=True).encode())
    for name, tensor in sorted(net.state_dict().items()):
        found.update(name.encode())
        found.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:12]


def _for_digest(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as versions before ``dominance`` and ``stride`` had them, so that what these digested stays the same."""
    if "class_path" in settings:
        return dict(settings)
    newer = {"dominance": "paper", "frozen_dominance": False, "near_identity": False, "stride": 1}
    kept = {name: value for name, value in settings.items() if name not in newer or value != newer[name]}
    joint = kept.get("dominance") == "joint"
    if joint:
        del kept["dominance"]
    return kept | {"joint_dominance": joint}


def _from_settings(path: Path, trust_code: bool) -> FusionNetwork:
    """Tensors in safetensors, and the network's arguments under ``net`` in the JSON beside them."""
    try:
        settings, tensors = read_weights(path)
    except Exception as error:  # safetensors has an error of its own, JSON and files have theirs
        raise InputError(
            f"{path}: not weights with {path.stem}.json beside them that names the network under 'net' ({error})."
        ) from error
    return _built(settings, tensors, path, trust_code)


def _from_folder(folder: Path, trust_code: bool) -> FusionNetwork:
    missing = [name for name in ("config.json", "model.safetensors") if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder}: has no {' and no '.join(missing)}; expected a folder that DreamIF.save_pretrained "
            "wrote. A run's weights are in its checkpoints/best.ckpt."
        )
    try:
        settings = json.loads((folder / "config.json").read_text())
        tensors = load_file(folder / "model.safetensors")
    except Exception as error:
        raise InputError(f"{folder}: its config.json or model.safetensors is damaged ({error}).") from error
    return _built(settings, tensors, folder, trust_code)


def _from_checkpoint(path: Path, trust_code: bool) -> FusionNetwork:
    try:
        held = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
        settings = held["hyper_parameters"]["net"]
        tensors = {key.removeprefix("net."): value for key, value in held["state_dict"].items() if key[:4] == "net."}
    except Exception as error:  # torch names half a dozen kinds for a file that is none of its own
        raise InputError(f"{path}: not a checkpoint of dream-if, or cut short ({type(error).__name__}).") from error
    return _built(settings, tensors, path, trust_code)


def _from_hub(name: str) -> DreamIF:
    try:
        return DreamIF.from_pretrained(name)
    except Exception as error:  # no such thing, no network, no access, no network of ours: the hub's words are good
        what = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"weights {name!r}: no such folder here, and the Hugging Face hub says: {what[0]}") from error


def _built(settings: Any, tensors: Mapping[str, Tensor], path: Path, trust_code: bool) -> FusionNetwork:
    """The network of these settings with these tensors, in float32.

    Raises:
        InputError: The two do not fit each other, a weight is no number, or the code is not trusted.
    """
    check_trust(settings, path, trust_code)
    strange = [name for name, tensor in tensors.items() if not isinstance(tensor, Tensor)]
    if strange:
        raise InputError(f"{path}: {strange[0]} of its weights is not a tensor; not a checkpoint of dream-if.")
    broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if broken:
        raise InputError(
            f"{path}: {len(broken)} of its {len(tensors)} weights hold NaN or infinity, first {broken[0]}; its "
            "training has failed, take an earlier checkpoint."
        )
    try:
        if "class_path" in settings:
            own = ForeignNetwork.made(settings["class_path"], **settings.get("init_args", {}))
            own.load_state_dict(dict(tensors))
            return own.float()
        blocks = [*settings.get("num_blocks", []), settings.get("num_refinement_blocks", 0)]
        if sum(blocks) > len(tensors):
            raise ValueError(f"{sum(blocks)} blocks are asked for, and there are {len(tensors)} tensors")
        with torch.device("meta"):  # so that settings of a wrong size take no memory
            net = DreamIF(**settings)
        # Copies, or the network would live in the file and change with it.
        net.load_state_dict({name: tensor.clone() for name, tensor in tensors.items()}, assign=True)
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        first = " ".join(str(error).split()[:40])
        what = (isinstance(settings, dict) and settings.get("class_path")) or "one DreamIF network"
        raise InputError(f"{path}: its settings and weights are not those of {what}: {first}") from error
    return net.float().to(memory_format=torch.channels_last)
