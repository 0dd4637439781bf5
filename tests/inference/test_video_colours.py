"""Colours and grey levels of videos: those that go in come back, whatever the codec, matrix, range and depth."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

av = pytest.importorskip("av", reason="videos need the extra `video`")

from dream_if.inference.video_reading import Video  # noqa: E402  (needs PyAV)
from tests.inference.videos import VISIBLE, frames_of, fused, write  # noqa: E402


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    torch.set_num_threads(1)


class TestColours:
    @pytest.mark.parametrize("matrix", [1, 6])
    @pytest.mark.parametrize("full", [False, True])
    @pytest.mark.parametrize(("codec", "ending"), [("libx264", "mp4"), ("libx264", "mkv")])
    def test_a_flat_colour_comes_back(self, matrix, full, codec, ending):
        write(Path(f"v.{ending}"), frames_of(VISIBLE, 3), matrix=matrix, full=full, codec=codec)
        write(Path("i.mp4"), frames_of(70, 3))
        for frame in fused(f"f.{ending}"):
            assert np.abs(frame[2:14, 2:-2] - VISIBLE).max() <= 5  # another matrix or range is 12 off

    @pytest.mark.parametrize("full", [False, True])
    def test_grey_levels_of_the_infrared_come_back(self, full):
        write(Path("v.mp4"), frames_of(VISIBLE, 3))
        write(Path("i.mp4"), frames_of(70, 3), full=full)
        for number, frame in enumerate(fused(infrared=True)):
            assert np.abs(frame - frames_of(70, 3)[number])[:14].max() <= 2
            assert np.abs(frame - frames_of(70, 3)[number]).mean() <= 1.5

    @pytest.mark.parametrize(("height", "matrix"), [(576, 6), (720, 1)])
    def test_without_a_name_the_matrix_goes_by_the_height(self, height, matrix):
        flat = np.broadcast_to(VISIBLE, (height, 16, 3))
        write(Path("v.mp4"), [flat], matrix=matrix)
        with Video(Path("v.mp4")) as video:
            frame = next(video.frames())
        frame.stored.colorspace = 2
        assert np.abs(frame.picture().pixels.astype(int) - VISIBLE).max() <= 2

    @pytest.mark.parametrize(
        ("codec", "out"), [("h265", "f.mov"), ("av1", "f.webm"), ("vp9", "f.mp4"), ("h264", "f.mkv")]
    )
    def test_every_codec(self, codec, out):
        for name, colour in (("v", VISIBLE), ("i", 70)):
            write(Path(f"{name}.mp4"), frames_of(colour, 2, size=(64, 96)))
        frame = fused(out, codec=codec)[0]
        assert np.abs(frame[2:30, 2:-2] - VISIBLE).max() <= 6
        with av.open(out) as container:
            found = container.streams.video[0].codec_context.name
        assert found.startswith(codec.replace("h265", "hevc")) or (codec, found) == ("av1", "libdav1d")

    def test_the_encoder_of_av1_says_nothing(self, capfd, monkeypatch):
        monkeypatch.delenv("SVT_LOG", raising=False)
        for name, colour in (("v", VISIBLE), ("i", 70)):
            write(Path(f"{name}.mkv"), frames_of(colour, 1, size=(64, 96)), codec="ffv1", pixels="bgr0")
        capfd.readouterr()
        fused("f.webm", codec="av1")
        if hasattr(os, "SCHED_OTHER"):  # run by root, it puts the process before all others
            assert os.sched_getscheduler(0) == os.SCHED_OTHER
        assert capfd.readouterr() == ("", "")

    def test_colours_that_are_kept_are_named_in_the_file(self):
        write(Path("v.mp4"), frames_of(VISIBLE, 2), matrix=1)
        write(Path("i.mp4"), frames_of(70, 2))
        fused()
        with av.open("f.mp4") as container:
            context = container.streams.video[0].codec_context
            assert (context.colorspace, context.color_range, context.pix_fmt) == (1, 1, "yuv420p")


class TestInfraredStreams:
    @pytest.mark.parametrize("pixels", ["gray", "gray10le", "gray16le"])
    def test_grey_ones(self, pixels):
        ramp = np.tile(np.arange(48, dtype=np.uint16), (32, 1))
        stored = {"gray": (ramp * 5).astype(np.uint8), "gray10le": ramp * 21, "gray16le": ramp * 40 + 7000}[pixels]
        write(Path("v.mkv"), frames_of(VISIBLE, 3), codec="ffv1", pixels="bgr0")
        write(Path("i.mkv"), [stored, stored, stored], codec="ffv1", pixels=pixels)
        frame = fused("f.mkv", infrared=True, codec="ffv1")[1][:, :, 0]
        span = (0, 255) if pixels == "gray" else (stored.min(), stored.max())  # raw counts: what the video holds
        np.testing.assert_allclose(frame, (stored - float(span[0])) / (span[1] - span[0]) * 255, atol=1)

    def test_one_range_for_the_whole_video(self):
        dark, bright = (np.tile(np.arange(48, dtype=np.uint16) * 10 + start, (32, 1)) for start in (7000, 9000))
        write(Path("v.mkv"), frames_of(VISIBLE, 2), codec="ffv1", pixels="bgr0")
        write(Path("i.mkv"), [dark, bright], codec="ffv1", pixels="gray16le")
        first, second = fused("f.mkv", infrared=True, codec="ffv1")
        assert second.min() - first.max() > 100
        np.testing.assert_allclose(first[0, :, 0], (dark[0] - 7000) / 2470 * 255, atol=1)

    def test_full_means_the_bits_of_the_stream(self):
        stored = np.tile(np.arange(48, dtype=np.uint16) * 21, (32, 1))
        write(Path("v.mkv"), frames_of(VISIBLE, 1), codec="ffv1", pixels="bgr0")
        write(Path("i.mkv"), [stored], codec="ffv1", pixels="gray10le")
        frame = fused("f.mkv", infrared=True, span="full", codec="ffv1")[0][:, :, 0]
        np.testing.assert_allclose(frame, stored / 1023 * 255, atol=0.6)

    def test_ten_bit_colours(self):
        for name, colour in (("v", VISIBLE), ("i", 70)):
            write(Path(f"{name}.mkv"), frames_of(colour, 2), codec="ffv1", pixels="yuv444p10le")
        assert np.abs(fused("f.mkv", codec="ffv1")[0] - frames_of(VISIBLE, 1)[0]).max() <= 2
        assert np.abs(fused("f.mkv", infrared=True, codec="ffv1")[0] - frames_of(70, 1)[0]).max() <= 2
