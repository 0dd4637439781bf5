"""Time and memory of the network against its plain formulation, in one run, after a proof that both are the same.

    python -m benchmarks.network [--quick] [--networks small full] [--sizes 96 256 640x480] [--device cuda] [--out DIR]

The plain formulation is benchmarks/plain.py in float32. Each case, such as a forward pass at 640x480, is computed by
both, and by ours in bfloat16 and compiled, in processes of their own that take turns, as many each, three at the least.
A turn is timed by the processor time of its process and by the clock. The first one, which prepares, counts for none;
the best of the others does. What counts is the ratio, which is taken from processor time with one thread on a CPU and
from the clock otherwise. What would take too long or too much memory, judged by a smaller case of its kind, is left out
and named.
"""

import argparse
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmarks.network_case import ARMS, Arm, Case, Result, Turn, serve
from benchmarks.network_proof import Proof, send_proofs
from dream_if.machine import choose_threads, free_memory
from dream_if.storage import write_atomically

CONTEXT: Any = multiprocessing.get_context("spawn")  # a fork would inherit memory, and CUDA allows none
EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"
SIDE = 96  # of a training crop
BATCH = 8  # of forward passes at that size
BATCHES = {"cpu": [1, 2, 4, 8], "cuda": [8, 16, 32, 64]}
PATIENCE = 4  # times the limit that a call may take before it is stopped
BUILDING = 300.0  # seconds that a process may take to be ready
COMPILING = 900.0  # seconds that a first call may take to compile


@dataclass
class Lane:
    """One arm of a case: its process, and what it has sent."""

    arm: Arm
    process: Any
    connection: Connection
    turns: list[Turn] = field(default_factory=list)
    reason: str = ""

    def take_turn(self, limit: float) -> None:
        """Have it make some calls; it is out if they take too long or the process dies."""
        turn = self.ask("go", PATIENCE * limit + (COMPILING if self.arm.mode and not self.turns else 0))
        if turn is not None:
            self.turns.append(turn)

    def ask(self, message: str, patience: float) -> Any:
        """Send a message, unless it is empty; what comes back within so many seconds, or None if it is out."""
        try:
            if message:
                self.connection.send(message)
            if self.connection.poll(patience):
                return self.connection.recv()
            self.reason = f"stopped after {patience:.0f} s"
            self.process.kill()
        except (EOFError, OSError):
            self.process.join(5)
            self.reason = f"its process died (exit code {self.process.exitcode}), for want of memory perhaps"
        return None


def run_case(case: Case, arms: Sequence[Arm], settings: dict[str, Any], options: argparse.Namespace) -> list[Result]:
    """Compute a case by all arms in turns, as many each: at least three, until there was time enough."""
    lanes = []
    for arm in arms:
        here, there = CONTEXT.Pipe()
        process = CONTEXT.Process(target=serve, args=(there, settings, case, arm, options.device, options.threads))
        process.start()
        if hasattr(there, "fileno"):  # so that an end of the process is seen
            there.close()
        lanes.append(Lane(arm, process, here))
        lanes[-1].ask("", BUILDING)
    spent = 0.0
    for rounds in range(options.rounds):
        for lane in lanes:
            if not lane.reason:
                lane.take_turn(options.limit)
        spent += max((lane.turns[-1].wall * lane.turns[-1].calls for lane in lanes if lane.turns), default=0)
        if rounds > 1 and spent > options.seconds:
            break
    results = []
    for lane in lanes:
        if lane.reason:
            results.append(Result(case, lane.arm.name, reason=lane.reason))
            continue
        lane.connection.send(None)
        lane.process.join()
        results.append(result(case, lane, options))
    compare_outputs(case, lanes)
    return results


def result(case: Case, lane: Lane, options: argparse.Namespace) -> Result:
    """The best of a lane's turns but the first, which prepares."""
    turns = lane.turns[1:]
    last = lane.turns[-1]
    cpu, wall = min(turn.cpu for turn in turns), min(turn.wall for turn in turns)
    return Result(
        case,
        lane.arm.name,
        cpu=cpu,
        wall=wall,
        seconds=cpu if options.device == "cpu" and options.threads == 1 else wall,
        first=lane.turns[0].wall,
        calls=sum(turn.calls for turn in lane.turns),
        peak=last.peak,
        net=last.peak - last.before,
        held=last.held,
    )


