"""Boxes drawn on an image, for people to look at."""

from collections.abc import Sequence

from torch import Tensor
from torchvision.utils import draw_bounding_boxes

from dream_if.detection.labels import Boxes
from dream_if.detection.training import Detections
from dream_if.pixels import to_8_bit

__all__ = ["draw_boxes", "draw_detections"]

COLOURS = ("lime", "cyan", "magenta", "orange", "blue", "yellow")
FOUND = "red"


def draw_boxes(image: Tensor, boxes: Boxes, names: Sequence[str], *, write: bool = True) -> Tensor:
    """Draw what there is to find, a colour for each class.

    Args:
        image: (3, H, W) in [0, 1].
        boxes: in it.
        names: of the classes.
        write: the name of its class at each box.

    Returns:
        (3, H, W) uint8.
    """
    levels = to_8_bit(image)
    if not len(boxes.classes):
        return levels
    classes = boxes.classes.tolist()
    return draw_bounding_boxes(
        levels,
        boxes.corners,
        labels=[names[number] for number in classes] if write else None,
        colors=[COLOURS[number % len(COLOURS)] for number in classes],
    )


def draw_detections(image: Tensor, found: Detections, boxes: Boxes, names: Sequence[str], least: float) -> Tensor:
    """Draw what there is to find, and in red what a detector found with this score at least.

    Returns:
        (3, H, W) uint8.
    """
    drawn = draw_boxes(image, boxes, names, write=False)
    kept = found["scores"] >= least
    if not bool(kept.any()):
        return drawn
    return draw_bounding_boxes(drawn, found["boxes"][kept], colors=FOUND)
