"""Damaged pictures: a sentence or the pixels that Pillow gives, never a traceback, a wait or a heap of memory."""

import random
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
import torch
from PIL import Image

from dream_if.decoding import READABLE, decode
from dream_if.errors import InputError
from dream_if.models import DreamIF
from tests.attack.counting import COUNTS, MOST_MEMORY, SEED, command
from tests.data.pictures import encoded, smooth, write

pytestmark = pytest.mark.attack

DEEP = smooth().astype(np.uint16) * 257
WHOLE = {
    "png": encoded(smooth(), "PNG"),
    "png16": encoded(DEEP[:, :, 0], "PNG"),
    "png_grey": encoded(smooth(channels=1), "PNG"),
    "jpg": encoded(smooth(), "JPEG"),
    "jpg_progressive": encoded(smooth(), "JPEG", progressive=True),
    "tif": encoded(smooth(), "TIFF"),
    "tif_lzw": encoded(smooth(), "TIFF", compression="tiff_lzw"),
    "tif_deflate": encoded(smooth(), "TIFF", compression="tiff_adobe_deflate"),
    "tif_jpeg": encoded(smooth(), "TIFF", compression="jpeg"),
    "bmp": encoded(smooth(), "BMP"),
    "webp": encoded(smooth(), "WEBP", lossless=True),
    "webp_lossy": encoded(smooth(), "WEBP"),
}


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The file with flipped bits, other bytes, a piece cut out or doubled, or without its end."""
    changed = bytearray(data)
    head = min(len(data), 200) if rng.random() < 0.4 else len(data)
    way = rng.randrange(5)
    if way == 0:
        del changed[rng.randrange(1, len(data)) :]
    elif way == 1:
        place = rng.randrange(head)
        changed[place : place + rng.randrange(1, 64)] = b""
    elif way == 2:
        place = rng.randrange(head)
        changed[place:place] = changed[place : place + rng.randrange(1, 64)]
    else:
        for _ in range(rng.choice([1, 1, 2, 8])):
            place = rng.randrange(head)
            changed[place] = changed[place] ^ 1 << rng.randrange(8) if way == 3 else rng.choice([0, 255, 127, 128])
    return bytes(changed)


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in what takes longer."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def pillow_refuses(path: Path) -> bool:
    """Whether Pillow cannot decode all of it."""
    try:
        with Image.open(path, formats=READABLE) as image:
            image.load()
    except Exception:
        return True
    return False


@pytest.mark.parametrize("kind", WHOLE)
def test_the_reader(kind: str, tmp_path: Path, time_left: Callable[[float], bool]) -> None:
    rng, faults = random.Random(f"{SEED} {kind}"), []
    path = tmp_path / f"x.{kind.split('_')[0]}"
    for number in range(2000):
        if not time_left(0.01):
            break
        data = mutated(WHOLE[kind], rng)
        path.write_bytes(data)
        try:
            with at_most(60):
                decode(path)
        except InputError as error:
            outcome = "refused" if "\n" not in str(error) else "FAULT"
        except BaseException as error:
            outcome = "FAULT"
            faults.append(f"{number}: {error!r}")
        else:
            outcome = "read"
            if pillow_refuses(path):
                outcome = "FAULT"
                faults.append(f"{number}: read, and Pillow refuses it")
        COUNTS[f"reader, {kind}", outcome] += 1
    assert not faults
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 < MOST_MEMORY


@pytest.fixture(scope="module")
def weights(tiny_net: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    DreamIF(**tiny_net).save_pretrained(folder)
    return folder


def test_fuse(weights: Path, tmp_path: Path, time_left: Callable[[float], bool]) -> None:
    rng, faults = random.Random(f"{SEED} fuse"), []
    write(tmp_path / "whole.png", smooth(channels=1))
    for number in range(500):
        if not time_left(0.08):
            break
        kind = list(WHOLE)[number % len(WHOLE)]
        (tmp_path / "x").write_bytes(mutated(WHOLE[kind], rng))
        sources = ["x", "whole.png"] if rng.random() < 0.5 else ["whole.png", "x"]
        (tmp_path / "out.png").unlink(missing_ok=True)
        ended = command(["fuse", *sources, "-o", "out.png", "--weights", weights, "--threads", 1], tmp_path)
        fault = ended.fault()
        if ended.status == 0 and (pillow_refuses(tmp_path / "x") or pillow_refuses(tmp_path / "out.png")):
            fault = "fused, and Pillow refuses it"
        if fault:
            faults.append(f"{number} {kind}: {fault}")
        COUNTS["fuse, a damaged picture", "FAULT" if fault else "fused" if ended.status == 0 else "refused"] += 1
    assert not faults


def test_check(tmp_path: Path, time_left: Callable[[float], bool]) -> None:
    rng, faults = random.Random(f"{SEED} check"), []
    for number in range(200):
        if not time_left(0.04):
            break
        folder = tmp_path / str(number)
        bad = 0
        for position, (kind, data) in enumerate(WHOLE.items()):
            ending = kind.split("_")[0].removesuffix("16")
            write(folder / f"test/ir/{position}.png", smooth(channels=1))
            (folder / "test/vi").mkdir(parents=True, exist_ok=True)
            (path := folder / f"test/vi/{position}.{ending}").write_bytes(mutated(data, rng))
            bad += pillow_refuses(path)
        ended = command(["check", folder, "--layout", "folder"], tmp_path)
        fault = ended.fault() or ("nothing found" if bad and ended.status == 0 else "")
        if fault:
            faults.append(f"{number}: {fault}")
        COUNTS["check, a folder of damaged pictures", "FAULT" if fault else f"status {ended.status}"] += 1
    assert not faults
