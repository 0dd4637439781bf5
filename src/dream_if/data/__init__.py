"""Pairs of visible and infrared images: where they are, how they are read, degraded and batched."""

from dream_if.data.datamodule import FusionDataModule
from dream_if.data.degradations import FixedDegradation, Mixed, OneSided, RandomDegradations
from dream_if.data.pairs import PairedImages

__all__ = ["FixedDegradation", "FusionDataModule", "Mixed", "OneSided", "PairedImages", "RandomDegradations"]
