"""The table of segmentation, from generated scenes and from masks of the MSRS layout."""

import csv
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dream_if.data.images import read_image
from dream_if.data.scene_pairs import ScenePairs
from dream_if.downstream import tasks
from dream_if.downstream.masks import scene_mask
from dream_if.scoring.plan import TrainedSettings, read_plan
from tests.reports.trained_plans import ROWS, SIZE, write_plan

pytestmark = pytest.mark.usefixtures("workspace")

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments" / "tables"
CLASSES = ("street", "person", "vehicle")


@pytest.fixture
def plan():
    return partial(write_plan, "segmentation")


@pytest.fixture
def masks(workspace: Path) -> Path:
    """The pairs as a set in the MSRS layout, two classes in each mask; returns a mask of training."""
    for split in ("train", "test"):
        for file in (workspace / "pairs" / split / "vi").iterdir():
            height, width, _ = read_image(file, 3).shape
            classes = np.zeros((height, width), np.uint8)
            classes[: height // 2] = 8
            folder = workspace / "pairs" / split / "Segmentation_labels"
            folder.mkdir(exist_ok=True)
            Image.fromarray(classes).save(folder / f"{file.stem}.png")
    return Path("pairs/train/Segmentation_labels/train_00.png")


def values_of(out: str) -> dict[tuple[str, ...], float]:
    """(set, method, seed, class, metric) -> value."""
    with Path(out, "segmentation.csv").open(newline="") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    return {row[:-1]: float(row[-1]) for row in rows}


class Knowing(torch.nn.Module):
    """A network that needs no training: it knows the infrared test images, and takes all else for street."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(num_classes))

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        classes = torch.zeros(len(images), *SIZE, dtype=torch.long)
        grey = ((images * 0.25 + 0.5) * 255).round().byte()[:, 0].numpy()
        for position in range(2):
            _, infrared, _ = ScenePairs("test", 2, 0, SIZE).read(position)
            for image, found in zip(grey, classes, strict=True):
                if np.array_equal(image, infrared[:, :, 0]):
                    found[:] = scene_mask("test", position, 0, SIZE).classes()
        return {"out": torch.nn.functional.one_hot(classes, len(self.weight)).permute(0, 3, 1, 2) * self.weight[0]}


def test_each_row_is_tested_on_its_own_images(plan, run) -> None:
    outcome = run("tables", "segmentation", plan({"network": {"class_path": f"{__name__}.Knowing"}}), "--out", "out")
    assert outcome.status == 0, outcome.err
    values = values_of("out")
    street = np.mean([float((scene_mask("test", n, 0, SIZE).classes() == 0).float().mean()) for n in range(2)])
    for kind in ("", *CLASSES):
        assert values["scenes", "infrared alone", "0", kind, "mIoU"] == 1.0
    for row in ("mine", "visible alone"):
        assert values["scenes", row, "0", "street", "mIoU"] == pytest.approx(street)
        assert values["scenes", row, "0", "person", "mIoU"] == 0
        assert values["scenes", row, "0", "", "mIoU"] == pytest.approx(street / 3)
    text = Path("out/segmentation.md").read_text()
    assert "scenes, trained on 3 images, tested on 2 images" in text
    assert "person: IoU" in text
    assert "paper" not in text


def test_the_table_its_files_and_a_second_run(plan, run, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = []
    train = tasks.train_network
    monkeypatch.setattr(tasks, "train_network", lambda *a, **more: trained.append(more["seed"]) or train(*a, **more))
    outcome = run("tables", "segmentation", plan(), "--out", "out", "--panels", 1)
    assert outcome.status == 0, outcome.err
    assert trained == [0, 0, 0]
    first = values_of("out")
    assert run("tables", "segmentation", plan({"seeds": [0, 1]}), "--out", "out").status == 0
    assert trained == [0, 0, 0, 1, 1, 1]
    values = values_of("out")
    assert first.items() <= values.items()
    main = Path("out/segmentation.md").read_text().split("###")[1]
    for row in ROWS:
        mean, deviation = re.sub(r"<[^>]*>|\*", "", re.search(rf"\| {row} \| (.*) \|", main).group(1)).split(" ± ")
        own = [values["scenes", row, seed, "", "mIoU"] for seed in ("0", "1")]
        assert float(mean) == pytest.approx(np.mean(own), abs=0.00051)
        assert float(deviation) == pytest.approx(np.std(own, ddof=1), abs=0.00051)
    (mine,) = Path("out/segmentation/scenes").glob("mine*")
    assert (mine / "classes.txt").read_text().split() == list(CLASSES)
    for split, count in (("train", 3), ("test", 2)):
        for position in range(count):
            mask = read_image(mine / "masks" / split / f"scene_{position:05d}.png", 1)
            assert np.array_equal(mask[:, :, 0], scene_mask(split, position, 0, SIZE).classes())
    assert len(list(mine.glob("found/*/scene_*.png"))) == 4
    (panel,) = Path("out/panels/segmentation").iterdir()
    assert read_image(panel, 3).shape == (2 * SIZE[0] + 12, 4 * SIZE[1] + 12, 3)


def test_masks_of_msrs(plan, run, masks) -> None:
    """Pairs of different sizes; one without a mask is left out."""
    masks.unlink()
    outcome = run("tables", "segmentation", plan(sets={"MSRS": {"layout": "msrs", "root": "pairs"}}), "--out", "out")
    assert outcome.status == 0, outcome.err
    text = Path("out/segmentation.md").read_text()
    assert "MSRS, trained on 3 images, tested on " in text
    assert "color_cone: IoU" in text
    assert np.isnan(values_of("out")["MSRS", "mine", "0", "curve", "mIoU"])
    with Path("out/segmentation_pairs.csv").open(newline="") as file:
        listed = [row["name"] for row in csv.DictReader(file)]
    tested = sorted(path.stem for path in Path("pairs/test/vi").iterdir())
    assert (listed[:3], listed[3:]) == (["train_01", "train_02", "train_03"], tested)


def resave(file: Path, change) -> None:
    Image.fromarray(change(np.array(Image.open(file)))).save(file)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: resave(file, lambda classes: classes[2:]), "train_00.png: is 40x30, but its pair is 40x32"),
        (lambda file: resave(file, lambda classes: classes + 3), "train_00.png: has a pixel of class 11; expected 0"),
        (lambda file: file.write_bytes(b"none"), "train_00.png"),
        (
            lambda file: [resave(f, lambda classes: classes * 0) for f in file.parent.iterdir()],
            "mine: expected two classes or more in the training masks, got only unlabelled",
        ),
        (
            lambda file: [f.unlink() for f in file.parent.iterdir()],
            "none of the 4 train pair(s) in pairs has labels; expected .png files",
        ),
        (
            lambda _file: Path("pairs/classes.txt").write_text("all\n"),
            "pairs/classes.txt: expected two classes or more",
        ),
    ],
)
def test_masks_that_cannot_be_used(plan, run, masks, spoil, message: str) -> None:
    spoil(masks)
    path = plan(sets={"MSRS": {"layout": "msrs", "root": "pairs"}})
    assert message in run("tables", "segmentation", path, "--out", "out").message


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"network": "big"}, "tables.segmentation.network: expected a mapping"),
        ({"network": {"class_path": "torch.nn.functional.relu"}}, "cannot be made"),
        ({"detector": {"class_path": "a.B"}}, "tables.segmentation: expected some of"),
        ({"size": 8}, "tables.segmentation.size: expected a whole number from 32"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_used(plan, run, own: dict, message: str) -> None:
    assert message in run("tables", "segmentation", plan(own), "--out", "out").message


@pytest.mark.parametrize("name", ["demo", "segmentation"])
def test_the_plans_that_come_along(name: str, tmp_path: Path, write_pairs) -> None:
    write_pairs(tmp_path / "msrs", {"train": 1, "test": 1})
    path = EXPERIMENTS / f"{name}.yaml"
    found = read_plan(path, "segmentation", data=tmp_path, weights="average", device=torch.device("cpu"))
    assert {"Dream-IF", "visible alone", "infrared alone"} <= {row.name for row in found.rows}
    assert isinstance(found.settings, TrainedSettings)
    assert len(found.settings.seeds) > 2
