"""Rigs: found from estimates of which some are wrong, written, read, and refused."""

import numpy as np
import pytest

from dream_if.errors import InputError
from dream_if.registration.estimate import Alignment
from dream_if.registration.rig import calibrate, read_rig

TRUE = {
    "translation": [[0.5, 0, 9], [0, 0.5, -2], [0, 0, 1]],
    "similarity": [[0.6, -0.02, 9], [0.02, 0.6, -2], [0, 0, 1]],
    "affine": [[0.6, -0.02, 9], [0.03, 0.55, -2], [0, 0, 1]],
    "homography": [[0.6, -0.02, 9], [0.03, 0.55, -2], [1e-5, -2e-5, 1]],
}


def estimates(motion: str, shifts: list[float], lead: float = 0.5) -> list[Alignment]:
    """Estimates that miss the truth by so many pixels to the right."""
    found = []
    for shift in shifts:
        matrix = np.array([[1, 0, shift], [0, 1, 0], [0, 0, 1]]) @ np.array(TRUE[motion], float)
        found.append(Alignment(matrix, motion, (480, 640), (240, 320), 0.5, lead, 0.5))
    return found


@pytest.mark.parametrize("motion", TRUE)
def test_two_wrong_estimates_of_five_do_no_harm(tmp_path, motion) -> None:
    rig = calibrate(estimates(motion, [0, 0.1, -0.1, 30, -45]), motion)
    assert np.allclose(rig.matrix, TRUE[motion], atol=0.01)
    assert rig.spread == pytest.approx(0.2, abs=0.05)  # 0.1 px of an infrared picture that is half as large
    rig.write(tmp_path / "rig.yaml")
    again = read_rig(tmp_path / "rig.yaml")
    assert np.allclose(again.matrix, rig.matrix, rtol=1e-6)
    assert (again.motion, again.visible_size, again.infrared_size, again.pairs) == (motion, (480, 640), (240, 320), 5)


def test_estimates_without_confidence_do_not_count() -> None:
    with pytest.raises(InputError, match="2 of 6 pairs could be aligned with confidence"):
        calibrate(estimates("affine", [0, 0]) + estimates("affine", [0] * 4, lead=0.1), "affine")


def test_pairs_of_another_size_are_refused() -> None:
    rig = calibrate(estimates("affine", [0, 0, 0]), "affine")
    with pytest.raises(InputError, match=r"for infrared pictures of 320x240 \(width x height\), got 320x256"):
        rig.laid(np.zeros((480, 640, 3), np.uint8), np.zeros((256, 320, 1), np.uint8))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("motion: affine", "motion: wild"), "motion: expected translation, .*, got wild"),
        (("visible_size: [480, 640]", "visible_size: [480]"), "visible_size: expected 2 numbers"),
        (("pairs: 3", "pair: 3"), "expected a rig with matrix"),
        (("matrix:", "matrix: word\nsize:"), "expected a rig with matrix"),
        (("9.0", "9000.0"), "out of the frame"),
        (("spread: 0.0", "spread: wide"), "spread: expected a number, got wide"),
    ],
)
def test_a_file_that_is_no_rig_is_refused_in_a_line(tmp_path, change, message) -> None:
    path = tmp_path / "rig.yaml"
    calibrate(estimates("affine", [0, 0, 0]), "affine").write(path)
    assert change[0] in path.read_text()
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(InputError, match=message) as caught:
        read_rig(path)
    assert str(caught.value).startswith(str(path))
