"""What cleans both sources before a method fuses them: the first stage of a two-stage fusion.

A restorer is blind: its strength is fixed, whatever the corruption. Its result is rounded to 8 bits, like a file
between the two stages.
"""

import importlib.util
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, cast

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from dream_if.cache_keys import source_digest, thing_digest
from dream_if.data.conditions import CLEAN
from dream_if.data.images import Image, to_image, to_tensor
from dream_if.errors import InputError
from dream_if.methods.folder import Pattern, image_like, picture_in
from dream_if.methods.method import PairId
from dream_if.settings import expected, read_settings
from dream_if.storage import file_digest
from dream_if.user_code import instantiate

__all__ = ["RESTORERS", "Restorer", "make_restorer"]

TRIAL = 128
"""Sides in pixels of the image on which a class is tried; a multiple of what networks ask for."""

WIDEST = 101
"""Largest window of non-local means in pixels; beyond it an image takes hours."""

FOLDERS = {"visible": ("vi", "vis", "visible"), "infrared": ("ir", "infrared", "thermal")}


class Restorer(ABC):
    """Cleans a pair.

    Attributes:
        name: in tables.
        key: stands for all that the result depends on beside the pair.
    """

    name: str
    key: str

    @abstractmethod
    def __call__(self, visible: Tensor, infrared: Tensor, pair: PairId) -> tuple[Tensor, Tensor]:
        """Clean visible (1, 3, H, W) and infrared (1, 1, H, W), in [0, 1]; shapes and range stay."""

    def key_at(self, pair: PairId) -> str:
        """The key for one pair."""
        return self.key

    def check(self, pairs: Sequence[PairId]) -> None:  # noqa: B027  (most need nothing)
        """Make sure that all these pairs can be restored.

        Raises:
            InputError: One cannot.
        """


@dataclass(eq=False)
class ByPixels(Restorer):
    """A restorer that computes on 8-bit images, each source on its own; the fields of the class are its options."""

    title: ClassVar[str]

    def __post_init__(self) -> None:
        """Name it, and note what it depends on."""
        self.name = self.title
        self.key = json.dumps([self.title, asdict(self), source_digest(type(self))], sort_keys=True)

    def __call__(self, visible: Tensor, infrared: Tensor, pair: PairId) -> tuple[Tensor, Tensor]:
        """See `Restorer`."""
        cleaned = [to_tensor(self.clean(to_image(source[0])))[None].to(source.device) for source in (visible, infrared)]
        return cleaned[0], cleaned[1]

    @abstractmethod
    def clean(self, image: Image) -> Image:
        """Clean an image (H, W, 1 or 3) of uint8; the shape stays."""


def _strength(value: float) -> bool:
    return 0 < value < math.inf


def _side(value: int) -> bool:
    return value % 2 == 1 and 1 <= value <= WIDEST


GREY_LEVELS = "a number of grey levels above 0"
ODD = f"an odd number of pixels from 1 to {WIDEST}"


@dataclass(eq=False)
class NonLocalMeans(ByPixels):
    """Non-local means, in OpenCV's fast form.

    A. Buades, B. Coll, J.-M. Morel: "Non-local means denoising", Image Processing On Line 1, 2011.

    Attributes:
        h: strength for grey images, in grey levels.
        h_colour: the same for colour images.
        template: side of the patches that are compared, odd.
        search: side of the window that is searched, odd.
    """

    title = "NLM"
    h: float = expected(GREY_LEVELS, 30, _strength)
    h_colour: float = expected(GREY_LEVELS, 25, _strength)
    template: int = expected(ODD, 7, _side)
    search: int = expected(ODD, 21, _side)

    def clean(self, image: Image) -> Image:
        """See `ByPixels.clean`."""
        if image.shape[2] == 1:
            cleaned = cv2.fastNlMeansDenoising(image, None, self.h, self.template, self.search)
            return cast(Image, cleaned[:, :, None])
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)  # it goes to Lab, and takes blue to come first
        cleaned = cv2.fastNlMeansDenoisingColored(bgr, None, self.h_colour, self.h_colour, self.template, self.search)
        return cast(Image, cv2.cvtColor(cleaned, cv2.COLOR_BGR2RGB))