def compare_outputs(case: Case, lanes: Sequence[Lane]) -> None:
    """Stop unless what was timed gave the plain formulation's output, compiled code included."""
    finished = {lane.arm: lane.turns[0].probe for lane in lanes if lane.turns}
    expected = finished.get(ARMS[0])
    for arm, probe in finished.items():
        if expected is None:
            return
        error = float(abs(probe - expected).max() / max(1.0, abs(expected).max()))
        if not error < (2e-2 if arm.bf16 else 1e-5 if case.work == "forward" else 1e-4):
            raise SystemExit(f"{case.network}, {case.work}, {case.size}: {arm.name} is {error:.1e} off the plain one")


def expectation(case: Case, arm: Arm, results: Sequence[Result]) -> tuple[float, float]:
    """Seconds of a call, and bytes that its process will hold, by the largest case of its kind so far; 0 without any.

    Args:
        case: what comes.
        arm: how it would be computed.
        results: what has been measured.
    """
    kin = [
        other for other in results
        if (other.case.network, other.case.work, other.arm) == (case.network, case.work, arm.name) and not other.reason
    ]  # fmt: skip
    if not kin:
        return 0.0, 0.0
    largest = max(kin, key=lambda other: other.case.pixels)
    factor = case.pixels / largest.case.pixels
    return largest.seconds * factor, largest.held + largest.net * (factor - 1)


def cases(networks: Sequence[str], sizes: Sequence[str], batches: Sequence[int]) -> list[Case]:
    """All cases, the smaller ones of a kind first."""
    made = []
    for name in networks:
        for size in sizes:
            width, _, height = size.partition("x")
            batch = BATCH if int(width) <= SIDE else 1
            made.append(Case(name, "forward", int(height or width), int(width), batch))
        made += [Case(name, "training", SIDE, SIDE, batch) for batch in batches]
    return sorted(made, key=lambda case: (networks.index(case.network), case.work, case.pixels))


def arms_for(case: Case, options: argparse.Namespace, compiler: bool) -> list[Arm]:
    """The ways in which a case is computed."""
    chosen = []
    for arm in ARMS:
        if arm.recompute and case.work == "forward":
            continue
        if arm.mode and not (compiler and wants_compiling(case, options)):
            continue
        if options.device == "cpu" and (arm.mode == "reduce-overhead" or (arm.plain and arm.bf16)):
            continue
        chosen.append(arm)
    return chosen


def wants_compiling(case: Case, options: argparse.Namespace) -> bool:
    """Compiling takes minutes: of training the largest batch alone, and on a CPU the cases named by `--compile`."""
    if case.work == "training" and case.batch != max(options.batches):
        return False
    return options.device == "cuda" or f"{case.network}/{case.work}/{case.size}" in options.compile


def measure(
    options: argparse.Namespace, networks: dict[str, dict[str, Any]], keep: Callable[[list[Result]], None] | None = None
) -> list[Result]:
    """All cases, each printed and handed to ``keep`` with those before when it is done."""
    compiler = shutil.which(os.environ.get("CXX", "c++")) is not None
    if not compiler:
        print("No C++ compiler was found, so nothing is compiled.")
    memory = options.memory * 1e9
    results: list[Result] = []
    for case in cases(list(networks), options.sizes, options.batches):
        out: list[Result] = []
        taken: list[Arm] = []
        free = memory
        for arm in reversed(arms_for(case, options, compiler)):  # all hold memory at once; those that need least first
            seconds, needed = expectation(case, arm, results)
            if seconds > options.limit:
                out.append(Result(case, arm.name, reason=f"would take about {seconds:.0f} s a call"))
            elif needed > free:
                out.append(Result(case, arm.name, reason=f"would take about {needed / 1e9:.0f} GB beside the others"))
            else:
                taken.insert(0, arm)
                free -= needed
        results += (new := run_case(case, taken, networks[case.network], options) + out)
        said = (f"{one.arm} {one.reason or f'{one.seconds:.3g} s {one.net / 1e6:.0f} MB'}" for one in new)
        print(f"{case.network} {case.work} {case.size} x{case.batch}: {'; '.join(said)}", flush=True)
        if keep is not None:
            keep(results)
    return results


