"""Made-up runs of an ablation: small folders with the three files that a real one leaves."""

import csv
import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import yaml

ROWS = {
    "base": (False, False, False),
    "rd": (True, False, False),
    "rd_ce": (True, True, False),
    "rd_se": (True, False, True),
    "rd_ce_se": (True, True, True),
}
METRICS = ("AG", "Qabf", "SSIM")
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
    """Set -> (images, metrics): what a run of this row and seed scored."""
    rng = np.random.default_rng([list(ROWS).index(row), seed])
    scene = np.random.default_rng(7)
    return {
        name: scene.uniform(1, 2, (count, 1)) + 0.1 * list(ROWS).index(row) + rng.normal(0, 0.1, (count, len(METRICS)))
        for name, count in sets.items()
    }


def write_run(folder: Path, row: str, seed: int, *, scores: dict[str, np.ndarray] | None = None) -> Path:
    """Write a tested run, and return its folder."""
    scores = scores_of(row, seed) if scores is None else scores
    config = deepcopy(CONFIG) | {"seed_everything": seed, "group": row, "ckpt_path": f"{folder}/last.ckpt"}
    config["model"]["net"] |= dict(zip(("use_rd", "use_ce", "use_se"), ROWS[row], strict=True))
    config["data"]["train_seed"] = seed
    config["trainer"]["logger"]["init_args"]["name"] = folder.name
    means = {
        f"test/{name}/{metric}": float(np.nanmean(column)) if np.isfinite(column).any() else None
        for name, table in scores.items()
        for metric, column in zip(METRICS, table.T, strict=True)
    }
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
        writer.writerow(["set", "method", "name", *METRICS])
        for name, table in scores.items():
            for method, scored in (("network", table), ("average", np.full_like(table, 50.0))):
                for number, values in enumerate(scored):
                    writer.writerow([name, method, f"{number:04d}", *values.tolist()])
    return folder


def change_config(folder: Path, change: Callable[[dict], object]) -> None:
    """Change the settings of a run in its folder."""
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    change(config)
    path.write_text(yaml.safe_dump(config))
