"""What happens behind the page: uploaded files become the pictures shown. Nothing here uses Gradio."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt
from torch.nn.modules.module import register_module_forward_pre_hook

from dream_if.app.display import Shown, shown, shown_infrared, shown_map, shown_visible
from dream_if.app.sliders import Sliders, Source
from dream_if.decoding import declared_pixels
from dream_if.errors import InputError
from dream_if.inference import Fuser
from dream_if.inference.aligning import Aligner
from dream_if.inference.engine import FusedPicture, Settings, fuse_pictures
from dream_if.inference.intensity import Colour, InfraredRange
from dream_if.inference.pictures import Picture, read_picture
from dream_if.inference.writing import write_picture

__all__ = ["MOST_PIXELS", "MOST_SECONDS", "Demo", "Map", "Outcome"]

MOST_PIXELS = 12_000_000
"""Of a picture on the page. Degradations hold one several times in float32: 30 million pixels took 6 GiB."""

MOST_SECONDS = 600
"""Of one fusion, without the wait for its turn."""


@dataclass(frozen=True)
class Map:
    """A dominance map in colours, (h, w, 3) of uint8, and its least and largest value in words."""

    image: Shown
    span: str


@dataclass(frozen=True)
class Outcome:
    """One fusion, as the page shows it.

    Attributes:
        visible: the visible source as the network saw it, (h, w, 3) of uint8.
        fused: the fused picture, likewise; both are made smaller where they are larger than a screen.
        dominance_visible: None where the network has no dominance maps.
        dominance_infrared: likewise.
        file: the fused picture as a PNG file, in the size of its sources.
        summary: what was done, in Markdown.
    """

    visible: Shown
    fused: Shown
    dominance_visible: Map | None
    dominance_infrared: Map | None
    file: Path
    summary: str


class Demo:
    """Fuses what was uploaded.

    Args:
        fuser: network and device.
        folder: where fused pictures are written to, each in a folder of its own.
    """

    def __init__(self, fuser: Fuser, folder: Path) -> None:
        self.fuser = fuser
        self.folder = folder
        self.fusing, self.previewing = Lock(), Lock()  # neither waits for the other, each for its like

    def finish(self) -> None:
        """Wait for what is going on, and begin nothing more: a process that ends while torch computes is aborted."""
        self.fusing.acquire()
        self.previewing.acquire()

    def preview(self, file: str | None, source: Source, sliders: Sliders, infrared_range: str) -> Shown | None:
        """A source as the network will see it; None where none was uploaded.

        Raises:
            InputError: The file is no picture, or the settings cannot be used.
        """
        if file is None:
            return None
        span = InfraredRange.parse(infrared_range if source == "infrared" else "auto")
        with self.previewing:
            picture = sliders.degrade(_read(file), source, span)
            return (
                shown_visible(picture) if source == "visible" else shown_infrared(picture, _span_after(sliders, span))
            )

    def fuse(
        self,
        visible: str | None,
        infrared: str | None,
        sliders: Sliders,
        colour: Colour,
        infrared_range: str,
        align: bool = False,
        palette: str | None = None,
    ) -> Outcome:
        """Fuse two uploaded files.

        Args:
            visible: file of the visible source; None where none was uploaded.
            infrared: likewise.
            sliders: what the sources suffer before.
            colour: ``rgb``, ``ycbcr`` or ``grey``, see `dream_if.inference.intensity.coloured`.
            infrared_range: ``auto``, ``percentile``, ``full`` or ``LOW,HIGH``, see `InfraredRange`.
            align: lay the infrared source on the visible one before all else, by an estimate.
            palette: show heat in the colours of this map of matplotlib; None for none.

        Raises:
            InputError: A file is missing or no picture, sizes differ, the estimate cannot be relied on, the settings
                cannot be used, or the fusion takes too long.
        """
        if visible is None or infrared is None:
            missing = "visible" if visible is None else "infrared"
            raise InputError(f"The {missing} picture is missing: upload one, or choose an example pair.")
        with self.fusing, _in_time():
            settings = Settings(colour, InfraredRange.parse(infrared_range), palette=palette)
            return self._fused(visible, infrared, sliders, settings, align)

    def _fused(self, visible: str, infrared: str, sliders: Sliders, settings: Settings, align: bool) -> Outcome:
        span = settings.infrared_range
        visible_picture, infrared_picture = _read(visible), _read(infrared)
        if align:
            infrared_picture = Aligner("similarity")(visible_picture, infrared_picture)
        sources = sliders.degrade(visible_picture, "visible", span), sliders.degrade(infrared_picture, "infrared", span)
        settings = replace(settings, infrared_range=_span_after(sliders, span))
        start = time.perf_counter()
        [fused] = fuse_pictures(self.fuser, [sources], settings, maps=self.fuser.has_dominance)
        seconds = time.perf_counter() - start
        file = Path(tempfile.mkdtemp(dir=self.folder)) / f"{Path(visible).stem}_fused.png"
        # Where the infrared source was degraded its range was told then.
        notes = (*sources[0].notes, *sources[1].notes) if sliders.degrades("infrared") else fused.notes
        notes = (*notes, *map(str, fused.doubts), *write_picture(file, fused.picture()))
        return Outcome(
            visible=shown_visible(sources[0]),
            fused=shown(fused.values),
            dominance_visible=_map(fused.dominance_visible),
            dominance_infrared=_map(fused.dominance_infrared),
            file=file,
            summary=_summary(self.fuser, fused, sliders, seconds, notes),
        )


@contextmanager
def _in_time() -> Iterator[None]:
    """End what takes longer than `MOST_SECONDS`, before the network's next layer: Gradio ends streams alone."""
    end = time.monotonic() + MOST_SECONDS

    def check(*_: object) -> None:
        if time.monotonic() > end:
            raise InputError(
                f"The fusion was stopped: the page allows it {MOST_SECONDS} seconds. Use smaller pictures, or dream-if "
                "fuse, which has no such limit."
            )

    with register_module_forward_pre_hook(check):
        yield


