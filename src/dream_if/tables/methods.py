"""Methods of a table: classical ones, our network, anyone's class or exported network, and images made elsewhere."""

import importlib.util
import logging
import warnings
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dream_if.baselines import BASELINES
from dream_if.data.pairs import read_image, to_tensor
from dream_if.errors import InputError
from dream_if.inference import Fuser, load_network
from dream_if.inference.weights import digest
from dream_if.tables.digests import file_digest, thing_digest
from dream_if.tables.inputs import CLEAN, Place
from dream_if.tables.loading import Pattern, instantiate, picture_in

__all__ = ["SOURCES", "Computed", "Method", "Pictures", "make_method"]

SOURCES = ("visible", "infrared")
"""The sources themselves, which are methods too: the rows that every table needs."""

EXPORTED = (".pt", ".ts", ".onnx", ".pt2")
TRAINED = (".ckpt", ".safetensors")

Fuse = Callable[[Tensor, Tensor], Any]


class Method(ABC):
    """Fuses a pair.

    Attributes:
        says: what it is, in a few words.
        module: its network, where it has one that torch can look into.
    """

    says: str
    module: nn.Module | None = None

    @abstractmethod
    def fuse(self, visible: Tensor, infrared: Tensor, place: Place) -> Tensor:
        """Fuse a pair.

        Args:
            visible: (1, 3, H, W) in [0, 1].
            infrared: (1, 1, H, W) in [0, 1].
            place: which pair it is.

        Returns:
            (1, 3, H, W) or (1, 1, H, W) in [0, 1].

        Raises:
            InputError: The method fails, or returns something else.
        """

    @abstractmethod
    def key(self, place: Place) -> str:
        """Text that stands for all that the result depends on beside the pair."""

    def check(self, name: str, places: Sequence[Place]) -> None:  # noqa: B027  (most need nothing)
        """Make sure, before anything is computed, that there is a result for all these pairs.

        Raises:
            InputError: There is none, with the method's name in the table.
        """


class Computed(Method):
    """A method that computes its images.

    Args:
        fuse: what makes (1, 3, H, W) and (1, 1, H, W) to the fused image, or to a tuple that begins with it.
        key: stands for all that the result depends on beside the pair.
        says: what it is.
        module: its network.
    """

    def __init__(self, fuse: Fuse, key: str, says: str, module: nn.Module | None = None) -> None:
        self.call = fuse
        self.given_key = key
        self.says = says
        self.module = module

    def key(self, place: Place) -> str:
        """See `Method.key`."""
        return self.given_key

    @torch.inference_mode()
    def fuse(self, visible: Tensor, infrared: Tensor, place: Place) -> Tensor:
        """See `Method.fuse`."""
        where = f"{self.says}: {place.name} of {place.set}, {place.condition}"
        try:
            found = self.call(visible, infrared)
        except InputError:
            raise
        except Exception as error:  # what foreign code raises is not to be foreseen
            told = str(error).strip().splitlines() or [type(error).__name__]
            raise InputError(
                f"{where}: failed, called with visible (1, 3, H, W) and infrared (1, 1, H, W): {told[0]}."
            ) from error
        fused = found[0] if isinstance(found, tuple | list) and found else found
        height, width = visible.shape[-2:]
        right = ((1, 1, height, width), (1, 3, height, width))
        if not isinstance(fused, Tensor) or tuple(fused.shape) not in right or not fused.is_floating_point():
            got = f"{fused.dtype} {tuple(fused.shape)}" if isinstance(fused, Tensor) else type(fused).__name__
            raise InputError(f"{where}: expected a float image {right[1]} or {right[0]} in [0, 1], got {got}.")
        if not torch.isfinite(fused).all():
            raise InputError(f"{where}: the fused image has values that are no numbers.")
        return fused.float().clamp(0, 1)


