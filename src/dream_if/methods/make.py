"""Methods from what a table's YAML says of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dream_if.baselines import BASELINES
from dream_if.cache_keys import maker_digest, thing_digest
from dream_if.errors import InputError
from dream_if.inference import Fuser, load_network
from dream_if.inference.weights import digest
from dream_if.methods.exported import EXPORTED, exported_method
from dream_if.methods.folder import FusedFolder
from dream_if.methods.method import Computed, Method
from dream_if.methods.user_code import instantiate
from dream_if.models import ForeignNetwork

__all__ = ["SOURCES", "make_method"]

SOURCES = ("visible", "infrared")
"""The sources themselves, which are methods too: the rows that every table needs."""

TRAINED = (".ckpt", ".safetensors")


def make_method(
    name: str, given: Any, device: torch.device, weights: str | None = None, trust_code: bool = False
) -> Method:
    """A method from what a table's YAML says.

    Args:
        name: in the table.
        given: text, or a mapping with ``class_path`` and ``init_args``, or with ``method`` and the text. The text is a
            name of `BASELINES`, ``visible`` or ``infrared``; a TorchScript (.pt, .ts), exported (.pt2) or ONNX (.onnx)
            file; a folder of images, with ``{set}`` in it; or what `load_network` takes.
        device: where it computes.
        weights: what the text ``{weights}`` stands for.
        trust_code: see `load_network`.

    Raises:
        InputError: It is none of these, or cannot be loaded.
    """
    try:
        if isinstance(given, Mapping):
            if "class_path" in given and set(given) <= {"class_path", "init_args"}:
                return _of_class(str(given["class_path"]), given.get("init_args"), device)
            if set(given) != {"method"}:
                raise InputError(
                    f"expected text, or a mapping with method or class_path and init_args; got {dict(given)!r}"
                )
            given = given["method"]
        if not isinstance(given, str) or not given:
            raise InputError(f"expected text or a mapping, got {given!r}")
        if given == "{weights}":
            if weights is None:
                raise InputError("{weights} stands for what --weights names, and it is not given")
            given = weights
        return _of_text(given, device, trust_code)
    except InputError as error:
        raise InputError(f"methods.{name}: {str(error).rstrip('.')}.") from error


def _of_text(text: str, device: torch.device, trust_code: bool) -> Method:
    if text in SOURCES:
        index = SOURCES.index(text)
        made = Computed(lambda *sources: sources[index], text, f"the {text} source alone")
        made.is_source = True
        return made
    if text in BASELINES:
        baseline = BASELINES[text]().eval().to(device)
        return Computed(baseline, text, f"{text}, classical", baseline)
    path = Path(text).expanduser()
    if path.suffix in (*EXPORTED, *TRAINED) and not path.is_file():
        raise InputError(f"{path}: there is no such file")
    if path.suffix in EXPORTED:
        return exported_method(path, device)
    if "{" in text or (path.is_dir() and not (path / "config.json").is_file()):
        return FusedFolder(text)
    if path.suffix == "" and not path.exists() and not text.startswith((".", "~", "/")) and text.count("/") == 0:
        return _network(
            text, device, trust_code, f" Classical methods are {', '.join(BASELINES)}, {' and '.join(SOURCES)}."
        )
    return _network(text, device, trust_code)


def _network(text: str, device: torch.device, trust_code: bool, more: str = "") -> Method:
    try:
        net = load_network(text, trust_code=trust_code)
    except InputError as error:
        raise InputError(f"{error}{more}") from error
    key = f"network {digest(net)} float32"
    if isinstance(net, ForeignNetwork):  # whose code may change beside the same weights
        key += f" {maker_digest(net.name, net.config.get('init_args', {}))}"
    fuser = Fuser(net, device=str(device), precision="float32")
    return Computed(
        lambda visible, infrared: fuser(visible, infrared, maps=False).image, key, f"network {text}", fuser.net
    )


def _of_class(class_path: str, init_args: Any, device: torch.device) -> Method:
    made = instantiate(class_path, init_args)
    module = made if isinstance(made, nn.Module) else None
    if module is not None:
        module.eval().to(device)
    return Computed(made, thing_digest(class_path, init_args or {}, made), class_path, module)
