"""Which runs Table 4 takes for its controls, and what it refuses of them."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.reports.reading import lines_of_csv
from tests.runs.made_runs import CONTROLS, ROWS, SHUFFLED, change_config, scores_of, write_run, write_sweep

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("controls", [(), ("plain",), ("frozen", SHUFFLED), ("frozen", "plain", SHUFFLED)])
def test_a_table_has_the_controls_that_are_there(run, write_ablation, controls):
    write_ablation(controls=controls)
    outcome = run("tables", "4")
    assert outcome.status == 0, outcome.err
    assert "was left out" not in outcome.out
    assert list(dict.fromkeys(row for name, row, _ in lines_of_csv() if name == "llvip")) == [*ROWS, *controls]


def test_a_control_that_is_there_needs_every_seed_of_the_table(run, write_ablation):
    folder = write_ablation(controls=("frozen", "plain"))
    shutil.rmtree(folder / "deep" / "frozen-2")
    (folder / "deep" / "plain-1" / "metrics.json").unlink()
    message = run("tables", "4").message
    assert (
        "these runs are missing: row frozen, seed 2; row plain, seed 1 (not tested yet in runs/table4/deep/plain-1)."
    ) in message


def test_a_control_that_is_begun_alone_is_there(run, write_ablation):
    folder = write_ablation(seeds=(0, 1), controls=("frozen",))
    shutil.rmtree(folder / "deep" / "frozen-0")
    (folder / "deep" / "frozen-1" / "metrics.json").unlink()
    assert "missing: row frozen, seed 0; row frozen, seed 1 (not tested yet" in run("tables", "4").message


def test_a_seed_that_a_control_alone_has_is_missing_elsewhere(run, write_ablation):
    folder = write_ablation(seeds=(0, 1))
    for seed in (0, 1, 2):
        write_run(folder / f"plain-{seed}", "plain", seed)
    assert f"missing: {'; '.join(f'row {row}, seed 2' for row in ROWS)}. " in run("tables", "4").message


def test_controls_alone_are_no_table(run, write_ablation):
    folder = write_ablation(seeds=())
    write_run(folder / "plain-0", "plain", 0)
    assert "there is no tested run of a row of Table 4" in run("tables", "4").message


def test_the_sweeps_together_tell_what_is_expected(run, write_ablation):
    folder = write_ablation()
    rows = write_sweep(ROWS, [0, 1, 2], "rows.yaml")
    controls = write_sweep(CONTROLS, [0, 1, 2], "controls.yaml")
    assert run("tables", "4", "--sweep", rows).status == 0
    missing = "; ".join(f"row {row}, seed {seed}" for row in CONTROLS for seed in (0, 1, 2))
    assert f"these runs are missing: {missing}." in run("tables", "4", "--sweep", rows, controls).message
    assert f"these runs are missing: {missing}." in run("tables", "4", "--sweep", controls).message
    shutil.rmtree(folder)
    write_ablation(controls=CONTROLS)
    assert run("tables", "4", "--sweep", rows, controls).status == 0
    write_sweep(CONTROLS, [0, 3], "controls.yaml")
    message = run("tables", "4", "--sweep", rows, controls).message
    assert message.count("seed 3") == len(ROWS) + len(CONTROLS)


def test_shuffled_is_no_row_of_a_sweep(run, write_ablation):
    write_ablation()
    message = run("tables", "4", "--sweep", write_sweep([SHUFFLED], [0])).message
    assert "shuffled is not a row of Table 4; expected base, rd, rd_ce, rd_se, rd_ce_se, frozen, plain." in message


def test_the_repositorys_controls_are_run_as_its_rows_are():
    rows, controls = (yaml.safe_load((REPOSITORY / "sweeps" / f"{name}.yaml").read_text()) for name in (
        "table4", "table4_controls",
    ))  # fmt: skip
    overlays = {"values": ["experiments/ablation/frozen.yaml", "experiments/ablation/plain.yaml"]}
    assert controls["parameters"] == rows["parameters"] | {"config": overlays}
    own = ("name", "description", "parameters")
    assert {key: controls[key] for key in controls if key not in own} == {
        key: rows[key] for key in rows if key not in own
    }


@pytest.mark.parametrize(
    ("control", "key", "value", "words"),
    [
        ("frozen", "frozen_dominance", False, "has use_rd true, use_ce true, use_se true, frozen_dominance false."),
        ("frozen", "use_se", False, "which has use_rd true, use_ce true, use_se true, frozen_dominance true, but"),
        ("plain", "use_rd", True, "which has use_rd false, use_ce false, use_se false, frozen_dominance false, but"),
        ("plain", "num_heads", [2, 2, 2, 2], "model.net.num_heads is [1, 1, 1, 1] in the first and [2, 2, 2, 2] in"),
        ("plain", "dim", 12, "plain-0 and runs/table4/deep/plain-1 were not run alike"),
        ("frozen", "dim", 8, "base-0 and runs/table4/deep/frozen-1 were not run alike"),
    ],
)  # fmt: skip
def test_a_control_is_the_network_that_its_group_says(run, write_ablation, control, key, value, words):
    folder = write_ablation(controls=(control,))
    change_config(folder / "deep" / f"{control}-1", lambda config: config["model"]["net"].update({key: value}))
    assert words in run("tables", "4").message


def test_a_row_has_no_frozen_maps(run, write_ablation):
    folder = write_ablation()
    change_config(folder / "deep" / "rd-1", lambda config: config["model"]["net"].update(frozen_dominance=True))
    assert "rd-1: its group is rd" in run("tables", "4").message


def test_a_plain_control_of_other_training_is_refused(run, write_ablation):
    folder = write_ablation(controls=("plain",))
    for seed in (0, 1, 2):
        change_config(folder / "deep" / f"plain-{seed}", lambda config: config["trainer"].update(max_epochs=5))
    assert "trainer.max_epochs is 4 in the first and 5 in the second" in run("tables", "4").message


def test_what_a_network_is_compared_with_may_differ(run, write_ablation):
    folder = write_ablation(controls=(SHUFFLED,))
    for seed in (0, 1, 2):
        path = folder / "deep" / f"rd_ce_se-{seed}"
        change_config(path, lambda config: config["model"].update(compare=["average", SHUFFLED]))
    assert run("tables", "4").status == 0


def test_shuffled_maps_of_some_seeds_are_left_out_with_a_word(run, write_ablation):
    folder = write_ablation(controls=(SHUFFLED,))
    shutil.rmtree(folder / "deep" / "rd_ce_se-1")
    write_run(folder / "deep" / "rd_ce_se-1", "rd_ce_se", 1)
    outcome = run("tables", "4")
    assert outcome.status == 0, outcome.err
    assert SHUFFLED not in {row for _, row, _ in lines_of_csv()}
    assert "control: shuffled was left out: it is not in the test of runs/table4/deep/rd_ce_se-1." in outcome.out


def test_shuffled_maps_of_other_images_are_refused(run, write_ablation):
    path = write_ablation(controls=(SHUFFLED,)) / "deep" / "rd_ce_se-1" / "per_image.csv"
    path.write_text(path.read_text().replace("llvip,shuffled,0003", "llvip,shuffled,0099"))
    assert (
        f"{path}: expected shuffled to have the images of network; it has others of llvip."
        in run("tables", "4").message
    )


def test_means_of_shuffled_maps_are_those_of_their_images(run, write_ablation):
    path = write_ablation(controls=(SHUFFLED,)) / "deep" / "rd_ce_se-0" / "metrics.json"
    record = json.loads(path.read_text())
    record["test"]["metrics"]["test/llvip/shuffled/Qabf"] *= 1.001
    path.write_text(json.dumps(record))
    assert "the mean Qabf on llvip is" in run("tables", "4").message
    del record["test"]["metrics"]["test/llvip/shuffled/Qabf"]
    path.write_text(json.dumps(record))
    assert "not of the same test: shuffled: llvip with AG, SSIM" in run("tables", "4").message
    record["test"]["metrics"] = {key: 1.0 for key in record["test"]["metrics"] if SHUFFLED not in key}
    path.write_text(json.dumps(record))
    assert "are not of the same test" in run("tables", "4").message


def test_shuffled_maps_that_metrics_alone_tell_of_are_refused(run, write_ablation):
    folder = write_ablation(controls=(SHUFFLED,)) / "deep" / "rd_ce_se-0"
    lines = (folder / "per_image.csv").read_text().splitlines()
    (folder / "per_image.csv").write_text("\n".join(line for line in lines if SHUFFLED not in line) + "\n")
    assert "are not of the same test: shuffled: llvip with AG, Qabf, SSIM; " in run("tables", "4").message
    assert "nothing in the other" in run("tables", "4").message


def test_the_scores_of_shuffled_maps_are_not_the_networks(run, write_ablation):
    write_ablation(controls=(SHUFFLED,))
    assert run("tables", "4").status == 0
    lines = lines_of_csv()
    for row in ("rd_ce_se", SHUFFLED):
        means = [scores_of(row, seed)["llvip"][:, 1].mean() for seed in (0, 1, 2)]
        assert [float(lines["llvip", row, "Qabf"][f"seed_{seed}"]) for seed in (0, 1, 2)] == pytest.approx(means)
