"""`dream-if fuse` on videos: what comes back is what was fused, at its time, with its sound; and what goes wrong."""

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from dream_if.errors import InputError

av = pytest.importorskip("av", reason="videos need the extra `video`")

from dream_if.inference.video import fuse_videos  # noqa: E402  (needs PyAV)
from tests.inference.videos import VISIBLE, frames_of, fused, fuser, packets, read, write  # noqa: E402

EXACT = ("--device", "cpu", "--precision", "float32", "--threads", "1")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    torch.set_num_threads(1)


class TestTheCommand:
    def test_frames_are_what_the_network_makes_of_them(self, run, weights, net):
        write(Path("v.mkv"), frames_of(VISIBLE, 5), codec="ffv1", pixels="bgr0")
        write(Path("i.mkv"), frames_of(70, 5), codec="ffv1", pixels="bgr0")
        outcome = run("fuse", "v.mkv", "i.mkv", "-o", "f.mkv", "--codec", "ffv1", "--weights", weights, *EXACT)
        assert outcome.status == 0, outcome.err
        assert outcome.out.startswith("Wrote f.mkv: 5 frames, flicker ")
        for seen, heated, found in zip(frames_of(VISIBLE, 5), frames_of(70, 5), read(Path("f.mkv"))[0], strict=True):
            with torch.inference_mode():
                wanted = net(
                    torch.from_numpy(seen).permute(2, 0, 1)[None] / 255,
                    torch.from_numpy(heated[None, None, ..., 0]) / 255,
                ).fused
            wanted = (wanted.clamp(0, 1)[0].permute(1, 2, 0) * 255).round().int().numpy()
            assert np.abs(found - wanted).max() <= 1

    def test_a_source_that_fails_is_told_of_and_a_palette_colours(self, run, weights):
        write(Path("v.mkv"), frames_of(VISIBLE, 72)[::3], codec="ffv1", pixels="bgr0")
        write(Path("i.mkv"), frames_of(70, 1) * 24, codec="ffv1", pixels="bgr0")
        options = ("--colour", "grey", "--palette", "inferno", "--codec", "ffv1", "--weights", weights)
        outcome = run("fuse", "v.mkv", "i.mkv", "-o", "f.mkv", *options, *EXACT)
        assert outcome.status == 0, outcome.err
        assert "Note: i.mkv: frozen while the other source moves in 14 of 24 frames, first in frame 11" in outcome.err
        assert np.ptp(read(Path("f.mkv"))[0][0], axis=2).max() > 10

    @pytest.mark.parametrize(
        ("args", "said"),
        [
            (("v.mp4", "a.png", "-o", "f.mp4"), "v.mp4 and a.png: one is a video and one is not"),
            (("v.mp4", "-", "-o", "f.mp4", "--allow-missing"), "v.mp4 and -: one is a video"),
            (
                ("v.mp4", "i.mp4", "-o", "f.png"),
                "f.png: expected a video that ends in .mp4, .mov, .mkv, .webm, got '.png'",
            ),
            (("v.mp4", "i.mp4", "-o", "v.mp4"), "v.mp4: is a source, and would be overwritten"),
            (("v.mp4", "i.mp4", "-o", "f.mp4", "--codec", "ffv1"), "ffv1 cannot be stored in .mp4, but h264, h265"),
            (("v.mp4", "i.mp4", "-o", "f.mp4", "--codec", "x"), "--codec: expected auto, h264, h265, vp9, av1, ffv1"),
            (("v.mp4", "i.mp4", "-o", "f.mp4", "--crf", "99"), "--crf: h264 takes 0 to 51, got 99"),
            (("v.mp4", "i.mp4", "-o", "f.mp4", "--dominance"), "--dominance is for pictures"),
            (("v.mp4", "i.mp4", "-o", "f.mp4", "--depth", "16"), "--depth is for pictures"),
            (("a.png", "a.png", "-o", "f.png", "--crf", "9"), "--codec and --crf are for two videos"),
            (("v.mp4", "no.mp4", "-o", "f.mp4"), "no.mp4: cannot be read (no such file"),
            (("v.mp4", "text.mp4", "-o", "f.mp4"), "text.mp4: cannot be read as a video (Invalid data"),
        ],
    )
    def test_mistakes(self, run, weights, args, said, tmp_path):
        for name in ("v.mp4", "i.mp4"):
            write(Path(name), frames_of(70, 2))
        Path("text.mp4").write_text("no video\n" * 99)
        Path("a.png").touch()
        before = set(os.listdir())
        assert said in run("fuse", *args, "--weights", weights, *EXACT).message
        assert set(os.listdir()) == before

    def test_the_fast_network_is_the_default(self, run, monkeypatch):
        def refuse(weights, *_):
            raise InputError(f"asked for {weights}")

        monkeypatch.setattr("dream_if.cli.fuse_options.make_fuser", refuse)
        write(Path("v.mp4"), frames_of(VISIBLE, 2))
        write(Path("i.mp4"), frames_of(70, 2))
        assert "asked for fast" in run("fuse", "v.mp4", "i.mp4", "-o", "f.mp4").err
        assert "asked for small" in run("fuse", "v.mp4", "i.mp4", "-o", "f.mp4", "--weights", "small").err

    def test_without_pyav(self, run, weights, monkeypatch):
        import builtins
        import sys

        for name in ("v.mp4", "i.mp4"):
            Path(name).touch()
        real = builtins.__import__

        def without(name, *args, **kwargs):
            if name == "av" or name.startswith("av."):
                raise ModuleNotFoundError("No module named 'av'", name="av")
            return real(name, *args, **kwargs)

        for name in ("video", "video_reading", "video_writing"):
            monkeypatch.delitem(sys.modules, f"dream_if.inference.{name}", raising=False)
        monkeypatch.setattr(builtins, "__import__", without)
        message = run("fuse", "v.mp4", "i.mp4", "-o", "f.mp4", "--weights", weights, *EXACT).message
        assert message == "videos are read by PyAV, which is not installed: pip install 'dream-if[video]'."


