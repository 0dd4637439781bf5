"""Fused images of published networks get the scores that were published with them."""

import os
from pathlib import Path

import pytest

from dream_if.scoring.scored_folders import evaluate

SHARED = Path(os.environ.get("DREAM_IF_SHARED", Path(__file__).resolve().parents[2] / "../shared"))

# AG, SF, Qabf, SSIM, VIFF: means over the 35 test pairs of RoadScene, three decimals.
PUBLISHED = {
    "refusion": (5.605, 14.894, 0.572, 1.422, 0.485),
    "ifcnn": (6.018, 15.281, 0.557, 1.420, 0.515),
    "sage": (3.682, 9.775, 0.404, 1.437, 0.405),
}
# The sources scored as if they were fused images, to the digits in which they were published.
SOURCES = {"visible": (3.02, 9.3, 0.463, 1.401, 0.166), "infrared": (5.23, 13.5, 0.668, 1.401, 0.379)}
DIGITS = (2, 1, 3, 3, 3)


@pytest.mark.slow
def test_published_scores_are_met_to_the_printed_digits():
    sources, peers = SHARED / "data" / "roadscene" / "test", SHARED / "peers"
    if not (sources.is_dir() and peers.is_dir()):
        pytest.skip(
            f"no images at {sources} and {peers}; set DREAM_IF_SHARED to the folder that holds data/ and peers/"
        )
    folders = {method: peers / method / "roadscene" for method in PUBLISHED}
    evaluation = evaluate(
        sources / "vi", sources / "ir", {**folders, "visible": sources / "vi", "infrared": sources / "ir"}
    )
    means = {method: part["mean"].tolist() for method, part in evaluation.summary.groupby("method", sort=False)}
    for method, published in PUBLISHED.items():
        assert [round(mean, 3) for mean in means[method]] == list(published), method
    for method, published in SOURCES.items():
        for mean, expected, digits in zip(means[method], published, DIGITS, strict=True):
            assert mean == pytest.approx(expected, abs=0.51 * 10**-digits), method
