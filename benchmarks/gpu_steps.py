"""The steps of benchmarks/gpu.py, each in a process of its own.

A step writes a row as soon as it has it: what was looked at, and the figure. Where a result can be wrong it is compared
with the CPU's, and the step fails if they differ by more than the tolerance that the row states.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from torch import Tensor

from benchmarks.gpu_training import EXPERIMENTS, steps_of_training
from benchmarks.network_case import build
from benchmarks.network_floor import bytes_moved
from benchmarks.scaling import count
from dream_if.data.scenes import generate_scene
from dream_if.inference.fuser import Fuser
from dream_if.losses import FusionLoss
from dream_if.machine import choose_threads, use_threads
from dream_if.metrics import METRICS

TOLERANCE = {"32-true": 2e-3, "bf16-mixed": 2e-2, "16-mixed": 2e-2}
"""Of the loss, relative to the CPU's. A GPU sums in another order, and cuDNN convolves in TF32 unless told not to."""


class Run:
    """What a step is given, and where its rows go."""

    def __init__(self, folder: Path, device: str, limit: float, tiny: bool) -> None:
        self.folder, self.device, self.tiny = folder, torch.device(device), tiny
        self.end = time.monotonic() + limit
        self.wrong: list[str] = []

    @property
    def left(self) -> float:
        """Seconds until the step is stopped."""
        return self.end - time.monotonic()

    def row(self, what: str, figure: object) -> None:
        """Keep a row."""
        with (self.folder / "rows.jsonl").open("a") as file:
            file.write(json.dumps([what, str(figure)]) + "\n")

    def close(self, what: str, error: float, allowed: float) -> None:
        """Keep how far a result is off; the step fails in the end if that is more than is allowed."""
        self.row(what, f"{error:.1e} (allowed {allowed:.0e})")
        if not error <= allowed:
            self.wrong.append(what)

    def seconds(self, call: Callable[[], object]) -> float:
        """Median seconds of a call, after two that prepare; half a second of calls, 3 at the least."""
        times: list[float] = []
        for number in range(1000):
            self.wait()
            started = time.perf_counter()
            call()
            self.wait()
            if number > 1:
                times.append(time.perf_counter() - started)
            if len(times) >= 3 and sum(times) > 0.5:
                break
        return statistics.median(times)

    def wait(self) -> None:
        """Until the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def card(run: Run) -> None:
    """Versions, and the two ceilings: memory bandwidth and products of matrices."""
    run.row("torch, CUDA, cuDNN", f"{torch.__version__}, {torch.version.cuda}, {torch.backends.cudnn.version()}")  # type: ignore[no-untyped-call]
    if run.device.type == "cuda":
        properties = torch.cuda.get_device_properties(0)
        run.row("card", f"{properties.name}, {properties.total_memory / 1e9:.0f} GB")
    side = 256 if run.tiny else 8192
    values = torch.randn(side, side * 4, device=run.device)
    target = torch.empty_like(values)
    seconds = run.seconds(lambda: target.copy_(values))
    run.row("copy, read and written", f"{2 * values.nbytes / seconds / 1e12:.2f} TB/s")
    for kind in (torch.bfloat16, torch.float32):
        left = torch.randn(side, side, device=run.device, dtype=kind)
        seconds = run.seconds(lambda left=left: left @ left)  # type: ignore[misc]
        run.row(f"product of matrices, {str(kind)[6:]}", f"{2 * side**3 / seconds / 1e12:.1f} TFLOP/s")


def tests(run: Run) -> None:
    """The tests marked gpu."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "gpu", "--no-header"]
    if run.tiny:
        command.append("--collect-only")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout[-3000:], done.stderr[-1000:])
    run.row("pytest -m gpu", (done.stdout.strip().splitlines() or ["nothing was printed"])[-1])
    if done.returncode:
        run.wrong.append("pytest -m gpu")


def training(run: Run) -> None:
    """Three steps of training in each precision, and compiled, against those of the CPU in float32."""
    expected = steps_of_training(torch.device("cpu"), "32-true", 3)
    ways = [(precision, False) for precision in TOLERANCE] + [("bf16-mixed", True)]
    for precision, compiled in ways[:2] if run.tiny else ways:
        found = steps_of_training(run.device, precision, 3, compiled)
        error = max(abs(a - b) / abs(b) for a, b in zip(found, expected, strict=True))
        run.close(f"loss of three steps, {precision}{', compiled' if compiled else ''}", error, TOLERANCE[precision])


