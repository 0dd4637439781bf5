"""The user's own YOLO program as the detector, in a separate process.

Because of its licence, nothing of it is imported or part of this package. It trains on a data set written by
`dream_if.downstream.files`, for all epochs. Its last checkpoint, never its best one, then detects objects in the test
images. The same code scores it as scores the built-in detector.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torchvision.ops import box_convert

from dream_if.data.splits import Split
from dream_if.downstream.training import Found
from dream_if.errors import InputError

__all__ = ["PROGRAM", "find_program", "train_and_detect"]

PROGRAM = "yolo"
DEFAULTS = {"model": "yolo11n.yaml", "epochs": 100}
LEAST_SCORE = 0.01
MOST = 100  # detections of an image, as average precision counts them
TEST: Split = "test"


def find_program() -> str:
    """The path of the program.

    Raises:
        InputError: It is not installed.
    """
    found = shutil.which(PROGRAM)
    if found is None:
        raise InputError(
            f"--detector {PROGRAM}: there is no program {PROGRAM!r} on this machine. Install the one you have a "
            "licence for, so that it can be called by this name, or leave --detector out."
        )
    return found


def train_and_detect(
    program: str,
    folder: Path,
    sizes: Mapping[str, tuple[int, int]],
    settings: Mapping[str, object],
    *,
    seed: int,
    device: torch.device,
) -> list[Found]:
    """Train on the training split of a data set, and look at its test images.

    Args:
        program: as `find_program` returned it.
        folder: of the data set; the program's own files go to ``yolo_<seed>`` in it.
        sizes: name of a test image -> its height and width in pixels.
        settings: of the training, ``name=value`` to the program; over `DEFAULTS`.
        seed: of the training.
        device: where.

    Returns:
        What it found in each test image, in the order of `sizes`.

    Raises:
        InputError: The program fails, or leaves no checkpoint.
    """
    own = folder.resolve() / f"yolo_{seed}"
    shutil.rmtree(own, ignore_errors=True)
    where = "cpu" if device.type == "cpu" else str(device.index or 0)
    given = {**DEFAULTS, **settings, "data": folder.resolve() / "data.yaml", "seed": seed, "deterministic": True}
    shared = {"device": where, "project": own, "exist_ok": True}
    _run([program, "detect", "train", *_words({**given, **shared, "name": "train"})])
    last = own / "train" / "weights" / "last.pt"
    if not last.is_file():
        raise InputError(f"{program}: left no {last}, which its test needs.")
    asked = {"model": last, "source": folder.resolve() / "images" / TEST, "conf": LEAST_SCORE, "max_det": MOST}
    written = {"save": False, "save_txt": True, "save_conf": True, "name": TEST}
    size = {"imgsz": settings["imgsz"]} if "imgsz" in settings else {}
    _run([program, "detect", "predict", *_words({**asked, **written, **size, **shared})])
    return [_read(own / TEST / "labels" / f"{name}.txt", size) for name, size in sizes.items()]


def _words(settings: Mapping[str, object]) -> list[str]:
    return [f"{name}={value}" for name, value in settings.items()]


def _run(command: Sequence[str]) -> None:
    """Run the program; what it says goes to the standard error, as our own output is the table."""
    try:
        done = subprocess.run(command, stdout=sys.stderr, check=False)  # noqa: S603  (the user's program, no shell)
    except OSError as error:
        raise InputError(f"{command[0]}: cannot be run ({error.strerror}).") from error
    if done.returncode != 0:
        raise InputError(
            f"{' '.join(command)}: ended with status {done.returncode}; what it said stands above. The data set stays "
            "where it is, to try by hand."
        )


def _read(path: Path, size: tuple[int, int]) -> Found:
    """By line class, centre x, centre y, width, height and score; no file where nothing was found."""
    height, width = size
    try:
        lines = path.read_text().splitlines() if path.is_file() else []
        numbers = torch.tensor([[float(word) for word in line.split()] for line in lines]).reshape(-1, 6)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: expected class, centre x, centre y, width, height and score by line.") from error
    scale = torch.tensor([width, height, width, height], dtype=torch.float32)
    return {
        "boxes": box_convert(numbers[:, 1:5], "cxcywh", "xyxy") * scale,
        "labels": numbers[:, 0].long() + 1,
        "scores": numbers[:, 5],
    }