@dataclass(eq=False)
class Median(ByPixels):
    """The median over a square window, channel by channel.

    Attributes:
        size: side of the window in pixels, 3 or 5.
    """

    title = "median"
    size: int = expected("3 or 5 pixels", 5, lambda size: size in (3, 5))

    def clean(self, image: Image) -> Image:
        """See `ByPixels.clean`."""
        cleaned = cv2.medianBlur(image, self.size)
        return cast(Image, cleaned[:, :, None] if cleaned.ndim == 2 else cleaned)


def _discrete(wavelet: str) -> bool:
    return wavelet in importlib.import_module("pywt").wavelist(kind="discrete")


@dataclass(eq=False)
class WaveletShrinkage(ByPixels):
    """Wavelet coefficients shrunk by a threshold for each band that the image itself suggests (BayesShrink).

    S. G. Chang, B. Yu, M. Vetterli: "Adaptive wavelet thresholding for image denoising and compression", IEEE
    Transactions on Image Processing 9(9), 2000; by scikit-image, which estimates the noise by the median of the finest
    coefficients, in colour on luminance and chroma.

    Attributes:
        wavelet: its name in PyWavelets.

    Raises:
        InputError: The packages that compute it are missing.
    """

    title = "wavelet shrinkage"
    wavelet: str = expected("a discrete one of PyWavelets such as db2 or sym4", "db2", _discrete)

    def __post_init__(self) -> None:
        """Make sure of the packages."""
        super().__post_init__()
        if any(importlib.util.find_spec(name) is None for name in ("skimage", "pywt")):
            raise InputError(
                "wavelet shrinkage needs scikit-image and PyWavelets, not installed here: pip install "
                "'dream-if[tables]', or choose nlm or median."
            )

    def clean(self, image: Image) -> Image:
        """See `ByPixels.clean`."""
        from skimage.restoration import denoise_wavelet

        colour = {"channel_axis": 2, "convert2ycbcr": True} if image.shape[2] == 3 else {"channel_axis": 2}
        cleaned = denoise_wavelet(
            image.astype(np.float32) / 255, method="BayesShrink", mode="soft", wavelet=self.wavelet, **colour
        )
        restored: Image = np.clip(np.rint(cleaned * 255), 0, 255).astype(np.uint8)
        return restored


class ByClass(Restorer):
    """Anything importable that makes an image (B, C, H, W) in [0, 1] of one; C is 3, then 1.

    Args:
        class_path: where the class is.
        init_args: its arguments.
        device: where it computes.

    Raises:
        InputError: It cannot be made.
    """

    def __init__(self, class_path: str, init_args: Any, device: torch.device) -> None:
        made = instantiate(class_path, init_args)
        if isinstance(made, nn.Module):
            made = made.eval().to(device)
        self.made: Callable[[Tensor], Tensor] = made
        self.name = class_path.rsplit(".", 1)[-1]
        self.key = thing_digest(class_path, init_args or {}, made)
        self.device = device

    def check(self, pairs: Sequence[PairId]) -> None:
        """See `Restorer.check`: it is tried on a small image, so that one that fails does so before the scores."""
        slope = torch.linspace(0, 1, TRIAL, device=self.device).expand(1, 3, TRIAL, TRIAL).contiguous()
        self(slope, slope[:, :1].contiguous(), PairId("a trial", CLEAN, f"a slope of {TRIAL}x{TRIAL}"))

    @torch.inference_mode()
    def __call__(self, visible: Tensor, infrared: Tensor, pair: PairId) -> tuple[Tensor, Tensor]:
        """See `Restorer`."""
        cleaned = []
        for source in (visible, infrared):
            try:
                result = self.made(source)
            except Exception as error:  # what a foreign class raises is not to be foreseen
                told = " ".join(str(error).split()) or type(error).__name__
                raise InputError(
                    f"restorer {self.name}: failed on {pair.name} of {pair.set}, called with {tuple(source.shape)}: "
                    f"{told.rstrip('.')}."
                ) from error
            if not isinstance(result, Tensor) or result.shape != source.shape:
                got = tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__
                raise InputError(
                    f"restorer {self.name}: expected a tensor {tuple(source.shape)} of {pair.name}, got {got}."
                )
            cleaned.append(to_tensor(to_image(result[0]))[None].to(source.device))
        return cleaned[0], cleaned[1]


