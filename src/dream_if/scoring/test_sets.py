"""Test sets: the pairs that methods fuse, as `dream-if test` sees them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dream_if.data.conditions import Condition, under
from dream_if.data.layouts import LAYOUTS
from dream_if.data.own_layout import is_own, pairs_of
from dream_if.data.pairs import PairedImages, PairFiles, PairSource, Sample, collate
from dream_if.data.prepared import PreparedPairs, is_prepared
from dream_if.data.sampling import spread_evenly
from dream_if.data.scene_pairs import ScenePairs
from dream_if.data.scenes import MIN_SIZE
from dream_if.data.splits import SPLITS, Split
from dream_if.errors import InputError
from dream_if.settings import expected, from_up, read_settings
from dream_if.storage import Pair

__all__ = ["OWNERS", "SetSettings", "TestSet"]

OWNERS = {
    "llvip": "bupt-ai-cz.github.io/LLVIP",
    "msrs": "github.com/Linfeng-Tang/MSRS",
    "m3fd": "github.com/JinyuanLiu-CV/TarDAL",
    "roadscene": "github.com/hanna-xu/RoadScene",
    "tno": "figshare, item 1008029",
}
"""Layout -> where its owners offer the set."""

KNOWN = (*LAYOUTS, "scenes")
SIDE = f"height and width in pixels, each {MIN_SIZE} or more, such as [240, 320]"


@dataclass(frozen=True)
class SetSettings:
    """Which pairs form a test set.

    Attributes:
        layout: one of `LAYOUTS`, ``scenes``, or the path of a function that lists the pairs.
        root: folder of the set; None for scenes.
        split: test, unless said otherwise.
        limit: so many pairs of it, spread evenly over their names; all if None.
        count: how many scenes.
        size: of scenes, height and width in pixels.
        seed: of scenes.
    """

    layout: str = expected(
        f"{', '.join(LAYOUTS)}, scenes or module.function", "folder", lambda name: name in KNOWN or is_own(name)
    )
    root: Any = None
    split: Split = expected(", ".join(SPLITS), "test")
    limit: int | None = expected("a whole number from 1 up", fits=from_up(1))
    count: int = expected("a whole number from 2 up", 8, from_up(2))
    size: tuple[int, int] = expected(SIDE, (240, 320), fits=from_up(MIN_SIZE))
    seed: int = expected("a whole number from 0 up", 0, from_up(0))

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
        made = read_settings(cls, given, f"sets.{name}")
        if (made.root is None) != (made.layout == "scenes"):
            raise InputError(f"sets.{name}.root: names the folder of the set; the layout scenes alone has none.")
        return made if made.root is None else replace(made, root=_found(str(made.root), data))

    def missing(self, name: str) -> str | None:
        """What is to be done about the folder of a set of this name that is not there; None if it is."""
        if self.root is None or self.root.is_dir():
            return None
        return f"{name}: no data in {self.root}; get it from {OWNERS.get(self.layout, 'where you keep your pairs')}"


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


class TestSet:
    """The pairs of a test set.

    Args:
        name: in tables.
        settings: which pairs.

    Raises:
        InputError: A folder, split or partner is missing.
    """

    __test__ = False  # pytest takes it for tests else

    def __init__(self, name: str, settings: SetSettings) -> None:
        self.name = name
        self.settings = settings
        self._pairs = PairedImages(self._source())
        source = self._pairs.source
        self.positions = spread_evenly(settings.limit or len(source), len(source))
        if isinstance(source, PairFiles):
            self.names = tuple(source.pairs[position].name for position in self.positions)
        else:
            self.names = tuple(source.read(position)[2] for position in self.positions)

    @property
    def generated(self) -> bool:
        """Whether it is of generated scenes, not photographs."""
        return self.settings.root is None

    def files(self) -> list[Pair]:
        """The files of its pairs; none of generated scenes and of a prepared set, whose files are elsewhere."""
        source = self._pairs.source
        return [source.pairs[position] for position in self.positions] if isinstance(source, PairFiles) else []

    def _source(self) -> PairSource:
        settings = self.settings
        if settings.root is None:
            return ScenePairs(settings.split, settings.count, settings.seed, settings.size)
        if is_prepared(settings.root):
            return PreparedPairs(settings.root, settings.split)
        return PairFiles(pairs_of(settings.layout, settings.root, settings.split))

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
                    raise InputError(f"conditions.{condition.name}, {self.name}: {error}.") from error

    def read(self, number: int) -> Sample:
        """The n-th pair, as a clean batch of one."""
        return collate([self._pairs[self.positions[number]]])
