"""Figures: the panels of a run, and the figures of a paper."""

from dream_if.figures.panel import panel

__all__ = ["panel"]
