"""Generated pictures as files, for the tests of data."""

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PILImage

from dream_if.storage import Pair


def smooth(height: int = 96, width: int = 120, channels: int = 3, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, channels), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)).reshape(height, width, -1)


def encoded(image: np.ndarray, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    PILImage.fromarray(image.squeeze()).save(buffer, kind, **options)
    return buffer.getvalue()


def write(path: Path, image: np.ndarray, kind: str = "PNG", **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(image, kind, **options))
    return path


def write_pair(folder: Path, name: str, height: int = 96, width: int = 120, seed: int = 0) -> Pair:
    return Pair(
        name,
        write(folder / "vi" / f"{name}.png", smooth(height, width, 3, seed)),
        write(folder / "ir" / f"{name}.png", smooth(height, width, 1, seed + 1)),
    )
