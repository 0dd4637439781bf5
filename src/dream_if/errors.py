"""The error raised for a user's mistake."""

import re

__all__ = ["DiskError", "InputError", "out_of_memory"]

NO_MEMORY = re.compile(
    r"out of memory|can't allocate memory|not enough memory|Insufficient memory|bad_alloc|ALLOC_FAILED"
)
"""What torch, CUDA and OpenCV say of it, which for the CPU have no class of its own."""


class InputError(ValueError):
    """Something the user gave cannot be used: a file, a folder, a key, a value.

    The message is all the user sees, so it names the thing, what was expected, what came, and what to do.
    The command line prints it without a traceback and exits with status 2.
    """


class DiskError(InputError):
    """A file cannot be written, for want of room or rights. The next one will fare no better."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of the CPU or GPU did not suffice."""
    if isinstance(error, InputError):  # which has said all there is to say
        return False
    return isinstance(error, MemoryError) or NO_MEMORY.search(str(error)) is not None
