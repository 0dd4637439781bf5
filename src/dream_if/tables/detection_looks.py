"""What detectors found in test images, side by side for all rows, for people to look at."""

import json
from pathlib import Path

import torch
from torchvision.utils import make_grid

from dream_if.data.pairs import read_image, to_tensor
from dream_if.data.sampling import spread_evenly
from dream_if.detection.drawing import draw_detections
from dream_if.errors import InputError
from dream_if.pixels import image_png
from dream_if.storage import write_atomically
from dream_if.tables.detection_runs import DetectionResults

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
    for set_name, names in results.classes.items():
        rows = [
            (results.data[set_name, row.name], results.found[set_name, row.name, seed]) for row in results.plan.rows
        ]
        pictures = rows[0][0].pictures["test"]
        for number in spread_evenly(count, len(pictures)):
            tiles = []
            for images, found in rows:
                picture = images.pictures["test"][number]
                image = to_tensor(read_image(picture.file, 3))
                tiles.append(draw_detections(image, _found(found, number + 1), picture.boxes, names, LEAST_SCORE))
            columns = 2 if len(tiles) < 7 else 3
            grid = make_grid(torch.stack(tiles), nrow=columns, padding=PADDING, pad_value=255)
            written.append(folder / f"{rows[0][0].folder.parent.name}_{pictures[number].name}.png")
            write_atomically(written[-1], image_png(grid.permute(1, 2, 0).numpy()))
    return written


def _found(file: Path, image_id: int) -> dict[str, torch.Tensor]:
    """What was found in an image, from COCO's form of results."""
    try:
        things = [thing for thing in json.loads(file.read_text()) if thing["image_id"] == image_id]
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read ({error}).") from error
    corners = torch.tensor([thing["bbox"] for thing in things], dtype=torch.float32).reshape(-1, 4)
    return {
        "boxes": torch.cat([corners[:, :2], corners[:, :2] + corners[:, 2:]], dim=1),
        "labels": torch.tensor([thing["category_id"] for thing in things], dtype=torch.long),
        "scores": torch.tensor([thing["score"] for thing in things], dtype=torch.float32),
    }
