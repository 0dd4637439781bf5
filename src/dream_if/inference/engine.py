"""From pictures to fused pictures: the settings of a fusion, and the steps between reading and writing."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dream_if.errors import InputError
from dream_if.inference.fuser import Fuser
from dream_if.inference.intensity import (
    COLOURS,
    Colour,
    InfraredRange,
    colour_map,
    coloured,
    infrared_values,
    luminance,
    tinted,
    visible_values,
)
from dream_if.inference.pictures import Picture
from dream_if.inference.trust import Doubt, doubt

if TYPE_CHECKING:  # which brings OpenCV, that few need
    from dream_if.inference.aligning import Aligner

__all__ = ["FusedPicture", "Settings", "check_pair", "fuse_pictures", "quantised"]


@dataclass(frozen=True)
class Settings:
    """How a fused picture is to be made, beside the network.

    Attributes:
        colour: ``rgb``, ``ycbcr`` or ``grey``, see `coloured`. A visible picture without colours gives one without.
        infrared_range: which infrared values become black and white.
        aligner: lays each infrared picture on its visible one before; None where they are registered.
        palette: a colour map of matplotlib that shows heat, see `tinted`; None for none.

    Raises:
        InputError: There is no such colour mode or colour map.
    """

    colour: Colour = "rgb"
    infrared_range: InfraredRange = field(default_factory=InfraredRange)
    aligner: "Aligner | None" = None
    palette: str | None = None

    def __post_init__(self) -> None:
        if self.palette is not None:
            colour_map(self.palette)
        if self.colour not in COLOURS:
            raise InputError(f"colour: expected {', '.join(COLOURS)}, got {self.colour!r}.")

    def aligned(self, visible: Picture | None, infrared: Picture | None) -> tuple[Picture | None, Picture | None]:
        """A pair as it is to be fused.

        Raises:
            InputError: It cannot be aligned.
        """
        if self.aligner is not None and visible is not None and infrared is not None:
            infrared = self.aligner(visible, infrared)
        return visible, infrared


@dataclass(frozen=True)
class FusedPicture:
    """One fused picture, before it takes the form that is asked for.

    Attributes:
        values: (H, W, 1 or 3) float32 in [0, 1].
        source: the visible one, or the only one: transparency, metadata and type are taken over from it.
        dominance_visible: (H, W) float32 in [0, 1]; None if they were not wanted.
        dominance_infrared: likewise.
        tile: height and width of the tiles; None where the image went through whole.
        notes: sentences about what was done on the way that a user may want to know.
        doubts: one for each source that is distrusted, see `doubt`.
    """

    values: npt.NDArray[np.float32]
    source: Picture
    dominance_visible: npt.NDArray[np.float32] | None
    dominance_infrared: npt.NDArray[np.float32] | None
    tile: tuple[int, int] | None
    notes: tuple[str, ...]
    doubts: tuple[Doubt, ...] = ()

    def picture(self, depth: int = 8) -> Picture:
        """As a picture of 8 or 16 bit, with its source's transparency and metadata."""
        return replace(self.source, pixels=quantised(self.values, np.dtype(f"uint{depth}")))


