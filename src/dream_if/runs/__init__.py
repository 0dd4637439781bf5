"""Finished runs in their folders, and sweeps that make them."""
