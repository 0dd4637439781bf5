"""`dream-if align` of two videos: one transform lays all infrared frames where the visible ones show the same."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from dream_if.data.scenes import generate_scene

av = pytest.importorskip("av", reason="videos need the extra `video`")

from tests.inference.videos import packets, read, write  # noqa: E402

SHIFT = np.array([[1, 0, 8.0], [0, 1, -5.0], [0, 0, 1]])
SEEN = np.s_[10:, :-12]  # by both cameras
SHIFTED = ("--motion", "translation")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """`v.mp4` with sound, `i.mkv` filmed by a camera that looks aside, from the second frame on."""
    folder = tmp_path_factory.mktemp("videos")
    scenes = [generate_scene(0, index, (160, 208)) for index in (0, 0, 1, 2, 3)]
    heat = [cv2.warpPerspective(one.infrared, SHIFT, (208, 160), borderMode=cv2.BORDER_REFLECT) for one in scenes]
    seen = [one.visible for one in scenes]
    seen[0] = np.zeros_like(seen[0])  # it fades in
    write(folder / "v.mp4", seen, sound=True)
    write(folder / "i.mkv", heat, codec="ffv1", pixels="gray")
    write(folder / "deep.mkv", [(1000 + 40 * one.astype(np.uint16)) for one in heat], codec="ffv1", pixels="gray16le")
    np.save(folder / "true.npy", np.array([one.infrared for one in scenes]))
    return folder


@pytest.fixture
def align(run, made, monkeypatch):
    monkeypatch.chdir(made)
    return lambda *args: run("align", *args)


def test_one_transform_is_estimated_for_all_frames(align, made, tmp_path) -> None:
    outcome = align("v.mp4", "i.mkv", "-o", tmp_path / "a.mp4", *SHIFTED)
    assert outcome.status == 0, outcome.err
    assert outcome.out.startswith(
        f"Wrote {tmp_path / 'a.mp4'}: 5 frames, by translation from 4 of them, whose own corn"
    )
    frames, times = read(tmp_path / "a.mp4")
    assert times == pytest.approx([number / 25 for number in range(5)], abs=1e-3)
    assert packets(tmp_path / "a.mp4") == packets(made / "v.mp4")
    true, before = np.load("true.npy").astype(int), read(made / "i.mkv")[0]
    for found, wanted, old in zip(frames, true, before, strict=True):
        assert np.ptp(found, axis=2).max() <= 2  # grey, but for the codec
        error = np.abs(found[:, :, 1] - wanted)[SEEN].mean()
        assert error < 4
        assert error < np.abs(old[:, :, 1] - wanted)[SEEN].mean() / 2


def test_a_rig_calibrated_on_the_videos_serves_counts_of_16_bit(align, tmp_path) -> None:
    rig = tmp_path / "rig.yaml"
    outcome = align("v.mp4", "i.mkv", "-o", rig, "--calibrate", *SHIFTED)
    assert outcome.status == 0, outcome.err
    assert outcome.out.startswith(f"Wrote {rig}: translation from 4 frames, whose own corners lie 0.")
    assert np.allclose(yaml.safe_load(rig.read_text())["matrix"], SHIFT, atol=0.5)
    outcome = align("v.mp4", "deep.mkv", "-o", tmp_path / "a.mkv", "--rig", rig)
    assert outcome.status == 0, outcome.err
    assert outcome.out == f"Wrote {tmp_path / 'a.mkv'}: 5 frames, by the transform of the rig.\n"
    assert "Note: deep.mkv: infrared values from 1" in outcome.err
    for found, wanted in zip(read(tmp_path / "a.mkv")[0], np.load("true.npy"), strict=True):
        assert np.corrcoef(found[:, :, 1][SEEN].ravel(), wanted[SEEN].ravel())[0, 1] > 0.99


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("v.mp4", "a.png", "-o", "a.mp4"), "v.mp4 and a.png: one is a video and one is not; give two."),
        (("v.mp4", "i.mkv", "-o", "a.mp4", "--show", "s.png"), "--show is for pictures; extract some frames to two"),
        (("v.mp4", "i.mkv", "-o", "a.mp4", "--calibrate"), "a.mp4: --calibrate writes a rig; name a file that ends in"),
        (("v.mp4", "i.mkv", "-o", "a.png"), "a.png: expected a video that ends in .mp4, .mov, .mkv, .webm, got '.png'"),
        (("v.mp4", "i.mkv", "-o", "v.mp4"), "v.mp4: is a source, and would be overwritten"),
        (("v.mp4", "short.mkv", "-o", "a.mp4"), "unequal lengths: v.mp4 has 5 frames"),
        (
            ("still.mkv", "other.mkv", "-o", "a.mp4"),
            "0 of 3 frames could be aligned with confidence; a calibration needs 3: give frames with more structure",
        ),
    ],
)
def test_mistakes(align, made, args, said) -> None:
    (made / "a.png").touch()
    if not (made / "other.mkv").exists():
        write(
            made / "short.mkv",
            [frame.astype(np.uint8) for frame in read(made / "i.mkv")[0][:3]],
            codec="ffv1",
            pixels="bgr0",
        )
        for name, index in (("still", 1), ("other", 2)):
            frame = np.ascontiguousarray(generate_scene(9, index, (96, 128)).visible)
            write(made / f"{name}.mkv", [frame] * 3, codec="ffv1", pixels="bgr0")
    before = set(os.listdir(made))
    assert said in align(*args).message
    assert set(os.listdir(made)) == before
