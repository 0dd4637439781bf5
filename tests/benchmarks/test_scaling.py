"""The arithmetic of the plan for many GPUs."""

import sys

import pytest

from benchmarks import scaling

PLAN = scaling.Plan(
    forward=1.0, parameters=25_000_000, rate=100.0, batch=10, per_node=8, node_gbit=100.0, gpu_gbyte=100.0
)


def test_a_step_and_its_gradients() -> None:
    assert PLAN.compute == pytest.approx(0.1)
    assert PLAN.gradients == 100_000_000


@pytest.mark.parametrize(
    ("gpus", "milliseconds"),
    [
        (1, 0.0),
        (2, 1.25),  # 100 MB once over a link of which 80 GB/s arrive
        (8, 1.25 * 1.75),
        (16, 1.25 * 1.75 + 10.0),  # and once over one of 100 Gbit/s, of which 10 GB/s arrive
        (64, 1.25 * 1.75 + 17.5),
    ],
)
def test_adding_up_gradients(gpus: int, milliseconds: float) -> None:
    assert PLAN.all_reduce(gpus) * 1e3 == pytest.approx(milliseconds)


def test_what_is_sent_during_the_backward_pass_costs_nothing() -> None:
    assert PLAN.efficiency(1) == (1.0, 1.0)
    worst, best = PLAN.efficiency(64)
    assert worst == pytest.approx(100 / (100 + 19.6875))
    assert best == 1.0
    slow = scaling.Plan(1.0, 25_000_000, 100.0, 10, 8, 10.0, 1e9)
    worst, best = slow.efficiency(64)  # 175 ms to send, of which the 67 ms of the backward pass hide a part
    assert worst == pytest.approx(100 / 275, rel=1e-3)
    assert best == pytest.approx(100 / (275 - 200 / 3), rel=1e-3)


def test_operations_grow_with_the_pixels_and_nothing_is_computed() -> None:
    tiny = {"dim": 4, "num_blocks": [1, 1, 1, 1], "num_refinement_blocks": 1, "num_heads": [1, 1, 1, 1]}
    small, parameters = scaling.count(tiny, 64)
    large, same = scaling.count(tiny, 1024)
    assert parameters == same
    assert large == pytest.approx(256 * small, rel=1e-2)


def test_the_command_prints_both_tables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    config = scaling.EXPERIMENTS / "small.yaml"
    monkeypatch.setattr(scaling, "decoding_rate", lambda: (200.0, 500_000))
    words = ["--config", str(config), "--gpus", "2", "16", "--batch", "4", "--rate", "100", "--node-gbit", "100"]
    monkeypatch.setattr(sys, "argv", ["scaling.py", *words, "--pairs", "1000", "--epochs", "10"])
    scaling.main()
    text = capsys.readouterr().out
    assert text.startswith("small.yaml: 2.7")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert [row[0] for row in rows] == ["GPUs", "---", "2", "16", "GPUs", "---", "2", "16"]
    assert rows[-2][1:4] == ["8", "125", "1250"]
    assert rows[-1][1:4] == ["64", "15", "150"]
    assert rows[-1][5:7] == ["1600", "8.0"]  # 8 GPUs of a node, 100 pairs/s each, two images to a pair
    assert rows[-1][7:] == ["800", "393", "118"]  # 800 times a MB; 96 rows of 1280 in 4 bytes a pixel; 96 of 96 in 16
