"""What the figures have in common: pictures at exact places of a page, and files of the format that is asked for."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dream_if.errors import InputError
from dream_if.files import write_atomically

__all__ = ["FORMATS", "Page", "check_format"]

FORMATS = {".png": "png", ".pdf": "pdf", ".svg": "svg"}
"""File ending -> format."""

FONT_SIZE = 8  # points; that of captions in two-column papers


def check_format(path: Path) -> str:
    """The format that a file's ending names.

    Raises:
        InputError: It names none that can be drawn.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            f"{path}: expected a figure that ends in .png, .pdf or .svg, got {path.suffix or 'no ending'!r}."
        )
    return FORMATS[path.suffix.lower()]


class Page:
    """A page on which pictures are laid out in inches, from the upper left corner.

    Args:
        width: in inches.
        height: likewise.
        path: where it will be saved; its ending names the format.

    Raises:
        InputError: The ending names no format.
    """

    def __init__(self, width: float, height: float, path: Path) -> None:
        self._path = path
        self._format = check_format(path)
        self.width, self.height = width, height
        self._figure = Figure(figsize=(width, height))
        FigureCanvasAgg(self._figure)  # without pyplot, which would keep every figure, and look for a screen

    def picture(
        self, values: npt.NDArray[np.float32], left: float, top: float, width: float, height: float, **options: Any
    ) -> Axes:
        """Draw a picture into a rectangle.

        Args:
            values: (H, W) or (H, W, 3) in [0, 1], or (H, W) of any range with a colour map among the options.
            left: place of the rectangle in inches.
            top: likewise, from the top of the page.
            width: size of the rectangle in inches.
            height: likewise.
            options: of matplotlib's ``imshow``.
        """
        place = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        axes = self._figure.add_axes(place, xticks=[], yticks=[])
        for side in axes.spines.values():
            side.set_visible(False)
        # In PDF and SVG the pixels are stored as they are, and whoever shows the page scales them.
        options.setdefault("interpolation", "antialiased" if self._format == "png" else "none")
        if "cmap" not in options and values.ndim == 2:
            options |= {"cmap": "gray", "vmin": 0, "vmax": 1}
        axes.imshow(values, aspect="auto", **options)
        return axes

    def text(self, words: str, left: float, top: float, **options: Any) -> None:
        """Write words at a place in inches from the upper left corner, centred on it unless options say otherwise."""
        chosen: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": FONT_SIZE} | options
        self._figure.text(left / self.width, 1 - top / self.height, words, None, **chosen)

    def save(self, dpi: float) -> None:
        """Write the page, whole or not at all.

        Args:
            dpi: dots per inch of a PNG, and of what is drawn as pixels elsewhere.

        Raises:
            InputError: The file cannot be written.
        """
        buffer = io.BytesIO()
        # Letters stay letters, so that they can be searched and edited; no date, so that equal figures are equal files.
        dateless = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[self._format]
        with rc_context({"svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "dream-if"}):
            self._figure.savefig(buffer, format=self._format, dpi=dpi, metadata=dateless)
        write_atomically(self._path, buffer.getvalue())
