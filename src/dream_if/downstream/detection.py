"""Detection on fused images, Table 5: by torchvision's networks here, or by the user's program YOLO."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.utils import draw_bounding_boxes

from dream_if.downstream import files, yolo
from dream_if.downstream.detector import small_detector
from dream_if.downstream.labels import Boxes, class_names, label_files, read_labels, scene_labels
from dream_if.downstream.scoring import AP, AP_50, RECALL, check_scorer, score_detections
from dream_if.downstream.tasks import FusedSet, Task, own_network, told, train_and_find
from dream_if.downstream.training import Found
from dream_if.pixels import to_8_bit
from dream_if.scoring.plan import DetectionSettings, TrainedSettings

__all__ = ["DETECTORS", "detection"]

DETECTORS = ("torchvision", yolo.PROGRAM)
COLOURS = ("lime", "cyan", "magenta", "orange", "blue", "yellow")
FOUND = "red"
LEAST_SCORE = 0.3


def detection(detector: str) -> Task:
    """The task of Table 5.

    Args:
        detector: one of `DETECTORS`.

    Raises:
        InputError: pycocotools is not installed.
    """
    check_scorer()
    by_yolo = detector == yolo.PROGRAM
    return Task(
        name="detection",
        program=detector,
        metrics=(RECALL, AP_50, AP),
        files=".xml (VOC) or .txt (YOLO) files with the pairs' names in {root}/labels, .../Annotations or "
        ".../{split}/labels",
        class_names=class_names,
        label_files=label_files,
        read=read_labels,
        of_scene=scene_labels,
        write=_write,
        told=_told_yolo if by_yolo else told,
        learn=_learn_by_yolo if by_yolo else partial(train_and_find, _network, ("boxes", "labels", "scores")),
        score=score_detections,
        ending=".json",
        write_found=files.write_found,
        read_found=files.read_found,
        draw=_drawn,
    )


def _network(settings: TrainedSettings, classes: int) -> nn.Module:
    with_background = classes + 1
    if settings.own is None:
        return small_detector(with_background, settings.size)
    return own_network(settings.own, with_background)


def _told_yolo(settings: TrainedSettings) -> dict[str, Any]:
    assert isinstance(settings, DetectionSettings)
    return dict(settings.yolo or {})


def _learn_by_yolo(
    images: FusedSet, settings: TrainedSettings, seed: int, device: torch.device, _advance: Callable[[], None]
) -> list[Found]:
    # Looked for only now: whoever lacks the program has the data sets for another machine.
    program = yolo.find_program()
    sizes = {picture.name: picture.size for picture in images.pictures["test"]}
    return yolo.train_and_detect(program, images.folder, sizes, _told_yolo(settings), seed=seed, device=device)


def _write(images: FusedSet) -> None:
    for split, pictures in images.pictures.items():
        labelled = {picture.name: (picture.size, picture.labels) for picture in pictures}
        files.write_labels(images.folder, split, labelled, images.names)
    files.write_data_yaml(images.folder, images.names)


def _drawn(image: Tensor, found: Found, boxes: Boxes) -> Tensor:
    """An image with its boxes in the colours of their classes, and in red what was found with `LEAST_SCORE` or more."""
    drawn = to_8_bit(image)
    if len(boxes.classes):
        colours = [COLOURS[number % len(COLOURS)] for number in boxes.classes.tolist()]
        drawn = draw_bounding_boxes(drawn, boxes.corners, colors=colours)
    certain = found["boxes"][found["scores"] >= LEAST_SCORE]
    return draw_bounding_boxes(drawn, certain, colors=FOUND) if len(certain) else drawn
