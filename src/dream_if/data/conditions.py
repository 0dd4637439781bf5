"""What is done to sources before a method sees them, by name: for tables and for ``dream-if degrade``."""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast, get_args

from torch import Tensor

from dream_if.data import degradations
from dream_if.data.datamodule import FusionDataModule
from dream_if.data.degradations import (
    KIND_CLASSES,
    Composition,
    Degradation,
    FixedDegradation,
    Local,
    OneSided,
    RandomDegradations,
    Shift,
)
from dream_if.data.pairs import Sample
from dream_if.errors import InputError
from dream_if.storage import file_digest
from dream_if.user_code import imported

__all__ = ["CLEAN", "PAPERS_LEVEL", "Condition", "Sources", "under"]

CLEAN = "clean"
"""Name of the condition in which nothing is done to the sources."""

PAPERS_LEVEL = 3
"""The level where none is named: of Gaussian noise it is sigma 35, as in the paper's tables."""

JOINT = "+"
"""Stands between kinds that follow each other, as in ``haze+gaussian``."""

LOCAL = "local" + JOINT
"""Stands before kinds that are each confined to a region, as in ``local+haze+gaussian``."""

Sources = Literal["both", "one", "visible", "infrared"]

_OPEN = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)  # as of a class without an __init__
KEYS = ("kind", "level", "arguments", "seed", "source")


class _Made(NamedTuple):
    """A class with all its arguments, those by default included: what makes a condition, or a kind in it.

    An argument may be another of these, or a list of them.
    """

    made_by: type[Composition] | type[Degradation]
    arguments: dict[str, Any]

    @property
    def settings(self) -> dict[str, Any]:
        """As a configuration names it."""
        told = {name: _each(value, lambda made: made.settings) for name, value in self.arguments.items()}
        ours = getattr(degradations, self.made_by.__name__, None) is self.made_by
        module = degradations.__name__ if ours else self.made_by.__module__
        return {"class_path": f"{module}.{self.made_by.__name__}", "init_args": told}

    def make(self) -> Composition | Degradation:
        """An instance."""
        return self.made_by(**{name: _each(value, _Made.make) for name, value in self.arguments.items()})


def _each(value: Any, change: Callable[[_Made], Any]) -> Any:
    """An argument with what is to be made in it changed."""
    if isinstance(value, list):
        return [_each(entry, change) for entry in value]
    return change(value) if isinstance(value, _Made) else value


