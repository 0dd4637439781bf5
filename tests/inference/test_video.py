"""`dream-if fuse` on videos: what comes back is what was fused, at its time, with its sound; and what goes wrong."""

import os
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dream_if.errors import InputError
from dream_if.inference import Fuser
from dream_if.inference.engine import Settings
from dream_if.inference.values import InfraredRange
from dream_if.models import FusionOutput

av = pytest.importorskip("av", reason="videos need the extra `video`")

from dream_if.inference.video import fuse_videos  # noqa: E402  (needs PyAV)
from dream_if.inference.video_reading import Video  # noqa: E402

EXACT = ("--device", "cpu", "--precision", "float32", "--threads", "1")
VISIBLE = np.array([200, 60, 90], np.uint8)  # a colour whose channels no matrix mixes up


def frames_of(colour, count: int, size=(32, 48)) -> list[np.ndarray]:
    """Frames of one colour with a grey ramp in the lower half, brighter from frame to frame."""
    frames = []
    for number in range(count):
        frame = np.empty((*size, 3), np.uint8)
        frame[:] = colour
        frame[size[0] // 2 :] = np.linspace(20, 200, size[1], dtype=np.uint8)[None, :, None] + number
        frames.append(frame)
    return frames


def write(
    path: Path,
    frames: list[np.ndarray],
    *,
    codec="libx264",
    pixels="yuv444p",
    matrix=6,
    full=False,
    rate=25,
    times=None,
    sound=False,
    options=None,
) -> Path:
    """A video from RGB frames, or from stored values, (H, W), for grey pixels."""
    with av.open(str(path), "w", options=options or {}) as container:
        quality = {"crf": "1"} if codec == "libx264" else {}
        stream = container.add_stream(codec, rate=rate, options=quality)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        if not pixels.startswith(("gray", "bgr", "gbr")):
            stream.codec_context.colorspace = matrix
            stream.codec_context.color_range = 2 if full else 1
        if times:
            stream.codec_context.time_base = Fraction(1, 1000)
        noise = container.add_stream("aac" if path.suffix == ".mp4" else "libopus", rate=48000) if sound else None
        for number, values in enumerate(frames):
            if values.ndim == 2:
                frame = av.VideoFrame.from_ndarray(values, format=pixels)
            else:
                frame = av.VideoFrame.from_ndarray(values, format="rgb24").reformat(
                    format=pixels,
                    dst_colorspace={1: 1, 6: 5}[matrix],  # swscale counts otherwise
                    src_color_range=2,
                    dst_color_range=2 if full else 1,
                )
            frame.pts, frame.time_base = number, Fraction(1, rate)
            if times:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        if noise is not None:
            rng = np.random.default_rng(0)
            for number in range(20):
                samples = (rng.random((2, 1024), np.float32) - 0.5) / 9
                heard = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
                heard.sample_rate, heard.pts = 48000, number * 1024
                container.mux(noise.encode(heard))
            container.mux(noise.encode())
        container.mux(stream.encode())
    return path


def read(path: Path) -> tuple[list[np.ndarray], list[float]]:
    """RGB frames and their times, by FFmpeg's own ideas of colours."""
    with av.open(str(path)) as container:
        found = [(frame.to_ndarray(format="rgb24"), float(frame.time)) for frame in container.decode(video=0)]
    return [pixels.astype(int) for pixels, _ in found], [time for _, time in found]


def packets(path: Path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        return [
            (round(float(one.pts * one.time_base), 3), bytes(one)) for one in container.demux(audio=0) if one.size > 0
        ]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    torch.set_num_threads(1)


class Visible(torch.nn.Module):
    """Fuses by taking the visible source, or the infrared one."""

    def __init__(self, infrared: bool = False) -> None:
        super().__init__()
        self.infrared = infrared
        self.shapes: list[tuple[int, ...]] = []
        self.config = {"dim": 16, "use_se": True, "use_rd": True, "ffn_expansion": 2.66}

    def forward(self, visible: Tensor, infrared: Tensor) -> FusionOutput:
        self.shapes.append(tuple(visible.shape))
        return FusionOutput(infrared.expand(-1, 3, -1, -1) if self.infrared else visible, (), ())


def fuser(infrared: bool = False) -> Fuser:
    made = Fuser(Visible(infrared), device="cpu", precision="float32")
    made.has_dominance = False
    return made


def fused(out: str = "f.mp4", infrared: bool = False, span: str = "auto", **options) -> list[np.ndarray]:
    settings = Settings(infrared_range=InfraredRange.parse(span))
    sources = [next(Path().glob(f"{name}.*")) for name in ("v", "i")]
    fuse_videos(fuser(infrared), *sources, Path(out), settings, threads=1, **options)
    return read(Path(out))[0]


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
            (("v.mp4", "i.mp4", "-o", "f.mp4", "--codec", "ffv1"), "ffv1 does not go into .mp4, but h264, h265"),
            (("v.mp4", "i.mp4", "-o", "f.mp4", "--codec", "x"), "--codec: expected auto, h264, h265, vp9, av1, ffv1"),
            (("v.mp4", "i.mp4", "-o", "f.mp4", "--crf", "99"), "--crf: h264 takes 0 to 51, got 99"),
            (("v.mp4", "i.mp4", "-o", "f.mp4", "--dominance"), "--dominance is for pictures"),
            (("a.png", "a.png", "-o", "f.png", "--crf", "9"), "--codec and --crf are for two videos"),
            (("v.mp4", "no.mp4", "-o", "f.mp4"), "no.mp4: cannot be read as a video (No such file"),
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

    def test_without_pyav(self, run, weights, monkeypatch):
        import builtins
        import sys

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
