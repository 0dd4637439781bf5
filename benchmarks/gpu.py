"""Everything that only a GPU can show, in one command with a time limit: does it work there, and how fast is it?

    python -m benchmarks.gpu [--minutes 9] [--steps card tests ...] [--out runs/gpu] [--device cuda] [--tiny]

Each step is a process of its own with a limit of its own (`benchmarks/gpu_steps.py`). A step that fails or takes too
long is told and the next one begins. After each step ``gpu.json`` and ``gpu.md`` are written, so that nothing is lost
when the machine goes away. Steps that no longer fit into the minutes are left out and named. ``--tiny --device cpu``
runs all of it here at a toy size, so that the script's own mistakes are found before a GPU is paid for.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu_steps import STEPS
from dream_if.storage import write_atomically

SPARE = 5.0  # seconds kept for writing at the end


def run_step(name: str, limit: float, options: argparse.Namespace) -> dict[str, Any]:
    """Run one step in a process group of its own, and stop all of it when its time is over.

    Returns:
        ``name``, ``seconds``, ``outcome`` ("done", "failed" or "stopped after N s"), ``rows`` (lists of what and
        figure, as far as the step came) and, if it failed, ``error`` with the end of what it printed.
    """
    folder = options.out / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.jsonl").unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.gpu_steps", name, str(folder), options.device, f"{limit:.0f}"]
    command += ["--tiny"] if options.tiny else []
    started = time.monotonic()
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            outcome = "failed" if process.wait(limit) else "done"
        except subprocess.TimeoutExpired:
            outcome = f"stopped after {limit:.0f} s"
            os.killpg(process.pid, 9)
            process.wait()
    rows = [json.loads(line) for line in _lines(folder / "rows.jsonl")]
    told = {"name": name, "seconds": round(time.monotonic() - started, 1), "outcome": outcome, "rows": rows}
    if outcome != "done":
        told["error"] = "\n".join(_lines(folder / "log.txt")[-15:])
    return told


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def markdown(done: list[dict[str, Any]]) -> str:
    """One table for each step."""
    parts = []
    for step in done:
        parts.append(f"### {step['name']}: {STEPS[step['name']].about}\n\n{step['outcome']}, {step['seconds']} s\n")
        if step["rows"]:
            parts.append("| what | figure |\n| --- | --- |\n" + "".join(f"| {a} | {b} |\n" for a, b in step["rows"]))
        if "error" in step:
            parts.append(f"```\n{step['error']}\n```\n")
    return "\n".join(parts)


def main(args: list[str] | None = None) -> int:
    """Run the steps; the exit status is 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=9.0, help="in all")
    parser.add_argument(
        "--steps", nargs="+", choices=list(STEPS), default=list(STEPS), metavar="STEP", help=" ".join(STEPS)
    )
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    parser.add_argument("--tiny", action="store_true", help="toy sizes")
    options = parser.parse_args(args)
    end = time.monotonic() + 60 * options.minutes - SPARE
    done: list[dict[str, Any]] = []
    for name in options.steps:
        left = end - time.monotonic()
        if left < STEPS[name].least:
            done.append({"name": name, "seconds": 0.0, "outcome": f"left out, {left:.0f} s were left", "rows": []})
        else:
            done.append(run_step(name, min(left, STEPS[name].most), options))
        print(f"{name}: {done[-1]['outcome']}, {done[-1]['seconds']} s", flush=True)
        write_atomically(options.out / "gpu.json", (json.dumps(done, indent=2) + "\n").encode())
        write_atomically(options.out / "gpu.md", markdown(done).encode())
    print("\n" + markdown(done) + f"\nWritten: {options.out}/gpu.json, gpu.md")
    return int(any(step["outcome"] == "failed" for step in done))


if __name__ == "__main__":
    raise SystemExit(main())
