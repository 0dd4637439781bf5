"""What tests of videos share: writing and reading small ones, and networks whose result is one of the sources."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dream_if.inference import Fuser
from dream_if.inference.engine import Settings
from dream_if.inference.intensity import InfraredRange
from dream_if.models import FusionOutput

av = pytest.importorskip("av", reason="videos need the extra `video`")

from dream_if.inference.video import fuse_videos  # noqa: E402  (needs PyAV)

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


class Visible(torch.nn.Module):
    """Fuses by taking the visible source, or the infrared one."""

    def __init__(self, infrared: bool = False) -> None:
        super().__init__()
        self.infrared = infrared
        self.shapes: list[tuple[int, ...]] = []
        self.config = {"dim": 16, "use_se": True, "use_rd": True, "ffn_expansion": 2.66, "stride": 1}
        self.has_dominance = False

    def forward(self, visible: Tensor, infrared: Tensor) -> FusionOutput:
        self.shapes.append(tuple(visible.shape))
        return FusionOutput(infrared.expand(-1, 3, -1, -1) if self.infrared else visible, (), ())


def fuser(infrared: bool = False) -> Fuser:
    return Fuser(Visible(infrared), device="cpu", precision="float32")


def fused(out: str = "f.mp4", infrared: bool = False, span: str = "auto", **options) -> list[np.ndarray]:
    settings = Settings(infrared_range=InfraredRange.parse(span))
    sources = [next(Path().glob(f"{name}.*")) for name in ("v", "i")]
    fuse_videos(fuser(infrared), *sources, Path(out), settings, threads=1, **options)
    return read(Path(out))[0]
