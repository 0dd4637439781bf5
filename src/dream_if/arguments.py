"""The parser of our own verbs, which starts without Lightning, and what it has in common with that of Lightning's."""

from typing import Any, NoReturn

from jsonargparse import ArgumentParser

from dream_if.errors import InputError

__all__ = ["InALine", "Parser"]


class InALine:
    """For a parser: says what is wrong in a line, without the usage of a hundred options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Half a flag is a typo like any other. The next class is a parser, which mypy cannot know.
        super().__init__(*args, allow_abbrev=False, **kwargs)  # type: ignore[call-arg]

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise the message as an InputError."""
        raise InputError(message) from ex


class Parser(InALine, ArgumentParser):
    """Of our own verbs."""
