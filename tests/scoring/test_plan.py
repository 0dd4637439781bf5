"""Plans that cannot be used: a line that says why, and nothing is written."""

from pathlib import Path

import pytest
import torch
import yaml

from dream_if.scoring.plan import read_plan
from dream_if.scoring.test_sets import SetSettings
from tests.methods.test_restorers import WAVELET

pytestmark = pytest.mark.usefixtures("workspace")

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments" / "tables"
METHODS = {"mine": "average"}


def write_plan(**changes: object) -> Path:
    given = {"methods": METHODS, "sets": {"pairs": {"root": "pairs"}}, "metrics": ["Qabf"], **changes}
    Path("plan.yaml").write_text(yaml.safe_dump(given, sort_keys=False))
    return Path("plan.yaml")


def restoring(*entries: object) -> dict:
    return {"tables": {"2": {"restore": list(entries)}}}


@pytest.mark.parametrize(
    ("table", "changes", "message"),
    [
        ("1", {"methods": {**METHODS, "b": "o/{set}/{nam}"}}, "methods.b: a folder of images: 'o/{set}/{nam}'"),
        ("1", {"methods": {**METHODS, "b": "o/{nam}"}}, "may stand in braces, got {nam}"),
        ("1", {"methods": {**METHODS, "b": "o/{set}/{"}}, "methods.b: a folder of images: 'o/{set}/{' is not a path"),
        ("1", {"methods": {**METHODS, "b": "o/{set.x}"}}, "may stand in braces, got {set.x}"),
        ("1", {"methods": {"b": {"class_path": "torch.nn.Identity", "init_args": 5}}}, "init_args: expected a mapping"),
        ("1", {"methods": {"b": {"class_path": "torch.nn.Identity", "init_args": [4]}}}, "to values, got [4]"),
        ("1", {"metrics": 5}, "metrics: expected a list of names such as [Qabf, SSIM], got 5"),
        ("1", {"metrics": [[1]]}, "metrics: expected a list of names such as [Qabf, SSIM], got [[1]]"),
        ("1", {"metrics": "Qabf"}, "metrics: expected a list of names"),
        ("1", {"tables": [1]}, "tables: expected a mapping"),
        ("severity", {"tables": {"severity": {"kinds": 5}}}, "kinds: expected a list of names such as"),
        ("severity", {"tables": {"severity": {"kinds": [5]}}}, "kinds: expected a list of names such as"),
        ("2", restoring({"folder": "r/{sett}"}), "tables.2.restore[0]: folder: 'r/{sett}'"),
        ("2", restoring({"nlm": {"h": "abc"}}), "nlm: h: expected a number of grey levels above 0, got 'abc'"),
        ("2", restoring({"nlm": {"h_colour": 0}}), "nlm: h_colour: expected a number of grey levels above 0, got 0"),
        ("2", restoring({"nlm": {"template": -2}}), "nlm: template: expected an odd number of pixels"),
        ("2", restoring({"nlm": {"search": 20}}), "nlm: search: expected an odd number of pixels"),
        ("2", restoring({"nlm": 5}), "nlm: expected a mapping with some of h, h_colour, template, search; got 5"),
        ("2", restoring({"median": {"size": [3]}}), "size: expected 3 or 5 pixels, got [3]"),
        ("2", restoring({"class_path": "torch.nn.Identity", "init_args": [4]}), "restore[0]: init_args: expected"),
        ("2", restoring({"nlm": None, "name": 3}), "restore[0]: name: expected a few words for the tables, got 3"),
        ("2", restoring("nlm", {"nlm": {"h": 10}}), "restorers theirs by a name beside their options"),
        ("2", restoring({"class_path": "torch.nn.Flatten"}), "restorer Flatten: expected a tensor (1, 3, 128, 128)"),
        ("2", restoring({"class_path": "torch.nn.MultiheadAttention", "init_args": {"embed_dim": 2, "num_heads": 1}}),
         "restorer MultiheadAttention: failed on a slope of 128x128"),
        ("efficiency", {"tables": {"efficiency": {"size": [8, 8]}}}, "tables.efficiency.size: expected height"),
        ("efficiency", {"tables": {"efficiency": {"repeats": 0}}}, "tables.efficiency.repeats: expected 1 or more"),
        ("5", {"tables": {"5": {"steps": 0}}}, "tables.5.steps: expected a whole number"),
        ("5", {"tables": {"5": {"detector": {"class_path": "a.B", "init_args": 5}}}}, "tables.5.detector: expected"),
    ],
    ids=str,
)  # fmt: skip
def test_it_ends_in_a_line(run, files_below, table: str, changes: dict, message: str) -> None:
    path = write_plan(**changes)
    before = files_below(Path.cwd())
    assert message in run("tables", table, path, "--out", "out", "--limit", 1).message
    assert files_below(Path.cwd()) == before


