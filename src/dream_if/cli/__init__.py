"""The command, `dream-if`."""

from dream_if.cli.main import main

__all__ = ["main"]
