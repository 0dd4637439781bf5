"""What detectors found in test images, side by side for all rows, for people to look at."""

from pathlib import Path

import torch
from torchvision.utils import make_grid

from dream_if.data.pairs import read_image, to_tensor
from dream_if.data.sampling import spread_evenly
from dream_if.detection.drawing import draw_detections
from dream_if.detection.files import read_found
from dream_if.detection.runs import DetectionResults
from dream_if.pixels import image_png
from dream_if.storage import write_atomically

__all__ = ["LEAST_SCORE", "draw_found"]

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
                tiles.append(draw_detections(image, found, picture.boxes, ours.names, LEAST_SCORE))
            columns = 2 if len(tiles) < 7 else 3
            grid = make_grid(torch.stack(tiles), nrow=columns, padding=PADDING, pad_value=255)
            written.append(folder / f"{ours.folder.parent.name}_{pictures[number].name}.png")
            write_atomically(written[-1], image_png(grid.permute(1, 2, 0).numpy()))
    return written
