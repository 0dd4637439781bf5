"""Fused images with labels, as data sets: what networks are trained on and tested with."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngInfo

from dream_if import baselines, models
from dream_if.cache_keys import package_digest
from dream_if.data.conditions import CLEAN, Condition
from dream_if.data.sampling import spread_evenly
from dream_if.data.splits import Split
from dream_if.downstream.files import image_file
from dream_if.downstream.tasks import FusedFile, FusedSet, Task
from dream_if.downstream.training import Labels
from dream_if.errors import InputError
from dream_if.methods.method import PairId
from dream_if.methods.rows import Row
from dream_if.pixels import image_png, to_8_bit
from dream_if.scoring.pairs import ScoredPair
from dream_if.scoring.plan import TablePlan
from dream_if.scoring.test_sets import OWNERS, SetSettings, TestSet
from dream_if.storage import Pair, cache_key, write_atomically

__all__ = ["LabelledSet", "LabelledSplit", "fuse_sets", "labelled_sets"]

SPLITS: tuple[Split, Split] = ("train", "test")
STAMP = "dream-if"
"""Name of the text in a fused image's file that stands for all that its pixels depend on."""


@dataclass(frozen=True)
class LabelledSplit:
    """The pairs of a split that have labels.

    Attributes:
        images: of the split.
        numbers: of those that have labels, in their order.
        read: number of a pair, and its height and width, to its labels.
    """

    images: TestSet
    numbers: tuple[int, ...]
    read: Callable[[int, tuple[int, int]], Labels]

    def files(self) -> list[Pair]:
        """The files of the pairs that have labels; see `TestSet.files`."""
        files = self.images.files()
        return [files[number] for number in self.numbers] if files else []


@dataclass(frozen=True)
class LabelledSet:
    """A set with labels for training and test.

    Attributes:
        name: in tables.
        splits: train and test.
        names: of the classes; None where only their numbers are known.
    """

    name: str
    splits: Mapping[Split, LabelledSplit]
    names: tuple[str, ...] | None


def labelled_sets(plan: TablePlan, task: Task, train: int | None) -> tuple[list[LabelledSet], list[str]]:
    """The sets of a plan that a network can be trained on and tested with.

    Args:
        plan: of the task's table.
        task: what it is trained for.
        train: training pairs of each set; if None all, and of scenes twice as many as in the test.

    Returns:
        The sets, and a sentence about each that lacks a split or labels.
    """
    found, left_out = [], []
    for name, test in plan.images.items():
        settings = test.settings
        try:
            splits: dict[Split, LabelledSplit] = {
                "train": _labelled(
                    name, task, replace(settings, split="train", count=train or 2 * settings.count), train
                ),
                "test": _labelled(name, task, settings, None),
            }
        except InputError as error:
            left_out.append(f"{name}: {error}")
            continue
        found.append(LabelledSet(name, splits, task.class_names(settings.layout, settings.root)))
    return found, left_out


def _labelled(name: str, task: Task, settings: SetSettings, most: int | None) -> LabelledSplit:
    """The pairs of a split that have labels, no more than `most` and the set's own limit of them, spread evenly."""
    images = TestSet(name, replace(settings, limit=None))
    every = tuple(range(len(images.names)))
    files: dict[str, Path] = {}
    if not images.generated:
        files = task.label_files(settings.root, settings.split, images.names)
        every = tuple(number for number in every if images.names[number] in files)
    if not every:
        raise InputError(
            f"none of the {len(images.names)} {settings.split} pair(s) in {settings.root} has labels; expected "
            f"{task.files.format(root=settings.root, split=settings.split)}{_source(settings)}"
        )
    count = min([len(every), *(limit for limit in (most, settings.limit) if limit is not None)])
    numbers = tuple(every[position] for position in spread_evenly(count, len(every)))

    def read(number: int, size: tuple[int, int]) -> Labels:
        if images.generated:
            return task.of_scene(settings.split, images.positions[number], settings.seed, size)
        return task.read(files[images.names[number]], size, names)

    names = task.class_names(settings.layout, settings.root)
    return LabelledSplit(images, numbers, read)


