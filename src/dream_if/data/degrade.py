"""A corrupted test set as files: the ``dream-if degrade`` command.

The images are those that ``dream-if test`` and ``predict`` corrupt on the fly, byte for byte, because both come from
`FusionDataModule`: so a method of any origin can be given exactly the inputs that the network gets.
"""

import hashlib
import inspect
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, cast

import cv2
import torch
import yaml
from rich.console import Console
from rich.progress import track

from dream_if.data import degradations
from dream_if.data.datamodule import FusionDataModule
from dream_if.data.degradations import KINDS, Degradation, FixedDegradation
from dream_if.data.images import Image, to_image
from dream_if.data.layouts import Layout, Pair, detect_layout
from dream_if.data.pairs import PairFiles, collate
from dream_if.data.prepared import is_prepared
from dream_if.errors import InputError

__all__ = ["degrade", "write_degraded"]

FOLDERS = {"visible": "vi", "infrared": "ir"}
PAPERS_LEVEL = 3  # Gaussian noise with sigma 35, as in the paper's tables


def degrade(
    data: str,
    out: str,
    kind: str,
    level: int | None = None,
    arguments: dict[str, Any] | None = None,
    degrade: Literal["both", "visible", "infrared"] = "both",
    layout: str | None = None,
    seed: int = 0,
) -> int:
    """Write the test pairs of a data set corrupted, exactly as `test` and `predict` see them, for other methods.

    Args:
        data: folder of the set.
        out: folder to make; it must not hold anything yet.
        kind: name of a degradation, such as gaussian or rain; a wrong one gets the list.
        level: severity from 1 to 4; 3 if neither this nor arguments are given.
        arguments: of the kind in place of a level, such as '{sigma: 25}'; those left out have their training range.
        degrade: which of the sources; the other one is written as it is.
        layout: how the set is arranged: llvip, msrs, m3fd, roadscene, tno or folder; found out by itself if left out.
        seed: of the corruption, as data.seed of a test.

    Returns:
        0.
    """
    place = Path(out).expanduser()
    manifest = write_degraded(Path(data).expanduser(), place, kind, level, arguments, degrade, layout, seed)
    print(
        f"Wrote {len(manifest['pairs'])} corrupted test pairs to {place}, with their hashes in manifest.json. A test "
        f"has the same inputs with --config {place / 'test.yaml'} --data.root {data}"
    )
    return 0


def _classes() -> dict[str, type[Degradation]]:
    """The kinds by name."""
    listed = [entry for entry in vars(degradations).values() if inspect.isclass(entry)]
    named = {entry.name: entry for entry in listed if issubclass(entry, Degradation) and entry is not Degradation}
    return {name: named[name] for name in KINDS}


def _made(chosen: type[Degradation], level: int | None, arguments: Mapping[str, Any]) -> tuple[Degradation, Any]:
    """A degradation at a level or with arguments, and all its arguments."""
    signature = inspect.signature(chosen)
    try:
        made = chosen(**arguments) if level is None else chosen.at_level(level)
        bound = signature.bind(**(arguments if level is None else chosen.LEVELS[level - 1]))
    except TypeError as error:
        raise InputError(
            f"arguments of {chosen.name}: {error}; expected some of {', '.join(signature.parameters)}."
        ) from error
    bound.apply_defaults()
    return made, json.loads(json.dumps(bound.arguments))  # tuples as the lists they become in a file


