"""What methods get: the pairs of a test set, clean or under a condition, as `dream-if test` sees them."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

from dream_if.data.conditions import CLEAN, Condition, under
from dream_if.data.datamodule import ScenePairs
from dream_if.data.layouts import LAYOUTS, SPLITS, Layout, Split, find_pairs
from dream_if.data.pairs import PairedImages, PairFiles, PairSource, Sample, collate
from dream_if.data.prepared import PreparedPairs, is_prepared
from dream_if.data.sampling import spread_evenly
from dream_if.data.scenes import MIN_SIZE
from dream_if.errors import InputError

__all__ = ["CLEAN", "WHERE", "Condition", "Images", "Place", "SetSettings", "digest", "under"]

WHERE = {
    "llvip": "bupt-ai-cz.github.io/LLVIP",
    "msrs": "github.com/Linfeng-Tang/MSRS",
    "m3fd": "github.com/JinyuanLiu-CV/TarDAL",
    "roadscene": "github.com/hanna-xu/RoadScene",
    "tno": "figshare, item 1008029",
}
"""Layout -> where its owners offer the set."""


class Place(NamedTuple):
    """Which picture: of which set, under which condition, by the name of its pair."""

    set: str
    condition: str
    name: str


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
            settings["size"] = _size(f"sets.{name}.size", settings["size"])
        return cls(name=name, **settings)

    @property
    def missing(self) -> str | None:
        """What is to be done about a folder that is not there; None if it is."""
        if self.root is None or self.root.is_dir():
            return None
        return f"{self.name}: no data in {self.root}; get it from {WHERE.get(self.layout, 'where you keep your pairs')}"


def _size(where: str, given: Any) -> tuple[int, int]:
    """Height and width of scenes."""
    sides = given if isinstance(given, (list, tuple)) else ()
    whole = [side for side in sides if isinstance(side, int) and not isinstance(side, bool) and side >= MIN_SIZE]
    if len(sides) != 2 or len(whole) != 2:
        raise InputError(
            f"{where}: expected height and width in pixels, each {MIN_SIZE} or more, such as [240, 320]; got {given!r}."
        )
    return whole[0], whole[1]


def _found(root: str, data: Path) -> Path:
    """A root with ``{data}`` filled in, capitals below it aside; or the data folder, if that is the set."""
    path = Path(root.replace("{data}", str(data))).expanduser()
    if path.is_dir() or "{data}" not in root:
        return path
    if data.name.lower() == path.name.lower():
        return data
    found = data.expanduser()
    below = path.relative_to(found).parts if path.is_relative_to(found) else ()
    for part in below:
        beside = sorted(found.iterdir()) if found.is_dir() else []
        match = next((entry for entry in beside if entry.name.lower() == part.lower()), None)
        if match is None:
            return path
        found = match
    return found if below else path


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
        self.positions = spread_evenly(settings.limit or len(source), len(source))
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

    def check(self, conditions: Iterable[Condition]) -> None:
        """Make sure that the first pair is large enough to be shifted; a smaller one is found when it is read.

        Raises:
            InputError: It is not.
        """
        for condition in conditions:
            if condition.kind == "shift":
                try:
                    under(self.read(0), condition)
                except InputError as error:
                    raise InputError(f"conditions.{condition.name}, {self.settings.name}: {error}.") from error

    def read(self, number: int) -> Sample:
        """The n-th pair, as a clean batch of one."""
        return collate([self._pairs[self.positions[number]]])


def digest(sample: Sample) -> str:
    """Hash of both clean images, and of the position that seeds their corruption."""
    found = hashlib.sha256(str(sample["index"].tolist()).encode())
    for image in (sample["visible"], sample["infrared"]):
        found.update(str(tuple(image.shape)).encode())
        found.update(image.numpy().tobytes())
    return found.hexdigest()