class ByFolder(Restorer):
    """Pairs that someone else restored: `<folder>/{vi,ir}/<name>.png`.

    Args:
        pattern: the folder, with ``{set}`` and ``{condition}`` for their names.

    Raises:
        InputError: Something else stands in braces.
    """

    def __init__(self, pattern: str) -> None:
        self._folder = Pattern(pattern, "folder")
        self.name = "restored files"
        self.key = pattern

    def key_at(self, pair: PairId) -> str:
        """See `Restorer.key_at`."""
        return f"{file_digest(self._file(pair, 'visible'))} {file_digest(self._file(pair, 'infrared'))}"

    def check(self, pairs: Sequence[PairId]) -> None:
        """See `Restorer.check`."""
        for pair in pairs:
            self._file(pair, "visible")
            self._file(pair, "infrared")

    def _file(self, pair: PairId, source: str) -> Path:
        folder = self._folder.at(pair)
        inner = next((folder / name for name in FOLDERS[source] if (folder / name).is_dir()), None)
        if inner is None:
            raise InputError(f"restore: {folder} has no folder {FOLDERS[source][0]} with the restored {source} images.")
        return picture_in(inner, pair.name, "restore")

    def __call__(self, visible: Tensor, infrared: Tensor, pair: PairId) -> tuple[Tensor, Tensor]:
        """See `Restorer`."""
        return (
            image_like(self._file(pair, "visible"), 3, visible),
            image_like(self._file(pair, "infrared"), 1, infrared),
        )


RESTORERS: dict[str, type[ByPixels]] = {"nlm": NonLocalMeans, "wavelet": WaveletShrinkage, "median": Median}
"""Built-in restorers by the name that a table's YAML knows them by."""


def make_restorer(given: Any, where: str, device: torch.device) -> Restorer:
    """A restorer from what a table's YAML says.

    Args:
        given: a name of `RESTORERS`; a mapping of such a name to its options; ``{class_path, init_args}``; or
            ``{folder: ...}``; a mapping may have ``name`` beside these, which stands in tables.
        where: the key in the YAML, for messages.
        device: where a class computes.

    Raises:
        InputError: It is none of these.
    """
    chosen = {given: None} if isinstance(given, str) else dict(given) if isinstance(given, Mapping) else {}
    named = chosen.pop("name", None)
    if named is not None and (not isinstance(named, str) or not named.strip()):
        raise InputError(f"{where}: name: expected a few words for the tables, got {named!r}.")
    try:
        restorer = _made(chosen, device)
    except InputError as error:
        raise InputError(f"{where}: {str(error).rstrip('.')}.") from error
    if restorer is None:
        raise InputError(
            f"{where}: expected {', '.join(RESTORERS)}, a class_path with init_args, or a folder; got {given!r}."
        )
    restorer.name = named or restorer.name
    return restorer


def _made(chosen: Mapping[Any, Any], device: torch.device) -> Restorer | None:
    """The restorer that a mapping stands for; None if it stands for none."""
    if set(chosen) == {"folder"}:
        return ByFolder(str(chosen["folder"]))
    if "class_path" in chosen and set(chosen) <= {"class_path", "init_args"}:
        return ByClass(str(chosen["class_path"]), chosen.get("init_args"), device)
    name = next(iter(chosen), None)
    if len(chosen) != 1 or name not in RESTORERS:
        return None
    kind = RESTORERS[name]
    try:
        return read_settings(kind, chosen[name] or {}, name, lambda option: f"{name}: {option}")
    except InputError as error:
        raise InputError(
            f"{str(error).rstrip('.')}; its options are {', '.join(f.name for f in fields(kind))}"
        ) from error
