"""`dream-if doctor`: describe this machine and installation, as plain text for an issue."""

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

import dream_if

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["Options", "run"]

TOLD = ("torch", "torchvision", "lightning", "torchmetrics", "numpy", "opencv-python-headless", "kornia", "timm")
EXTRAS = {
    "app": "`dream-if app`, fusing in the browser",
    "video": "fusing videos",
    "tables": "wavelet shrinkage and other restorers in tables",
    "detection": "Table 5, detectors",
    "export": "`dream-if export` to ONNX",
    "notebooks": "running the notebooks",
    "dev": "tests, checks and the site",
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "firefox")
GIB = 2**30
WEIGHTS = Path(dream_if.__file__).parent / "weights"  # not by `models`, which needs torch
BAD = ("MISSING", "DAMAGED")


@dataclass(frozen=True)
class Options:
    """None."""


def run(_: Options) -> int:
    """Print versions, devices, memory, codecs, weights and extras, to be pasted into an issue.

    Returns:
        1 if something that dream-if needs is missing or damaged, else 0.
    """
    status = 0
    for subject, check in CHECKS.items():
        try:
            for text in check():
                print(f"{subject:10} {text}", flush=True)
                status |= text.startswith(BAD)
        except (ImportError, OSError) as error:  # OSError: a library that a package loads is not there
            print(f"{subject:10} MISSING: {error}", flush=True)
            status = 1
    return int(status)


def _versions() -> Iterator[str]:
    yield f"{_version('dream-if')}, Python {platform.python_version()}, {platform.platform()}"
    yield ", ".join(f"{name} {_version(name)}" for name in TOLD)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _needed() -> Iterator[str]:
    """What is not there although every installation has it."""
    lacking = [str(each) for each in _requirements() if each.marker is None and not _is_there(each)]
    yield f"MISSING, too old or too new: {', '.join(lacking)}" if lacking else "all there"


def _extras() -> Iterator[str]:
    """What installing each extra would add."""
    needed = _requirements()
    for extra, purpose in EXTRAS.items():
        own = [each for each in needed if each.marker and each.marker.evaluate({"extra": extra})]
        adds = [each.name for each in own if not _is_there(each) and each.name != "dream-if"]
        told = f"pip install 'dream-if[{extra}]' would add {', '.join(adds)}" if adds else "there"
        yield f"{extra} ({purpose}): {told}"


def _requirements() -> "list[Requirement]":
    from packaging.requirements import Requirement

    return [Requirement(text) for text in requires("dream-if") or []]


def _is_there(requirement: "Requirement") -> bool:
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False


def _memory() -> Iterator[str]:
    import psutil  # type: ignore[import-untyped]  # its types are a package of their own

    memory = psutil.virtual_memory()
    yield f"{memory.available / GIB:.1f} GiB free of {memory.total / GIB:.1f}"


def _pictures() -> Iterator[str]:
    from PIL import features

    names = {"jpg": "JPEG", "zlib": "PNG", "libtiff": "TIFF", "webp": "WebP"}
    yield ", ".join(f"{name}{'' if features.check(key) else ': no'}" for key, name in names.items())


def _browser() -> Iterator[str]:
    yield next(filter(None, map(shutil.which, BROWSERS)), f"none of {', '.join(BROWSERS)}")


def _weights() -> Iterator[str]:
    for file in sorted(WEIGHTS.glob("*.safetensors")):
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        expected = json.loads(file.with_suffix(".json").read_text())["sha256"]
        yield f"{file.stem}, sha256 {found}" if found == expected else f"DAMAGED: {file}; reinstall dream-if"


def _variables() -> Iterator[str]:
    """Environment variables about computing, which hold no secrets."""
    known = ("OMP_", "DREAM_IF_", "CUDA_VISIBLE", "SLURM_CPUS", "PYTORCH_")
    yield ", ".join(f"{key}={value}" for key, value in sorted(os.environ.items()) if key.startswith(known)) or "none"


def _video() -> Iterator[str]:
    if _version("av") == "none":  # which is an extra, so that its absence is no fault
        yield "none without the extra video"
        return
    import av

    wanted = ("h264", "hevc", "vp9", "av1", "mjpeg")
    yield f"PyAV {av.__version__}, reads {', '.join(name for name in wanted if name in av.codecs_available)}"


def _threads() -> Iterator[str]:
    from dream_if.machine import choose_threads

    yield choose_threads().reason


def _devices() -> Iterator[str]:
    import torch

    yield f"cpu, {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"
    if torch.backends.mps.is_available():
        yield "mps"
    for index in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(index)
        yield f"cuda:{index}, {found.name}, {found.total_memory / GIB:.1f} GiB"
    if not torch.cuda.is_available():
        yield f"no CUDA device; torch was built {f'for CUDA {torch.version.cuda}' if torch.version.cuda else 'without'}"


CHECKS = {
    "versions": _versions,
    "needed": _needed,
    "extra": _extras,
    "memory": _memory,
    "pictures": _pictures,
    "browser": _browser,
    "weights": _weights,
    "variables": _variables,
    "video": _video,
    "threads": _threads,
    "device": _devices,
}
"""Subject -> its lines. Those that import torch, which takes seconds, come last."""
