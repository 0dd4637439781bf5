"""A table of the paper as files: Markdown, CSV, HTML and a plot."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from dream_if.render import Table, html_table, markdown_table, terminal_table
from dream_if.storage import write_atomically

__all__ = ["Document"]

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; margin: 1rem 0 1.6rem; }}
caption {{ text-align: left; font-weight: 600; padding-bottom: .3rem; }}
th, td {{ padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }}
th:first-child, td:first-child {{ text-align: left; }}
img {{ max-width: 100%; }}
</style>
</head>
<body>
<h1>{title}</h1>
{tables}
<img alt="{alt}" src="data:image/png;base64,{plot}">
<ul>
{notes}
</ul>
</body>
</html>
"""


@dataclass(frozen=True)
class Document:
    """What stands in a table's files.

    Attributes:
        name: of the files, without their endings.
        title: one line.
        tables: in their order.
        notes: how to read them, a few sentences each.
        csv: the same numbers for machines.
        plot: a PNG file.
        plot_says: what it shows, for those who do not see it.
    """

    name: str
    title: str
    tables: Sequence[Table]
    notes: Sequence[str]
    csv: str
    plot: bytes
    plot_says: str

    def markdown(self) -> str:
        """Title, tables, the plot as a link, and notes."""
        lines = [f"# {self.title}", ""]
        for table in self.tables:
            lines += [*markdown_table(table), ""]
        lines += [f"![{self.plot_says}]({self.name}.png)", ""]
        lines += ["- " + note.replace("|", "\\|") for note in self.notes]
        return "\n".join(lines) + "\n"

    def html(self) -> str:
        """A page of its own, the plot within it."""
        return PAGE.format(
            title=html.escape(self.title),
            tables="\n".join(html_table(table) for table in self.tables),
            alt=html.escape(self.plot_says),
            plot=base64.b64encode(self.plot).decode(),
            notes="\n".join(f"<li>{html.escape(note)}</li>" for note in self.notes),
        )

    def show(self, console: Console) -> None:
        """Print title, tables and notes on a terminal."""
        console.print(Text(self.title, style="bold"))
        for table in self.tables:
            console.print(terminal_table(table))
        for note in self.notes:
            console.print(Text(f"- {note}", style="dim"))

    def write(self, folder: Path) -> list[Path]:
        """Write the four files, each whole or not at all, and return their paths.

        Raises:
            InputError: The folder cannot be made or written to.
        """
        contents = {
            ".md": self.markdown().encode(),
            ".csv": self.csv.encode(),
            ".html": self.html().encode(),
            ".png": self.plot,
        }
        for ending, content in contents.items():
            write_atomically(folder / f"{self.name}{ending}", content)
        return [folder / f"{self.name}{ending}" for ending in contents]