class TestTimesAndSound:
    def test_uneven_times_are_kept(self):
        times = [0, 40, 100, 130, 400, 433]
        for name, colour in (("v", VISIBLE), ("i", 70)):
            write(Path(f"{name}.mp4"), frames_of(colour, 6), times=times)
        fused()
        assert read(Path("f.mp4"))[1] == pytest.approx([time / 1000 for time in times], abs=1e-3)

    def test_the_rate_and_the_length_are_kept(self):
        for name, colour in (("v", VISIBLE), ("i", 70)):
            write(Path(f"{name}.mp4"), frames_of(colour, 7), rate=30)
        fused(batch_size=3)
        with av.open("f.mp4") as container:
            assert container.streams.video[0].average_rate == 30
            assert container.duration == pytest.approx(7 / 30 * 1e6, abs=1500)

    @pytest.mark.parametrize("ending", ["mp4", "mkv"])
    def test_sound_is_copied_byte_by_byte(self, ending):
        write(Path(f"v.{ending}"), frames_of(VISIBLE, 10), sound=True)
        write(Path("i.mp4"), frames_of(70, 10))
        fused(f"f.{ending}")
        assert len(packets(Path(f"v.{ending}"))) >= 20
        assert packets(Path(f"f.{ending}")) == packets(Path(f"v.{ending}"))

    def test_sound_that_a_container_cannot_hold(self):
        write(Path("v.mp4"), frames_of(VISIBLE, 3), sound=True)
        write(Path("i.mp4"), frames_of(70, 3))
        with pytest.raises(InputError, match=r"f.webm: .webm cannot hold this video with its sound \(aac\).*\.mkv"):
            fused("f.webm")
        assert not list(Path().glob("*f.webm*"))

    def test_a_title_in_another_alphabet(self):
        write(Path("named.mp4"), frames_of(VISIBLE, 3))
        with av.open("named.mp4") as source, av.open("v.mkv", "w") as container:
            stream = container.add_stream_from_template(source.streams.video[0])
            container.metadata["title"] = "caf\u00e9"
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    container.mux(packet)
        old = Path("v.mkv").read_bytes()
        Path("v.mkv").write_bytes(old.replace("caf\u00e9".encode(), b"caf\xe9\xff"))  # no UTF-8
        assert Path("v.mkv").read_bytes() != old
        write(Path("i.mkv"), frames_of(VISIBLE, 3))
        assert len(fused("f.mkv")) == 3

    def test_messages_of_pyav_which_torchvision_turns_on_are_off_again(self):
        for name, colour in (("v", VISIBLE), ("i", 70)):
            write(Path(f"{name}.mp4"), frames_of(colour, 2))
        av.logging.set_level(av.logging.ERROR)
        fused()
        assert av.logging.get_level() is None

    def test_batches(self):
        for name, colour in (("v", VISIBLE), ("i", 70)):
            write(Path(f"{name}.mp4"), frames_of(colour, 7))
        made = fuser()
        seen = []
        fuse_videos(
            made, Path("v.mp4"), Path("i.mp4"), Path("f.mp4"), batch_size=3, progress=lambda *at: seen.append(at)
        )
        assert [shape[0] for shape in made.net.shapes] == [3, 3, 1]
        assert seen == [(3, 7), (6, 7), (7, 7)]


