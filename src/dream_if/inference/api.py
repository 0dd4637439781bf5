"""`dream_if.fuse`: takes two pictures of any kind and returns one of the same kind."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from dream_if.errors import InputError
from dream_if.inference.engine import FusedPicture, Settings, check_pair, fuse_pictures, quantised
from dream_if.inference.folders import check_output
from dream_if.inference.fuser import Fuser, Precision, check_depth
from dream_if.inference.intensity import Colour, InfraredRange
from dream_if.inference.memory import parse_memory
from dream_if.inference.pictures import MIN_SIZE, Picture, picture_of, read_picture
from dream_if.inference.weights import find_weights, load_network
from dream_if.inference.writing import check_ending, image_of, write_picture
from dream_if.models import DreamIF, ForeignNetwork, FusionNetwork

if TYPE_CHECKING:
    from dream_if.registration.rig import Rig

__all__ = ["FusedWithMaps", "fuse", "make_fuser"]

Kind: TypeAlias = Literal["file", "image", "array", "tensor"]
Pair: TypeAlias = tuple[Picture | None, Picture | None]


class FusedWithMaps(NamedTuple):
    """What `fuse` returns with ``dominance=True``.

    Attributes:
        fused: the fused picture, or pictures.
        dominance_visible: how much each pixel of the visible source was trusted, in [0, 1], without channels: a
            float32 array (H, W), a tensor (1, H, W) where sources are tensors, with a batch axis where they have one, a
            list where they are one.
        dominance_infrared: likewise for the infrared source.
    """

    fused: Any
    dominance_visible: Any
    dominance_infrared: Any


def fuse(
    visible: Any,
    infrared: Any,
    *,
    out: str | Path | None = None,
    weights: str | Path | FusionNetwork | Fuser = "small",
    colour: Colour = "rgb",
    infrared_range: str | tuple[float, float] = "auto",
    palette: str | None = None,
    align: "str | Path | Rig | None" = None,
    depth: int = 8,
    dominance: bool = False,
    device: str = "auto",
    precision: Precision = "auto",
    max_memory: int | str | None = None,
    batch_size: int = 1,
    allow_missing: bool = False,
    trust_code: bool = False,
) -> Any:
    """Fuse a visible and an infrared picture of one scene, of one size and registered pixel by pixel; or see ``align``.

    Args:
        visible: one of: a path; an image of Pillow; an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) with alpha, or
            a batch of such with one more axis in front (grey ones then (B, H, W, 1)), of uint8, uint16, or floats in
            [0, 1]; a tensor (1 or 3, H, W) or (B, 1 or 3, H, W) of uint8 or floats in [0, 1]; a list of any of these.
        infrared: the same, of any kind of these. Colours become luminance.
        out: where paths or images are to be written to; its ending names the format. It may not be a source.
        weights: name of shipped weights, folder, checkpoint or hub id, see `load_network`; or a network, or a `Fuser`,
            for which device, precision and max_memory are settled. The last one loaded is kept for the next call. A
            network is moved to the device and left in evaluation mode: `net.train()` before its training goes on.
        colour: ``rgb``, the network's; ``ycbcr``, the visible colours under the fused luminance; ``grey``. A visible
            picture without colours gives one without.
        infrared_range: ``auto``, ``percentile``, ``shared`` by all of a batch or list, ``full`` or (low, high), see
            `InfraredRange`.
        palette: a colour map of matplotlib that shows heat, such as ``inferno``, see `tinted`. The result has colours.
        align: how the infrared picture is laid on the visible one first, whatever the sizes: ``translation``,
            ``similarity``, ``affine`` or ``homography`` to estimate it, or a `Rig` or its file. Null: it lies there.
        depth: 8, or 16 bits for each colour of ``out``, a PNG or TIFF file; then ``auto`` precision is ``float32``.
        dominance: also return the dominance maps.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ...
        precision: ``auto``, ``float32`` or ``bfloat16``.
        max_memory: bytes, or text such as ``4G`` (MiB without a unit), that this process may hold in all; what needs
            more goes in tiles.
        batch_size: how many pairs of a batch or list go through the network together; memory grows with it.
        allow_missing: where one source is None, or an item of its list, restore the other: without noise, rain and
            blur as far as the network can, in grey if it is the infrared one.
        trust_code: whether weights may name a network whose code is not part of this package.

    Returns:
        The fused picture in the visible one's kind, type and number of channels (one with ``colour="grey"``, three with
        a palette), alpha and metadata included. For paths the path ``out``, with ``~`` resolved, or an image of Pillow
        where there is none. With ``dominance`` a `FusedWithMaps`. What was done on the way, such as which infrared
        values became black and white, which source is distrusted, or that the format of ``out`` has no transparency, is
        told by the command ``dream-if fuse`` only.

    Raises:
        InputError: A picture cannot be used, sizes or counts differ, a pair cannot be aligned with confidence, a
            setting is not known, or memory is short.
    """
    aligner = None
    if align is not None:
        from dream_if.inference.aligning import Aligner  # and OpenCV, which others do without

        aligner = Aligner.of(align)
    settings = Settings(colour, InfraredRange.parse(infrared_range), aligner, palette)
    precision = check_depth(depth, precision)
    if depth == 16 and out is None:
        raise InputError("depth=16 is for out, a PNG or TIFF file; arrays and tensors keep their type, so give floats.")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise InputError(f"batch_size must be a whole number, 1 or more, got {batch_size!r}.")
    fuser = (
        weights
        if isinstance(weights, Fuser)
        else make_fuser(weights, device, precision, max_memory, trust_code=trust_code)
    )
    if dominance and not fuser.has_dominance:
        raise InputError("this network has no dominance maps; leave dominance out.")
    given = infrared if visible is None else visible  # whose kind the result has
    several = isinstance(given, list | tuple) or _is_batch(given)
    first = _items(given)
    visible_pictures = first if visible is not None else [None] * len(first)
    infrared_pictures = (
        first if visible is None else [None] * len(first) if infrared is None else _items(infrared, given)
    )
    if len(visible_pictures) != len(infrared_pictures):
        raise InputError(
            f"{len(visible_pictures)} visible and {len(infrared_pictures)} infrared pictures were given; give equal "
            "numbers."
        )
    items = [
        _present(one, other, allow_missing, f" of pair {number}" if several else "")
        for number, (one, other) in enumerate(zip(visible_pictures, infrared_pictures, strict=True), start=1)
    ]
    target = None if out is None else Path(out).expanduser()
    if target is not None:
        if several or kind_of(items[0]) not in ("file", "image"):
            raise InputError("out is for one pair of paths or images of Pillow; write other results yourself.")
        check_ending(target, depth)
        check_output(
            target,
            [
                Path(one).expanduser()
                for one in (visible_pictures[0], infrared_pictures[0])
                if isinstance(one, str | Path)
            ],
        )

    if settings.infrared_range.kind == "shared":
        given_infrared = (_picture(one, "infrared") for one in infrared_pictures)
        span = settings.infrared_range.over(picture for picture in given_infrared if picture is not None)
        settings = replace(settings, infrared_range=span)
    results: list[FusedPicture] = []
    for start in range(0, len(visible_pictures), batch_size):
        pairs = [
            settings.aligned(_picture(one, "visible"), _picture(other, "infrared"))
            for one, other in zip(
                visible_pictures[start : start + batch_size], infrared_pictures[start : start + batch_size], strict=True
            )
        ]
        for group in _of_equal_size(pairs):
            results += fuse_pictures(fuser, group, settings, dominance)
    if target is not None:
        write_picture(target, results[0].picture(depth))
        fused: Any = target
    else:
        fused = _gathered([_like(one, result) for one, result in zip(items, results, strict=True)], given, several)
    if not dominance:
        return fused
    maps = []
    for name in ("dominance_visible", "dominance_infrared"):
        found = [_map_like(one, getattr(result, name)) for one, result in zip(items, results, strict=True)]
        maps.append(_gathered(found, given, several))
    return FusedWithMaps(fused, *maps)


def make_fuser(
    weights: str | Path | FusionNetwork = "small",
    device: str = "auto",
    precision: Precision = "auto",
    max_memory: int | str | None = None,
    compiled: bool = False,
    trust_code: bool = False,
) -> Fuser:
    """A `Fuser` from weights and settings as `fuse` takes them. The last one made from files is kept.

    Raises:
        InputError: see `load_network`, `Fuser` and `parse_memory`.
    """
    limit = None if max_memory is None else parse_memory(max_memory)
    if isinstance(weights, DreamIF | ForeignNetwork):
        return Fuser(weights, device=device, precision=precision, max_memory=limit, compiled=compiled)
    path = find_weights(weights)
    changed = path.stat().st_mtime_ns if path.exists() else 0
    return _loaded(str(weights), changed, device, precision, limit, compiled, trust_code)


@lru_cache(maxsize=1)
def _loaded(
    weights: str,
    changed: int,  # noqa: ARG001  (a file that was written anew is another one)
    device: str,
    precision: Precision,
    max_memory: int | None,
    compiled: bool,
    trust_code: bool,
) -> Fuser:
    net = load_network(weights, trust_code=trust_code)
    return Fuser(net, device=device, precision=precision, max_memory=max_memory, compiled=compiled)


def kind_of(source: Any) -> Kind:
    """What a single source is.

    Raises:
        InputError: None of the kinds that can be fused.
    """
    if isinstance(source, str | Path):
        return "file"
    if isinstance(source, Image.Image):
        return "image"
    if isinstance(source, np.ndarray):
        return "array"
    if isinstance(source, Tensor):
        return "tensor"
    raise InputError(f"expected a path, an image of Pillow, an array or a tensor, got {type(source).__name__}.")


def _is_batch(source: Any) -> bool:
    return isinstance(source, np.ndarray | Tensor) and source.ndim == 4


def _items(source: Any, beside: Any = None) -> list[Any]:
    """The single sources in what was given; beside a batch or list a grey batch may lack its axis of channels."""
    items = list(source) if isinstance(source, list | tuple) or _is_batch(source) else [source]
    if isinstance(source, np.ndarray | Tensor) and source.ndim == 3 and _is_batch(beside):
        items = list(source)
    if not items:
        raise InputError("the list of pictures is empty.")
    return items


def _present(visible: Any, infrared: Any, allow_missing: bool, which: str) -> Any:
    """The source of a pair whose kind its result has: the visible one if it is there.

    Raises:
        InputError: One is missing and may not be, or both are.
    """
    if visible is None and infrared is None:
        raise InputError(f"both pictures{which} are missing; give at least one.")
    if (visible is None or infrared is None) and not allow_missing:
        missing = "visible" if visible is None else "infrared"
        raise InputError(
            f"the {missing} picture{which} is missing; give both, or restore one alone with allow_missing=True."
        )
    return infrared if visible is None else visible


def _picture(source: Any, role: str) -> Picture | None:
    if source is None:
        return None
    kind = kind_of(source)
    if kind == "file":
        return read_picture(Path(source).expanduser())
    if kind == "image":
        return picture_of(source, role)
    if kind == "array":
        return _from_array(source, role, channels=(1, 3, 4))
    tensor = source.detach().cpu()
    values: npt.NDArray[Any] = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return _from_array(values.transpose(1, 2, 0) if values.ndim == 3 else values, role, channels=(1, 3))


def _from_array(values: npt.NDArray[Any], role: str, channels: tuple[int, ...]) -> Picture:
    """A picture from (H, W) or (H, W, C)."""
    shape = values.shape
    values = values[:, :, None] if values.ndim == 2 else values
    if np.issubdtype(values.dtype, np.floating):
        values = values.astype(np.float32)
    if values.ndim != 3 or values.shape[2] not in channels or min(values.shape[:2]) < MIN_SIZE:
        raise InputError(
            f"{role}: expected an array (H, W), (H, W, 1 or 3 or 4) or a tensor (1 or 3, H, W), of at least "
            f"{MIN_SIZE}x{MIN_SIZE} pixels, got {tuple(shape)}."
        )
    if values.dtype not in (np.uint8, np.uint16, np.float32):
        raise InputError(f"{role}: expected uint8, uint16 or floats in [0, 1], got {values.dtype}.")
    if values.shape[2] == 4:
        return Picture(values[:, :, :3], values[:, :, 3], name=role)
    return Picture(values, name=role)


def _of_equal_size(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Neighbours of equal size together."""
    groups: list[list[Pair]] = []
    for pair in pairs:
        size = check_pair(*pair).size
        if groups and check_pair(*groups[-1][0]).size == size:
            groups[-1].append(pair)
        else:
            groups.append([pair])
    return groups


def _like(source: Any, fused: FusedPicture) -> Any:
    """The fused picture in the kind of its visible source."""
    kind = kind_of(source)
    if kind in ("file", "image"):
        return image_of(fused.picture())
    if kind == "tensor":
        tensor = torch.from_numpy(fused.values.transpose(2, 0, 1))
        if not source.is_floating_point():
            tensor = (tensor * torch.iinfo(source.dtype).max).round()
        return tensor.to(source.device, source.dtype)
    values = quantised(fused.values, source.dtype)
    if fused.source.alpha is not None:
        values = np.concatenate([values, fused.source.alpha[:, :, None]], axis=2)
    return values[:, :, 0] if source.ndim == 2 and values.shape[2] == 1 else values


def _map_like(source: Any, values: npt.NDArray[np.float32]) -> Any:
    return torch.from_numpy(values)[None].to(source.device) if isinstance(source, Tensor) else values


def _gathered(results: list[Any], source: Any, several: bool) -> Any:
    """A batch as an array or tensor, a list as a list, one as itself."""
    if isinstance(source, Tensor) and several:
        return torch.stack(results)
    if isinstance(source, np.ndarray) and several:
        return np.stack(results)
    return results if several else results[0]
