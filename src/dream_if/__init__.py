"""Dream-IF: fusion of infrared and visible images by dynamic relative enhancement."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dream_if.inference import fuse

__all__ = ["fuse"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: whoever wants a metric alone does not pay for the network."""
    if name == "fuse":
        from dream_if.inference import fuse

        return fuse
    if name == "__version__":
        from importlib.metadata import version

        return version("dream-if")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What there is for others."""
    return ["__version__", *__all__]
