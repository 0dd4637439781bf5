"""A corrupted test set as files.

The images are those that ``dream-if test`` and ``predict`` corrupt on the fly, byte for byte, because both come from
`FusionDataModule`: so a method of any origin can be given exactly the inputs that the network gets.
"""

import hashlib
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias, cast

import cv2
import torch
import yaml

from dream_if.data.conditions import Condition
from dream_if.data.datamodule import FusionDataModule
from dream_if.data.images import Image, to_image
from dream_if.data.layouts import Layout, detect_layout
from dream_if.data.pairs import PairFiles, collate
from dream_if.data.prepared import is_prepared
from dream_if.errors import InputError
from dream_if.storage import Pair, atomic_folder, file_digest, refuse_used_folder

__all__ = ["write_degraded"]

Progress: TypeAlias = Callable[[int, int], None]

FOLDERS = {"visible": "vi", "infrared": "ir"}


def write_degraded(
    root: Path, out: Path, condition: Condition, layout: str | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Write the corrupted test split of a set as 8-bit PNG in the layout ``folder``, with names and order kept.

    Beside ``<out>/test/{vi,ir}/<name>.png`` there are ``manifest.json``, which this function returns, and
    ``test.yaml``, with which ``dream-if test`` has the same inputs. An image that nothing is done to is written as it
    is read, with 8 or 16 bit. Everything is written beside ``out`` first and renamed: ``out`` is complete or untouched.

    Args:
        root: Folder of the set of image files.
        out: Folder to make; it may exist if it is empty.
        condition: What is done to the pairs. The draws depend on its seed, the position in the split and the source.
        layout: One of :data:`dream_if.data.layouts.LAYOUTS`, or the path of a function; None to guess it.
        progress: Called with (pairs done, pairs in all) as they are done.

    Returns:
        The manifest: kind, level, all arguments (a list where there are several kinds), seed, versions, and for each
        pair the names and SHA-256 of the files it was made from and of those written.

    Raises:
        InputError: The set or a file in it cannot be used, or ``out`` is in use or cannot be written.
    """
    if is_prepared(root):
        raise InputError(f"{root}: is a prepared set; name the folder with the image files, whose hashes are kept.")
    refuse_used_folder(out, "the corrupted pairs")
    known_layout = cast(Layout, detect_layout(root) if layout is None else layout)
    module = FusionDataModule(
        known_layout,
        str(root),
        test_degradation=condition.composition(),
        degrade=condition.degrade,
        num_workers=0,
        seed=condition.seed,
    )
    module.setup("test")
    settings = [part.settings["init_args"] for part in condition.parts]
    manifest = {
        "format": "dream-if degraded pairs",
        "version": 1,
        "set": root.resolve().name,
        "layout": known_layout,
        "split": "test",
        "kind": condition.kind,
        "level": list(condition.level) if isinstance(condition.level, tuple) else condition.level,
        "arguments": settings if len(settings) > 1 else settings[0],
        "degrade": condition.source,
        "seed": condition.seed,
        "versions": {"dream-if": version("dream-if"), "torch": torch.__version__, "opencv": cv2.__version__},
    }
    if condition.kind == "shift":  # refused before a folder is made, where the first pair is too small
        _seen(module, 0)
    with atomic_folder(out) as folder:
        manifest["pairs"] = _write_pairs(module, root, folder, progress)
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        told = yaml.safe_dump({"data": condition.settings}, sort_keys=False)
        (folder / "test.yaml").write_text(told, encoding="utf-8")
    return manifest


def _seen(module: FusionDataModule, index: int) -> dict[str, Any]:
    """A test pair as a batch of one, as a test sees it."""
    (pairs,) = module.test_pairs
    return module.on_before_batch_transfer(dict(collate([pairs[index]])), 0)


def _write_pairs(module: FusionDataModule, root: Path, out: Path, progress: Progress | None) -> list[dict[str, Any]]:
    """Write the test pairs of a datamodule as it degrades them; their entries in the manifest."""
    (pairs,) = module.test_pairs
    files = pairs.source
    assert isinstance(files, PairFiles)
    entries = []
    for index in range(len(pairs)):
        batch = _seen(module, index)
        read = dict(zip(FOLDERS, files.read(index), strict=False))
        pair: Pair = files.pairs[index]
        entry: dict[str, Any] = {"name": pair.name, "index": index}
        for source, folder in FOLDERS.items():
            original: Path = getattr(pair, source)
            untouched = torch.equal(batch[source], batch[f"{source}_clean"])
            image = cast(Image, read[source]) if untouched else to_image(batch[source][0])
            path = out / "test" / folder / f"{pair.name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            content = _png(image)
            path.write_bytes(content)
            entry[source] = {
                "from": (original.relative_to(root) if original.is_relative_to(root) else original).as_posix(),
                "from_sha256": file_digest(original),
                "file": path.relative_to(out).as_posix(),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
        entries.append(entry)
        if progress is not None:
            progress(index + 1, len(pairs))
    return entries


def _png(image: Image) -> bytes:
    """An image (H, W, 1 or 3) as a PNG file of its own depth."""
    stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.shape[2] == 3 else image
    _, encoded = cv2.imencode(".png", stored)
    return bytes(encoded)
