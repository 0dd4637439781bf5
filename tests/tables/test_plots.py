"""What the plot of Table 4 says about its metrics, and how large it gets."""

import io
import shutil
from pathlib import Path

import pytest
from PIL import Image

from dream_if.tables.ablation import make_ablation
from dream_if.tables.plots import _title, seeds_plot
from dream_if.tables.runs import find_runs


@pytest.mark.parametrize(
    ("metric", "name", "expected"),
    [
        ("AG", "msrs", "AG, higher is better"),
        ("AG", "msrs+gaussian", "AG"),
        ("Qabf", "msrs+gaussian", "Qabf, higher is better"),
        ("LPIPS", "msrs", "LPIPS, lower is better"),
    ],
)
def test_no_side_is_the_better_one_where_noise_is_rewarded(metric: str, name: str, expected: str) -> None:
    assert _title(metric, name) == expected


def test_a_panel_is_higher_with_more_rows(write_ablation) -> None:
    heights = []
    for controls in ((), ("frozen", "plain", "shuffled")):
        folder: Path = write_ablation(seeds=(0,), sets={"tno": 3, "msrs": 3}, controls=controls)
        picture = seeds_plot(make_ablation(find_runs(folder), folder), ["tno", "msrs"], "Title")
        with Image.open(io.BytesIO(picture)) as image:
            heights.append(image.size[1])
        shutil.rmtree(folder)
    few, many = heights
    assert many / few == pytest.approx(8 / 5, rel=0.2)
