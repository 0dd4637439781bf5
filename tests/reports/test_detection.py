"""Table 5: what detectors find in fused images, from generated scenes and from labelled pairs."""

import csv
import json
import re
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from dream_if.data.images import read_image
from dream_if.data.scene_pairs import ScenePairs
from dream_if.downstream import tasks
from dream_if.downstream.labels import read_labels, scene_labels
from dream_if.reports.published_numbers import TABLE_5
from dream_if.scoring.plan import DetectionSettings, read_plan
from tests.reports.trained_plans import ROWS, SIZE, write_plan

pytestmark = [
    pytest.mark.usefixtures("workspace"),
    pytest.mark.skipif(find_spec("pycocotools") is None, reason="needs the extra detection"),
]

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments" / "tables"


@pytest.fixture
def plan():
    return partial(write_plan, "5")


def values_of(out: str) -> dict[tuple[str, ...], float]:
    """(set, method, seed, class, metric) -> value, without the paper's."""
    with Path(out, "table5.csv").open(newline="") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    return {row[:-1]: float(row[-1]) for row in rows if "(paper)" not in row[0]}


class Finder(torch.nn.Module):
    """A detector that needs no training: every test box, and those of class 2 in a wrong place for one colour."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(num_classes))

    def forward(self, images, targets=None):
        if targets is not None:
            return {"loss": self.weight.sum()}
        (image,) = images
        found = []
        for position in range(2):
            visible, infrared, _ = ScenePairs("test", 2, 0, SIZE).read(position)
            boxes = scene_labels("test", position, 0, SIZE)
            target = {"boxes": boxes.corners.clone(), "labels": boxes.classes + 1}
            target["scores"] = torch.ones(len(boxes.classes))
            for source in (visible, infrared):
                if np.array_equal(
                    (image * 255).round().byte().permute(1, 2, 0).numpy(), np.broadcast_to(source, (*SIZE, 3))
                ):
                    if source is visible:
                        target["boxes"] += torch.tensor([300.0, 0, 300, 0])
                    return [target]
            found.append(target)
        return [{"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.long), "scores": torch.zeros(0)}]


def test_each_row_is_tested_on_its_own_images(plan, run) -> None:
    """A detector that knows the infrared test images finds all there, nothing in fused ones, and misses in visible."""
    outcome = run("tables", "5", plan({"detector": {"class_path": f"{__name__}.Finder"}}), "--out", "out")
    assert outcome.status == 0, outcome.err
    values = values_of("out")
    for metric in ("recall", "mAP@.5", "mAP@.5:.95"):
        assert values["scenes", "infrared alone", "0", "", metric] == pytest.approx(1.0)
        assert values["scenes", "visible alone", "0", "", metric] == 0.0
        assert values["scenes", "mine", "0", "", metric] == 0.0


def test_the_table_and_the_paper(plan, run) -> None:
    outcome = run("tables", "5", plan({"seeds": [0, 1]}), "--out", "out")
    assert outcome.status == 0, outcome.err
    text = Path("out/table5.md").read_text()
    values = values_of("out")
    classes, seeds = ("", "person", "vehicle"), ("0", "1")
    assert len(values) == len(ROWS) * len(classes) * len(seeds) * 3
    rows = {
        line.split(" | ")[0][2:]: line.strip("| ").split(" | ")[1:] for line in text.splitlines() if line[:2] == "| "
    }
    assert rows["paper: TTD"] == ["0.889", "0.950", "0.625"]
    main = text.split("###")[1]
    for row in ROWS:
        cells = re.search(rf"\| {row} \| (.*) \|", main).group(1).split(" | ")
        for cell, metric in zip(cells, ("recall", "mAP@.5", "mAP@.5:.95"), strict=True):
            mean, deviation = re.sub(r"<[^>]*>|\*", "", cell).split(" ± ")
            own = [values["scenes", row, seed, "", metric] for seed in seeds]
            assert float(mean) == pytest.approx(np.mean(own), abs=0.00051)
            assert float(deviation) == pytest.approx(np.std(own, ddof=1), abs=0.00051)
    distance = rows["mine - paper: Dream-IF"]
    for cell, metric, paper in zip(distance, ("recall", "mAP@.5", "mAP@.5:.95"), TABLE_5["Dream-IF"], strict=True):
        own = np.mean([values["scenes", "mine", seed, "", metric] for seed in seeds])
        assert float(cell) == pytest.approx(own - paper, abs=0.00051)
    assert "infrared-only" in text
    assert Path("out/table5.png").read_bytes().startswith(b"\x89PNG")
    assert "paper: Dream-IF" in Path("out/table5.html").read_text()


def test_the_data_sets_are_fused_images_with_their_boxes(plan, run) -> None:
    assert run("tables", "5", plan(), "--out", "out", "--panels", 1).status == 0
    (mine,) = Path("out/detection/scenes").glob("mine*")
    for split, count in (("train", 3), ("test", 2)):
        for position in range(count):
            visible, infrared, name = ScenePairs(split, count, 0, SIZE).read(position)
            fused = read_image(mine / "images" / split / f"{name}.png", 3)
            grey = np.array(Image.fromarray(visible).convert("L"), float)
            mean = (grey + infrared[:, :, 0]) / 2  # what averaging does to luminance; colours may be clipped
            assert np.median(np.abs(np.array(Image.fromarray(fused).convert("L"), float) - mean)) <= 1
            boxes = read_labels(mine / "labels" / split / f"{name}.txt", SIZE, ("person", "vehicle"))
            torch.testing.assert_close(boxes.corners, scene_labels(split, position, 0, SIZE).corners, atol=1e-3, rtol=0)
    coco = json.loads((mine / "annotations/test.json").read_text())
    (file,) = (mine / "found").glob("torchvision_0_*.json")
    found = json.loads(file.read_text())
    (panel,) = Path("out/panels/table5").iterdir()
    drawn = read_image(panel, 3)  # two tiles beside each other and one below, 4 pixels apart
    assert drawn.shape == (2 * SIZE[0] + 12, 2 * SIZE[1] + 12, 3)
    visible = drawn[4 : 4 + SIZE[0], 8 + SIZE[1] : -4].reshape(-1, 3)
    assert len(scene_labels("test", 1, 0, SIZE).classes)
    assert ((visible == (0, 255, 0)) | (visible == (0, 255, 255))).all(axis=1).any()
    assert {thing["image_id"] for thing in found} <= {image["id"] for image in coco["images"]}


def test_a_restorer_goes_before_the_method(plan, run) -> None:
    """The median of both sources alone is what the detector gets, as SciPy has it, and no older image."""
    for size in (3, 5):
        cleaned = {"method": "infrared", "restore": {"median": {"size": size}}}
        outcome = run("tables", "5", plan(methods={"mine": "average", "cleaned": cleaned}), "--out", "out")
        assert outcome.status == 0, outcome.err
        _, infrared, name = ScenePairs("test", 2, 0, SIZE).read(0)
        found = read_image(Path("out/detection/scenes/cleaned/images/test", f"{name}.png"), 1)
        expected = ndimage.median_filter(infrared[:, :, 0], size=size, mode="nearest")
        np.testing.assert_array_equal(found[:, :, 0], expected)
        assert (expected != infrared[:, :, 0]).any()
    assert "cleaned: the infrared source alone, of sources after median" in Path("out/table5.md").read_text()


def test_a_changed_file_of_a_detector_is_trained_again(plan, run, monkeypatch: pytest.MonkeyPatch) -> None:
    source = f"from {__name__} import Finder\n\n\nclass Mine(Finder):\n    number = {{}}\n"
    trained = []
    train = tasks.train_network
    monkeypatch.setattr(tasks, "train_network", lambda *a, **more: trained.append(1) or train(*a, **more))
    for number, expected in ((1, 3), (1, 3), (2, 6)):
        monkeypatch.delitem(sys.modules, "its_own_detector", raising=False)
        Path("its_own_detector.py").write_text(source.format(number))
        path = plan({"detector": {"class_path": "its_own_detector.Mine"}})
        assert run("tables", "5", path, "--out", "out").status == 0
        assert len(trained) == expected


def test_what_is_finished_is_not_done_again(plan, run, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = []
    train = tasks.train_network
    monkeypatch.setattr(
        tasks, "train_network", lambda *args, **more: trained.append(more["seed"]) or train(*args, **more)
    )
    assert run("tables", "5", plan(), "--out", "out").status == 0
    assert trained == [0, 0, 0]
    first, files = values_of("out"), sorted(Path("out/detection").rglob("*.png"))
    stamps = [file.stat().st_mtime_ns for file in files]
    assert run("tables", "5", plan({"seeds": [0, 1]}), "--out", "out").status == 0
    assert trained == [0, 0, 0, 1, 1, 1]
    assert [file.stat().st_mtime_ns for file in files] == stamps
    assert first.items() <= values_of("out").items()
    assert run("tables", "5", plan({"steps": 3}), "--out", "out").status == 0
    assert trained == [0, 0, 0, 1, 1, 1, 0, 0, 0]
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(files[0])  # not ours any more: made anew
    assert run("tables", "5", plan({"steps": 3}), "--out", "out").status == 0
    assert read_image(files[0], 3).any()
    assert len(trained) == 9
    assert run("tables", "5", plan({"steps": 3, "train": 2}), "--out", "out").status == 0
    assert len(list(Path("out/detection").rglob("train/*.png"))) == 2 * len(ROWS)
    assert len(trained) == 12


def test_the_seed_decides_the_rows(plan, run) -> None:
    path = plan({"steps": 4})
    for out in ("one", "two"):
        assert run("tables", "5", path, "--out", out).status == 0
    found = [[Path(f).read_text() for f in sorted(Path(out).rglob("found/*.json"))] for out in ("one", "two")]
    assert found[0] == found[1]
    assert any(len(text) > 2 for text in found[0])
    assert values_of("one") == pytest.approx(values_of("two"), abs=0, nan_ok=True)


def test_pairs_with_label_files(plan, run) -> None:
    for split in ("train", "test"):
        Path("pairs", split, "labels").mkdir()
        names = sorted(path.stem for path in Path("pairs", split, "vi").iterdir())[:2]
        for name in names:
            Path("pairs", split, "labels", f"{name}.txt").write_text("1 0.5 0.5 0.4 0.4\n")
    outcome = run("tables", "5", plan(sets={"ours": {"root": "pairs"}}), "--out", "out")
    assert outcome.status == 0, outcome.err
    text = Path("out/table5.md").read_text()
    assert "ours, trained on 2 images with 2 boxes, tested on 2 images with 2 boxes" in text
    assert "class 1: recall" in text
    assert sorted(file.name for file in Path("out/detection/ours").glob("mine/images/test/*")) == [
        "test_00.png",
        "test_01.png",
    ]


def test_sets_without_labels_are_named(plan, run) -> None:
    sets = {"scenes": {"layout": "scenes", "count": 2, "size": list(SIZE)}, "bare": {"root": "pairs"}}
    outcome = run("tables", "5", plan(sets=sets), "--out", "out")
    assert outcome.status == 0
    assert "Left out bare: none of the 4 train pair(s) in pairs has labels" in outcome.err
    assert "bare" not in Path("out/table5.csv").read_text()
    message = run("tables", "5", plan(sets={"LLVIP": {"root": "pairs", "layout": "llvip"}}), "--out", "out2").message
    assert "no set has labels for training and test" in message
    assert "bupt-ai-cz.github.io/LLVIP" in message


def test_without_the_program_the_data_set_is_there(plan, run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "there is no program 'yolo'" in run("tables", "5", plan(), "--detector", "yolo", "--out", "out").message
    assert len(list(Path("out/detection").rglob("data.yaml"))) == len(ROWS)
    assert not Path("out/table5.md").exists()


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"steps": 0}, "tables.5.steps: expected a whole number from 2"),
        ({"rate": 2}, "tables.5.rate: expected a number between 0 and 1"),
        ({"seeds": []}, "tables.5.seeds: expected a list"),
        ({"seeds": 1}, "tables.5.seeds: expected a list"),
        ({"detector": "big"}, "tables.5.detector: expected a mapping"),
        ({"detector": {"class_path": "torch.nn.Nothing"}}, "cannot be imported"),
        ({"detector": {"class_path": "torch.nn.Linear"}}, "cannot be made"),
        ({"yolo": "yolo11n.pt"}, "tables.5.yolo: expected a mapping"),
        ({"epochs": 3}, "tables.5: expected some of"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_used(plan, run, own: dict, message: str) -> None:
    assert message in run("tables", "5", plan(own), "--out", "out").message


@pytest.mark.parametrize("plan_name", ["demo", "paper"])
def test_the_plans_of_make_reproduce_have_table_5(plan_name: str, tmp_path: Path, write_pairs) -> None:
    for name in ("llvip", "m3fd", "MSRS/detection"):
        write_pairs(tmp_path / "data" / name, {"test": 1})
    found = read_plan(
        EXPERIMENTS / f"{plan_name}.yaml", "5", data=tmp_path / "data", weights="average", device=torch.device("cpu")
    )
    assert not found.missing
    assert {"Dream-IF", "visible alone", "infrared alone"} <= {row.name for row in found.rows}
    assert isinstance(found.settings, DetectionSettings)
    assert found.settings.steps > 100
