"""Generated scenes as a data set on disk."""

from collections.abc import Mapping
from pathlib import Path

import cv2

from dream_if.data.scenes.generate import LABELS, Scene, generate_scene
from dream_if.errors import InputError
from dream_if.storage import atomic_folder, refuse_used_folder

__all__ = ["save_scenes"]


def save_scenes(root: Path, split_counts: Mapping[str, int], seed: int = 0, size: tuple[int, int] = (240, 320)) -> None:
    """Write scenes as a data set: in `<root>/<split>` the folders `vi`, `ir`, `labels` and `Segmentation_labels`.

    A label line is YOLO's: class (0 person, 1 vehicle), centre x, centre y, width, height, relative to the image. A
    mask is a grey PNG with the class of every pixel (0 street, 1 person, 2 vehicle). The splits take consecutive scenes
    of the series, so they share none. Everything is written beside `root` first and renamed, so `root` is complete or
    untouched.

    Args:
        root: Folder to create; it may exist if it is empty.
        split_counts: Number of scenes per split, such as `{"train": 100, "test": 20}`.
        seed: Which series of scenes.
        size: Height and width in pixels.

    Raises:
        InputError: If `root` holds files or is one, if it cannot be written, or if a split's name or count is wrong.
    """
    root = Path(root)
    refuse_used_folder(root, "generated scenes")
    for split, count in split_counts.items():
        if not split or Path(split).name != split or split in {".", ".."}:
            raise InputError(f"Split {split!r}: expected a plain folder name such as 'train'.")
        if count < 1:
            raise InputError(f"Split {split!r}: expected at least one scene, got {count}.")
    if not split_counts:
        raise InputError("No split was given: expected at least one, such as {'train': 100}.")
    first = 0
    with atomic_folder(root) as folder:
        for split, count in split_counts.items():
            for index in range(first, first + count):
                _write_scene(folder / split, f"{index:06d}", generate_scene(seed, index, size))
            first += count


def _write_scene(folder: Path, name: str, scene: Scene) -> None:
    """Write both images, the mask and the label file of one scene."""
    visible = cv2.cvtColor(scene.visible, cv2.COLOR_RGB2BGR)
    images = {"vi": visible, "ir": scene.infrared, "Segmentation_labels": scene.classes}
    for part, image in images.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        _, encoded = cv2.imencode(".png", image)
        (folder / part / f"{name}.png").write_bytes(encoded.tobytes())
    height, width = scene.infrared.shape
    lines = [
        f"{LABELS.index(box.label)} {(box.x0 + box.x1) / 2 / width:.6f} {(box.y0 + box.y1) / 2 / height:.6f} "
        f"{(box.x1 - box.x0) / width:.6f} {(box.y1 - box.y0) / height:.6f}\n"
        for box in scene.boxes
    ]
    (folder / "labels").mkdir(exist_ok=True)
    (folder / "labels" / f"{name}.txt").write_text("".join(lines), encoding="utf-8")
