"""Fusion without learning, behind the network's own signature: what a trained network has to beat."""

from dream_if.baselines.pixelwise import Average, Maximum

__all__ = ["Average", "Maximum"]
