"""How a verb's options are read: what each kind of field takes, and what is said of a word that cannot be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from dream_if.cli.options import named_folders, option, positional, read_options, rest
from dream_if.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Options:
    data: str = positional("a folder")
    source: str | None = positional("a file", default=None)
    out: str = option("where to", short="-o")
    batch_size: int | None = option("a number", default=None)
    level: int | list[int] | None = option("one or several", default=None)
    arguments: dict[str, Any] | None = option("by name", default=None)
    side: Literal["left", "right"] = option("one of two", default="left")
    colour: str = option("one of two", default="rgb", choices=("rgb", "grey"))
    dry_run: bool = option("a flag", default=False)
    fused: Sequence[str] = option("again and again", default=(), action="append")
    overrides: Sequence[str] = rest()


def read(*words: str) -> Options:
    return read_options(Options, words, prog="dream-if try", about="Tries.")


def test_defaults():
    options = read("here", "--out", "there")
    assert options == Options(data="here", out="there", fused=[])


def test_every_kind():
    words = ["here", "plan.yaml", "-o", "1", "--batch-size=2", "--level", "[1,2]", "--arguments", "{sigma: 25}"]
    words += ["--side=right", "--colour", "grey", "--dry-run", "--fused", "a=b", "--fused", "c=d", "--", "--x=1", "--"]
    assert read(*words) == Options(
        data="here",
        source="plan.yaml",
        out="1",
        batch_size=2,
        level=[1, 2],
        arguments={"sigma": 25},
        side="right",
        colour="grey",
        dry_run=True,
        fused=["a=b", "c=d"],
        overrides=("--x=1", "--"),
    )


def test_what_is_given_once_does_not_stay_for_the_next_time():
    read("here", "-o", "there", "--fused", "a=b")
    assert read("here", "-o", "there").fused == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "data"),
        (["here"], "out"),
        (["here", "plan", "more", "-o", "there"], "there is no argument more."),
        (["here", "-o", "there", "--batch-size", "x"], "--batch-size: expected a whole number, got x."),
        (["here", "-o", "there", "--batch_size", "2"], "there is no setting --batch_size"),
        (["here", "-o", "there", "--dry", "2"], "there is no setting --dry"),
        (["here", "-o", "there", "--side", "up"], "side: expected left, right, got up."),
        (["here", "-o", "there", "--colour", "red"], "invalid choice: 'red'"),
    ],
)
def test_mistakes(words, message):
    with pytest.raises(InputError) as raised:
        read(*words)
    assert message in str(raised.value)


@pytest.mark.parametrize("option", ["ours", "=folder", "ours=", " =x"])
def test_methods_of_another_form_are_refused(option):
    with pytest.raises(InputError, match=r"--fused: expected NAME=FOLDER, such as .*, got '"):
        named_folders([option])


def test_methods_keep_their_order_and_their_equals_signs():
    assert named_folders(["b=x=y", "a = z"]) == {"b": Path("x=y"), "a": Path(" z")}
    with pytest.raises(InputError, match="'a' is given twice"):
        named_folders(["a=x", "a=y"])
