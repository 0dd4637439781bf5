"""What the plots say about its metrics, and how large it gets."""

import io
import shutil
from pathlib import Path

import pytest
from PIL import Image

from dream_if.reports.plots import seeds_plot, with_direction
from tests.reports.reading import made


@pytest.mark.parametrize(
    ("higher", "expected"), [(True, "AG, higher is better"), (None, "AG"), (False, "AG, lower is better")]
)
def test_a_title_says_which_side_is_better(higher: bool | None, expected: str) -> None:
    assert with_direction("AG", higher) == expected


def test_a_panel_is_higher_with_more_rows(write_ablation) -> None:
    heights = []
    for controls in ((), ("frozen", "plain", "shuffled")):
        folder: Path = write_ablation(seeds=(0,), sets={"tno": 3, "msrs": 3}, controls=controls)
        picture = seeds_plot(made(folder), ["tno", "msrs"], "Title")
        with Image.open(io.BytesIO(picture)) as image:
            heights.append(image.size[1])
        shutil.rmtree(folder)
    few, many = heights
    assert many / few == pytest.approx(8 / 5, rel=0.2)