def processes(run: Run) -> None:
    """DistributedDataParallel with one process (NCCL on a GPU) trains as one device alone does."""
    alone = steps_of_training(run.device, "32-true", 3)
    found = steps_of_training(run.device, "32-true", 3, strategy="ddp", use_distributed_sampler=False)
    run.close("loss of three steps with DDP", max(abs(a - b) / abs(b) for a, b in zip(found, alone, strict=True)), 1e-3)


def speed(run: Run) -> None:
    """Forward passes and training steps of the networks: pairs and operations by the second, and CUDA graphs."""
    sizes = {"forward 640x480": (480, 640, 1), "forward 640x480, 8 at once": (480, 640, 8)}
    if run.tiny:
        sizes = {"forward 64x64": (64, 64, 1)}
    for name in ("small",) if run.tiny else ("small", "full"):
        settings = yaml.safe_load((EXPERIMENTS / f"{name}.yaml").read_text())["model"]["net"]
        net = build(settings, run.device).eval()
        operations = count(settings, 96)[0] / 96**2
        moved = bytes_moved(settings, 96, 8)[0] / (8 * 96**2)
        for what, (height, width, batch) in sizes.items():
            pair = [torch.rand(batch, channels, height, width, device=run.device) for channels in (3, 1)]

            @torch.inference_mode()
            def forward(net: Any = net, pair: list[Tensor] = pair) -> Any:
                with torch.autocast(run.device.type, torch.bfloat16):
                    return net(*pair).fused

            told(run, f"{name}, {what}", run.seconds(forward), batch, height * width, (operations, moved))
            if run.device.type == "cuda" and batch == 1:
                graph, fused = captured(forward)
                run.close(f"{name}, {what}, CUDA graph against eager", replay_error(graph, fused, forward), 1e-2)
                told(
                    run,
                    f"{name}, {what}, CUDA graph",
                    run.seconds(graph.replay),
                    1,
                    height * width,
                    (operations, moved),
                )
        for batch in (1,) if run.tiny else (4, 32):
            seconds = run.seconds(training_step(settings, run.device, batch, 96))
            told(run, f"{name}, training at 96x96, {batch} at once", seconds, batch, 96**2, (3 * operations, 3 * moved))


def told(run: Run, what: str, seconds: float, batch: int, pixels: int, by_pixel: tuple[float, float]) -> None:
    """A row of a speed: time, pairs by the second, operations and least bytes by the second."""
    work, moved = (figure * batch * pixels / seconds / 1e12 for figure in by_pixel)
    run.row(
        what,
        f"{seconds * 1e3:.1f} ms, {batch / seconds:.1f} pairs/s, {work:.2f} TFLOP/s, {moved:.2f} TB/s at the least",
    )


def training_step(settings: dict[str, Any], device: torch.device, batch: int, side: int) -> Callable[[], None]:
    """A function that makes one step of training in bfloat16."""
    net, loss = build(settings, device).train(), FusionLoss()
    optimizer = torch.optim.AdamW(net.parameters(), fused=True)
    visible, infrared = (torch.rand(batch, channels, side, side, device=device) for channels in (3, 1))

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16):
            out = net(visible, infrared)
        terms = loss(out.fused, visible, infrared, out.dominance_visible, out.dominance_infrared, epoch=100)
        optimizer.zero_grad()
        terms["total"].backward()
        optimizer.step()

    return step


