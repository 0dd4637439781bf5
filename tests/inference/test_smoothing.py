"""Smoothing over time: noise and flicker fall as theory says, what moves leaves no ghost, and off is off."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dream_if.errors import InputError
from dream_if.inference.smoothing import Smoother

av = pytest.importorskip("av", reason="videos need the extra `video`")

from tests.inference.videos import VISIBLE, frames_of, fused, read, write  # noqa: E402

EXACT = ("--device", "cpu", "--precision", "float32", "--threads", "1", "--codec", "ffv1")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    torch.set_num_threads(1)


@pytest.fixture
def scene(texture) -> np.ndarray:
    """(64, 160, 3) in [0, 1]."""
    return (texture(64, 160, 3) / 255).astype(np.float32)


def noisy(clean: np.ndarray, rng: np.random.Generator, levels: float = 1.5) -> np.ndarray:
    return np.clip(clean + rng.normal(0, levels / 255, clean.shape), 0, 1).astype(np.float32)


def videos(visible: list[np.ndarray], infrared: list[np.ndarray]) -> None:
    for name, frames in (("v", visible), ("i", infrared)):
        write(Path(f"{name}.mkv"), frames, codec="ffv1", pixels="bgr0")


@pytest.mark.parametrize("strength", [0.5, 0.8])
@pytest.mark.parametrize("step", [0, 3])
def test_noise_falls_as_in_an_exponential_mean_also_in_a_pan(scene, strength, step):
    rng = np.random.default_rng(0)
    smoother = Smoother(strength)
    for number in range(20):
        clean = scene[:, step * number : step * number + 96]
        smoothed = smoother(noisy(clean, rng))
    inside = (slice(8, -8), slice(8, -66))  # there for long enough
    error = 255 * (smoothed - clean)[inside].std()
    theory = 1.5 * np.sqrt((1 - strength) / (1 + strength))
    assert theory * 0.95 < error < theory * 1.2  # a little is taken for motion


def test_what_moves_leaves_no_ghost(scene):
    background = (255 * scene[:, :128]).round().astype(np.uint8)
    rng = np.random.default_rng(1)
    frames = []
    for number in range(8):
        frame = background + rng.normal(0, 2, background.shape)
        frame[24:36, 8 + 12 * number : 20 + 12 * number] = 250
        frames.append(np.clip(frame, 0, 255).astype(np.uint8))
    videos(frames, frames)
    found = fused("f.mkv", codec="ffv1", temporal=0.8)
    for number in range(1, 8):
        for left, most in ((number - 1, 2.5), (number - 2, 2.0)):
            place = (slice(24, 36), slice(max(8 + 12 * left, 8), 20 + 12 * left))
            if left >= 0:
                assert abs((found[number][place] - background[place]).mean()) < 1
                assert (found[number][place] - background[place]).std() < most
        square = found[number][24:36, 8 + 12 * number : 20 + 12 * number]
        assert np.abs(square - 250).max() <= 3


def test_a_cut_begins_anew(scene):
    rng = np.random.default_rng(2)
    smoother = Smoother(0.8)
    for _ in range(5):
        smoother(noisy(scene, rng))
    other = noisy(1 - scene[::-1], rng)
    assert np.array_equal(smoother(other), other)


def test_blank_frames_and_one_channel():
    smoother = Smoother(0.5)
    for value, wanted in ((0.5, 0.5), (0.5, 0.5), (0.504, 0.5025), (0.9, 0.9)):
        found = smoother(np.full((16, 17, 1), value, np.float32))
        assert found.shape == (16, 17, 1)
        assert found == pytest.approx(np.full(found.shape, wanted), abs=5e-4)


class TestTheCommand:
    def test_off_changes_no_frame_and_on_says_what_it_did(self, run, weights):
        rng = np.random.default_rng(3)
        videos(
            [frame + rng.integers(0, 9, frame.shape, np.uint8) for frame in frames_of(VISIBLE, 1) * 6],
            frames_of(70, 1) * 6,
        )
        said = {}
        for name, options in (("plain", ()), ("off", ("--temporal", "0")), ("on", ("--temporal", "0.8"))):
            said[name] = run("fuse", "v.mkv", "i.mkv", "-o", f"{name}.mkv", *options, "--weights", weights, *EXACT)
            assert said[name].status == 0, said[name].err
        assert np.array_equal(read(Path("plain.mkv"))[0], read(Path("off.mkv"))[0])
        assert "without smoothing" not in said["off"].err
        assert "Note: where nothing moves, pixels change by " in said["on"].err
        change = {name: np.abs(np.diff(read(Path(f"{name}.mkv"))[0], axis=0)).mean() for name in ("off", "on")}
        assert change["on"] < change["off"] / 2

    @pytest.mark.parametrize(
        ("sources", "strength", "said"),
        [
            (("v.mkv", "i.mkv"), "1", "--temporal: expected 0 (off) to below 1, got 1.0; 0.8 is a mean over"),
            (("v.mkv", "i.mkv"), "-0.1", "--temporal: expected 0 (off) to below 1, got -0.1"),
            (("v.mkv", "i.mkv"), "nan", "--temporal: expected a number, got nan"),
            (("udp://a:1", "udp://a:2"), "1.5", "--temporal: expected 0 (off) to below 1, got 1.5"),
            (("a.png", "b.png"), "0.8", "--temporal is for two videos or streams; a.png and b.png are not videos"),
        ],
    )
    def test_mistakes_are_told_before_the_network_is_loaded(self, run, sources, strength, said):
        videos(frames_of(VISIBLE, 2), frames_of(70, 2))
        for name in ("a.png", "b.png"):
            Path(name).touch()
        options = (
            "-o",
            "f.png" if sources[0] == "a.png" else "f.mkv",
            "--temporal",
            strength,
            "--weights",
            "none.ckpt",
        )
        assert said in run("fuse", *sources, *options, "--device", "cpu", "--threads", "1").message


def test_a_strength_out_of_range_in_python():
    with pytest.raises(InputError, match="--temporal: expected 0"):
        Smoother(1.0)