class TestShapes:
    @pytest.mark.parametrize("out", ["f.mp4", "f.webm"])
    def test_odd_sizes_stay(self, out):
        for name, colour in (("v", VISIBLE), ("i", 70)):
            write(Path(f"{name}.mp4"), frames_of(colour, 2, size=(33, 47)))
        report = fuse_videos(fuser(), Path("v.mp4"), Path("i.mp4"), Path(out), threads=1)
        assert read(Path(out))[0][0].shape == (33, 47, 3)
        assert any("47x33 is odd" in note for note in report.notes) == (out == "f.mp4")

    @pytest.mark.parametrize("degrees", [90, 180, -90])
    def test_rotated_videos_come_out_upright(self, degrees):
        frames = frames_of(VISIBLE, 2, size=(32, 48))
        with av.open("v.mp4", "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"crf": "1"})
            stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv444p"
            stream.set_display_rotation(degrees)
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
        upright = [np.rot90(frame, degrees // 90) for frame in frames]  # counterclockwise, as FFmpeg counts
        write(Path("i.mp4"), upright)
        found = fused()[0]
        assert found.shape == upright[0].shape
        assert np.abs(found - upright[0]).mean() < 4
        with av.open("f.mp4") as container:
            assert next(container.decode(video=0)).rotation == 0


class TestWhatDoesNotFit:
    @pytest.mark.parametrize(
        ("other", "said"),
        [
            ({"size": (32, 64)}, r"unequal sizes: v.mp4 is 48x32 but i.mp4 is 64x32 \(width x height, upright\)"),
            ({"count": 7}, r"v.mp4 has 9 frames \(0.32 s at 25 a second\) and i.mp4 has 7 frames \(0.24 s at 25"),
            ({"rate": 30}, r"frame 5 is at 0.160 s in v.mp4 \(25 frames a second\) and at 0.133 s in i.mp4 \(30\)"),
        ],
    )
    def test_both_values_are_named(self, other, said):
        write(Path("v.mp4"), frames_of(VISIBLE, 9))
        frames = frames_of(70, other.get("count", 9), size=other.get("size", (32, 48)))
        write(Path("i.mp4"), frames, rate=other.get("rate", 25))
        with pytest.raises(InputError, match=said):
            fused()
        assert set(os.listdir()) == {"v.mp4", "i.mp4"}

    @pytest.mark.parametrize("ending", ["mp4", "mkv"])
    @pytest.mark.parametrize("between", [False, True])
    def test_one_that_is_cut_short(self, ending, between):
        rng = np.random.default_rng(0)
        frames = [rng.integers(0, 255, (32, 48, 3), np.uint8) for _ in range(40)]
        options = {"movflags": "faststart"} if ending == "mp4" else None
        whole = write(Path(f"v.{ending}"), frames, options=options)
        with av.open(str(whole)) as container:
            ends = [packet.pos + packet.size for packet in container.demux(video=0) if packet.size]
        whole.write_bytes(whole.read_bytes()[: ends[25] - (0 if between else 99)])
        write(Path("i.mp4"), frames)
        with pytest.raises(InputError, match=rf"v.{ending}: frame 2\d is damaged or cut off"):
            fused(f"f.{ending}")
        assert set(os.listdir()) == {f"v.{ending}", "i.mp4"}

    def test_interrupted_it_leaves_nothing(self):
        for name, colour in (("v", VISIBLE), ("i", 70)):
            write(Path(f"{name}.mp4"), frames_of(colour, 9))
        Path("f.mp4").write_bytes(b"old")

        def stop(done: int, _total: int) -> None:
            if done == 5:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fuse_videos(fuser(), Path("v.mp4"), Path("i.mp4"), Path("f.mp4"), progress=stop)
        assert set(os.listdir()) == {"v.mp4", "i.mp4", "f.mp4"}
        assert Path("f.mp4").read_bytes() == b"old"


def test_memory_does_not_grow_with_the_length():
    peaks = []
    for count in (20, 100):
        for name in ("v", "i"):
            write(Path(f"{name}.mp4"), frames_of(70, 1, size=(96, 128)) * count)
        tracemalloc.start()
        fuse_videos(fuser(), Path("v.mp4"), Path("i.mp4"), Path("f.mp4"), batch_size=4, threads=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 10 * 96 * 128 * 3  # of 80 frames more, as 8 bit
