"""What a training says, read as its user reads it."""

import json
import re
from pathlib import Path

import pytest

from dream_if.callbacks.epoch_lines import duration

FIT = ("fit", "--config", "tiny.yaml", "--trainer.max_epochs", 3)
LINE = re.compile(r"epoch (\d) of 3 \| loss (\d+\.\d{4}) \| (.*?)waited for data \d+ % \| .* s(, (\d+) s left)?$")


def lines(caplog: pytest.LogCaptureFixture) -> list[re.Match[str]]:
    told = [message for message in caplog.messages if message.startswith("epoch ")]
    found = [LINE.match(line) for line in told]
    assert all(found), told
    return [match for match in found if match]


def test_a_line_for_each_epoch_and_what_comes_next(run, workspace: Path, caplog) -> None:
    assert run(*FIT).status == 0
    told = lines(caplog)
    assert [match[1] for match in told] == ["1", "2", "3"]
    best = -1.0
    for match in told:
        value, mark = re.search(r"val/Qabf (\d\.\d{4})(\*?)", match[3]).groups()
        assert (mark == "*") == (float(value) > best)
        best = max(best, float(value))
        assert "val/AG" in match[3]
    record = json.loads((workspace / "runs/dream-if/version_0/metrics.json").read_text())["fit"]
    assert float(told[-1][2]) == pytest.approx(record["metrics"]["train/loss"], abs=1e-4)
    assert told[-1][5] == "0"
    checkpoint = "runs/dream-if/version_0/checkpoints/best.ckpt"
    assert f"dream-if fuse VISIBLE INFRARED -o FUSED --weights {checkpoint}" in caplog.text
    next_command = re.search(r"dream-if (test --config \S+ --ckpt_path \S+)", caplog.text)
    assert run(*next_command[1].split()).status == 0


@pytest.mark.usefixtures("workspace")
def test_an_epoch_without_validation_has_no_scores_of_another(run, caplog) -> None:
    assert run(*FIT, "--trainer.check_val_every_n_epoch", 2).status == 0
    assert ["val/" in match[3] for match in lines(caplog)] == [False, True, False]


@pytest.mark.usefixtures("workspace")
def test_a_training_that_goes_on_counts_its_own_time(run, caplog) -> None:
    assert run(*FIT[:3], "--trainer.max_epochs", 1).status == 0
    caplog.clear()
    first = "runs/dream-if/version_0/checkpoints/last.ckpt"
    assert run(*FIT, "--ckpt_path", first, "--checkpoint.dirpath", "kept").status == 0
    assert [match[1] for match in lines(caplog)] == ["2", "3"]
    assert "dream-if test --config runs/dream-if/version_1/config.yaml --ckpt_path " in caplog.text


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (59, "59 s"), (185, "3 min 05 s"), (7620, "2 h 07 min"), (3599.7, "1 h 00 min")]
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said