def _read(file: str) -> Picture:
    """A picture that messages call by the name under which it was uploaded, not by where the page keeps it."""
    path = Path(file)
    try:
        if (pixels := declared_pixels(path)) > MOST_PIXELS:
            raise InputError(f"{path}: has {pixels} pixels; the page takes up to {MOST_PIXELS}, dream-if fuse more.")
        picture = read_picture(path)
    except InputError as error:
        raise InputError(str(error).replace(str(path), path.name)) from error
    notes = tuple(note.replace(str(path), path.name) for note in picture.notes)
    return replace(picture, name=path.name, notes=notes)


def _span_after(sliders: Sliders, span: InfraredRange) -> InfraredRange:
    """The range of the infrared source after `Sliders.degrade`, which leaves values from 0 to 1."""
    return InfraredRange("full") if sliders.degrades("infrared") else span


def _map(values: npt.NDArray[np.float32] | None) -> Map | None:
    return None if values is None else Map(*shown_map(values))


def _summary(fuser: Fuser, fused: FusedPicture, sliders: Sliders, seconds: float, notes: tuple[str, ...]) -> str:
    height, width = fused.values.shape[:2]
    tiles = f" in tiles of {fused.tile[1]} x {fused.tile[0]}" if fused.tile else ""
    lines = [f"**{width} x {height} pixels**, fused{tiles} in {seconds:.1f} s in {fuser.precision} on {fuser.device}."]
    if sliders.kinds:
        suffered = ", ".join(f"{kind} {level}" for kind, level in sliders.kinds.items())
        whose = "both sources" if sliders.sources == "both" else f"the {sliders.sources} source"
        lines.append(f"Before it, {whose} suffered: {suffered} (seed {sliders.seed}).")
    return "\n\n".join([*lines, *(f"Note: {note}." for note in notes)])
