"""The network benchmark on tiny networks: the proof catches a difference, figures add up, what fails is named."""

import itertools
import json
import multiprocessing.dummy
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from benchmarks import network, network_case, network_proof, plain
from benchmarks.network_case import ARMS, Arm, Case, Result, Turn, build, images, serve, worker
from benchmarks.network_floor import Traffic, bytes_moved
from dream_if.models import strips
from tests.conftest import TINY_NET

CPU = torch.device("cpu")
PLAIN, OURS, BF16 = (
    next(arm for arm in ARMS if arm.name == name) for name in ("plain, float32", "ours, float32", "ours, bf16")
)


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads in place of processes: starting those takes seconds."""
    monkeypatch.setattr(network, "CONTEXT", multiprocessing.dummy)


@pytest.fixture(autouse=True)
def small_proofs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images that are small, and cut into strips nevertheless."""
    monkeypatch.setattr(network_proof, "FORWARD", ((40, 56), (21, 27)))
    monkeypatch.setattr(strips, "STRIP", 1)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump({"model": {"net": TINY_NET}}))
    return path


def options(**changed: object):
    given = vars(network.parse(["--threads", "1", "--seconds", "0.01", "--rounds", "3", "--device", "cpu"]))
    return type("Options", (), given | changed)


@pytest.mark.slow
@pytest.mark.usefixtures("one_process")
def test_figures_and_files(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "SIDE", 24)
    monkeypatch.setattr(network_case, "TURN", 0.0)
    words = ["--networks", str(tiny), "--sizes", "24", "48x40", "--batches", "1", "2", "--threads", "1"]
    out = tmp_path / "bench"
    network.main([*words, "--device", "cpu", "--seconds", "0.01", "--rounds", "3", "--out", str(out)])
    figures = json.loads((out / "network.json").read_text())
    cases = {
        (one["case"]["work"], one["case"]["width"], one["case"]["height"], one["case"]["batch"])
        for one in figures["results"]
    }
    assert cases == {("forward", 24, 24, 8), ("forward", 48, 40, 1), ("training", 24, 24, 1), ("training", 24, 24, 2)}
    assert {one["arm"] for one in figures["results"] if one["case"]["work"] == "forward"} == {
        "plain, float32", "ours, float32", "ours, bf16",
    }  # fmt: skip
    assert all(one["seconds"] == one["cpu"] > 0 and one["calls"] >= 2 for one in figures["results"])
    assert all(proof["error"] < proof["allowed"] for proof in figures["proofs"])
    text = (out / "network.md").read_text()
    assert text in capsys.readouterr().out
    row = next(line for line in text.splitlines() if line.startswith("| 48x40 x1 | ours, bf16 |"))
    by_arm = {one["arm"]: one for one in figures["results"] if one["case"]["width"] == 48}
    faster = by_arm["plain, float32"]["cpu"] / by_arm["ours, bf16"]["cpu"]
    assert row.split("|")[5].strip() == f"{faster:.2f}"
    assert (out / "network.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"use_se": False},
        {"use_ce": False, "use_se": False, "shared_encoder": False},
        {"dominance": "joint"},
        {"dominance": "weighing", "stride": 2},
    ],
    ids=str,
)
def test_the_proof_holds(settings: dict[str, Any]) -> None:
    proofs = network_proof.prove("tiny", TINY_NET | settings, CPU)
    assert all(proof.holds for proof in proofs)
    assert {proof.what for proof in proofs} == {
        "outputs, float32", "outputs, bf16", "outputs, float64", "gradients, float32", "gradients, float64",
    }  # fmt: skip


def wrong_norm(norm, x):
    return torch.nn.functional.group_norm(x, 1, norm.weight, norm.bias, norm.eps)


def half_the_gradient(module, x, dominance, right=plain.prompt):
    prompt = right(module, x, dominance) / 2
    return prompt + prompt.detach()


@pytest.mark.parametrize(("name", "wrong"), [("layer_norm", wrong_norm), ("prompt", half_the_gradient)])
@pytest.mark.usefixtures("one_process")
def test_a_difference_stops_everything(
    name: str, wrong: Callable, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, name, wrong)
    with pytest.raises(SystemExit, match=r"nothing is timed: tiny, (out|grad)") as stopped:
        network.main(["--networks", str(tiny), "--threads", "1", "--device", "cpu", "--out", str(tmp_path / "bench")])
    assert ("outputs" in str(stopped.value)) == (name == "layer_norm")
    assert not (tmp_path / "bench").exists()


def test_a_compiled_arm_that_is_off_is_told() -> None:
    case = Case("tiny", "forward", 32, 32, 1)
    good, bad = (Turn(1, 1, 1, 0, 0, 0, np.full(3, value, np.float32)) for value in (0.5, 0.53))
    lanes = [network.Lane(arm, None, None, [turn]) for arm, turn in ((PLAIN, good), (BF16, bad))]
    with pytest.raises(SystemExit, match=r"ours, bf16 is 3.0e-02 off"):
        network.compare_outputs(case, lanes)
    network.compare_outputs(case, lanes[:1])


