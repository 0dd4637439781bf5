"""Every training configuration in the repository parses against the signatures; tests/tables has those of tables."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from dream_if.models import DreamIF

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"
BASES = sorted(EXPERIMENTS.glob("*.yaml"))
OVERLAYS = {
    "base": (False, False, False),
    "rd": (True, False, False),
    "rd_ce": (True, True, False),
    "rd_se": (True, False, True),
    "rd_ce_se": (True, True, True),
}

CONTROLS = ("frozen", "plain")


def resolved(run, *configurations: Path) -> dict:
    """Every setting that `dream-if fit` would run with."""
    outcome = run("fit", *(word for path in configurations for word in ("--config", path)), "--print_config")
    assert outcome.status == 0, outcome.err
    return yaml.safe_load(outcome.out)


TRAININGS = [path for path in sorted(EXPERIMENTS.rglob("*.yaml")) if path.parent.name != "tables"]


@pytest.mark.parametrize("path", TRAININGS, ids=lambda path: path.stem)
def test_it_parses_and_says_how_it_is_used(run, path: Path) -> None:
    written = yaml.safe_load(path.read_text())
    result = resolved(run, path)
    assert_contains(result, written)
    assert "dream-if fit --config experiments/" in path.read_text()


@pytest.mark.parametrize("path", BASES, ids=lambda path: path.stem)
def test_it_trains(run, workspace: Path, tiny_net: dict, write_pairs, path: Path) -> None:
    """Two steps of a tiny network, with the file's own optimizer, precision, clipping, objective and degradations."""
    write_pairs(workspace / "larger", {"train": 8, "val": 1}, size=(64, 72))
    small = {
        "model": {"net": tiny_net},
        "data": {"layout": "folder", "root": "larger", "crop": 48, "val_crop": 48, "num_workers": 0},
        "trainer": {
            "max_epochs": 1, "limit_train_batches": 2, "limit_val_batches": 1, "accelerator": "cpu", "devices": 1,
            "check_val_every_n_epoch": 1,
        },
    }  # fmt: skip
    (workspace / "small.yaml").write_text(yaml.safe_dump(small))
    logger = ("--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "out", "--trainer.logger.name", path.stem)
    outcome = run("fit", "--config", path, "--config", "small.yaml", *logger)
    assert outcome.status == 0, outcome.err
    record = json.loads((workspace / "out" / path.stem / "version_0/metrics.json").read_text())["fit"]
    assert record["steps"] == 2
    assert all(value is not None for value in record["metrics"].values())


def assert_contains(whole: dict, part: dict, above: str = "") -> None:
    for key, value in part.items():
        if isinstance(value, dict):
            assert_contains(whole[key], value, f"{above}{key}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            assert len(whole[key]) == len(value), f"{above}{key}"
            for place, (found, given) in enumerate(zip(whole[key], value, strict=True)):
                assert_contains(found, given, f"{above}{key}[{place}].")
        elif key != "class_path":  # short names are written out
            assert whole[key] == value, f"{above}{key}"


def test_the_overlays_are_those_of_the_table() -> None:
    assert {path.stem for path in (EXPERIMENTS / "ablation").glob("*")} == {*OVERLAYS, *CONTROLS}


def test_the_plain_control_is_as_large_as_the_full_network_and_works_as_much(run) -> None:
    sizes = []
    for row in ("rd_ce_se", "plain"):
        settings = resolved(run, EXPERIMENTS / "table4_small.yaml", EXPERIMENTS / "ablation" / f"{row}.yaml")
        net = DreamIF(**settings["model"]["net"])
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            net(torch.rand(1, 3, 32, 32), torch.rand(1, 1, 32, 32))
        sizes.append((sum(p.numel() for p in net.parameters()), counter.get_total_flops()))
    for full, plain in zip(*sizes, strict=True):
        assert plain == pytest.approx(full, rel=0.01)


def test_the_frozen_control_is_the_full_network_but_for_its_maps(run) -> None:
    full, frozen = (
        resolved(run, EXPERIMENTS / "table4_small.yaml", EXPERIMENTS / "ablation" / f"{row}.yaml")
        for row in ("rd_ce_se", "frozen")
    )
    assert full["model"]["net"].pop("frozen_dominance") is False
    assert frozen["model"]["net"].pop("frozen_dominance") is True
    assert (full.pop("group"), frozen.pop("group")) == ("rd_ce_se", "frozen")
    assert frozen == full


@pytest.mark.parametrize("name", OVERLAYS)
def test_overlays_hold_the_switches_and_the_group_alone(name: str) -> None:
    switches = dict(zip(("use_rd", "use_ce", "use_se"), OVERLAYS[name], strict=True))
    written = yaml.safe_load((EXPERIMENTS / "ablation" / f"{name}.yaml").read_text())
    assert written == {"model": {"net": switches}, "group": name}


@pytest.mark.parametrize("base", [path.stem for path in BASES])
def test_an_overlay_changes_nothing_else(run, base: str) -> None:
    plain = resolved(run, EXPERIMENTS / f"{base}.yaml")
    assert plain.pop("group") is None
    overlaid = resolved(run, EXPERIMENTS / f"{base}.yaml", EXPERIMENTS / "ablation" / "base.yaml")
    assert overlaid.pop("group") == "base"
    for switch in ("use_rd", "use_ce", "use_se"):
        assert plain["model"]["net"].pop(switch) is True
        assert overlaid["model"]["net"].pop(switch) is False
    assert overlaid == plain


def test_the_full_setting_is_the_papers(run) -> None:
    """Section 4.1 of the paper: AdamW, 3e-4, batches of 4, crops of 96, 200 epochs, 20 of warm-up."""
    full = resolved(run, EXPERIMENTS / "full.yaml")
    assert full["model"]["net"]["dim"] == 48
    assert full["model"]["net"]["num_blocks"] == [4, 6, 6, 8]
    assert full["model"]["loss"]["warmup_epochs"] == 20
    assert full["model"]["optimizer"]["class_path"] == "torch.optim.AdamW"
    assert full["model"]["optimizer"]["init_args"]["lr"] == 3e-4
    assert (full["data"]["layout"], full["data"]["crop"], full["data"]["batch_size"]) == ("llvip", 96, 4)
    assert full["data"]["degradation"]["class_path"] == "dream_if.data.RandomDegradations"
    assert full["trainer"]["max_epochs"] == 200
    assert full["trainer"]["precision"] == "bf16-mixed"
    assert full["trainer"]["gradient_clip_val"] > 0
