"""How the infrared picture of a pair lies on the visible one, and the same for every pair of a rig."""