def quantised(values: npt.NDArray[np.float32], kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """Values in [0, 1] as an array of this type: spread over all that an integer type holds, floats as they are."""
    if np.issubdtype(kind, np.integer):
        return np.round(values * np.float32(np.iinfo(kind).max)).astype(kind)
    return values.astype(kind)


def check_pair(visible: Picture | None, infrared: Picture | None) -> Picture:
    """The visible source, or the infrared one where the other is missing.

    Raises:
        InputError: Heights or widths differ, or both are missing.
    """
    source = visible or infrared
    if source is None:
        raise InputError("both sources are missing; give at least one.")
    if visible is not None and infrared is not None and visible.size != infrared.size:
        raise InputError(
            f"unequal sizes: {visible.name} is {visible.size[1]}x{visible.size[0]} but {infrared.name} is "
            f"{infrared.size[1]}x{infrared.size[0]} (width x height). A pair must be registered pixel by pixel: "
            "--align does it."
        )
    return source


def fuse_pictures(
    fuser: Fuser,
    pairs: Sequence[tuple[Picture | None, Picture | None]],
    settings: Settings | None = None,
    maps: bool = False,
) -> list[FusedPicture]:
    """Fuse pairs of equal size together.

    Args:
        fuser: network and device.
        pairs: visible and infrared, all of one size. Where one is None the other is restored: the network gets black
            in its place, which came closer to the other source than that source given twice (docs/fuse.md). Where the
            infrared one is transparent, as outside its frame, the fused picture is the visible one.
        settings: colours and infrared range; the defaults if left out.
        maps: also make the dominance maps.

    Raises:
        InputError: Sizes differ, values cannot be used (see `visible_values`, `infrared_values`), or memory is short.
    """
    settings = settings or Settings()
    visible, infrared, notes, doubts = [], [], [], []
    for visible_picture, infrared_picture in pairs:
        source = check_pair(visible_picture, infrared_picture)
        black = torch.zeros(1, *source.size)
        values, said = (
            (black[0].numpy(), ())
            if infrared_picture is None
            else infrared_values(infrared_picture, settings.infrared_range)
        )
        infrared.append(torch.from_numpy(values)[None])
        colours = (
            black if visible_picture is None else torch.from_numpy(visible_values(visible_picture)).permute(2, 0, 1)
        )
        visible.append(colours.expand(3, -1, -1))
        found = []
        if visible_picture is not None:
            found.append(doubt(luminance(visible[-1][None])[0, 0].numpy(), "visible", visible_picture.name))
        if infrared_picture is not None:
            of_infrared = doubt(values, "infrared", infrared_picture.name)
            if of_infrared and infrared_picture.pixels.min() < infrared_picture.pixels.max():
                of_infrared = of_infrared._replace(reasons=f"{of_infrared.reasons}; another infrared range may help")
            found.append(of_infrared)
        doubts.append(tuple(one for one in found if one))
        notes.append(
            (*(note for one in (visible_picture, infrared_picture) if one is not None for note in one.notes), *said)
        )
    visible_batch, infrared_batch = _stacked(visible), _stacked(infrared)
    fused = fuser(visible_batch, infrared_batch, maps)
    result = []
    for index, (visible_picture, infrared_picture) in enumerate(pairs):
        part = slice(index, index + 1)
        grey = visible_picture is None or bool((visible_picture.pixels == visible_picture.pixels[:, :, :1]).all())
        image = coloured(fused.image[part], visible_batch[part], "grey" if grey else settings.colour)
        if visible_picture is not None and settings.colour != "grey":
            image = image.expand(-1, visible_picture.pixels.shape[2], -1, -1)  # grey stored as colours stays so
        if settings.palette is not None and infrared_picture is not None:
            image = tinted(image, infrared_batch[part], settings.palette)
        if visible_picture is not None and infrared_picture is not None and infrared_picture.alpha is not None:
            shows = torch.from_numpy(infrared_picture.alpha).float() / 255
            image = shows * image + (1 - shows) * coloured(
                visible_batch[part], visible_batch[part], "grey" if grey else settings.colour
            )
        visible_map, infrared_map = (
            None if values is None else values[index, 0].numpy()
            for values in (fused.dominance_visible, fused.dominance_infrared)
        )
        pixels = image[0].permute(1, 2, 0).numpy()
        result.append(
            FusedPicture(
                pixels,
                check_pair(visible_picture, infrared_picture),
                visible_map,
                infrared_map,
                fused.tile,
                notes[index],
                doubts[index],
            )
        )
    return result


def _stacked(images: Sequence[Tensor]) -> Tensor:
    """Images of one size along a new first axis; a single one, which may be large, is not copied."""
    return images[0].unsqueeze(0) if len(images) == 1 else torch.stack(list(images))