def proofs(options: argparse.Namespace, networks: dict[str, dict[str, Any]]) -> list[Proof]:
    """Prove for each network that both formulations are the same; stop if they are not."""
    proved: list[Proof] = []
    for name, settings in networks.items():
        here, there = CONTEXT.Pipe()
        process = CONTEXT.Process(target=send_proofs, args=(there, name, settings, options.device, options.threads))
        process.start()
        if hasattr(there, "fileno"):
            there.close()
        try:
            proved += here.recv()
        except EOFError:
            raise SystemExit(f"{name}: the process that compares both formulations died.") from None
        process.join()
    for proof in proved:
        print(f"{proof.network}: {proof.what} at {proof.size} differ by {proof.error:.1e}, allowed {proof.allowed:.0e}")
    wrong = [f"{proof.network}, {proof.what}, {proof.size}" for proof in proved if not proof.holds]
    if wrong:
        raise SystemExit(f"Ours is not the plain formulation, so nothing is timed: {'; '.join(wrong)}.")
    return proved


def stored(one: Result) -> dict[str, Any]:
    """A result for JSON, which knows no NaN."""
    return asdict(one) if not one.reason else {"case": asdict(one.case), "arm": one.arm, "reason": one.reason}


def parse(args: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["small", "full"], help="of experiments/, or YAML files")
    parser.add_argument("--sizes", nargs="+", default=["96", "256", "640x480", "1280x1024"], help="of forward passes")
    parser.add_argument("--batches", nargs="+", type=int, help=f"of training, at {SIDE}x{SIDE}: {BATCHES}")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="all free cores by default")
    parser.add_argument(
        "--compile",
        nargs="*",
        default=["small/forward/256x256", f"small/training/{SIDE}x{SIDE}", "full/forward/256x256"],
        metavar="NETWORK/WORK/SIZE",
        help="on a CPU, the cases that are compiled as well, which takes minutes each",
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="for the slowest arm of a case, if calls are short")
    parser.add_argument("--rounds", type=int, default=12, help="turns of each arm at most, 3 or more")
    parser.add_argument("--limit", type=float, default=100.0, help="seconds that one call may take")
    parser.add_argument(
        "--memory", type=float, help="10^9 bytes that a case may take; four fifths of what is free by default"
    )
    parser.add_argument("--quick", action="store_true", help="the small network alone, up to 256x256, not compiled")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for JSON, Markdown and plot")
    options = parser.parse_args(args)
    if options.quick:
        options.networks, options.sizes, options.compile = ["small"], ["96", "256"], []
        options.batches, options.seconds = [2, 8], 2.0
    if options.batches is None:
        options.batches = BATCHES[options.device]
    if options.rounds < 3:
        parser.error(f"--rounds: expected 3 or more, got {options.rounds}; the first turn prepares and is not counted")
    if options.memory is None:
        options.memory = free_memory(torch.device(options.device)) / 1e9
    threads = choose_threads(options.threads)
    options.threads = threads.number
    print(threads.reason)
    return options


def main(args: Sequence[str] | None = None) -> None:
    """Prove, measure, and write JSON, Markdown and a plot, anew after each case."""
    from benchmarks import network_report as report  # here, for each case's process imports this module

    options = parse(args)
    files = [EXPERIMENTS / f"{name}.yaml" if "." not in name else Path(name) for name in options.networks]
    networks = {file.stem: yaml.safe_load(file.read_text())["model"]["net"] for file in files}
    machine = report.machine(options.device, options.threads)
    proved = proofs(options, networks)
    counted = report.counts(networks)

    def keep(results: list[Result]) -> None:
        machine["load at the end"] = f"{os.getloadavg()[0]:.1f}"
        figures = {
            "machine": machine,
            "proofs": [asdict(proof) for proof in proved],
            "counts": counted,
            "results": [stored(one) for one in results],
        }
        text = report.markdown(results, proved, machine, counted, options.device)
        write_atomically(options.out / "network.json", (json.dumps(figures, indent=2) + "\n").encode())
        write_atomically(options.out / "network.md", text.encode())
        write_atomically(options.out / "network.png", report.plot(results))

    measure(options, networks, keep)
    print("\n" + (options.out / "network.md").read_text())
    print(f"Written: {options.out}/network.json, network.md, network.png")


if __name__ == "__main__":
    main()
