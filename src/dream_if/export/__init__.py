"""Exports a trained network as one file that ONNX Runtime, or torch without this package, can run."""

from dream_if.export.formats import FORMATS, Format, encode
from dream_if.export.graph import ExportedFusion, trace
from dream_if.export.parity import largest_differences

__all__ = ["FORMATS", "ExportedFusion", "Format", "encode", "largest_differences", "trace"]
