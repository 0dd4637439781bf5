"""What networks are trained for on fused images: a task says what labels are, what learns and how it is scored."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from dream_if.cache_keys import maker_digest
from dream_if.data.pairs import read_image, to_tensor
from dream_if.data.splits import Split
from dream_if.downstream.training import Example, Found, Labels, predict, train_network
from dream_if.errors import InputError
from dream_if.scoring.plan import TrainedSettings
from dream_if.storage import cache_key
from dream_if.user_code import imported, instantiate

__all__ = ["FusedFile", "FusedSet", "Learn", "Task", "own_network", "told", "train_and_find"]


@dataclass(frozen=True)
class FusedFile:
    """A fused image on disk, its height and width, its labels, and what stands for its pixels."""

    file: Path
    name: str
    size: tuple[int, int]
    labels: Any  # of the task: Boxes or Mask
    key: str

    def example(self) -> Example:
        """What reads it for a network."""
        return lambda: (to_tensor(read_image(self.file, 3)), self.labels)

    @property
    def digest(self) -> str:
        """Hash of all that a network gets to know of it."""
        return cache_key([self.name, self.key, self.labels.told()])


@dataclass(frozen=True)
class FusedSet:
    """A row's fused images of a set.

    Attributes:
        folder: where they are, with their labels in the form of files.
        pictures: by split.
        names: of the classes.
    """

    folder: Path
    pictures: Mapping[Split, tuple[FusedFile, ...]]
    names: tuple[str, ...]


Learn: TypeAlias = Callable[[FusedSet, TrainedSettings, int, torch.device, Callable[[], None]], list[Found]]
"""Images, settings, seed, device, and what is called after each step -> what is found in each test image by a network
that learned from the training images."""


@dataclass(frozen=True)
class Task:
    """What networks are to find in fused images.

    Attributes:
        name: of the task, and of the folder of its data sets.
        program: whose networks learn it.
        metrics: of which `score` gives each for the mean over classes and, as ``"<metric>, <class>"``, for each class.
        files: which label files there may be, for a message.
        class_names: layout and root of a set -> its classes; None where only their numbers are known.
        label_files: root, split and stems -> the label file of each stem that has one.
        read: label file, height and width, classes -> labels.
        of_scene: split, position, seed, height and width of a generated scene -> labels.
        write: writes the labels of a set into its folder.
        told: settings -> all that the training depends on, as JSON can hold it.
        learn: trains and tests a network.
        score: what was found in test images, what is there, and the classes -> scores.
        ending: of the file, or folder, with what was found in test images.
        write_found: writes it, by name of the image.
        read_found: path, position and name of an image -> what was found in it.
        draw: an image (3, H, W), what was found and what is there -> (3, H', W') uint8.
    """

    name: str
    program: str
    metrics: tuple[str, ...]
    files: str
    class_names: Callable[[str, Path | None], tuple[str, ...] | None]
    label_files: Callable[[Path, Split, Sequence[str]], dict[str, Path]]
    read: Callable[[Path, tuple[int, int], Sequence[str] | None], Labels]
    of_scene: Callable[[Split, int, int, tuple[int, int]], Labels]
    write: Callable[[FusedSet], None]
    told: Callable[[TrainedSettings], Any]
    learn: Learn
    score: Callable[[Sequence[Found], Sequence[Any], Sequence[str]], dict[str, float]]
    ending: str
    write_found: Callable[[Path, Mapping[str, Found]], None]
    read_found: Callable[[Path, int, str], Found]
    draw: Callable[[Tensor, Found, Any], Tensor]


def told(settings: TrainedSettings) -> list[Any]:
    """All that the training of a network depends on, the user's own included."""
    how: list[Any] = [_training(settings), settings.size, settings.own]
    if settings.own is not None:
        path = str(settings.own["class_path"])
        imported(path)
        how.append(maker_digest(path, settings.own.get("init_args") or {}))
    return how


def own_network(own: Mapping[str, Any], classes: int) -> nn.Module:
    """The user's own network, with this number of classes.

    Raises:
        InputError: It cannot be made, or is none.
    """
    made = instantiate(str(own["class_path"]), {**(own.get("init_args") or {}), "num_classes": classes})
    if not isinstance(made, nn.Module):
        raise InputError(f"{own['class_path']}: expected a torch module, got {type(made).__name__}.")
    return made


def train_and_find(
    make: Callable[[TrainedSettings, int], nn.Module],
    finds: Collection[str],
    images: FusedSet,
    settings: TrainedSettings,
    seed: int,
    device: torch.device,
    advance: Callable[[], None],
) -> list[Found]:
    """What a network finds in the test images after its training.

    Args:
        make: settings and number of classes -> a network, called as torchvision's detectors are.
        finds: names of the tensors that it finds.
        images: of training and test.
        settings: of the training.
        seed: of everything that is random.
        device: where.
        advance: called after each step.
    """
    trained = train_network(
        partial(make, settings, len(images.names)),
        [picture.example() for picture in images.pictures["train"]],
        **_training(settings),
        seed=seed,
        device=device,
        progress=lambda _: advance(),
    )
    return [predict(trained, picture.example()()[0], device, finds) for picture in images.pictures["test"]]


def _training(settings: TrainedSettings) -> dict[str, Any]:
    return {"steps": settings.steps, "batch": settings.batch, "rate": float(settings.rate)}
