"""`dream-if align`, and what takes its rigs: files, folders, calibration, what goes wrong."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from dream_if.data.scenes import generate_scene

SHIFT = np.array([[1, 0, 8.0], [0, 1, -5.0], [0, 0, 1]])


def write_pair(folder: Path, name: str, index: int) -> None:
    scene = generate_scene(0, index, (160, 208))
    for sub, pixels in (
        ("vi", scene.visible),
        ("ir", cv2.warpPerspective(scene.infrared, SHIFT, (208, 160), borderMode=cv2.BORDER_REFLECT)),
        ("true", scene.infrared),
    ):
        (folder / sub).mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / sub / f"{name}.png")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Folders `vi` and `ir` with four pairs of a rig, whose infrared camera looks aside, and `true` without that."""
    folder = tmp_path_factory.mktemp("pairs")
    for index in range(4):
        write_pair(folder, f"p{index}", index)
    (folder / "rig.yaml").write_text(
        yaml.safe_dump(
            {
                "matrix": SHIFT.tolist(),
                "motion": "translation",
                "visible_size": [160, 208],
                "infrared_size": [160, 208],
                "spread": 0.1,
                "pairs": 4,
            }
        )
    )
    return folder


@pytest.fixture
def align(run, made, monkeypatch):
    monkeypatch.chdir(made)
    return lambda *args: run("align", *args)


def grey(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L")).astype(float)


def test_two_files_and_an_overlay(align, made, tmp_path) -> None:
    out, overlay = tmp_path / "a.png", tmp_path / "overlay.png"
    outcome = align("vi/p0.png", "ir/p0.png", "-o", out, "--motion", "translation", "--show", overlay)
    assert outcome.status == 0
    assert outcome.out.startswith(f"Wrote {out}: by translation, match 0.")
    inner = np.s_[10:-10, 10:-14]
    assert np.abs(grey(out) - grey(made / "true/p0.png"))[inner].mean() < 4
    assert np.abs(grey(made / "ir/p0.png") - grey(made / "true/p0.png"))[inner].mean() > 8
    alpha = np.asarray(Image.open(out))[:, :, 1]
    assert alpha[100, 100] == 255
    assert alpha[100, -1] == alpha[0, 100] == 0  # which the infrared camera does not see
    assert Image.open(overlay).size == (208, 160)


def test_16_bit_stays_16_bit(align, made, tmp_path) -> None:
    counts = (7000 + 8 * grey(made / "ir/p1.png")).astype(np.uint16)
    Image.fromarray(counts).save(tmp_path / "counts.tif")
    outcome = align("vi/p1.png", tmp_path / "counts.tif", "-o", tmp_path / "out.png", "--rig", "rig.yaml")
    assert outcome.status == 0
    laid = np.asarray(Image.open(tmp_path / "out.png"))
    assert laid.dtype == np.uint16
    assert (laid[5:, :200] == counts[:-5, 8:]).all()  # whole pixels
    assert "no transparency" in outcome.err


def test_folders_calibrated_and_aligned_with_a_bad_pair_reported(align, made, tmp_path) -> None:
    outcome = align("vi", "ir", "-o", tmp_path / "rig.yaml", "--calibrate", "--motion", "translation")
    assert (outcome.status, outcome.err) == (0, "")
    assert "translation from 4 of 4 pairs" in outcome.out
    matrix = np.array(yaml.safe_load((tmp_path / "rig.yaml").read_text())["matrix"])
    assert np.allclose(matrix, SHIFT, atol=0.5)

    (tmp_path / "vi").mkdir()
    (tmp_path / "ir").mkdir()
    for sub in ("vi", "ir"):
        (tmp_path / sub / "good.png").write_bytes((made / sub / "p2.png").read_bytes())
    (tmp_path / "vi" / "blank.png").write_bytes((made / "vi" / "p2.png").read_bytes())
    Image.new("L", (208, 160), 9).save(tmp_path / "ir" / "blank.png")
    outcome = align(tmp_path / "vi", tmp_path / "ir", "-o", tmp_path / "out", "--motion", "translation")
    assert outcome.status == 1
    assert "Aligned 1 of 2 pair(s)" in outcome.out
    assert "Not aligned: blank: " in outcome.err
    assert "the infrared picture is blank" in outcome.err
    assert not (tmp_path / "out" / "blank.png").exists()
    with (tmp_path / "out" / "aligned.csv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert (rows["blank"]["aligned"], rows["good"]["aligned"]) == ("no", "yes")
    assert np.allclose(np.array(rows["good"]["matrix"].split(), float).reshape(3, 3), SHIFT, atol=0.7)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("vi/p0.png", "ir", "-o", "x.png"), "one is a folder and one is not"),
        (("vi/p0.png", "ir/p0.png", "-o", "x.yaml", "--calibrate"), "--calibrate takes two folders"),
        (("vi", "ir", "-o", "rig.png", "--calibrate"), "name a file that ends in .yaml"),
        (("vi/p0.png", "ir/p0.png", "-o", "ir/p0.png"), "is a source"),
        (("vi/p0.png", "ir/p0.png", "-o", "x.png", "--rig", "none.yaml"), "none.yaml: no such"),
        (("vi/p0.png", "ir/p0.png", "-o", "x.png", "--motion", "wild"), "wild"),
    ],
)
def test_mistakes_end_in_a_line(align, args, message) -> None:
    outcome = align(*args)
    assert outcome.status == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_fuse_aligns_first_and_shows_the_visible_picture_elsewhere(run, made, weights, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(made)
    exact = ("--weights", weights, "--device", "cpu", "--precision", "float32", "--threads", "1", "--colour", "grey")
    for name, infrared, more in (("fused", "ir/p0.png", ("--rig", "rig.yaml")), ("true", "true/p0.png", ())):
        assert run("fuse", "vi/p0.png", infrared, "-o", tmp_path / f"{name}.png", *exact, *more).status == 0
    fused, true = grey(tmp_path / "fused.png"), grey(tmp_path / "true.png")
    assert np.abs(fused - true)[30:-30, 30:-40].mean() < 2  # as far as the network sees past the border
    assert np.abs(fused - grey(made / "vi/p0.png"))[:5].max() <= 1
    outcome = run("fuse", "vi/p0.png", "vi/p1.png", "-o", tmp_path / "none.png", *exact, "--align")
    assert outcome.status == 2
    assert "cannot be aligned with confidence" in outcome.err


def test_check_takes_a_rig_and_offers_the_command(run, made, tmp_path) -> None:
    narrow = tmp_path / "set"
    for sub in ("vi", "ir"):
        (narrow / sub).mkdir(parents=True)
        for index in range(4):
            picture = Image.open(made / sub / f"p{index}.png")
            (picture if sub == "vi" else picture.crop((0, 0, 200, 160))).save(narrow / sub / f"p{index}.png")
    outcome = run("check", narrow)
    assert outcome.status == 1
    assert f"dream-if align {narrow / 'vi'} {narrow / 'ir'} --calibrate -o rig.yaml" in outcome.out
    rig = yaml.safe_load((made / "rig.yaml").read_text()) | {"infrared_size": [160, 200]}
    (tmp_path / "rig.yaml").write_text(yaml.safe_dump(rig))
    assert run("check", narrow, "--rig", tmp_path / "rig.yaml").status == 0
    outcome = run("check", narrow, "--rig", made / "rig.yaml")
    assert outcome.status == 1
    assert "the rig is for infrared pictures of 208x160 (width x height), got 200x160" in outcome.out