def test_a_training_step_learns_the_same_either_way() -> None:
    case = Case("tiny", "training", 24, 32, 2)
    told = [[step().numpy() for step in itertools.repeat(worker(TINY_NET, case, arm, CPU), 4)] for arm in (PLAIN, OURS)]
    losses = [[float(step[0]) for step in steps] for steps in told]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert losses[0][3] < losses[0][0]
    norms = [steps[0][1:] for steps in told]  # of every gradient, by the first step
    assert len(norms[0]) == len(list(build(TINY_NET, CPU).parameters()))
    assert norms[0] == pytest.approx(norms[1], abs=1e-4)
    assert norms[0].max() == 1
    assert [len(step) for step in told[0][1:]] == [1, 1, 1]


@pytest.mark.usefixtures("one_process")
def test_a_call_that_hangs_is_stopped_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = threading.Event()

    def hang(connection, *_):
        connection.send("built")
        connection.recv()
        stopped.wait(10)

    monkeypatch.setattr(network, "serve", lambda *args: (hang if args[3] is PLAIN else serve)(*args))
    monkeypatch.setattr(multiprocessing.dummy.DummyProcess, "kill", lambda _: stopped.set(), raising=False)
    start = time.perf_counter()
    plain_result, ours = network.run_case(
        Case("tiny", "forward", 32, 32, 1), [PLAIN, OURS], TINY_NET, options(limit=0.5)
    )
    assert stopped.is_set()
    assert time.perf_counter() - start < 9
    assert plain_result.reason == "stopped after 2 s"
    assert ours.seconds > 0


def die(connection, *_):
    connection.send("built")
    connection.recv()
    raise SystemExit(3)


def test_all_arms_take_as_many_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(connection, _settings, _case, arm, *_):
        connection.send("built")
        turns = 0
        while connection.recv() is not None:
            seconds = (20.0 if arm is PLAIN else 1.0) * (3 if turns == 0 else 1)  # the first prepares
            turns += 1
            connection.send(Turn(seconds, seconds, 1, 0, 2, 2, np.zeros(1, np.float32)))

    monkeypatch.setattr(network, "CONTEXT", multiprocessing.dummy)
    monkeypatch.setattr(network, "serve", slow)
    found = network.run_case(Case("tiny", "forward", 32, 32, 1), [PLAIN, OURS], TINY_NET, options(seconds=30.0))
    assert [(one.seconds, one.first, one.calls) for one in found] == [(20.0, 60.0, 3), (1.0, 3.0, 3)]


@pytest.mark.slow
def test_a_process_that_dies_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "serve", die)
    (result,) = network.run_case(Case("tiny", "forward", 32, 32, 1), [OURS], TINY_NET, options())
    assert "died (exit code 3)" in result.reason


@pytest.mark.slow
def test_a_process_has_its_own_peak() -> None:
    ballast = np.ones(2 * 10**8)  # of this process, and no part of the other's peak
    (result,) = network.run_case(Case("tiny", "forward", 512, 512, 1), [OURS], TINY_NET, options(rounds=3))
    assert result.net > 512 * 512 * 4 * 4 * 2  # the features at full resolution, of both sources
    assert result.net < result.peak < ballast.nbytes


def test_what_would_take_too_long_is_not_begun() -> None:
    def case(side: int) -> Case:
        return Case("tiny", "forward", side, side, 1)

    arm = Arm("some")
    known = [Result(case(10), "some", seconds=1.0, net=10**9), Result(case(20), "some", seconds=5.0, net=3 * 10**9)]
    known[1].held = 4 * 10**9  # 1 GB of them whatever the size
    known += [Result(case(30), "some", reason="stopped"), Result(case(30), "other", seconds=99.0)]
    assert network.expectation(case(40), arm, known) == pytest.approx((20.0, 13e9))
    assert network.expectation(case(40), Arm("new"), known) == (0, 0)


def test_arms_are_left_out_that_do_not_fit_beside_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(case: Case, arms: list[Arm], *_: object) -> list[Result]:
        net = case.pixels * 10**5
        return [Result(case, arm.name, seconds=case.pixels / 1e4, net=net, held=net) for arm in arms]

    monkeypatch.setattr(network, "run_case", run)
    found = network.measure(
        options(sizes=["100", "200"], batches=[], memory=9.0, limit=100.0, compile=[]), {"tiny": {}}
    )
    told = {one.arm: one.reason for one in found if one.case.width == 200}  # 4 GB each, where there are 9
    assert told == {"plain, float32": "would take about 4 GB beside the others", "ours, float32": "", "ours, bf16": ""}
    found = network.measure(options(sizes=["100", "200"], batches=[], memory=99.0, limit=3.9, compile=[]), {"tiny": {}})
    assert {one.reason for one in found if one.case.width == 200} == {"would take about 4 s a call"}


def test_an_operation_counts_what_it_reads_and_writes_and_a_question_nothing() -> None:
    first, second = torch.ones(3, 4), torch.ones(4, 5)
    with Traffic() as traffic:
        product = first @ second
        assert product.view(5, 3).device == CPU
        product.neg()
    assert traffic.products == 4 * (12 + 20 + 15)
    assert traffic.every == traffic.products + 4 * (15 + 15)


def test_bytes_grow_with_pixels_and_count_each_operation() -> None:
    every, products = bytes_moved(TINY_NET, 32, 1)
    more, _ = bytes_moved(TINY_NET, 128, 1)
    assert 0 < products < every
    assert 8 < more / every < 16  # weights do not grow
    net = build(TINY_NET, CPU)
    assert sum(parameter.numel() * 2 for parameter in net.parameters()) < every
    assert images(8, 9, 2, CPU)[1].shape == (2, 1, 8, 9)
