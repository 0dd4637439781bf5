"""Tables of results, the same as Markdown, as HTML and on the terminal."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable
from rich.text import Text

__all__ = ["Cell", "Table", "html_table", "mark", "markdown_table", "number", "p_value", "terminal_table"]

Mark = Literal["", "best", "second"]

MARKDOWN = {"": "{}", "best": "**{}**", "second": "<u>{}</u>"}
HTML = {"": "{}", "best": "<b>{}</b>", "second": "<u>{}</u>"}
TERMINAL = {"": "", "best": "bold", "second": "underline"}


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


def number(value: float) -> str:
    """Three decimals, one from 100 on; a dash for what is undefined."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3f}"


def p_value(value: float) -> str:
    """Three decimals, or that it is below; a dash for a test that could not be made."""
    if math.isnan(value):
        return "–"
    return f"{value:.3f}" if value >= 0.0005 else "<0.001"


def mark(printed: Sequence[str], higher_is_better: bool | None) -> list[Mark]:
    """Which numbers of a column, as they are printed, are best and second best; those printed alike share a mark.

    Nothing is marked in a column without direction, where `higher_is_better` is None.
    """
    values = sorted({float(text) for text in printed if text != "–"}, reverse=bool(higher_is_better))
    marks: dict[float, Mark] = dict(zip(values, ("best", "second"), strict=False))
    return ["" if text == "–" or higher_is_better is None else marks.get(float(text), "") for text in printed]


def markdown_table(table: Table) -> list[str]:
    """The lines of a table in Markdown, those of its title first."""
    lines = [[name.replace("|", "\\|") for name in table.header]]
    lines += [[_filled(cell, MARKDOWN).replace("|", "\\|") for cell in row] for row in table.rows]
    head, *body = [f"| {' | '.join(line)} |" for line in lines]
    title = [f"### {table.title}", ""] if table.title else []
    return [*title, head, f"|{'---|' * table.words}{'---:|' * (len(table.header) - table.words)}", *body]


def html_table(table: Table) -> str:
    """A table as an HTML element."""
    caption = f"<caption>{html.escape(table.title)}</caption>\n" if table.title else ""
    kinds = [' class="words"' if position < table.words else "" for position in range(len(table.header))]
    head = "".join(f"<th{kind}>{html.escape(name)}</th>" for kind, name in zip(kinds, table.header, strict=True))
    rows = [
        "".join(
            f"<td{kind}>{_filled(Cell(html.escape(cell.value), cell.mark, html.escape(cell.rest)), HTML)}</td>"
            for kind, cell in zip(kinds, row, strict=True)
        )
        for row in table.rows
    ]
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table>\n{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


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