def captured(call: Callable[[], Tensor]) -> tuple[torch.cuda.CUDAGraph, Tensor]:
    """A call as a CUDA graph, and the tensor that it writes."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = call()
    return graph, out


def replay_error(graph: torch.cuda.CUDAGraph, out: Tensor, call: Callable[[], Tensor]) -> float:
    """Largest difference between what a graph writes and the call itself."""
    with torch.inference_mode():
        out.fill_(torch.nan)
        graph.replay()
        torch.cuda.synchronize()
        return float((out - call()).abs().max())


def tiles(run: Run) -> None:
    """A large pair in tiles under a limit of memory, against the same pair whole."""
    height, width, limit = (160, 200, None) if run.tiny else (2048, 3072, 3 * 2**30)
    net = build(yaml.safe_load((EXPERIMENTS / "small.yaml").read_text())["model"]["net"], torch.device("cpu"))
    torch.manual_seed(0)
    coarse = torch.rand(1, 4, height // 16, width // 16)
    image = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    whole = Fuser(net, device=run.device.type, precision="float32")(image[:, :3], image[:, 3:])
    run.row("whole", "in tiles" if whole.tile else f"{width}x{height}")
    if run.device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        tiled = Fuser(net, device="cuda", precision="float32", max_memory=limit)(image[:, :3], image[:, 3:])
        run.row("tile", tiled.tile)
        run.row("peak memory", f"{torch.cuda.max_memory_reserved() / 2**30:.2f} GiB of {limit / 2**30:.0f}")  # type: ignore[operator]
        if tiled.tile is None or torch.cuda.max_memory_reserved() > limit:  # type: ignore[operator]
            run.wrong.append("the limit of memory")
        run.row("tiles against whole", f"{float((tiled.image - whole.image).abs().max()):.1e}")
    small = (image[:, :3, :320, :320], image[:, 3:, :320, :320])
    on_cpu = Fuser(net, device="cpu", precision="float32")(*small)
    found = Fuser(net, device=run.device.type, precision="float32")(*small)
    run.close("fused 320x320 against the CPU's", float((found.image - on_cpu.image).abs().max()), 1e-2)


def metrics(run: Run) -> None:
    """Each metric of the catalogue against the CPU's value, and its time beside the CPU's."""
    side = (192, 208) if run.tiny else (480, 640)
    scene = generate_scene(0, 1, side)
    visible = torch.from_numpy(scene.visible.copy()).permute(2, 0, 1)[None].float() / 255
    infrared = torch.from_numpy(scene.infrared.copy())[None, None].float() / 255
    images = ((visible + infrared) / 2, visible, infrared)
    moved = [image.to(run.device) for image in images]
    for name in (name for name in METRICS if not name.startswith("LPIPS")):
        here, there = METRICS[name](per_image=True), METRICS[name](per_image=True).to(run.device)
        expected, found = here(*images), there(*moved).cpu()
        run.close(f"{name} against the CPU's", float((found - expected).abs().max() / expected.abs().max()), 1e-6)
        if not run.tiny:
            times = [run.seconds(partial(metric, *on)) for metric, on in ((here, images), (there, moved))]
            run.row(f"{name}, CPU time by the device's", f"{times[0] / times[1]:.1f}")


def loader(run: Run) -> None:
    """Data loading beside training: whether the device waits (benchmarks/loader.py)."""
    words = (
        ["--pairs", "4", "--size", "320x240", "--seconds", "0.2"] if run.tiny else ["--workers", "8", "--seconds", "1"]
    )
    config = ["--config", str(EXPERIMENTS / "small.yaml")]
    script = Path(__file__).with_name("loader.py")
    done = subprocess.run([sys.executable, str(script), *words, *config], capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr[-2000:])
    for line in done.stdout.strip().splitlines():
        run.row("benchmarks/loader.py", line.replace("|", " "))
    if done.returncode:
        run.wrong.append("benchmarks/loader.py")


def fit(run: Run) -> None:
    """`dream-if fit` of the small network on generated scenes for the time that is left."""
    minutes = max(run.left - 20, 10) / 60
    words = ["--config", str(EXPERIMENTS / "small.yaml"), "--data.layout", "scenes", "--data.root", "null"]
    limit = [f"--trainer.max_time=00:00:{int(minutes):02d}:{int(minutes * 60 % 60):02d}", "--trainer.max_epochs=1000"]
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-c",
            "from dream_if.cli import main; main()",
            "fit",
            *words,
            *limit,
            f"--trainer.logger.save_dir={folder}",
        ]
        if run.tiny:
            command += [
                "--trainer.max_steps=2",
                "--data.num_scenes=4",
                "--trainer.accelerator=cpu",
                "--data.val_crop=96",
            ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr[-3000:])
    for line in done.stdout.strip().splitlines()[-12:]:
        run.row("dream-if fit", line.replace("|", " "))
    if done.returncode:
        run.wrong.append("dream-if fit")


class Step(NamedTuple):
    """A step: what it does, the seconds that it takes at least and may take at most."""

    do: Callable[[Run], None]
    least: float
    most: float

    @property
    def about(self) -> str:
        """What it does, in a line."""
        return (self.do.__doc__ or "").rstrip(".")


STEPS = {
    "card": Step(card, 10, 40),
    "tests": Step(tests, 20, 90),
    "training": Step(training, 20, 150),
    "processes": Step(processes, 10, 60),
    "speed": Step(speed, 15, 90),
    "tiles": Step(tiles, 10, 40),
    "metrics": Step(metrics, 15, 60),
    "loader": Step(loader, 30, 90),
    "fit": Step(fit, 40, 540),
}


def main() -> int:
    """Run one step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=list(STEPS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("device")
    parser.add_argument("limit", type=float)
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    use_threads(choose_threads())
    run = Run(given.folder, given.device, given.limit, given.tiny)
    STEPS[given.name].do(run)
    if run.wrong:
        print("Not as it should be:", "; ".join(run.wrong))
    return int(bool(run.wrong))


if __name__ == "__main__":
    raise SystemExit(main())
