import math
from pathlib import Path

from dream_if.metrics import CODES, METRICS, TABLE_METRICS, catalogue, metrics_with_convention


def test_every_metric_says_what_it_is():
    entries = catalogue()
    assert [entry.name for entry in entries] == list(METRICS)
    for entry in entries:
        assert entry.direction in ("higher", "lower")
        assert entry.lowest < entry.highest
        assert len(entry.formula) > 10
        assert any(character.isdigit() for character in entry.reference), f"{entry.name}: no year"
        assert next(iter(entry.conventions)) == "dream_if"
        assert set(entry.conventions) <= set(CODES)


def test_every_code_is_a_convention_of_some_metric():
    assert {key for metric in METRICS.values() for key in metric.conventions} == set(CODES)


def test_directions_of_errors_and_distances():
    lower = {entry.name for entry in catalogue() if entry.direction == "lower"}
    errors = {"CE", "MSE", "RMSE", "Labf", "Nabf", "Qcv", "LPIPS", "LPIPS_visible", "LPIPS_infrared", "Chroma"}
    assert lower == errors | {"Dimming", "FlatNoise", "Clipping"}
    assert not lower & set(TABLE_METRICS)


def test_differences_are_told():
    by_name = {entry.name: entry for entry in catalogue()}
    assert by_name["AG"].conventions == {
        "dream_if": "default",
        "cddfuse": "same",
        "vifb": "divisor interior",
        "linfeng": "divisor interior",
        "ivif_zoo": "same",
    }
    assert by_name["SSIM"].conventions["cddfuse"] == "window uniform7, data range 2.0"
    assert by_name["FMI_dct"].conventions == {"dream_if": "default"}
    assert by_name["AG"].highest == math.inf
    assert "VIFF" not in metrics_with_convention("cddfuse")


def test_the_page_of_the_docs_is_the_catalogue():
    page = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| ")
    ]
    for entry in catalogue():
        definition, *conventions = (row for row in rows if row[0] == entry.name)
        assert definition[1] == entry.direction
        assert definition[3:] == [entry.formula, entry.reference]
        codes = ("cddfuse", "vifb", "linfeng", "ivif_zoo")
        for cell, code in zip(conventions[0][1:5] if conventions else [""] * 4, codes, strict=True):
            assert cell == entry.conventions.get(code, ""), (entry.name, code)
    assert all(f"`{code}`" in page for code in CODES)
