"""Rows of a table from its YAML file: each has a method and, if given, a restorer for its sources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from dream_if.methods.method import Computed, Method, PairId
from dream_if.methods.restorers import Restorer, make_restorer
from dream_if.models import ForeignNetwork
from dream_if.user_code import instantiate

__all__ = ["SOURCES", "Row", "make_method", "make_rows"]

SOURCES = ("visible", "infrared")
"""The sources themselves, which are methods too: the rows that every table needs."""

TRAINED = (".ckpt", ".safetensors")


@dataclass(frozen=True)
class Row:
    """A method, and what cleans its sources first."""

    name: str
    method: Method
    restorer: Restorer | None = None

    def keys(self, pair: PairId) -> list[str]:
        """Texts that stand for all that the row's image depends on beside the pair, of method and restorer."""
        return [self.method.key(pair), "" if self.restorer is None else self.restorer.key_at(pair)]

    def check(self, pairs: Sequence[PairId]) -> None:
        """Make sure, before anything is computed, that the row can have an image of all these pairs.

        Raises:
            InputError: It cannot.
        """
        self.method.check(self.name, pairs)
        if self.restorer is not None:
            self.restorer.check(pairs)


def make_rows(
    methods: Mapping[str, Any],
    ours: str,
    restore: Any,
    where: str,
    device: torch.device,
    weights: str | None,
    trust_code: bool = False,
) -> tuple[Row, ...]:
    """The rows of a table from what its YAML says.

    Args:
        methods: name -> what `make_method` takes, or a mapping with ``restore`` beside that.
        ours: name of the first row, the one that no restorer of the table goes before.
        restore: restorers, each of which gives every other row a second one.
        where: key of ``restore``, for messages.
        device: where methods compute.
        weights: what ``{weights}`` stands for.
        trust_code: see `load_network`.

    Returns:
        Ours first; the sources last, unless the methods have them elsewhere; then the rows after restorers.

    Raises:
        InputError: A method or restorer cannot be used, or a name would be there twice.
    """
    given = dict(methods)
    for source in SOURCES:
        if source not in given.values():
            given[f"{source} alone"] = source
    order = [ours, *(name for name in given if name != ours)]
    rows = [_row(name, given[name], device, weights, trust_code) for name in order]
    for number, entry in enumerate(restore if isinstance(restore, list) else [restore] if restore else []):
        restorer = make_restorer(entry, f"{where}[{number}]", device)
        rows += [
            Row(f"{row.name}, after {restorer.name}", row.method, restorer)
            for row in rows
            if row.name != ours and row.restorer is None and not isinstance(row.method, FusedFolder)
        ]
    names = [row.name for row in rows]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(
            f"methods: {', '.join(doubled)} would appear twice; give each row its own name, and restorers theirs by "
            "a name beside their options, as in {nlm: {h: 10}, name: weak NLM}."
        )
    return tuple(rows)


def _row(name: str, given: Any, device: torch.device, weights: str | None, trust_code: bool) -> Row:
    restorer = None
    if isinstance(given, Mapping) and "restore" in given:
        restorer = make_restorer(given["restore"], f"methods.{name}.restore", device)
        given = {key: value for key, value in given.items() if key != "restore"}
    method = make_method(name, given, device, weights, trust_code)
    if restorer is not None and isinstance(method, FusedFolder):
        raise InputError(f"methods.{name}: images that are fused already cannot be restored first; drop restore.")
    return Row(name, method, restorer)


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
        return Computed(baseline, text, f"{text}, classical", baseline, own=True)
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
        lambda visible, infrared: fuser(visible, infrared, maps=False).image,
        key,
        f"network {text}",
        fuser.net,
        own=not isinstance(net, ForeignNetwork),
    )


def _of_class(class_path: str, init_args: Any, device: torch.device) -> Method:
    made = instantiate(class_path, init_args)
    module = made if isinstance(made, nn.Module) else None
    if module is not None:
        module.eval().to(device)
    return Computed(made, thing_digest(class_path, init_args or {}, made), class_path, module)
