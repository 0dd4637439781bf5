"""Whether memory stays flat over an afternoon's work: the app under requests, a long training, and a large folder.

    python -m benchmarks.soak app fit fuse

Each is a process of its own, on generated scenes. A line tells the most memory (RSS, of the process and those that it
has started) while the first tenth of the work was done, from there to the half, and in the second half.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]  # its types are a package of their own
import yaml

from dream_if.data.scenes import save_scenes

__all__ = ["main"]

COMMAND = [sys.executable, "-c", "import sys; from dream_if.cli import main; sys.exit(main())"]
NET = {"dim": 8, "num_blocks": [1, 1, 1, 1], "num_refinement_blocks": 1, "num_heads": [1, 1, 1, 1]}
EPOCHS = 20
CLIENTS = 4


def fit(folder: Path, steps: int) -> str:
    """Train a tiny network, in epochs of equal length: each scene is a batch."""
    plan = {
        "model": {"net": NET},
        "data": {
            "layout": "scenes",
            "num_scenes": steps // EPOCHS,
            "scene_size": [96, 128],
            "crop": 16,
            "crops_per_pair": 2,
            "batch_size": 2,
            "num_workers": 0,
        },
        "trainer": {"max_epochs": EPOCHS, "accelerator": "cpu", "enable_progress_bar": False},
    }
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan))
    process = _started(folder, "fit", "--config", "plan.yaml")
    return _watched(process, lambda: len(list(folder.glob("runs/*/*/panels/epoch_*.png"))) / EPOCHS)


def fuse(folder: Path, count: int) -> str:
    """Fuse a folder of small pairs with the shipped network."""
    save_scenes(folder / "pairs", {"test": count}, size=(48, 64))
    process = _started(folder, "fuse", "pairs/test/vi", "pairs/test/ir", "-o", "out")
    return _watched(process, lambda: len(list(folder.glob("out/*.png"))) / count)


def app(folder: Path, count: int) -> str:
    """Have visitors upload pairs, look at them through a slider, and fuse them; each in turn, all at the same time."""
    save_scenes(folder / "pairs", {"test": CLIENTS}, size=(120, 160))
    process = _started(folder, "app", "--port", "7993")
    url, done = "http://127.0.0.1:7993", 0
    config = _answered(url, process)
    levels = sum(part["type"] == "slider" for part in config["components"])
    button = next(part["id"] for part in config["components"] if part["props"].get("elem_id") == "fuse")
    number = next(each["id"] for each in config["dependencies"] if [button, "click"] in each["targets"])

    def visit(client: int) -> None:
        nonlocal done
        pair = [sorted((folder / "pairs/test" / part).iterdir())[client] for part in ("vi", "ir")]
        with httpx.Client(base_url=f"{url}/gradio_api", timeout=600) as http:
            for turn in range(client, count, CLIENTS):
                files = [
                    {
                        "path": http.post("upload", files={"files": path.open("rb")}).json()[0],
                        "meta": {"_type": "gradio.FileData"},
                    }
                    for path in pair
                ]
                sliders = [turn % 5, *[0] * (levels - 1)]
                session = f"visitor{turn}"
                body = {"fn_index": number, "data": [*files, "rgb", "auto", False, False, "both", turn, *sliders]}
                http.post("queue/join", json=body | {"session_hash": session}).raise_for_status()
                said = http.get("queue/data", params={"session_hash": session}).text
                if '"success":true' not in said:
                    raise RuntimeError(said[-2000:])
                done += 1

    with ThreadPoolExecutor(CLIENTS) as pool:
        visits = [pool.submit(visit, client) for client in range(CLIENTS)]
        try:
            told = _watched(process, lambda: done / count, lambda: all(one.done() for one in visits))
        finally:
            process.terminate()
        for one in visits:
            one.result()
    return told


PARTS: Mapping[str, tuple[Callable[[Path, int], str], int, str]] = {
    "app": (app, 200, "requests"),
    "fit": (fit, 2000, "steps"),
    "fuse": (fuse, 2000, "pairs"),
}


def _started(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([*COMMAND, *words], cwd=folder, stdout=log, stderr=log)


def _answered(url: str, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What the page says of itself, as soon as it is served."""
    while process.poll() is None:
        with suppress(httpx.ConnectError):
            answer: dict[str, Any] = httpx.get(f"{url}/config").json()
            return answer
        time.sleep(0.5)
    raise RuntimeError("the page was not served")


def _watched(
    process: subprocess.Popen[bytes], share: Callable[[], float], over: Callable[[], bool] = lambda: False
) -> str:
    """The most memory in three stretches of the work, until the process ends or the work is over."""
    most = {0.1: 0, 0.5: 0, 1.0: 0}
    while process.poll() is None and not over():
        with suppress(psutil.NoSuchProcess):
            top = psutil.Process(process.pid)
            used = sum(each.memory_info().rss for each in (top, *top.children(recursive=True)))
            if (done := share()) < 1:  # then it ends, and reads libraries' pages once more: 109 MiB
                stretch = next(limit for limit in most if done <= limit)
                most[stretch] = max(most[stretch], used)
        time.sleep(0.2)
    if process.returncode:
        raise RuntimeError(f"status {process.returncode}")
    if share() < 1:
        raise RuntimeError(f"ended after {share():.0%} of the work")
    return ", ".join(f"to {limit:.0%} {used / 2**20:.0f} MiB" for limit, used in most.items())


def main() -> None:
    """Do the parts that are named, and print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--count", type=int, help="how much of each; for a quick look")
    given = parser.parse_args()
    for name in given.parts:
        part, usual, unit = PARTS[name]
        count = given.count or usual
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            told = part(Path(folder), count)
            print(f"{name}, {count} {unit}: {told}, in {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
