"""Pictures and videos of two cameras that look aside of each other, fused as if they did not."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import dream_if
from dream_if.data.scenes import generate_scene
from dream_if.errors import InputError
from dream_if.inference.aligning import Aligner
from dream_if.inference.engine import Settings
from dream_if.registration.rig import Rig

SHIFT = np.array([[1, 0, 8.0], [0, 1, -5.0], [0, 0, 1]])
RIG = Rig(SHIFT, "translation", (160, 208), (160, 208), 0.1, 4)


def pair(index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Visible, infrared as the shifted camera sees it, and infrared as it should be."""
    scene = generate_scene(0, index, (160, 208))
    shifted = cv2.warpPerspective(scene.infrared, SHIFT, (208, 160), borderMode=cv2.BORDER_REFLECT)
    return scene.visible, shifted, scene.infrared


def test_arrays_with_a_rig_become_what_registered_ones_do(averaging) -> None:
    visible, shifted, true = pair(0)
    fused = dream_if.fuse(visible, shifted, weights=averaging, align=RIG)
    wanted = dream_if.fuse(visible, true, weights=averaging)
    assert np.abs(fused.astype(int) - wanted)[5:, :200].max() <= 1
    assert (fused[:5] == visible[:5]).all()  # which the infrared camera does not see
    assert (fused[:, 200:] == visible[:, 200:]).all()


def test_an_estimate_that_cannot_be_relied_on_is_an_error(averaging) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (160, 208), dtype=np.uint8)
    with pytest.raises(InputError, match="infrared: cannot be aligned with confidence"):
        dream_if.fuse(pair(0)[0], noise, weights=averaging, align="similarity")


def test_a_video_has_one_transform_for_all_frames(averaging, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="videos need the extra `video`")
    from dream_if.inference.video import fuse_videos
    from tests.inference.videos import read, write

    pairs = [pair(index) for index in range(4)]
    for place, name in enumerate(("v.mkv", "i.mkv", "true.mkv")):
        frames = [np.broadcast_to(one[place].reshape(160, 208, -1), (160, 208, 3)).copy() for one in pairs]
        write(tmp_path / name, frames, codec="ffv1", pixels="bgr0")
    settings = Settings(aligner=Aligner("translation"))
    fuse_videos(averaging, tmp_path / "v.mkv", tmp_path / "i.mkv", tmp_path / "f.mkv", settings, codec="ffv1")
    fuse_videos(averaging, tmp_path / "v.mkv", tmp_path / "true.mkv", tmp_path / "w.mkv", codec="ffv1")
    for found, wanted in zip(read(tmp_path / "f.mkv")[0], read(tmp_path / "w.mkv")[0], strict=True):
        assert np.abs(found.astype(int) - wanted)[10:-10, 10:190].mean() < 2
