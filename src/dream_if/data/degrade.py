"""A corrupted test set as files: the ``dream-if degrade`` command.

The images are those that ``dream-if test`` and ``predict`` corrupt on the fly, byte for byte, because both come from
`FusionDataModule`: so a method of any origin can be given exactly the inputs that the network gets.
"""

import hashlib
import json
import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import cv2
import torch
import yaml
from rich.console import Console
from rich.progress import track

from dream_if.data.conditions import Condition, Sources
from dream_if.data.datamodule import FusionDataModule
from dream_if.data.images import Image, to_image
from dream_if.data.layouts import Layout, Pair, detect_layout
from dream_if.data.pairs import PairFiles, collate
from dream_if.data.prepared import is_prepared
from dream_if.errors import InputError

__all__ = ["degrade", "write_degraded"]

FOLDERS = {"visible": "vi", "infrared": "ir"}


def degrade(
    data: str,
    out: str,
    kind: str,
    level: int | list[int] | None = None,
    arguments: dict[str, Any] | None = None,
    degrade: Sources = "both",
    layout: str | None = None,
    seed: int = 0,
) -> int:
    """Write the test pairs of a data set corrupted, exactly as `test` and `predict` see them, for other methods.

    Args:
        data: folder of the set.
        out: folder to make; it must not hold anything yet.
        kind: name of a degradation, such as gaussian, or of several in their order, such as haze+gaussian; random for
            the mixture of the training, or shift; a wrong one gets the list. After local+, as in local+gaussian, each
            kind is confined to a region.
        level: severity from 1 to 4, or one for each kind, such as '[2, 3]'; 3 if neither this nor arguments are given.
        arguments: of the kind in place of a level, such as '{sigma: 25}'; those left out have their training range.
        degrade: which of the sources, or one, drawn for each pair; the other one is written as it is. Some kinds apply
            to one source alone.
        layout: how the set is arranged: llvip, msrs, m3fd, roadscene, tno or folder; found out by itself if left out.
        seed: of the corruption, as data.seed of a test.

    Returns:
        0.
    """
    place = Path(out).expanduser()
    keys = {"level": level, "arguments": arguments, "seed": seed, "source": degrade}
    condition = Condition.of(kind, "", kind, **keys)
    manifest = write_degraded(Path(data).expanduser(), place, condition, layout)
    print(
        f"Wrote {len(manifest['pairs'])} corrupted test pair(s) to {place}, with their hashes in manifest.json. A test "
        f"has the same inputs with --config {place / 'test.yaml'} --data.root {data}"
    )
    return 0


def write_degraded(root: Path, out: Path, condition: Condition, layout: str | None = None) -> dict[str, Any]:
    """Write the corrupted test split of a set as 8-bit PNG in the layout ``folder``, with names and order kept.

    Beside ``<out>/test/{vi,ir}/<name>.png`` there are ``manifest.json``, which this function returns, and
    ``test.yaml``, with which ``dream-if test`` has the same inputs. An image that nothing is done to is written as it
    is read, with 8 or 16 bit. Everything is written beside ``out`` first and renamed: ``out`` is complete or untouched.

    Args:
        root: Folder of the set of image files.
        out: Folder to make; it may exist if it is empty.
        condition: What is done to the pairs. The draws depend on its seed, the position in the split and the source.
        layout: One of :data:`dream_if.data.layouts.LAYOUTS`; None to guess it.

    Returns:
        The manifest: kind, level, all arguments (a list where there are several kinds), seed, versions, and for each
        pair the names and SHA-256 of the files it was made from and of those written.

    Raises:
        InputError: The set or a file in it cannot be used, or ``out`` is in use or cannot be written.
    """
    if is_prepared(root):
        raise InputError(f"{root}: is a prepared set; name the folder with the image files, whose hashes are kept.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: expected a new or empty folder for the corrupted pairs, found one in use.")
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
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); name another folder.") from error
    try:
        manifest["pairs"] = _write_pairs(module, root, staging)
        (staging / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        told = yaml.safe_dump({"data": condition.settings}, sort_keys=False)
        (staging / "test.yaml").write_text(told, encoding="utf-8")
        staging.chmod(0o755)
        os.replace(staging, out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); nothing was kept. Make room.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return manifest


def _seen(module: FusionDataModule, index: int) -> dict[str, Any]:
    """A test pair as a batch of one, as a test sees it."""
    (pairs,) = module.test_pairs
    return module.on_before_batch_transfer(dict(collate([pairs[index]])), 0)


def _write_pairs(module: FusionDataModule, root: Path, out: Path) -> list[dict[str, Any]]:
    """Write the test pairs of a datamodule as it degrades them; their entries in the manifest."""
    (pairs,) = module.test_pairs
    files = pairs.source
    assert isinstance(files, PairFiles)
    entries = []
    for index in track(range(len(pairs)), "pairs", console=Console(stderr=True), transient=True):
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
