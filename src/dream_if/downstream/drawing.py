"""What was found in test images, drawn side by side for all rows."""

from pathlib import Path

import torch
from torchvision.utils import make_grid

from dream_if.data.pairs import read_image, to_tensor
from dream_if.data.sampling import spread_evenly
from dream_if.downstream.runs import Results
from dream_if.pixels import image_png
from dream_if.storage import write_atomically

__all__ = ["draw_found"]

PADDING = 4


def draw_found(results: Results, count: int, folder: Path) -> list[Path]:
    """Draw test images, spread evenly over each set: a tile for each row, in the table's order, of the first seed.

    Args:
        results: of a task.
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
                found = results.task.read_found(results.found[name, row.name, seed], number, picture.name)
                image = to_tensor(read_image(picture.file, 3))
                tiles.append(results.task.draw(image, found, picture.labels))
            columns = 2 if len(tiles) < 7 else 3
            grid = make_grid(torch.stack(tiles), nrow=columns, padding=PADDING, pad_value=255)
            written.append(folder / f"{ours.folder.parent.name}_{pictures[number].name}.png")
            write_atomically(written[-1], image_png(grid.permute(1, 2, 0).numpy()))
    return written
