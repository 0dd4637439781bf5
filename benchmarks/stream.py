"""How `dream-if fuse` keeps up with two live cameras: frames fused and dropped, latency, memory, and a camera's end.

    python -m benchmarks.stream                    # what follows is for dream-if fuse, such as --weights small
    python -m benchmarks.stream --tiny

Two videos of a generated scene, 320x240 at 25 frames a second, are sent over loopback as transport streams by UDP, each
by a process of its own, as fast as they were filmed. Then the one that sends the infrared video is killed.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil  # type: ignore[import-untyped]  # its types are a package of their own

__all__ = ["main"]

RATE = 25
HEIGHT, WIDTH = 240, 320
PAN = 100  # pixels to the right and back
COMMAND = [sys.executable, "-c", "import sys; from dream_if.cli import main; sys.exit(main())"]


def send(pixels: Path, url: str) -> None:
    """Film a pan over a picture, (H, W + PAN, 3) uint8 in an .npy file, until killed."""
    picture = np.load(pixels)
    with av.open(url, "w", format="mpegts", options={"flush_packets": "1"}) as container:
        stream = container.add_stream(
            "libx264", rate=RATE, options={"preset": "ultrafast", "tune": "zerolatency", "g": "25"}
        )
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        start, number = time.monotonic(), 0
        while True:
            left = PAN - abs(number % (2 * PAN) - PAN)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:, left : left + WIDTH]), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
            number += 1
            time.sleep(max(0.0, start + number / RATE - time.monotonic()))


def save_tiny_network(folder: Path) -> Path:
    """Untrained weights that cost next to nothing, so that reading, pairing and writing are what is measured."""
    from dream_if.models import DreamIF

    blocks, heads = [1, 1, 1, 1], [1, 1, 1, 1]
    DreamIF(dim=4, num_blocks=blocks, num_refinement_blocks=1, num_heads=heads, stride=2).save_pretrained(folder)
    return folder


def measure(folder: Path, seconds: float, options: Sequence[str]) -> None:
    """Send, fuse, kill one sender, and print what came of it."""
    from dream_if.data.scenes import generate_scene  # seconds, which a sender can do without

    scene = generate_scene(0, 0, (HEIGHT, WIDTH + PAN))
    infrared = np.repeat(scene.infrared[:, :, None], 3, axis=2)
    urls = [f"udp://127.0.0.1:{port}" for port in (50711, 50713)]
    senders: list[subprocess.Popen[bytes]] = []
    for name, picture, url in zip(("visible", "infrared"), (scene.visible, infrared), urls, strict=True):
        np.save(folder / f"{name}.npy", picture)
        words = ["-m", "benchmarks.stream", "--send", str(folder / f"{name}.npy"), f"{url}?pkt_size=1316"]
        senders.append(subprocess.Popen([sys.executable, *words]))
    fusing = subprocess.Popen(
        [*COMMAND, "fuse", *urls, "-o", str(folder / "fused.mp4"), *options],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert fusing.stderr is not None
    assert fusing.stdout is not None
    rates: list[float] = []
    memory: list[float] = []
    first, killed = None, 0.0
    try:
        for line in fusing.stderr:
            print(line.rstrip(), flush=True)
            if not (found := re.match(r"([\d.]+) fused frames a second", line)):
                continue
            first = first or time.monotonic()
            if not killed:
                rates.append(float(found[1]))
                memory.append(psutil.Process(fusing.pid).memory_info().rss / 2**20)
                if time.monotonic() - first >= seconds:
                    senders[1].kill()
                    killed = time.monotonic()
        if fusing.wait():
            sys.exit(fusing.returncode)
        ended = time.monotonic() - killed
    finally:
        for sender in senders:
            sender.kill()
        fusing.kill()
    print(fusing.stdout.read().rstrip())
    with av.open(str(folder / "fused.mp4")) as container:
        count = sum(1 for _ in container.decode(video=0))
    half = memory[len(memory) // 2]
    print(
        f"Fused frames a second: {min(rates[1:]):.1f} to {max(rates[1:]):.1f}. Memory after the first line "
        f"{memory[0]:.0f} MiB, at half time {half:.0f}, at the end {memory[-1]:.0f}. Ended {ended:.1f} s after "
        f"the infrared sender was killed, with status {fusing.returncode}; {count} frames of the file can be decoded."
    )


def main() -> None:
    """Measure, or send."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=120, help="until a sender is killed")
    parser.add_argument("--tiny", action="store_true", help="fuse with a tiny untrained network")
    parser.add_argument("--send", nargs=2, metavar=("PIXELS", "URL"), help="be a sender, for this script itself")
    given, options = parser.parse_known_args()
    if given.send:
        send(Path(given.send[0]), given.send[1])
    with tempfile.TemporaryDirectory() as folder:
        if given.tiny:
            options += ["--weights", str(save_tiny_network(Path(folder) / "tiny"))]
        measure(Path(folder), given.seconds, options)


if __name__ == "__main__":
    main()
