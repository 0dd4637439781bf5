"""Zoom boxes: which part of which scene is enlarged, in which colour, and where the enlargement goes."""

from collections.abc import Sequence
from dataclasses import dataclass

from dream_if.errors import InputError

__all__ = ["COLOURS", "Zoom", "corners_for", "of_scene"]

COLOURS = ("#ff2d2d", "#23c552", "#2d7dff", "#ffb000")
"""Of the first box of a scene, the second, ... as in papers: red, green."""

CORNERS = ((1, 1), (0, 1), (1, 0), (0, 0))
"""Right and bottom of the corners, in the order in which they are taken."""

SHARE = 0.42  # of the picture's width and height that an enlargement in a corner fills at most


@dataclass(frozen=True)
class Zoom:
    """A part of a picture.

    Attributes:
        left: of the box, in pixels from the left.
        top: likewise from the top.
        width: in pixels.
        height: likewise.
        scene: the only scene it is for; None for all.
    """

    left: int
    top: int
    width: int
    height: int
    scene: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Zoom":
        """A box from ``X,Y,W,H`` or ``SCENE:X,Y,W,H``.

        Raises:
            InputError: It has another form, or no area.
        """
        scene, _, numbers = text.rpartition(":")
        try:
            left, top, width, height = (int(number) for number in numbers.split(","))
        except ValueError:
            left = top = width = height = -1
        if left < 0 or top < 0 or width < 2 or height < 2:
            raise InputError(
                f"--zoom: expected X,Y,W,H or SCENE:X,Y,W,H in pixels, such as 120,80,60,40, at least 2 wide and high, "
                f"got {text!r}."
            )
        return cls(left, top, width, height, scene or None)

    def overlaps(self, left: float, top: float, width: float, height: float) -> bool:
        """Whether it has pixels in common with a rectangle."""
        beside = self.left >= left + width or left >= self.left + self.width
        return not (beside or self.top >= top + height or top >= self.top + self.height)


def of_scene(zooms: Sequence[Zoom], scene: str, size: tuple[int, int]) -> list[Zoom]:
    """The boxes for a scene.

    Args:
        zooms: of all scenes.
        scene: its name.
        size: height and width in pixels of its pictures.

    Raises:
        InputError: A box does not lie in the picture, or there are more than there are colours.
    """
    found = [zoom for zoom in zooms if zoom.scene in (None, scene)]
    for zoom in found:
        if zoom.left + zoom.width > size[1] or zoom.top + zoom.height > size[0]:
            raise InputError(
                f"--zoom {zoom.left},{zoom.top},{zoom.width},{zoom.height}: does not lie in {scene}, which is "
                f"{size[1]}x{size[0]} pixels (width x height)."
            )
    if len(found) > len(COLOURS):
        raise InputError(f"--zoom: {len(found)} boxes for {scene}; at most {len(COLOURS)} can be told apart.")
    return found


def corners_for(zooms: Sequence[Zoom], size: tuple[int, int]) -> list[tuple[float, float, float, float]]:
    """Where enlargements in corners go: left, top, width and height, in pixels of the picture.

    Each takes the first free corner, from the lower right one, where it covers no box; where there is none, the first
    free one.
    """
    free = list(CORNERS)
    places = []
    for zoom in zooms:
        scale = min(SHARE * size[1] / zoom.width, SHARE * size[0] / zoom.height)
        width, height = zoom.width * scale, zoom.height * scale
        options = [(right * (size[1] - width), bottom * (size[0] - height)) for right, bottom in free]
        clear = [not any(other.overlaps(left, top, width, height) for other in zooms) for left, top in options]
        chosen = clear.index(True) if any(clear) else 0
        places.append((*options[chosen], width, height))
        del free[chosen]
    return places
