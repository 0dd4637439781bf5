"""Detections in test images, drawn side by side for all rows."""

from pathlib import Path

import torch
from torch import Tensor
from torchvision.utils import draw_bounding_boxes, make_grid

from dream_if.data.pairs import read_image, to_tensor
from dream_if.data.sampling import spread_evenly
from dream_if.detection.files import read_found
from dream_if.detection.labels import Boxes
from dream_if.detection.runs import DetectionResults
from dream_if.detection.training import Detections
from dream_if.pixels import image_png, to_8_bit
from dream_if.storage import write_atomically

__all__ = ["draw_found"]

COLOURS = ("lime", "cyan", "magenta", "orange", "blue", "yellow")
FOUND = "red"
LEAST_SCORE = 0.3
PADDING = 4


def draw_found(results: DetectionResults, count: int, folder: Path) -> list[Path]:
    """Draw test images, spread evenly over each set: a tile for each row, in the table's order, of the first seed.

    What is there has the colour of its class, what was found with a score of `LEAST_SCORE` or more is red.

    Args:
        results: of Table 5.
        count: images of each set.
        folder: to write to.

    Returns:
        The files.

    Raises:
        InputError: A file is missing, or the folder cannot be written to.
    """
    written = []
    seed = results.settings.seeds[0]
    for name, ours in results.sets.items():
        pictures = ours.pictures["test"]
        for number in spread_evenly(count, len(pictures)):
            tiles = []
            for row in results.plan.rows:
                picture = results.data[name, row.name].pictures["test"][number]
                found = read_found(results.found[name, row.name, seed], number)
                image = to_tensor(read_image(picture.file, 3))
                tiles.append(_drawn(image, found, picture.boxes))
            columns = 2 if len(tiles) < 7 else 3
            grid = make_grid(torch.stack(tiles), nrow=columns, padding=PADDING, pad_value=255)
            written.append(folder / f"{ours.folder.parent.name}_{pictures[number].name}.png")
            write_atomically(written[-1], image_png(grid.permute(1, 2, 0).numpy()))
    return written


def _drawn(image: Tensor, found: Detections, boxes: Boxes) -> Tensor:
    """An image (3, H, W) in [0, 1] with its boxes, and what a detector found in it, as uint8."""
    drawn = to_8_bit(image)
    if len(boxes.classes):
        colours = [COLOURS[number % len(COLOURS)] for number in boxes.classes.tolist()]
        drawn = draw_bounding_boxes(drawn, boxes.corners, colors=colours)
    certain = found["boxes"][found["scores"] >= LEAST_SCORE]
    return draw_bounding_boxes(drawn, certain, colors=FOUND) if len(certain) else drawn
