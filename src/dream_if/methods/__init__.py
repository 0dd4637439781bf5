"""Fusion methods as rows of a table, and restorers for their sources."""
