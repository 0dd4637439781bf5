"""Networks stored as files: TorchScript, torch.export and ONNX."""

import importlib.util
import logging
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dream_if.errors import InputError
from dream_if.methods.method import Computed, Fuse, Method
from dream_if.storage import file_digest

__all__ = ["EXPORTED", "exported_method"]

EXPORTED = (".pt", ".ts", ".onnx", ".pt2")


def exported_method(path: Path, device: torch.device) -> Method:
    """A network in a file of its own.

    Raises:
        InputError: It cannot be loaded.
    """
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
        with warnings.catch_warnings(action="ignore"):
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
