"""What methods get: the pairs of a test set, clean or under a condition, as `dream-if test` sees them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor

from dream_if.data.datamodule import FusionDataModule, ScenePairs
from dream_if.data.degradations import KINDS, Composition, Degradation, FixedDegradation, RandomDegradations
from dream_if.data.layouts import LAYOUTS, SPLITS, Layout, Split, find_pairs
from dream_if.data.pairs import PairedImages, PairFiles, PairSource, Sample, collate
from dream_if.data.prepared import PreparedPairs, is_prepared
from dream_if.errors import InputError

__all__ = ["CLEAN", "WHERE", "Condition", "Images", "Place", "SetSettings", "digest", "under"]

CLEAN = "clean"
"""Name of the condition in which nothing is done to the sources."""

PAPERS_LEVEL = 3

WHERE = {
    "llvip": "bupt-ai-cz.github.io/LLVIP",
    "msrs": "github.com/Linfeng-Tang/MSRS",
    "m3fd": "github.com/JinyuanLiu-CV/TarDAL",
    "roadscene": "github.com/hanna-xu/RoadScene",
    "tno": "figshare, item 1008029",
}
"""Layout -> where its owners offer the set."""

Sources = Literal["both", "visible", "infrared"]


class Place(NamedTuple):
    """Which picture: of which set, under which condition, by the name of its pair."""

    set: str
    condition: str
    name: str


@dataclass(frozen=True)
class Condition:
    """What the sources suffer before a method sees them.

    Attributes:
        name: in tables; `CLEAN` where nothing is done.
        kind: one of `KINDS`; ``random`` for one or two of them by chance; ``shift`` for an infrared image that is not
            registered; None for nothing.
        level: severity from 1 to 4, where a kind of `KINDS` is meant by level.
        arguments: of the kind in place of a level; ``pixels`` of a shift.
        seed: of what is random, as ``data.seed`` of a test.
        source: which source suffers.
    """

    name: str = CLEAN
    kind: str | None = None
    level: int | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    source: Sources = "both"

    @property
    def key(self) -> str:
        """Text that stands for everything but the name."""
        if self.kind is None:
            return CLEAN
        return json.dumps([self.kind, self.level, dict(self.arguments), self.seed, self.source], sort_keys=True)

    @property
    def words(self) -> str:
        """The condition in a few words."""
        if self.kind is None:
            return "nothing done to the sources"
        if self.kind == "shift":
            return f"infrared shifted right by {self.arguments['pixels']} pixel(s)"
        given = ", ".join(f"{name} {value}" for name, value in self.arguments.items())
        how = f"level {self.level}" if self.level is not None else given or "training ranges"
        return f"{self.kind} ({how}), {self.source} source(s), seed {self.seed}".replace(
            "both source(s)", "both sources"
        )

    def composition(self) -> Composition | None:
        """The degradation that `FusionDataModule` takes; None where it has nothing to do.

        Raises:
            InputError: There is no such kind or level, or its arguments are wrong.
        """
        if self.kind in (None, "shift"):
            return None
        try:
            if self.kind == "random":
                return RandomDegradations(**{"clean": 0.0, **self.arguments})
            kinds = {made.name: made for made in Degradation.__subclasses__()}
            if self.kind not in KINDS:
                raise InputError(f"there is no kind {self.kind!r}; expected {', '.join(KINDS)}, random or shift")
            chosen = kinds[self.kind]
            made = chosen(**self.arguments) if self.level is None else chosen.at_level(self.level)
        except (TypeError, InputError) as error:
            raise InputError(f"conditions.{self.name}: {str(error).rstrip('.')}.") from error
        return FixedDegradation(made)

    @classmethod
    def read(cls, name: str, given: Any) -> "Condition":
        """A condition as a table's YAML has it.

        Raises:
            InputError: It is no mapping with a kind, has a key that does not exist, or one that contradicts another.
        """
        if given is None:
            return cls()
        if name == CLEAN:
            raise InputError(f"conditions.{CLEAN}: this name is for sources that nothing is done to; choose another.")
        known = ("kind", "level", "arguments", "seed", "source")
        if not isinstance(given, Mapping) or "kind" not in given or set(given) - set(known):
            raise InputError(
                f"conditions.{name}: expected null, or a mapping with kind and some of {', '.join(known[1:])}; got "
                f"{given!r}."
            )
        settings = {"arguments": {}, "level": None, "seed": 0, "source": "both", **given}
        if settings["level"] is not None and settings["arguments"]:
            raise InputError(f"conditions.{name}: a level stands for arguments; give one of both.")
        if settings["kind"] in KINDS and settings["level"] is None and not settings["arguments"]:
            settings["level"] = PAPERS_LEVEL
        if settings["source"] not in ("both", "visible", "infrared"):
            raise InputError(
                f"conditions.{name}.source: expected both, visible or infrared, got {settings['source']!r}."
            )
        if settings["kind"] == "shift":
            pixels = settings["arguments"].get("pixels")
            if set(settings["arguments"]) != {"pixels"} or not isinstance(pixels, int) or not 0 <= pixels < 256:
                raise InputError(f"conditions.{name}: a shift has one argument, pixels, from 0 to 255; got {given!r}.")
        made = cls(name=name, **settings)
        made.composition()  # to hear of mistakes before anything is computed
        return made


@dataclass(frozen=True)
class SetSettings:
    """Which pairs form a test set.

    Attributes:
        name: in tables.
        layout: one of `LAYOUTS`, or ``scenes``.
        root: folder of the set; None for scenes.
        split: test, unless said otherwise.
        limit: so many pairs of it, spread evenly over their names; all if None.
        count: how many scenes.
        size: of scenes, height and width in pixels.
        seed: of scenes.
    """

    name: str
    layout: str = "folder"
    root: Path | None = None
    split: Split = "test"
    limit: int | None = None
    count: int = 8
    size: tuple[int, int] = (240, 320)
    seed: int = 0

    @classmethod
    def read(cls, name: str, given: Any, data: Path) -> "SetSettings":
        """A set as a table's YAML has it.

        Args:
            name: of the set.
            given: its settings.
            data: what ``{data}`` in a root stands for.

        Raises:
            InputError: A key or a value is none of those expected.
        """
        known = ("layout", "root", "split", "limit", "count", "size", "seed")
        if not isinstance(given, Mapping) or set(given) - set(known):
            raise InputError(f"sets.{name}: expected a mapping with some of {', '.join(known)}; got {given!r}.")
        settings = {"layout": "folder", **given}
        if settings["layout"] not in (*LAYOUTS, "scenes"):
            raise InputError(
                f"sets.{name}.layout: expected {', '.join(LAYOUTS)} or scenes, got {settings['layout']!r}."
            )
        if (settings.get("root") is None) != (settings["layout"] == "scenes"):
            raise InputError(f"sets.{name}.root: names the folder of the set; the layout scenes alone has none.")
        if settings.get("split", "test") not in SPLITS:
            raise InputError(f"sets.{name}.split: expected {', '.join(SPLITS)}, got {settings['split']!r}.")
        for key, least in (("limit", 1), ("count", 2), ("seed", 0)):
            value = settings.get(key)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise InputError(f"sets.{name}.{key}: expected a whole number from {least} up, got {value!r}.")
        if settings.get("root") is not None:
            settings["root"] = _found(str(settings["root"]), data)
        if "size" in settings:
            settings["size"] = tuple(settings["size"])
        return cls(name=name, **settings)

    @property
    def missing(self) -> str | None:
        """What is to be done about a folder that is not there; None if it is."""
        if self.root is None or self.root.is_dir():
            return None
        return f"{self.name}: no data in {self.root}; get it from {WHERE.get(self.layout, 'where you keep your pairs')}"


def _found(root: str, data: Path) -> Path:
    """A root with ``{data}`` filled in, capitals in its last part aside; or the data folder, if that is the set."""
    path = Path(root.replace("{data}", str(data))).expanduser()
    if path.is_dir() or "{data}" not in root:
        return path
    if data.name.lower() == path.name.lower():
        return data
    beside = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
    return next((entry for entry in beside if entry.name.lower() == path.name.lower()), path)


class Images:
    """The pairs of a test set.

    Args:
        settings: which.

    Raises:
        InputError: A folder, split or partner is missing.
    """

    def __init__(self, settings: SetSettings) -> None:
        self.settings = settings
        self._pairs = PairedImages(self._source())
        source = self._pairs.source
        every = len(source)
        count = min(every, settings.limit or every)
        self.positions = [(2 * k + 1) * every // (2 * count) for k in range(count)]
        if isinstance(source, PairFiles):
            self.names = tuple(source.pairs[position].name for position in self.positions)
        else:
            self.names = tuple(source.read(position)[2] for position in self.positions)

    def _source(self) -> PairSource:
        settings = self.settings
        if settings.root is None:
            return ScenePairs(settings.split, settings.count, settings.seed, settings.size)
        if is_prepared(settings.root):
            return PreparedPairs(settings.root, settings.split)
        return PairFiles(find_pairs(cast(Layout, settings.layout), settings.root, settings.split))

    def read(self, number: int) -> Sample:
        """The n-th pair, as a clean batch of one."""
        return collate([self._pairs[self.positions[number]]])


def under(sample: Sample, condition: Condition) -> tuple[Tensor, Tensor]:
    """A pair as methods see it.

    Args:
        sample: a clean batch of one.
        condition: what it suffers.

    Returns:
        Visible (1, 3, H, W) and infrared (1, 1, H, W) in [0, 1]; rounded to 8 bit where something was done, as in the
        files that ``dream-if degrade`` writes.
    """
    if condition.kind == "shift":
        return sample["visible"], _shifted(sample["infrared"], int(condition.arguments["pixels"]))
    module = FusionDataModule(
        test_degradation=condition.composition(), degrade=condition.source, num_workers=0, seed=condition.seed
    )
    batch = module.on_before_batch_transfer(dict(sample), 0)
    return batch["visible"], batch["infrared"]


def _shifted(image: Tensor, pixels: int) -> Tensor:
    """(B, C, H, W) moved to the right, its left border repeated."""
    columns = (torch.arange(image.shape[-1]) - pixels).clamp(min=0)
    return image[..., columns]


def digest(sample: Sample) -> str:
    """Hash of both clean images, and of the position that seeds their corruption."""
    found = hashlib.sha256(str(sample["index"].tolist()).encode())
    for image in (sample["visible"], sample["infrared"]):
        found.update(str(tuple(image.shape)).encode())
        found.update(image.numpy().tobytes())
    return found.hexdigest()
