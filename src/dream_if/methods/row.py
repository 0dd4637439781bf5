"""A row of a table: a method, and what cleans its sources first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dream_if.errors import InputError
from dream_if.methods.folder import FusedFolder
from dream_if.methods.make import SOURCES, make_method
from dream_if.methods.method import Method, PairId
from dream_if.methods.restorers import Restorer, make_restorer

__all__ = ["Row", "make_rows"]


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
            f"methods: {', '.join(doubled)} would be there twice; give each row its own name, and restorers theirs by "
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
