"""Pairs whose transform is known."""

import cv2
import numpy as np
import pytest

from dream_if.data.scenes import generate_scene


@pytest.fixture(scope="session")
def scene() -> tuple[np.ndarray, np.ndarray]:
    """Visible (240, 320, 3) and infrared (240, 320, 1) of one scene, registered."""
    made = generate_scene(0, 3, (240, 320))
    return made.visible, made.infrared[:, :, np.newaxis]


def moved(infrared: np.ndarray, matrix: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
    """The infrared picture as a camera sees it to which a matrix takes points of the visible one."""
    height, width = size or infrared.shape[:2]
    return cv2.warpPerspective(infrared, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)[:, :, None]


@pytest.fixture(name="moved", scope="session")
def _moved():
    return moved
