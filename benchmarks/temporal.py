"""What `dream-if fuse --temporal` does for videos of generated scenes: flicker, and distance from frames without noise.

    python -m benchmarks.temporal

A camera films three scenes with new noise in each frame: it stands still, pans by whole or by half pixels, or drives
ahead. Flicker is the mean change of a point of the scene in the fused luminance from one frame to the next, where the
clean sources do not change; it is measured where the camera moves by whole pixels. The error is the root mean square
difference from the fused frames of the clean sources; noise, smoothing and ghosts are all in it. Both are in grey
levels of 255. "Blurred" is the flicker at strength 0 after a Gaussian of 8 pixels: what frames change in brightness and
contrast over whole areas.
"""

import argparse
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from dream_if.data.scenes import Scene, generate_scene
from dream_if.inference import Fuser, make_fuser
from dream_if.inference.engine import fuse_pictures
from dream_if.inference.flicker import luminance_of
from dream_if.inference.pictures import Picture
from dream_if.inference.smoothing import Smoother

__all__ = ["main"]

HEIGHT, WIDTH = 160, 208
FRAMES = 12
STRENGTHS = (0.0, 0.5, 0.8)

Frames = npt.NDArray[np.float32]  # (number, H, W, 3) in [0, 1]


class Camera(NamedTuple):
    """How it moves: pixels to the right and zoom, from frame to frame."""

    name: str
    pan: float = 0.0
    zoom: float = 1.0


STILL, PAN = Camera("still"), Camera("pan, 3 px a frame", 3)
HALVES, DRIVE = Camera("pan, 1.5 px a frame", 1.5), Camera("drive, 1% larger a frame", zoom=1.01)
CASES = ((STILL, 5), (STILL, 15), (PAN, 0), (PAN, 5), (HALVES, 0), (HALVES, 5), (DRIVE, 0), (DRIVE, 5))
"""Cameras, and the standard deviation of their noise in grey levels."""


def filmed(picture: npt.NDArray[Any], camera: Camera, noise: float, seed: int) -> Iterator[Picture]:
    """Frames of a scene of twice their resolution."""
    rng = np.random.default_rng(seed)
    for number in range(FRAMES):
        scale = 2 * camera.zoom**-number
        left, top = (2 - scale) * WIDTH / 2 + 2 * camera.pan * number, (2 - scale) * HEIGHT / 2
        view = np.array([[scale, 0, left], [0, scale, top]], np.float32)
        frame = cv2.warpAffine(picture, view, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        noisy = frame.reshape(HEIGHT, WIDTH, -1) + rng.normal(0, noise, (HEIGHT, WIDTH, picture.shape[2]))
        yield Picture(np.clip(np.round(noisy), 0, 255).astype(np.uint8))


def fused(fuser: Fuser, scene: Scene, camera: Camera, noise: float) -> Frames:
    """The fused frames of one video."""
    sharp = [cv2.GaussianBlur(one, (0, 0), 0.8) for one in (scene.visible, scene.infrared)]  # no aliasing at half size
    pairs = zip(
        filmed(sharp[0], camera, noise, 0),
        filmed(sharp[1].reshape(*sharp[1].shape[:2], 1), camera, noise, 1),
        strict=True,
    )
    return np.stack([fuse_pictures(fuser, [pair])[0].values for pair in pairs])


def flicker(frames: Frames, pan: int, blur: float = 0.0) -> float:
    """Mean change of a point of the scene from frame to frame, after a Gaussian blur."""
    grey = np.stack([cv2.GaussianBlur(one, (0, 0), blur) if blur else one for one in map(luminance_of, frames)])
    changes = np.abs(grey[1:, :, : WIDTH - pan] - grey[:-1, :, pan:])
    edge = round(3 * blur)  # what lies outside the frame is not known, so the blur is wrong there
    return float(255 * changes[:, edge : HEIGHT - edge, edge : WIDTH - pan - edge].mean())


def error(frames: Frames, clean: Frames) -> float:
    """Root mean square difference, without the first frame, which is not smoothed."""
    return float(
        255 * np.sqrt(np.mean([np.square(luminance_of(x - y)) for x, y in zip(frames[1:], clean[1:], strict=True)]))
    )


def row(camera: Camera, noise: float, figures: list[list[float]]) -> str:
    """A row of the table: means over scenes."""
    means = np.mean(figures, axis=0)
    cells = [camera.name, f"{noise:g}", *("–" if np.isnan(mean) else f"{mean:.2f}" for mean in means)]
    return f"| {' | '.join(cells)} |"


def cost(size: tuple[int, int] = (480, 640), times: int = 10) -> float:
    """Milliseconds of one core that smoothing a frame takes, beside the network's."""
    frames = np.random.default_rng(0).random((2, *size, 3), np.float32)
    smoother = Smoother(0.8)
    smoother(frames[0])
    begin = time.process_time()
    for number in range(times):
        smoother(frames[number % 2])
    return 1000 * (time.process_time() - begin) / times


def main() -> None:
    """Print the cost and the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--weights", default="small")
    parser.add_argument("--scenes", type=int, default=3)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print(f"Smoothing a frame of 640x480 takes {cost():.0f} ms of one core.\n", flush=True)
    fuser = make_fuser(options.weights, device="cpu", precision="float32")
    scenes = [generate_scene(0, index, (2 * HEIGHT, 2 * WIDTH + 6 * FRAMES)) for index in range(options.scenes)]
    figures = [f"{name} {strength:g}" for name in ("flicker", "error") for strength in STRENGTHS]
    figures.insert(0, "blurred")
    print(f"| camera | noise | {' | '.join(figures)} |\n|" + " --- |" * (2 + len(figures)))
    clean: dict[Camera, list[Frames]] = {}
    for camera, noise in CASES:
        if camera not in clean:
            clean[camera] = [fused(fuser, scene, camera, 0) for scene in scenes]
        found = []
        for scene, without in zip(scenes, clean[camera], strict=True):
            frames = fused(fuser, scene, camera, noise) if noise else without
            smoothed = [np.stack([*map(Smoother(strength), frames)]) for strength in STRENGTHS]
            pan = int(camera.pan)
            flickers = [flicker(frames, pan, 8.0), *(flicker(each, pan) for each in smoothed)]
            if camera.zoom != 1 or camera.pan != pan:
                flickers = [np.nan] * len(flickers)
            found.append([*flickers, *(error(each, without) for each in smoothed)])
        print(row(camera, noise, found), flush=True)


if __name__ == "__main__":
    main()
