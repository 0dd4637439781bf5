"""Fusion methods as rows of a table, and what restores their sources first."""