@dataclass(frozen=True)
class Condition:
    """What is done to the sources before a method sees them.

    Attributes:
        name: in tables; `CLEAN` where nothing is done.
        kind: one of `KIND_CLASSES`, or the user's as ``module.Class``; several of them joined by `JOINT`, in this
            order; ``random`` for one or two of the paper's by chance; ``shift`` for an infrared image that is not
            registered; None for nothing. Kinds and ``random`` may follow `LOCAL`.
        level: severity from 1 to 4, of all kinds or of each, where kinds are meant by level.
        arguments: of the kind in place of a level; ``pixels`` of a shift.
        seed: of what is random, as ``data.seed`` of a test.
        source: which source is corrupted: of ``both``, those that the kinds apply to by nature; ``one`` is drawn for
            each pair.
    """

    name: str = CLEAN
    kind: str | None = None
    level: int | tuple[int, ...] | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    source: Sources = "both"

    @property
    def key(self) -> str:
        """Text that stands for everything but the name."""
        if self.kind is None:
            return CLEAN
        said = [self.kind, self.level, dict(self.arguments), self.seed, self.source]
        code = [file_digest(Path(inspect.getfile(_class_of(name)))) for name in _names(self.kind) if "." in name]
        return json.dumps(said + code, sort_keys=True)

    @property
    def words(self) -> str:
        """The condition in a few words."""
        if self.kind is None:
            return "nothing done to the sources"
        if self.kind == "shift":
            return f"infrared shifted right by {self.arguments['pixels']} pixel(s)"
        given = ", ".join(f"{name} {value}" for name, value in self.arguments.items()) or "training ranges"
        levels = self.level if isinstance(self.level, tuple) else (self.level,)
        how = given if self.level is None else f"level {JOINT.join(map(str, levels))}"
        what = ("local " if self.kind.startswith(LOCAL) else "") + " then ".join(_names(self.kind))
        several = {"both": "both sources", "one": "one source of each pair"}
        sources = several.get(self.source, f"{self.source} source alone")
        return f"{what} ({how}), {sources}, seed {self.seed}"

    @property
    def parts(self) -> tuple[_Made, ...]:
        """The kinds in their order, or the one composition that is no kind, each with all its arguments.

        Raises:
            InputError: There is no such level, or no such argument.
        """
        if self.kind is None:
            return ()
        names, local = _names(self.kind), self.kind.startswith(LOCAL)
        if names == ["random"]:
            return (_bound(RandomDegradations, {"clean": 0.0, "local": float(local), **self.arguments}),)
        if names == ["shift"]:
            return (_bound(Shift, self.arguments),)
        levels = self.level if isinstance(self.level, tuple) else (self.level,) * len(names)
        if len(levels) != len(names):
            raise InputError(f"level: expected one, or one for each of {', '.join(names)}; got {list(levels)}")
        kinds = [_kind(name, level, self.arguments) for name, level in zip(names, levels, strict=True)]
        if not local:
            return tuple(kinds)
        defaults = _bound(Local, {"kind": None}).arguments
        return tuple(_Made(Local, {**defaults, "kind": kind}) for kind in kinds)

    @property
    def _whole(self) -> _Made | None:
        """What makes the composition; None where nothing is done."""
        parts = self.parts
        if not parts:
            return None
        whole = parts[0]
        if issubclass(whole.made_by, Degradation):
            whole = _Made(FixedDegradation, {"kind": list(parts) if len(parts) > 1 else whole})
        return _Made(OneSided, {"of": whole, "source": None}) if self.source == "one" else whole

    def composition(self) -> Composition | None:
        """The degradation that `FusionDataModule` takes; None where it has nothing to do.

        Raises:
            InputError: As `parts`, or an argument has a value that cannot be.
        """
        whole = self._whole
        try:
            return cast(Composition, whole.make()) if whole else None
        except (TypeError, InputError) as error:
            raise InputError(f"arguments: {error}") from error

    @property
    def degrade(self) -> Literal["both", "visible", "infrared"]:
        """The sources that the composition is for, as `FusionDataModule` takes them."""
        return "both" if self.source == "one" else self.source

    @property
    def settings(self) -> dict[str, Any]:
        """What ``dream-if test`` is told below ``data`` to have the same inputs."""
        whole = self._whole
        told = whole.settings if whole else None
        return {"test_degradation": told, "degrade": self.degrade, "seed": self.seed}

    @classmethod
    def read(cls, name: str, given: Any) -> "Condition":
        """A condition as a table's YAML has it.

        Raises:
            InputError: It is no mapping with a kind, has a key that does not exist, or one that contradicts another.
        """
        if given is None:
            return cls()
        where = f"conditions.{name}"
        if name == CLEAN:
            raise InputError(f"{where}: this name is for sources that nothing is done to; choose another.")
        if not isinstance(given, Mapping) or "kind" not in given or set(given) - set(KEYS):
            raise InputError(
                f"{where}: expected null, or a mapping with kind and some of {', '.join(KEYS[1:])}; got {given!r}."
            )
        return cls.of(name, f"{where}.", **given)

    @classmethod
    def of(
        cls,
        name: str,
        where: str,
        kind: Any,
        level: Any = None,
        arguments: Any = None,
        seed: Any = 0,
        source: Any = "both",
    ) -> "Condition":
        """A condition from values that may be anything, all of it made sure of.

        Args:
            name: of the condition.
            where: what an error begins with, before the key.
            kind: name of the kind, see the class.
            level: a number, or a list with one for each kind; `PAPERS_LEVEL` if neither this nor arguments are given.
            arguments: of the kind in place of a level; those left out have their training range.
            seed: from 0 up.
            source: which of the sources, see the class.

        Raises:
            InputError: One is none of those expected, or contradicts another.
        """
        _check(where, kind, level, arguments, seed, source)
        kinds = [_class_of(name, where) for name in _names(kind) if name in KIND_CLASSES or "." in name]
        if kinds and all(made_by.LEVELS for made_by in kinds) and level is None and arguments is None:
            level = PAPERS_LEVEL
        made = cls(
            name=name,
            kind=kind,
            level=tuple(level) if isinstance(level, list) else level,
            arguments=dict(arguments or {}),
            seed=seed,
            source=_sources(where, kind, source),
        )
        try:
            made.composition()  # refuses wrong arguments before anything is computed
        except InputError as error:
            raise InputError(f"{where}{str(error).rstrip('.')}.") from error
        return made


