"""Methods over sets and conditions: the scores are those of `dream-if test`, and none is computed twice."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from dream_if.data.pairs import read_image, to_tensor
from dream_if.methods import method as methods
from dream_if.metrics import functional as F
from dream_if.scoring import engine

pytestmark = pytest.mark.usefixtures("workspace")

METRICS = ["AG", "Qabf", "SSIM"]
PLAN = {
    "methods": {"ours": "laplacian", "other": "average"},
    "sets": {"pairs": {"root": "pairs"}},
    "metrics": METRICS,
    "tables": {"2": {"conditions": {"gaussian": {"kind": "gaussian", "level": 2, "seed": 0}}}},
}


def write_plan(**changes: object) -> None:
    Path("plan.yaml").write_text(yaml.safe_dump({**PLAN, **changes}, sort_keys=False))


def rows_of(path: str) -> dict[tuple[str, str, str], dict[str, float]]:
    """(condition, method, image) -> metric -> value, of a file with one line for each image."""
    with open(path, newline="") as file:
        return {
            (row.get("condition", ""), row["method"], row["name"]): {
                key: float(row[key]) for key in row if key not in ("set", "condition", "method", "name")
            }
            for row in csv.DictReader(file)
        }


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the pairs that were fused, one entry for each fusion."""
    seen: list[str] = []
    fuse = methods.Computed.fuse

    def counted(self, visible, infrared, pair):
        seen.append(pair.name)
        return fuse(self, visible, infrared, pair)

    monkeypatch.setattr(methods.Computed, "fuse", counted)
    return seen


