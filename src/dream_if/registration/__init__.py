"""Aligns the infrared picture of a pair with the visible one, for a single pair or for all pairs of a rig."""
