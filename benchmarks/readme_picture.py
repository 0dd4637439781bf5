"""The picture of README: two generated scenes with noise of sigma 35 on both sources, fused by three methods.

python -m benchmarks.readme_picture docs/images/noise.jpg
"""

import io
import sys
from typing import Any

from PIL import Image

import dream_if
from dream_if.baselines import Average, LaplacianPyramid
from dream_if.data.conditions import Condition, under
from dream_if.figures import panel
from dream_if.scoring.test_sets import SetSettings, TestSet

SCENES = TestSet("scenes", SetSettings(layout="scenes", count=2, size=(240, 320), seed=14))
NOISE = Condition.of("noise", "", "gaussian", level=3)
METHODS: dict[str, Any] = {"average": Average(), "Laplacian pyramid": LaplacianPyramid(), "Dream-IF": dream_if.fuse}


def main() -> None:
    """Draw it into the file that is named."""
    rows = []
    for number in range(len(SCENES.names)):
        visible, infrared = under(SCENES.read(number), NOISE)
        fused = {name: method(visible, infrared)[0] for name, method in METHODS.items()}
        rows.append({"visible": visible[0], "infrared": infrared[0], **fused})
    picture = Image.open(io.BytesIO(panel(rows))).convert("RGB")
    picture.save(sys.argv[1], quality=80)  # as PNG noise would take 2 MB


if __name__ == "__main__":
    main()
