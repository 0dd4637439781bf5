"""Sweep files of W&B, run here without W&B: the same points, the same commands."""
