"""Using a trained network: pictures of any kind and size in, fused pictures of the same kind and size out."""

from dream_if.inference.api import FusedWithMaps, fuse, make_fuser
from dream_if.inference.fuser import Fused, Fuser
from dream_if.inference.weights import load_network

__all__ = ["Fused", "FusedWithMaps", "Fuser", "fuse", "load_network", "make_fuser"]
