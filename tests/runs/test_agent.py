"""What an agent of W&B hands over, word for word, and the same as it is meant."""

from pathlib import Path

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from dream_if.runs.agent import agent_words

HANDED = {
    "_wandb": {"cli_version": "0.31.0", "t": {"1": [1, 2]}},
    "ckpt_path": None,
    "model.net.use_rd": True,
    "model.net.num_blocks": [1, 2],
    "data.degradation": {"class_path": "Salt", "init_args": {"kinds": None}},
    "data.root": "pairs",
    "model.optimizer.init_args.lr": 1e-05,
    "trust_code": False,
}
MEANT = [
    *("fit", "--config=small", "--ckpt_path=null", "--model.net.use_rd=true", "--model.net.num_blocks=[1, 2]"),
    '--data.degradation={"class_path": "Salt", "init_args": {"kinds": null}}',
    *("--data.root=pairs", "--model.optimizer.init_args.lr=1e-05"),
]


def test_words_of_an_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {key: {"value": value} for key, value in HANDED.items()}
    (tmp_path / "point.yaml").write_text(yaml.safe_dump({"wandb_version": 1, **given}))
    monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", str(tmp_path / "point.yaml"))
    words = ["fit", "--config=small", *create_sweep_command_args({"args": given})["args"]]
    assert "--ckpt_path=None" in words
    assert agent_words(words) == MEANT


def test_without_an_agent_words_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_SWEEP_PARAM_PATH", raising=False)
    words = ["fit", "--trust-code", "--data.root=None"]
    assert agent_words(words) == words