def test_the_scores_are_those_of_test(trained: Path, run) -> None:
    """Network and classical method, clean and under noise, to the last digit that is written."""
    checkpoint = trained / "checkpoints" / "best.ckpt"
    noise = {"class_path": "dream_if.data.degradations.GaussianNoise", "init_args": {"sigma": 20}}
    conditions = {
        "clean": None,
        "noisy": {"class_path": "dream_if.data.FixedDegradation", "init_args": {"kind": noise}},
    }
    Path("noise.yaml").write_text(yaml.safe_dump({"data": {"test_degradation": conditions}}))
    settings = ("--config", "noise.yaml", "--model.compare", "[average]", "--model.metrics", str(METRICS))
    assert run("test", "--config", "tiny.yaml", *settings, "--ckpt_path", checkpoint).status == 0
    theirs: dict[tuple[str, str, str], dict[str, float]] = {}
    with (trained.parent / "version_1" / "per_image.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            condition = {"pairs": "clean", "pairs+noisy": "noisy"}[row["set"]]
            method = {"network": "ours", "average": "other"}[row["method"]]
            theirs[condition, method, row["name"]] = {metric: float(row[metric]) for metric in METRICS}
    both = {"clean": None, "noisy": {"kind": "gaussian", "level": 2}}  # level 2 is sigma 20
    write_plan(methods={"ours": str(checkpoint), "other": "average"}, tables={"2": {"conditions": both}})
    outcome = run("tables", "2", "plan.yaml", "--out", "out")
    assert outcome.status == 0, outcome.err
    ours = rows_of("out/table2_images.csv")
    assert theirs
    for place, values in theirs.items():
        assert ours[place] == pytest.approx(values, abs=1e-12), place


def test_what_is_known_is_not_computed_again(run, calls: list[str]) -> None:
    write_plan()
    assert run("tables", "2", "plan.yaml", "--out", "out").status == 0
    assert len(calls) == 3 * 4  # pairs, and both methods with both sources
    first = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    calls.clear()
    assert run("tables", "2", "plan.yaml", "--out", "out").status == 0
    assert calls == []
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == first
    write_plan(metrics=[*METRICS, "VIFF"])  # one more is computed, and it alone
    assert run("tables", "2", "plan.yaml", "--out", "out").status == 0
    assert len(calls) == 12
    last = [json.loads(line) for line in Path("out/scores.jsonl").read_text().splitlines()[-12:]]
    assert all(list(entry["values"]) == ["VIFF"] for entry in last)


def test_a_run_that_was_stopped_goes_on(run, calls: list[str], monkeypatch) -> None:
    write_plan()
    assert run("tables", "2", "plan.yaml", "--out", "whole").status == 0
    calls.clear()
    score = engine._Worker.score

    def stops(self, wanted, batch):
        if len(calls) == 7:
            raise KeyboardInterrupt
        return score(self, wanted, batch)

    monkeypatch.setattr(engine._Worker, "score", stops)
    assert run("tables", "2", "plan.yaml", "--out", "parts").status == 130
    assert not Path("parts/table2.md").exists()
    monkeypatch.setattr(engine._Worker, "score", score)
    with Path("parts/scores.jsonl").open("a") as file:
        file.write('{"key": "cut sho')  # what a crash leaves
    assert run("tables", "2", "plan.yaml", "--out", "parts").status == 0
    assert len(calls) == 12
    assert rows_of("parts/table2_images.csv") == rows_of("whole/table2_images.csv")


@pytest.mark.parametrize("change", ["pair", "class", "condition"])
def test_what_changed_is_computed_again(run, calls: list[str], change: str, monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, "mine_changing", raising=False)  # of another folder
    source = "class Mine:\n    def __call__(self, visible, infrared):\n        return visible * {}\n"
    Path("mine_changing.py").write_text(source.format(1))
    write_plan(methods={"ours": {"class_path": "mine_changing.Mine"}, "other": "average"})
    assert run("tables", "2", "plan.yaml", "--out", "out").status == 0
    calls.clear()
    if change == "pair":
        Path("pairs/test/ir/test_00.png").write_bytes(Path("pairs/val/ir/val_00.png").read_bytes())
        expected = 4
    elif change == "class":
        Path("mine_changing.py").write_text(source.format(0.5))
        expected = 3
    else:
        noisier = {"2": {"conditions": {"gaussian": {"kind": "gaussian", "level": 3}}}}
        write_plan(methods={"ours": {"class_path": "mine_changing.Mine"}, "other": "average"}, tables=noisier)
        expected = 12
    assert run("tables", "2", "plan.yaml", "--out", "out").status == 0
    assert len(calls) == expected


def test_a_foreign_folder_is_scored_as_evaluate_does(run) -> None:
    """The infrared images, as files: evaluate and table 1 agree on them."""
    assert run(
        "evaluate", "--visible", "pairs/test/vi", "--infrared", "pairs/test/ir", "--fused", "theirs=pairs/test/ir",
        "--metrics", "AG,Qabf,SSIM", "--out", "scores",
    ).status == 0  # fmt: skip
    expected = {name: values for (_, _, name), values in rows_of("scores/per_image.csv").items()}
    write_plan(methods={"ours": "laplacian", "theirs": "{set}/test/ir"})
    assert run("tables", "1", "plan.yaml", "--out", "out").status == 0
    found = rows_of("out/table1_images.csv")
    for name, values in expected.items():
        assert found["clean", "theirs", name] == pytest.approx(values, rel=1e-9)


class TestLPIPS:
    @pytest.fixture
    def backbone(self, workspace: Path) -> Path:
        generator = torch.Generator().manual_seed(0)
        shapes = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
        tensors = {}
        for layer, (out, channels, size) in shapes.items():
            weight = torch.randn(out, channels, size, size, generator=generator)
            tensors[f"features.{layer}.weight"] = weight * (2 / (channels * size**2)) ** 0.5
            tensors[f"features.{layer}.bias"] = torch.zeros(out)
        save_file(tensors, workspace / "alexnet.safetensors")
        return workspace / "alexnet.safetensors"

    def test_both_references(self, workspace: Path, run, backbone: Path, write_pairs) -> None:
        write_pairs(workspace / "large", {"test": 1}, size=(48, 64))
        dark = {"kind": "gaussian", "level": 3}
        write_plan(
            methods={"ours": "visible", "theirs": "{set}/{condition}"},
            sets={"large": {"root": "large"}},
            metrics=["LPIPS", "LPIPS_self", "Qabf"],
            tables={"3": {"conditions": {"gaussian": dark}}},
        )
        visible, infrared = Path("large/test/vi/test_00.png"), Path("large/test/ir/test_00.png")
        for condition, path in (("clean", visible), ("gaussian", infrared)):
            Path("large", condition).mkdir()
            Path("large", condition, "test_00.png").write_bytes(path.read_bytes())
        outcome = run("tables", "3", "plan.yaml", "--out", "out", "--lpips-weights", backbone)
        assert outcome.status == 0, outcome.err
        found = rows_of("out/table3_images.csv")
        seen, heat = ((to_tensor(read_image(path, 3)) * 255)[None] for path in (visible, infrared))
        apart = float(F.lpips(heat, seen, weights=backbone))
        assert apart > 0.01
        # the infrared image against both sources, and against the visible one, which is what it shows of the clean pair
        assert found["gaussian", "theirs", "test_00"]["LPIPS"] == pytest.approx(apart / 2, rel=1e-4)
        assert found["gaussian", "theirs", "test_00"]["LPIPS_self"] == pytest.approx(apart, rel=1e-4)
        assert found["gaussian", "ours", "test_00"]["LPIPS_self"] > 0

    def test_the_papers_numbers_stand_with_what_they_are_of(self, run, backbone: Path) -> None:
        conditions = {
            "mine": {"kind": "gaussian", "level": 3},
            "gaussian": {"kind": "gaussian", "level": 1},
            "rain": {"kind": "rain", "level": 3, "source": "infrared"},
            "sigma": {"kind": "gaussian", "arguments": {"sigma": 35}},
            "speckle": {"kind": "blur"},
        }
        for part, cells in ((conditions, "0.255 | – | – | 0.255 | 0.260"), ({"gaussian": conditions["gaussian"]}, "")):
            write_plan(metrics=["LPIPS"], tables={"3": {"conditions": part}})
            outcome = run("tables", "3", "plan.yaml", "--out", "out", "--limit", 1, "--lpips-weights", backbone)
            assert outcome.status == 0, outcome.err
            text = Path("out/table3.md").read_text()
            assert ("below the paper's rows" in text) == bool(cells)
            assert f"| paper: Dream-IF | {cells}" in text or not cells

    def test_without_weights_the_others_remain(self, workspace: Path, run, monkeypatch) -> None:
        def offline(*_args: object, **_options: object) -> None:
            raise OSError("no connection")

        monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
        write_plan(metrics=["LPIPS", "LPIPS_self", "Qabf"], tables={})
        outcome = run("tables", "3", "plan.yaml", "--out", "out", "--limit", 1)
        assert outcome.status == 0
        assert "LPIPS, LPIPS_self left out: LPIPS needs AlexNet weights" in outcome.err
        text = Path("out/table3.md").read_text()
        assert "Qabf ↑" in text
        assert "LPIPS ↓" not in text
        assert "--lpips-weights names a file" in text
        assert "no file nowhere" in run("tables", "3", "plan.yaml", "--lpips-weights", "nowhere").message
        write_plan(metrics=["LPIPS"], tables={})
        assert "LPIPS needs AlexNet weights" in run("tables", "3", "plan.yaml", "--out", "out").message


def test_a_failing_method_names_itself_and_keeps_what_was_scored(run) -> None:
    Path("mine_failing.py").write_text(
        "class Mine:\n    def __call__(self, visible, infrared):\n"
        "        if visible.shape[-2] == 33: raise ValueError('only even heights')\n        return visible\n"
    )
    write_plan(methods={"ours": {"class_path": "mine_failing.Mine"}, "other": "average"})
    message = run("tables", "1", "plan.yaml", "--out", "out").message
    assert message.startswith("mine_failing.Mine: test_01 of pairs, clean: failed")
    assert "only even heights" in message
    names = {json.loads(line)["name"] for line in Path("out/scores.jsonl").read_text().splitlines()}
    assert names == {"pairs, clean: test_00"}
    assert not Path("out/table1.md").exists()


def test_a_restorer_works_on_what_the_method_gets(run) -> None:
    """Table 2's second stage: the average of a median is what comes out for the average after it."""
    write_plan(
        methods={
            "ours": "laplacian",
            "other": "visible",
            "own": {"method": "visible", "restore": {"median": {"size": 3}}},
        },
        tables={"2": {**PLAN["tables"]["2"], "restore": ["median"]}},
        metrics=["AG"],
    )
    assert run("tables", "2", "plan.yaml", "--out", "out").status == 0
    found = rows_of("out/table2_images.csv")
    rows = [method for _, method, name in found if name == "test_00"]
    assert rows == ["ours", "other", "own", "infrared alone", "other, after median", "infrared alone, after median"]
    values = [found["gaussian", method, "test_00"]["AG"] for method in ("other", "own", "other, after median")]
    assert values[0] > values[1] > values[2]  # noise, a median of 3 pixels, one of 5
    assert np.isfinite(values).all()
