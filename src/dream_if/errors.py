"""The error raised for a user's mistake."""

__all__ = ["DiskError", "InputError"]


class InputError(ValueError):
    """Something the user gave cannot be used: a file, a folder, a key, a value.

    The message is all the user sees, so it names the thing, what was expected, what came, and what to do.
    The command line prints it without a traceback and exits with status 2.
    """


class DiskError(InputError):
    """A file cannot be written, for want of room or rights. The next one will fare no better."""