class Pictures(Method):
    """Fused images that someone made, in a folder for each set.

    Args:
        pattern: the folder, with ``{set}`` and ``{condition}`` for their names.

    Raises:
        InputError: Something else stands in braces.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._folder = Pattern(pattern, "a folder of images")
        self.says = f"images in {pattern}"

    def _file(self, place: Place, who: str) -> Path:
        return picture_in(self._folder.at(place), place.name, who)

    def key(self, place: Place) -> str:
        """See `Method.key`."""
        return file_digest(self._file(place, self.says))

    def check(self, name: str, places: Sequence[Place]) -> None:
        """See `Method.check`."""
        for word, found in (("set", {p.set for p in places}), ("condition", {p.condition for p in places})):
            if len(found) > 1 and f"{{{word}}}" not in self.pattern:
                raise InputError(
                    f"methods.{name}: {self.pattern} is one folder for {len(found)} {word}s "
                    f"({', '.join(sorted(found))}); write {{{word}}} where its name stands in the path. Sources as "
                    f"they are have the name {CLEAN}."
                )
        for place in places:
            self._file(place, f"methods.{name}")

    def fuse(self, visible: Tensor, infrared: Tensor, place: Place) -> Tensor:
        """See `Method.fuse`."""
        path = self._file(place, self.says)
        image = to_tensor(read_image(path, 3))[None]
        if image.shape[-2:] != visible.shape[-2:]:
            sizes = [f"{picture.shape[-1]}x{picture.shape[-2]}" for picture in (image, visible)]
            raise InputError(f"{path}: is {sizes[0]}, but its sources are {sizes[1]} (width x height).")
        return image.to(visible.device)


def make_method(name: str, given: Any, device: torch.device, weights: str | None = None) -> Method:
    """A method from what a table's YAML says.

    Args:
        name: in the table.
        given: text, or a mapping with ``class_path`` and ``init_args``, or with ``method`` and the text. The text is a
            name of `BASELINES`, ``visible`` or ``infrared``; a TorchScript (.pt, .ts), exported (.pt2) or ONNX (.onnx)
            file; a folder of images, with ``{set}`` in it; or what `load_network` takes.
        device: where it computes.
        weights: what the text ``{weights}`` stands for.

    Raises:
        InputError: It is none of these, or cannot be loaded.
    """
    try:
        if isinstance(given, Mapping):
            if "class_path" in given and set(given) <= {"class_path", "init_args"}:
                return _of_class(str(given["class_path"]), given.get("init_args"), device)
            if set(given) != {"method"}:
                raise InputError(
                    f"expected text, or a mapping with method or class_path and init_args; got {dict(given)!r}"
                )
            given = given["method"]
        if not isinstance(given, str) or not given:
            raise InputError(f"expected text or a mapping, got {given!r}")
        if given == "{weights}":
            if weights is None:
                raise InputError("{weights} stands for what --weights names, and it is not given")
            given = weights
        return _of_text(given, device)
    except InputError as error:
        raise InputError(f"methods.{name}: {str(error).rstrip('.')}.") from error


def _of_text(text: str, device: torch.device) -> Method:
    if text in SOURCES:
        index = SOURCES.index(text)
        return Computed(lambda *sources: sources[index], text, f"the {text} source alone")
    if text in BASELINES:
        made = BASELINES[text]().eval().to(device)
        return Computed(made, text, f"{text}, classical", made)
    path = Path(text).expanduser()
    if path.suffix in (*EXPORTED, *TRAINED) and not path.is_file():
        raise InputError(f"{path}: there is no such file")
    if path.suffix in EXPORTED:
        return _exported(path, device)
    if "{" in text or (path.is_dir() and not (path / "config.json").is_file()):
        return Pictures(text)
    if path.suffix == "" and not path.exists() and not text.startswith((".", "~", "/")) and text.count("/") == 0:
        return _network(text, device, f" Classical methods are {', '.join(BASELINES)}, {' and '.join(SOURCES)}.")
    return _network(text, device)


def _network(text: str, device: torch.device, more: str = "") -> Method:
    try:
        net = load_network(text)
    except InputError as error:
        raise InputError(f"{error}{more}") from error
    key = f"network {digest(net)} float32"
    fuser = Fuser(net, device=str(device), precision="float32")
    return Computed(
        lambda visible, infrared: fuser(visible, infrared, maps=False).image, key, f"network {text}", fuser.net
    )


def _of_class(class_path: str, init_args: Any, device: torch.device) -> Method:
    made = instantiate(class_path, init_args)
    module = made if isinstance(made, nn.Module) else None
    if module is not None:
        module.eval().to(device)
    return Computed(made, thing_digest(class_path, init_args or {}, made), class_path, module)


def _exported(path: Path, device: torch.device) -> Method:
    """A network in a file of its own."""
    key = f"{path.suffix} {file_digest(path)}"
    if path.suffix == ".onnx":
        return Computed(_onnx(path), key, f"ONNX file {path.name}")
    expected = "program of torch.export" if path.suffix == ".pt2" else "TorchScript file"
    if not zipfile.is_zipfile(path):
        raise InputError(
            f"{path}: cannot be loaded as a {expected}, which is a ZIP archive; this is none, or cut short"
        )
    try:
        module: Any
        with _quiet():
            if path.suffix == ".pt2":
                module = torch.export.load(path).module()
            else:
                module = torch.jit.load(str(path), map_location=device).eval()  # type: ignore[no-untyped-call]
    except Exception as error:  # each format has errors of its own
        first = str(error).strip().split("\n")[0].split(". ")[0].rstrip(".")
        raise InputError(
            f"{path}: cannot be loaded as a {expected} ({first}). Weights alone go with a class, by class_path"
        ) from error
    return Computed(module, key, f"exported file {path.name}", module)


@contextmanager
def _quiet() -> Iterator[None]:
    """No word from torch: it logs a traceback of what it raises too, and warns that TorchScript is on its way out."""
    logger = logging.getLogger("torch.export")
    before = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def _onnx(path: Path) -> Fuse:
    """A function that runs an ONNX file, whose first input is the visible and second the infrared image."""
    if importlib.util.find_spec("onnxruntime") is None:
        raise InputError(f"{path}: an ONNX file needs onnxruntime, not installed here; pip install onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a dozen kinds of its own
        raise InputError(f"{path}: cannot be loaded as an ONNX file ({str(error).splitlines()[0]})") from error
    inputs = [entry.name for entry in session.get_inputs()]
    if len(inputs) != 2:
        raise InputError(f"{path}: expected two inputs, visible and infrared, got {', '.join(inputs) or 'none'}")

    def run(visible: Tensor, infrared: Tensor) -> Tensor:
        arrays = [np.ascontiguousarray(source.cpu().numpy()) for source in (visible, infrared)]
        output = session.run(None, dict(zip(inputs, arrays, strict=True)))[0]
        return torch.from_numpy(np.asarray(output)).to(visible.device)

    return run
