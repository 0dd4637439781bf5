"""LPIPS: distance of deep features, with the AlexNet backbone."""

import functools
import importlib.util
import socket
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
import torch.nn.functional as nnf
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from dream_if.errors import InputError
from dream_if.metrics.functional._sharing import share

__all__ = ["load_lpips_weights", "lpips"]

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_LAYERS = (0, 3, 6, 8, 10)  # indices of the convolutions in AlexNet's `features`
_SMALLEST = 31
_PATIENCE = 10.0  # seconds without an answer from a server


@functools.lru_cache(maxsize=4)
def load_lpips_weights(weights: str | Path | None, device: str) -> dict[str, Tensor]:
    """The five convolutions of AlexNet trained on ImageNet, and the channel weights calibrated for LPIPS v0.1.

    Args:
        weights: a `.safetensors` file or a torch checkpoint with the keys `features.0.weight`, `features.0.bias`, ...
            None takes AlexNet from the torch cache, or downloads it there (233 MiB).
        device: where the tensors shall lie.

    Returns:
        Backbone tensors by those keys, and the channel weights (1, C, 1, 1) by "lin0" to "lin4".

    Raises:
        InputError: if there are no weights: the file does not exist or holds something else, or nothing is cached
            and the download fails.
    """
    state = _downloaded_alexnet() if weights is None else _read(Path(weights))
    names = [f"features.{layer}.{kind}" for layer in _LAYERS for kind in ("weight", "bias")]
    missing = [name for name in names if name not in state]
    if missing:
        raise InputError(f"LPIPS weights: {weights} has no {', '.join(missing)}; expected AlexNet's `features`")
    tensors = {name: state[name].to(device) for name in names}
    return tensors | {f"lin{k}": lin.to(device) for k, lin in enumerate(_channel_weights())}


def _downloaded_alexnet() -> Mapping[str, Tensor]:
    from torchvision.models import AlexNet_Weights  # type: ignore[import-untyped]

    url = AlexNet_Weights.IMAGENET1K_V1.url
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)  # torch.hub has none, and a firewall that swallows packets costs minutes
    try:
        state: Mapping[str, Tensor] = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", weights_only=True, progress=False
        )
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"LPIPS needs AlexNet weights: none are cached in {torch.hub.get_dir()}/checkpoints and the download of "
            f"{url} failed ({error}). Give a file as `weights`, or leave LPIPS out."
        ) from error
    finally:
        socket.setdefaulttimeout(before)
    return state


def _read(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise InputError(f"LPIPS weights: there is no file {path}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, SafetensorError, UnpicklingError) as error:
        raise InputError(f"LPIPS weights: {path} cannot be read as safetensors or a torch checkpoint") from error
    if not isinstance(state, Mapping):
        raise InputError(f"LPIPS weights: {path} holds a {type(state).__name__}, expected tensors by name")
    return state


def _channel_weights() -> list[Tensor]:
    """The calibrated channel weights that the package `lpips` ships (reading the file spares the import)."""
    package = importlib.util.find_spec("lpips")
    if package is None or package.origin is None:
        raise InputError("LPIPS needs the channel weights of the package lpips, which is not installed")
    file = Path(package.origin).parent / "weights" / "v0.1" / "alex.pth"
    state = torch.load(file, map_location="cpu", weights_only=True)
    return [state[f"lin{k}.model.1.weight"] for k in range(len(_LAYERS))]


@share
def _features(image: Tensor, weights: str | Path | None) -> list[Tensor]:
    """Unit-length activations after each ReLU for an image (B, 1 or 3, H, W), levels 0..255."""
    loaded = load_lpips_weights(weights, str(image.device))
    x = image.float().expand(-1, 3, -1, -1) / 127.5 - 1
    shift, scale = (x.new_tensor(values).view(1, 3, 1, 1) for values in (_SHIFT, _SCALE))
    x = (x - shift) / scale
    activations = []
    for layer, (stride, padding) in zip(_LAYERS, ((4, 2), (1, 2), (1, 1), (1, 1), (1, 1)), strict=True):
        if layer in (3, 6):
            x = nnf.max_pool2d(x, kernel_size=3, stride=2)
        x = nnf.conv2d(x, loaded[f"features.{layer}.weight"], loaded[f"features.{layer}.bias"], stride, padding).relu()
        activations.append(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10))
    return activations


def lpips(image: Tensor, reference: Tensor, *, weights: str | Path | None = None) -> Tensor:
    """LPIPS v0.1 with AlexNet: weighted squared distance of unit-length deep features; lower is better.

    Zhang, Isola, Efros, Shechtman and Wang, "The unreasonable effectiveness of deep features as a perceptual metric",
    CVPR 2018. The arithmetic is float32, without TF32.

    Args:
        image: (B, 3, H, W) or (B, 1, H, W), levels 0..255; grey is repeated; H, W >= 31.
        reference: like `image`.
        weights: as for `load_lpips_weights`.

    Returns:
        (B,) values >= 0; NaN for images that are too small or not finite.

    Raises:
        InputError: without weights.
    """
    loaded = load_lpips_weights(weights, str(image.device))
    if min(image.shape[2:]) < _SMALLEST:
        return torch.full((len(image),), torch.nan, device=image.device)
    total = torch.zeros(len(image), device=image.device)
    with (
        torch.no_grad(),
        torch.autocast(image.device.type, enabled=False),
        torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
    ):
        pairs = zip(_features(image, weights), _features(reference, weights), strict=True)
        for k, (of_image, of_reference) in enumerate(pairs):
            total += ((of_image - of_reference).square() * loaded[f"lin{k}"]).sum(1).mean(dim=(1, 2))
    return total
