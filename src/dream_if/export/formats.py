"""The two file formats, ONNX and torch's own ``.pt2``: made in memory, with a description of their content."""

import importlib.util
import io
import json
import logging
import re
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
import torch
from torch import Tensor
from torch.export import ExportedProgram

from dream_if.errors import InputError
from dream_if.export.graph import FREE_SIZES, INPUTS, OUTPUTS
from dream_if.inference.weights import digest
from dream_if.models import FusionNetwork

__all__ = ["FORMATS", "Format", "Runner", "check_packages", "describe", "encode", "find_format", "runner"]

Format = Literal["onnx", "torch"]
FORMATS: tuple[str, ...] = get_args(Format)
ENDINGS = {"onnx": ".onnx", "torch": ".pt2"}
"""Format -> ending of its files."""

PACKAGES = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "torch": ()}
OPSET = 18  # of ONNX: old enough for every runtime of the last years
METADATA_FILE = "dream_if.json"  # within a .pt2

Runner = Callable[[Tensor, Tensor], tuple[Tensor, ...]]
"""What runs an exported file: visible (B, 3, H, W) and infrared (B, 1, H, W) -> its outputs."""


def check_packages(kind: Format) -> None:
    """Make sure that the packages for a format are here.

    Raises:
        InputError: One is missing.
    """
    missing = [name for name in PACKAGES[kind] if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"--format {kind} needs {' and '.join(missing)}, not installed here; pip install {' '.join(PACKAGES[kind])}"
        )


def describe(net: FusionNetwork) -> dict[str, str]:
    """What an exported file says of itself: the package's version, and the network's settings and `digest`."""
    return {
        "dream_if.version": version("dream-if"),
        "dream_if.weights": digest(net),
        "dream_if.config": json.dumps(net.config, sort_keys=True),
    }


def encode(program: ExportedProgram, kind: Format, description: dict[str, str]) -> bytes:
    """The content of a file for a traced network.

    Args:
        program: as `trace` returns it.
        kind: the format.
        description: text by key, kept in the file.
    """
    if kind == "onnx":
        return _onnx(program, description)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No complete tensor found")  # that is, weights are stored channels last
        torch.export.save(program, buffer, extra_files={METADATA_FILE: json.dumps(description)})
    return buffer.getvalue()


def runner(data: bytes, kind: Format) -> Runner:
    """Load the content of a file and run it as its users will: in ONNX Runtime, or as ``torch.export.load`` gives it.

    Both use as many threads as torch does here, and the CPU.
    """
    if kind == "torch":
        module = torch.export.load(io.BytesIO(data)).module()
        return lambda visible, infrared: module(visible, infrared)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    def run(*sources: Tensor) -> tuple[Tensor, ...]:
        arrays = {name: np.ascontiguousarray(source.numpy()) for name, source in zip(INPUTS, sources, strict=True)}
        return tuple(torch.from_numpy(output) for output in session.run(None, arrays))

    return run


def _onnx(program: ExportedProgram, description: dict[str, str]) -> bytes:
    import onnx

    logging.getLogger("onnxscript").setLevel(logging.ERROR)  # it tells of each constant that it leaves to the runtime
    outputs = len(program.graph_signature.user_outputs)
    exported = torch.onnx.export(
        program, dynamo=True, opset_version=OPSET, input_names=INPUTS, output_names=OUTPUTS[:outputs], verbose=False
    )
    assert exported is not None  # it is, unless asked to write a file in the old way
    model = exported.model_proto
    _name_sizes(model)
    onnx.helper.set_model_props(model, description)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _name_sizes(model: Any) -> None:
    """Call the free sizes of an ONNX model what they are, in place of the trace's own signs for them."""
    shape = model.graph.input[0].type.tensor_type.shape.dim
    names = {shape[place].dim_param: name for place, name in FREE_SIZES.items()}
    sign = re.compile(rf"\b({'|'.join(names)})\b")
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param:
                size.dim_param = sign.sub(lambda found: names[found[1]], size.dim_param)


def find_format(out: Path, asked: str | None) -> Format:
    """The format of a file to write, which its ending must be that of.

    Raises:
        InputError: It is not, or names none.
    """
    named = next((kind for kind, ending in ENDINGS.items() if ending == out.suffix.lower()), None)
    if named is None or asked not in (None, named):
        endings = [f"{ending} for {kind}" for kind, ending in ENDINGS.items() if asked in (None, kind)]
        raise InputError(
            f"{out}: expected a file that ends in {' or '.join(endings)}, got {out.suffix or 'no ending'!r}."
        )
    return cast(Format, named)
