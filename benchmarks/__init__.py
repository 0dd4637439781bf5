"""Benchmarks: commands for the repository's root, no part of the package."""