def _source(settings: SetSettings) -> str:
    return f"; get them from {OWNERS[settings.layout]}." if settings.layout in OWNERS else "."


def fuse_sets(
    sets: list[LabelledSet],
    plan: TablePlan,
    task: Task,
    out: Path,
    device: torch.device,
    progress: Callable[[], None],
) -> dict[tuple[str, str], FusedSet]:
    """Write every row's fused images of all sets, with their labels.

    An image that is there already, of the same pair and method, stays.

    Args:
        sets: with labels.
        plan: of the task's table.
        task: what the labels are for.
        out: a folder for each set, and in it one for each row.
        device: where methods compute.
        progress: called after each image.

    Returns:
        (set, row) -> its images.

    Raises:
        InputError: A method fails, or a file cannot be read or written.
    """
    code = package_digest([baselines, models])
    for row in plan.rows:
        row.check([pair for labelled in sets for pair in _pairs(labelled)])
    found = {}
    for labelled in sets:
        pictures: dict[tuple[str, Split], list[FusedFile]] = defaultdict(list)
        for split in SPLITS:
            part = labelled.splits[split]
            for number in part.numbers:
                pair = ScoredPair(part.images.read(number), labelled.name, device)
                height, width = pair.clean[0].shape[-2:]
                labels = part.read(number, (height, width))
                for row in plan.rows:
                    folder = _folder(out, labelled.name, row.name)
                    file = image_file(folder, split, pair.name)
                    key = _fused_file(pair, row, file, code)
                    pictures[row.name, split].append(FusedFile(file, pair.name, (height, width), labels, key))
                    progress()
        names = labelled.names or _numbered([pictures[plan.ours, split] for split in SPLITS])
        for row in plan.rows:
            folder = _folder(out, labelled.name, row.name)
            for split in SPLITS:
                of_split = pictures[row.name, split]
                for file in set((folder / "images" / split).glob("*.png")) - {p.file for p in of_split}:
                    file.unlink()  # of an earlier plan, which YOLO's program would take for part of the set
            kept = {split: tuple(pictures[row.name, split]) for split in SPLITS}
            found[labelled.name, row.name] = FusedSet(folder, kept, names)
            task.write(found[labelled.name, row.name])
    return found


def _pairs(labelled: LabelledSet) -> list[PairId]:
    """Every picture of a set that is asked for, of training and test."""
    parts = labelled.splits.values()
    return [PairId(labelled.name, CLEAN, part.images.names[number]) for part in parts for number in part.numbers]


def _folder(out: Path, set_name: str, row: str) -> Path:
    """A folder's name is the row's, where that can be one; else something like it, and a hash."""
    parts = []
    for name in (set_name, row):
        plain = re.sub(r"[^\w.-]+", "_", name).strip("._") or "_"
        parts.append(plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}")
    return out.joinpath(*parts)


def _fused_file(pair: ScoredPair, row: Row, file: Path, code: str) -> str:
    """Make sure of a fused image on disk, and return what stands for its pixels."""
    told = [code, torch.__version__, pair.device.type, pair.digest, *row.keys(pair.under(Condition()))]
    key = cache_key(told)
    if _stamp(file) == key:
        return key
    fused = pair.fused(row)[0]
    text = PngInfo()
    text.add_text(STAMP, key)
    write_atomically(file, image_png(to_8_bit(fused).permute(1, 2, 0).cpu().numpy(), pnginfo=text))
    return key


def _stamp(file: Path) -> str | None:
    try:
        with PillowImage.open(file) as image:
            return str(image.info.get(STAMP))
    except (OSError, SyntaxError):  # none there, or no PNG
        return None


def _numbered(splits: Iterable[list[FusedFile]]) -> tuple[str, ...]:
    classes = [number for pictures in splits for picture in pictures for number in picture.labels.numbers()]
    return tuple(f"class {number}" for number in range(max(classes, default=0) + 1))
