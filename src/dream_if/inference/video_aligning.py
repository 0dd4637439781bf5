"""Laying one video on another frame by frame, by one transform for all of it. Needs PyAV, an extra."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dream_if.inference.aligning import Aligner
from dream_if.inference.engine import Settings
from dream_if.inference.intensity import infrared_values
from dream_if.inference.video import examine, first_frame
from dream_if.inference.video_reading import Video
from dream_if.inference.video_writing import VideoWriter, choose_codec
from dream_if.registration.rig import Rig
from dream_if.storage import atomic_file

__all__ = ["AlignedVideo", "align_videos", "calibrate_videos"]


class AlignedVideo(NamedTuple):
    """What became of a pair of videos: how many frames, by which transform, and what a user may want to know."""

    frames: int
    rig: Rig
    notes: tuple[str, ...]


def align_videos(
    visible: Path, infrared: Path, out: Path, aligner: Aligner, progress: Callable[[int, int], None] | None = None
) -> AlignedVideo:
    """Lay the frames of an infrared video on the grid of those of a visible one; both are decoded once beforehand.

    Args:
        visible: video whose size, times, sound and titles the result takes over.
        infrared: video of the same length and times, of any size.
        out: file to write, whole or not at all: grey, 8 bit, H.264, or VP9 for WebM; its ending names the container.
            Raw counts are spread from their percentiles in the whole video. The border is continued where the infrared
            frames do not reach.
        aligner: a rig, or the motion by which one is found from frames all over the video.
        progress: called with (frames that are done, frames in all).

    Raises:
        InputError: A file is no video, damaged or cut short, the two do not run side by side, too few frames can be
            aligned with confidence, sizes are not the rig's, or the output cannot be written.
    """
    choose_codec(out)
    frames, span, sample = examine(visible, infrared, Settings(aligner=aligner))
    fixed = aligner.fixed(sample)
    notes: dict[str, None] = {}
    with (
        Video(visible) as visible_video,
        Video(infrared) as infrared_video,
        atomic_file(out) as part,
        VideoWriter(part, out, visible_video, first_frame(visible), "auto", None, 0, frames) as writer,
    ):
        pairs = zip(visible_video.frames(writer.add_sound), infrared_video.frames(), strict=True)
        for done, (one, other) in enumerate(pairs, start=1):
            values, said = infrared_values(fixed(one.picture(), other.picture()), span)
            writer.add(values[:, :, None], one.ticks, one.duration)
            notes |= dict.fromkeys(said)
            if progress is not None:
                progress(done, frames)
    return AlignedVideo(frames, fixed.rig, (*writer.notes, *notes))


def calibrate_videos(visible: Path, infrared: Path, aligner: Aligner) -> Rig:
    """Find the transform of a rig from frames all over two of its videos.

    Raises:
        InputError: See `align_videos`.
    """
    return aligner.fixed(examine(visible, infrared, Settings(aligner=aligner))[2]).rig
