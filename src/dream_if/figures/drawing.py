"""Shared by all figures: pictures at exact places of a page, and files in the requested format."""

import io
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from dream_if.errors import InputError
from dream_if.storage import write_atomically

__all__ = ["FORMATS", "GAP", "HEAD", "SIDE", "Box", "Page", "check_format", "missing_letters"]

FORMATS = {".png": "png", ".pdf": "pdf", ".svg": "svg"}
"""File ending -> format."""

GAP = 0.03  # inches between pictures
HEAD = 0.2  # inches for the names of the columns
SIDE = 0.2  # inches for the name of a scene

FONT_SIZE = 8  # points; that of captions in two-column papers
MOST_PIXELS = 200_000_000  # that are drawn: about 15 seconds and 4 GB of memory


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


def missing_letters(words: Iterable[str]) -> str:
    """The letters of some words that the font of the figures lacks, each once: PNG and PDF show boxes for them."""
    font = get_font(findfont(FontProperties()))
    return "".join(sorted({letter for word in words for letter in word if not font.get_char_index(ord(letter))}))


class Box(NamedTuple):
    """A rectangle on a page, in inches from its upper left corner."""

    left: float
    top: float
    width: float
    height: float


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
        self._drawn = width * height if self._format == "png" else 0.0  # square inches that become pixels of the page
        self._figure = Figure(figsize=(width, height))
        FigureCanvasAgg(self._figure)  # without pyplot, which would keep every figure, and look for a screen

    def picture(self, values: npt.NDArray[np.float32], box: Box, **options: Any) -> Axes:
        """Draw a picture into a rectangle.

        Args:
            values: (H, W) or (H, W, 3) in [0, 1], or (H, W) of any range with a colour map among the options.
            box: the rectangle.
            options: of matplotlib's ``imshow``.
        """
        left, top, width, height = box
        place = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        axes = self._figure.add_axes(place, xticks=[], yticks=[])
        for side in axes.spines.values():
            side.set_visible(False)
        # In PDF and SVG the pixels are stored as they are, and whoever shows the page scales them.
        options.setdefault("interpolation", "antialiased" if self._format == "png" else "none")
        if self._format != "png" and options["interpolation"] != "none":
            self._drawn += width * height
        if "cmap" not in options and values.ndim == 2:
            options |= {"cmap": "gray", "vmin": 0, "vmax": 1}
        axes.imshow(values, aspect="auto", **options)
        return axes

    def text(self, words: str, left: float, top: float, **options: Any) -> None:
        """Write words at a place in inches from the upper left corner, centred on it unless options say otherwise.

        They are names of files and methods, so a dollar sign starts no formula.
        """
        chosen: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": FONT_SIZE, "parse_math": False} | options
        self._figure.text(left / self.width, 1 - top / self.height, words, None, **chosen)

    def save(self, dpi: float) -> None:
        """Write the page, whole or not at all.

        Args:
            dpi: dots per inch of a PNG, and of what is drawn as pixels elsewhere.

        Raises:
            InputError: The file cannot be written, or more than `MOST_PIXELS` would be drawn.
        """
        pixels = self._drawn * dpi**2
        if pixels > MOST_PIXELS:
            raise InputError(
                f"{self._path}: would have {pixels / 1e6:.0f} million pixels at {dpi:g} dots per inch, and at most "
                f"{MOST_PIXELS / 1e6:.0f} million are drawn; give a smaller --width or --dpi, or fewer --scenes."
            )
        buffer = io.BytesIO()
        # Letters stay letters, so that they can be searched and edited; no date, so that equal figures are equal files.
        dateless = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[self._format]
        with (
            rc_context({"svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "dream-if"}),
            warnings.catch_warnings(),
        ):
            # `missing_letters` tells it in one line.
            warnings.filterwarnings("ignore", r"(?s)Glyph .* missing from|Matplotlib currently does not support")
            self._figure.savefig(buffer, format=self._format, dpi=dpi, metadata=dateless)
        write_atomically(self._path, buffer.getvalue())
