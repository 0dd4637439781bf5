"""How much a fused video flickers: its change from frame to frame beyond the change in its sources."""

import numpy as np
import numpy.typing as npt

from dream_if.inference.intensity import LUMA

__all__ = ["Flicker", "luminance_of"]


class Flicker:
    """Adds up the flicker of a video, frame by frame; it keeps one frame of each of the three.

    A pixel's flicker is the change of the fused luminance since the frame before, in grey levels of 255, less the
    larger of the changes of the two sources there, and never below zero. A frame's is the mean over its pixels. So a
    scene that moves or a camera that is noisy does not count by itself, and fusion pixel by pixel by mean or maximum
    has none: neither can change by more than the source that changes more. The definition is our own.
    """

    def __init__(self) -> None:
        self._before: tuple[npt.NDArray[np.float32], ...] | None = None
        self._sum = 0.0
        self._changes = 0
        self.largest = 0.0
        self.largest_frame = 0

    def add(
        self,
        fused: npt.NDArray[np.float32],
        visible: npt.NDArray[np.float32],
        infrared: npt.NDArray[np.float32],
    ) -> None:
        """Take up the next frame.

        Args:
            fused: (H, W, 1 or 3) in [0, 1].
            visible: (H, W, 1 or 3) in [0, 1].
            infrared: (H, W) or (H, W, 1) in [0, 1].
        """
        now = tuple(luminance_of(values) for values in (fused, visible, infrared))
        if self._before is not None:
            change, *by_sources = (np.abs(new - old) for new, old in zip(now, self._before, strict=True))
            value = float(np.maximum(change - np.maximum(*by_sources), 0).mean() * 255)
            self._changes += 1
            self._sum += value
            if value > self.largest:
                self.largest, self.largest_frame = value, self._changes + 1
        self._before = now

    @property
    def mean(self) -> float:
        """Mean over all frames but the first, in grey levels of 255; 0 for a video of one frame."""
        return self._sum / max(self._changes, 1)

    def __str__(self) -> str:
        text = f"flicker {self.mean:.2f} of 255 grey levels on average"
        return text + (f", {self.largest:.2f} at most, at frame {self.largest_frame}" if self.largest else "")


def luminance_of(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(H, W), or (H, W, 1 or 3) -> (H, W), the Y of BT.601."""
    if values.ndim == 2:
        return values
    return values[:, :, 0] if values.shape[2] == 1 else values @ np.array(LUMA, np.float32)