@pytest.mark.parametrize("name", [WAVELET])
def test_a_wavelet_that_is_none(run, name: str) -> None:
    for given in ("foo", 3, "mexh"):  # the last is no discrete one
        message = run("tables", "2", write_plan(**restoring({name: {"wavelet": given}})), "--out", "out").message
        assert f"wavelet: expected a discrete one of PyWavelets such as db2 or sym4, got {given!r}" in message


def test_an_empty_folder_of_images(run) -> None:
    Path("theirs/pairs").mkdir(parents=True)
    message = run("tables", "1", write_plan(methods={**METHODS, "b": "theirs/{set}"}), "--out", "out").message
    assert "methods.b: there is no image in theirs/pairs; expected test_00.png or the like" in message


@pytest.mark.parametrize("given", ["{data}/theirs", {"method": "{data}/theirs"}])
def test_a_folder_of_images_below_data(run, given: str | dict[str, str]) -> None:
    Path("sets/theirs").mkdir(parents=True)
    plan = write_plan(methods={**METHODS, "b": given})
    message = run("tables", "1", plan, "--data", "sets", "--out", "out").message
    assert "methods.b: there is no image in sets/theirs" in message


def test_restorers_of_a_kind_have_names(run) -> None:
    weak, strong = {"median": {"size": 3}, "name": "weak"}, {"median": {"size": 5}, "name": "strong"}
    path = write_plan(tables={"2": {"restore": [weak, strong], "conditions": {"n": {"kind": "gaussian"}}}})
    outcome = run("tables", "2", path, "--out", "out", "--limit", 1)
    assert outcome.status == 0, outcome.err
    text = Path("out/table2.md").read_text()
    rows = {line.split(" | ")[0][2:]: line for line in text.splitlines() if line.startswith("| visible alone, after")}
    assert list(rows) == ["visible alone, after weak", "visible alone, after strong"]
    assert "rounded to 8 bit: weak, strong." in text


def test_capitals_of_folders_below_data_do_not_matter(workspace: Path) -> None:
    (workspace / "Sets" / "msrs" / "Detection").mkdir(parents=True)
    (workspace / "Sets" / "msrs" / "file").touch()
    for given in ("{data}/MSRS/detection", "{data}/msrs/DETECTION"):
        found = SetSettings.read("s", {"root": given}, workspace / "Sets")
        assert found.root == workspace / "Sets" / "msrs" / "Detection"
        assert found.missing("s") is None
    absent = SetSettings.read("s", {"root": "{data}/MSRS/night"}, workspace / "Sets")
    assert absent.root == workspace / "Sets" / "MSRS" / "night"
    assert SetSettings.read("s", {"root": "{data}/file/detection"}, workspace / "Sets" / "MSRS").missing("s")


@pytest.mark.parametrize("table", ["2", "3", "severity"])
def test_lpips_is_among_the_judges_of_corrupted_pairs(table: str) -> None:
    """Of a plan that names no metrics, and of those in the repository."""
    write_plan(metrics=None)
    plan = read_plan(Path("plan.yaml"), table, data=Path("data"), weights=None, device=torch.device("cpu"))
    assert {"LPIPS", "Qabf", "SSIM", "VIFF"} <= set(plan.metrics)
    for path in sorted(EXPERIMENTS.glob("*.yaml")):
        part = yaml.safe_load(path.read_text())["tables"].get(int(table) if table.isdigit() else table, {})
        assert part == {} or {"LPIPS", "Qabf", "SSIM"} <= set(part["metrics"]), path.name