def write_degraded(
    root: Path,
    out: Path,
    kind: str,
    level: int | None = None,
    arguments: Mapping[str, Any] | None = None,
    degraded: Literal["both", "visible", "infrared"] = "both",
    layout: str | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Write the corrupted test split of a set as 8-bit PNG in the layout ``folder``, with names and order kept.

    Beside ``<out>/test/{vi,ir}/<name>.png`` there are ``manifest.json``, which this function returns, and
    ``test.yaml``, with which ``dream-if test`` has the same inputs. A source that is not corrupted is written as it is
    read, with 8 or 16 bit. Everything is written beside ``out`` first and renamed: ``out`` is complete or untouched.

    Args:
        root: Folder of the set of image files.
        out: Folder to make; it may exist if it is empty.
        kind: Name of the degradation, one of `KINDS`.
        level: Its severity, from 1 to 4; `PAPERS_LEVEL` if neither this nor arguments are given.
        arguments: Of its class, in place of a level; of a range each image gets its own value.
        degraded: Which of the sources.
        layout: One of :data:`dream_if.data.layouts.LAYOUTS`; None to guess it.
        seed: Of the draws, which depend on it, the position in the split and the source alone.

    Returns:
        The manifest: kind, level, all arguments, seed, versions, and for each pair the names and SHA-256 of the files
        it was made from and of those written.

    Raises:
        InputError: The set or a file in it cannot be used, a setting is wrong, or ``out`` is in use or cannot be
            written.
    """
    classes = _classes()
    if kind not in classes:
        raise InputError(f"there is no degradation {kind}; expected one of {', '.join(classes)}.")
    if arguments is None:
        level = PAPERS_LEVEL if level is None else level
    elif level is not None:
        raise InputError(f"level {level} and arguments were given; a level stands for arguments, so give one of both.")
    degradation, settings = _made(classes[kind], level, arguments or {})
    if is_prepared(root):
        raise InputError(f"{root}: is a prepared set; name the folder with the image files, whose hashes are kept.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: expected a new or empty folder for the corrupted pairs, found one in use.")
    known_layout = cast(Layout, detect_layout(root) if layout is None else layout)
    module = FusionDataModule(
        known_layout,
        str(root),
        test_degradation=FixedDegradation(degradation),
        degrade=degraded,
        num_workers=0,
        seed=seed,
    )
    module.setup("test")
    manifest = {
        "format": "dream-if degraded pairs",
        "version": 1,
        "set": root.resolve().name,
        "layout": known_layout,
        "split": "test",
        "kind": kind,
        "level": level,
        "arguments": settings,
        "degrade": degraded,
        "seed": seed,
        "versions": {"dream-if": version("dream-if"), "torch": torch.__version__, "opencv": cv2.__version__},
    }
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); name another folder.") from error
    try:
        manifest["pairs"] = _write_pairs(module, root, staging)
        (staging / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        (staging / "test.yaml").write_text(_test_settings(classes[kind], manifest), encoding="utf-8")
        staging.chmod(0o755)
        os.replace(staging, out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); nothing was kept. Make room.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return manifest


def _write_pairs(module: FusionDataModule, root: Path, out: Path) -> list[dict[str, Any]]:
    """Write the test pairs of a datamodule as it degrades them; their entries in the manifest."""
    (pairs,) = module.test_pairs
    files = pairs.source
    assert isinstance(files, PairFiles)
    entries = []
    for index in track(range(len(pairs)), "pairs", console=Console(stderr=True), transient=True):
        batch = module.on_before_batch_transfer(dict(collate([pairs[index]])), 0)
        read = dict(zip(FOLDERS, files.read(index), strict=False))
        pair: Pair = files.pairs[index]
        entry: dict[str, Any] = {"name": pair.name, "index": index}
        for source, folder in FOLDERS.items():
            original: Path = getattr(pair, source)
            image = to_image(batch[source][0]) if source in module.degraded else cast(Image, read[source])
            path = out / "test" / folder / f"{pair.name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            content = _png(image)
            path.write_bytes(content)
            entry[source] = {
                "from": original.relative_to(root).as_posix(),
                "from_sha256": hashlib.sha256(original.read_bytes()).hexdigest(),
                "file": path.relative_to(out).as_posix(),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
        entries.append(entry)
    return entries


def _png(image: Image) -> bytes:
    """An image (H, W, 1 or 3) as a PNG file of its own depth."""
    stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.shape[2] == 3 else image
    _, encoded = cv2.imencode(".png", stored)
    return bytes(encoded)


def _test_settings(chosen: type[Degradation], manifest: Mapping[str, Any]) -> str:
    """What a test is told to have the same inputs, as YAML."""
    kind = {"class_path": f"{degradations.__name__}.{chosen.__name__}", "init_args": manifest["arguments"]}
    composition = {"class_path": "dream_if.data.FixedDegradation", "init_args": {"kind": kind}}
    settings = {"test_degradation": composition, "degrade": manifest["degrade"], "seed": manifest["seed"]}
    return str(yaml.safe_dump({"data": settings}, sort_keys=False))