def _check(where: str, kind: Any, level: Any, arguments: Any, seed: Any, source: Any) -> None:
    """Make sure of what can be said without making the kinds."""
    if not isinstance(kind, str):
        raise InputError(f"{where}kind: expected a name, or several such as haze{JOINT}gaussian; got {kind!r}.")
    names = _names(kind)
    unknown = [name for name in names if name not in KIND_CLASSES and "." not in name]
    if unknown and kind not in ("random", f"{LOCAL}random", "shift"):
        whole = f" of {kind}" if kind != unknown[0] else ""
        raise InputError(
            f"{where}kind: there is no degradation {unknown[0]!r}{whole}; expected one of {', '.join(KIND_CLASSES)}, "
            f"your own class as module.Class, some of these joined by {JOINT}, random or shift; {LOCAL} may stand "
            "before all but shift."
        )
    if len(set(names)) < len(names):
        raise InputError(f"{where}kind: expected each kind once, got {kind}.")
    if arguments is not None and not isinstance(arguments, Mapping):
        raise InputError(f"{where}arguments: expected a mapping from names to values, got {arguments!r}.")
    if level is not None and unknown:
        raise InputError(f"{where}level: {kind} has no levels, only arguments; got {level!r}.")
    if level is not None and arguments is not None:
        raise InputError(f"{where}level: a level stands for arguments; give either one.")
    if arguments and len(names) > 1:
        raise InputError(f"{where}arguments: several kinds are meant by level; got {arguments!r} for {kind}.")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise InputError(f"{where}seed: expected a whole number from 0 up and below {2**32}, got {seed!r}.")
    if source not in get_args(Sources):
        raise InputError(f"{where}source: expected one of {', '.join(get_args(Sources))}; got {source!r}.")


def _names(kind: str) -> list[str]:
    """What a kind is joined of, without `LOCAL`."""
    return kind.removeprefix(LOCAL).split(JOINT)


def _class_of(name: str, where: str = "") -> type[Degradation]:
    """The class of a kind, one of ours by its name or the user's by its path; InputError where that leads to none."""
    if "." not in name:
        return KIND_CLASSES[name]
    made_by = imported(name)
    if isinstance(made_by, type) and issubclass(made_by, Degradation):
        return made_by
    raise InputError(f"{where}kind: expected a subclass of dream_if.data.degradations.Degradation, got {name}.")


def _sources(where: str, kind: str, source: Sources) -> Sources:
    """Which sources the kinds apply to, of those wanted.

    Raises:
        InputError: One of the kinds does not apply to all that may be corrupted.
    """
    names = _names(kind)
    if names == ["random"]:
        return source
    fitting = {name: ("infrared",) if name == "shift" else _class_of(name).SOURCES for name in names}
    for name, sources in fitting.items():
        if source != "both" and source not in sources and not (source == "one" and len(sources) > 1):
            raise InputError(f"{where}source: {name} applies to the {sources[0]} source alone, got {source}.")
    either = {entry for sources in fitting.values() for entry in sources}
    return source if len(either) > 1 else either.pop()


def _kind(name: str, level: int | None, arguments: Mapping[str, Any]) -> _Made:
    """A kind at a level or with arguments."""
    made_by = _class_of(name)
    if level is None:
        return _bound(made_by, arguments)
    try:
        made_by.at_level(level)
    except InputError as error:
        raise InputError(f"level: {error}") from error
    return _bound(made_by, made_by.LEVELS[level - 1])


def _bound(made_by: type[Composition] | type[Degradation], arguments: Mapping[str, Any]) -> _Made:
    """A class with the arguments given and its defaults; InputError where it has no such arguments."""
    signature = inspect.signature(made_by)
    try:
        bound = signature.bind(**arguments)
    except TypeError as error:
        raise InputError(
            f"arguments: {error} for {made_by.__name__}; expected some of {', '.join(signature.parameters)}"
        ) from error
    bound.apply_defaults()
    named = {name: bound.arguments[name] for name, each in signature.parameters.items() if each.kind not in _OPEN}
    return _Made(made_by, json.loads(json.dumps(named, default=str)))  # tuples as the lists of a file


def under(sample: Sample, condition: Condition) -> tuple[Tensor, Tensor]:
    """A pair as methods see it.

    Args:
        sample: a clean batch of one.
        condition: what is done to it.

    Returns:
        Visible (1, 3, H, W) and infrared (1, 1, H, W) in [0, 1]; rounded to 8 bit where something was done, as in the
        files that ``dream-if degrade`` writes.
    """
    module = FusionDataModule(
        test_degradation=condition.composition(), degrade=condition.degrade, num_workers=0, seed=condition.seed
    )
    batch = module.on_before_batch_transfer(dict(sample), 0)
    return batch["visible"], batch["infrared"]
