"""What a run says while it goes on, and what it leaves behind: configuration, metrics, checkpoints, pictures.

Everything goes into the run's own folder. No other file of the package knows a tracker such as W&B.
"""

from dream_if.callbacks.checkpoints import BestCheckpoint, LastCheckpoint, WholeCheckpoints
from dream_if.callbacks.epoch_lines import EpochLines
from dream_if.callbacks.images import FusedImages, ImagePanels
from dream_if.callbacks.records import RunConfig, RunMetrics
from dream_if.callbacks.run_directory import make_parent_of_runs, name_project, run_directory
from dream_if.callbacks.trackers import TrackerRecords

__all__ = [
    "BestCheckpoint",
    "EpochLines",
    "FusedImages",
    "ImagePanels",
    "LastCheckpoint",
    "RunConfig",
    "RunMetrics",
    "TrackerRecords",
    "WholeCheckpoints",
    "make_parent_of_runs",
    "name_project",
    "run_directory",
]
