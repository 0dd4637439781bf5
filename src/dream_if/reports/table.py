"""Tables of results as Markdown, as HTML and on the terminal."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable
from rich.text import Text

__all__ = ["Cell", "Table", "column", "html_table", "mark", "markdown_table", "number", "p_value", "terminal_table"]

Mark = Literal["", "best", "second"]

MARKDOWN = {"": "{}", "best": "**{}**", "second": "<u>{}</u>"}
HTML = {"": "{}", "best": "<b>{}</b>", "second": "<u>{}</u>"}
TERMINAL = {"": "", "best": "bold", "second": "underline"}
UNDEFINED = "–"


@dataclass(frozen=True)
class Cell:
    """A value, whether it is the best or second best of its column, and what follows it unmarked."""

    value: str
    mark: Mark = ""
    rest: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under a header.

    Attributes:
        header: names of the columns.
        rows: as many cells in each.
        title: a line above, or nothing.
        words: how many of the columns, from the first on, hold words; the others hold numbers.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    words: int = 1


def number(value: float, digits: int | None = None) -> str:
    """So many decimals; if left out three, one from 100 on; a dash for what is undefined."""
    return f"{value:.{_digits(value) if digits is None else digits}f}" if math.isfinite(value) else UNDEFINED


def _digits(value: float) -> int:
    return 1 if abs(value) >= 100 else 3


def p_value(value: float) -> str:
    """Three decimals, or that it is below; a dash for a test that could not be made."""
    if math.isnan(value):
        return UNDEFINED
    return f"{value:.3f}" if value >= 0.0005 else "<0.001"


def mark(values: Sequence[float], higher_is_better: bool | None, digits: int | None = None) -> list[Mark]:
    """Which numbers of a column are best and second best; those that `number` prints alike share a mark.

    Nothing is marked in a column without direction, where `higher_is_better` is None.
    """
    if higher_is_better is None:
        return [""] * len(values)
    rounded = [round(value, _digits(value) if digits is None else digits) for value in values]
    order = sorted({value for value in rounded if math.isfinite(value)}, reverse=higher_is_better)
    marks: dict[float, Mark] = dict(zip(order, ("best", "second"), strict=False))
    return [marks.get(value, "") for value in rounded]


def column(
    values: Sequence[float],
    higher_is_better: bool | None = None,
    rests: Sequence[str] = (),
    digits: int | None = None,
) -> list[Cell]:
    """A column of numbers, the best two marked where it has a direction, with what follows each."""
    marks = mark(values, higher_is_better, digits)
    return [Cell(number(v, digits), m, r) for v, m, r in zip(values, marks, rests or [""] * len(values), strict=True)]


def markdown_table(table: Table) -> list[str]:
    """The lines of a table in Markdown, those of its title first."""
    lines = [[name.replace("|", "\\|") for name in table.header]]
    lines += [[_filled(cell, MARKDOWN).replace("|", "\\|") for cell in row] for row in table.rows]
    head, *body = [f"| {' | '.join(line)} |" for line in lines]
    title = [f"### {table.title}", ""] if table.title else []
    return [*title, head, f"|{'---|' * table.words}{'---:|' * (len(table.header) - table.words)}", *body]


def html_table(table: Table) -> str:
    """A table as an HTML element, below its title."""
    cells = [
        [_filled(Cell(html.escape(c.value), c.mark, html.escape(c.rest)), HTML) for c in row] for row in table.rows
    ]
    with pd.option_context("display.max_colwidth", None):
        text: str = pd.DataFrame(cells, columns=map(html.escape, table.header)).to_html(
            index=False, escape=False, border=0
        )
    return f"<h3>{html.escape(table.title)}</h3>\n{text}" if table.title else text


def terminal_table(table: Table) -> RichTable:
    """A table for rich to print. No text is taken for markup: a method may be called "[ours]"."""
    printed = RichTable(
        box=SIMPLE_HEAD, title=Text(table.title, style="bold") if table.title else None, title_justify="left"
    )
    for position, name in enumerate(table.header):
        printed.add_column(Text(name), justify="left" if position < table.words else "right")
    for row in table.rows:
        printed.add_row(*(Text.assemble((cell.value, TERMINAL[cell.mark]), cell.rest) for cell in row))
    return printed


def _filled(cell: Cell, templates: dict[str, str]) -> str:
    return templates[cell.mark].format(cell.value) + cell.rest
