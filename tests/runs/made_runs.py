"""Made-up runs of an ablation: small folders with the three files that a real one leaves."""

import csv
import json
from collections.abc import Callable, Iterable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import yaml

from dream_if.runs.finished import Run

ROWS = {
    "base": (False, False, False),
    "rd": (True, False, False),
    "rd_ce": (True, True, False),
    "rd_se": (True, False, True),
    "rd_ce_se": (True, True, True),
}
CONTROLS = {  # settings of their networks
    "frozen": {"use_rd": True, "use_ce": True, "use_se": True, "frozen_dominance": True},
    "plain": {"use_rd": False, "use_ce": False, "use_se": False, "dim": 8, "num_blocks": [1, 1, 1, 2]},
}
SHUFFLED = "shuffled"  # a method in the tests of the full network's runs
METRICS = ("AG", "Qabf", "SSIM")
STATISTICS = ("RD_deviation", "RD_error_rank")
SETS = {"llvip": 12, "llvip+gaussian": 12}

CONFIG = {
    "trainer": {"max_epochs": 4, "precision": "bf16-mixed", "logger": {"class_path": "WandbLogger", "init_args": {}}},
    "model": {
        "net": {"dim": 4, "num_blocks": [1, 1, 1, 1], "num_refinement_blocks": 1, "num_heads": [1, 1, 1, 1]},
        "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.001}},
        "metrics": list(METRICS),
    },
    "data": {
        "layout": "folder",
        "root": "data/LLVIP",
        "crop": 96,
        "batch_size": 4,
        "degrade": "both",
        "degradation": {"class_path": "dream_if.data.RandomDegradations", "init_args": {"clean": 0.5, "kinds": None}},
        "test_degradation": {"clean": None, "gaussian": {"class_path": "dream_if.data.FixedDegradation"}},
    },
    "checkpoint": {"monitor": "val/Qabf", "mode": "max"},
}


def scores_of(row: str, seed: int, sets: dict[str, int] = SETS) -> dict[str, np.ndarray]:
    """Set -> (images, metrics): what a run of this row or control and seed scored."""
    place = [*ROWS, *CONTROLS, SHUFFLED].index(row)
    rng = np.random.default_rng([place, seed])
    scene = np.random.default_rng(7)
    return {
        name: scene.uniform(1, 2, (count, 1)) + 0.1 * place + rng.normal(0, 0.1, (count, len(METRICS)))
        for name, count in sets.items()
    }


def write_run(
    folder: Path,
    row: str,
    seed: int,
    *,
    scores: dict[str, np.ndarray] | None = None,
    shuffled: dict[str, np.ndarray] | None = None,
    dominance: dict[str, np.ndarray] | None = None,
) -> Path:
    """Write a tested run, and return its folder.

    Args:
        folder: of the run.
        row: or control.
        seed: of the training.
        scores: set -> (images, metrics); those of `scores_of` if left out.
        shuffled: likewise, with the dominance maps of another image.
        dominance: set -> (images, statistics) of the network's maps.
    """
    scores = scores_of(row, seed) if scores is None else scores
    columns = STATISTICS if dominance else ()
    config = deepcopy(CONFIG) | {"seed_everything": seed, "group": row, "ckpt_path": f"{folder}/last.ckpt"}
    switches = CONTROLS.get(row) or dict(zip(("use_rd", "use_ce", "use_se"), ROWS[row], strict=True))
    config["model"]["net"] |= switches
    config["data"]["train_seed"] = seed
    # As the data module calls them: what follows the first + is the condition, unless a test says otherwise.
    places = [name.partition("+")[::2] for name in scores]
    config["data"]["root"] = [f"data/{name}" for name in dict.fromkeys(name for name, _ in places)]
    config["data"]["test_degradation"] |= {
        condition: {"class_path": "dream_if.data.FixedDegradation"} for _, condition in places if condition
    }
    config["trainer"]["logger"]["init_args"]["name"] = folder.name
    means = means_of(scores, "", METRICS) | means_of(shuffled or {}, "shuffled/", METRICS)
    means |= means_of(dominance or {}, "", STATISTICS)
    means |= {f"test/{name}/average/AG": 99.0 for name in scores}
    record = {
        "fit": {"epochs": 4, "steps": 128, "best_by": "val/Qabf", "hardware": "1 x abacus", "versions": {"torch": "9"}},
        "test": {"checkpoint": str(folder / "checkpoints" / "best.ckpt"), "metrics": means},
    }
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("# written by a test\n" + yaml.safe_dump(config))
    (folder / "metrics.json").write_text(json.dumps(record))
    with (folder / "per_image.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["set", "method", "name", *METRICS, *columns])
        for name, table in scores.items():
            methods = {"network": table, "average": np.full_like(table, 50.0)}
            methods |= {SHUFFLED: shuffled[name]} if shuffled else {}
            for method, scored in methods.items():
                for number, values in enumerate(scored):
                    maps = (
                        dominance[name][number].tolist()
                        if dominance and method == "network"
                        else [np.nan] * len(STATISTICS)
                    )
                    shown = ["" if np.isnan(value) else value for value in maps]
                    writer.writerow([name, method, f"{number:04d}", *values.tolist(), *(shown if columns else [])])
    return folder


def means_of(scores: dict[str, np.ndarray], method: str, columns: tuple[str, ...]) -> dict[str, float | None]:
    """Means over images, by the keys of metrics.json; `method` ends with a slash, or is empty for the network."""
    return {
        f"test/{name}/{method}{column}": float(np.nanmean(values)) if np.isfinite(values).any() else None
        for name, table in scores.items()
        for column, values in zip(columns, table.T, strict=True)
    }


def change_config(folder: Path, change: Callable[[dict], object]) -> None:
    """Change the settings of a run in its folder."""
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    change(config)
    path.write_text(yaml.safe_dump(config))


def write_sweep(rows: Iterable[str], seeds: list[int], path: str = "sweep.yaml") -> str:
    """Write a sweep of these rows by seeds, and overlays that name their groups, into the current folder."""
    for row in rows:
        Path(f"{row}.yaml").write_text(f"group: {row}\n")
    choices = {"config": {"values": [f"{row}.yaml" for row in rows]}, "seed_everything": {"values": seeds}}
    content = {"method": "grid", "command": ["dream-if", "fit", "${args}"], "parameters": choices}
    Path(path).write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def write_ablation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write all rows with these seeds below `runs/table4` of an empty folder, which is the current one.

    With controls, every network counts as one of 1.5 M parameters, the plain control as one of 2.5 M.
    """
    monkeypatch.chdir(tmp_path)

    def size(run: Run) -> int:
        return 2_500_000 if run.group == "plain" else 1_500_000

    def written(seeds: Iterable[int] = (0, 1, 2), sets: dict[str, int] = SETS, controls: Iterable[str] = ()) -> Path:
        if controls:
            monkeypatch.setattr("dream_if.reports.ablation_document.parameters", size)
        for row in (*ROWS, *CONTROLS.keys() & controls):
            for seed in seeds:
                shuffled = scores_of(SHUFFLED, seed, sets) if row == "rd_ce_se" and SHUFFLED in controls else None
                folder = Path("runs/table4/deep") / f"{row}-{seed}"
                write_run(folder, row, seed, scores=scores_of(row, seed, sets), shuffled=shuffled)
        return Path("runs/table4")

    return written
