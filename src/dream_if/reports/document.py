"""A table of the paper as files: Markdown, CSV, HTML and a plot."""

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.text import Text

from dream_if.reports.table import Table, html_table, markdown_table, terminal_table
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
h3 {{ font-size: 1rem; margin-bottom: 0; }}
th, td {{ padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }}
th:first-child, td:first-child {{ text-align: left; }}
img {{ max-width: 100%; }}
</style>
</head>
<body>
<h1>{title}</h1>
{tables}
{plots}
<ul>
{notes}
</ul>
{sections}
</body>
</html>
"""

IMAGE = '<img alt="{alt}" src="data:image/png;base64,{data}">'


@dataclass(frozen=True)
class Document:
    """What stands in a table's files.

    Attributes:
        name: of the files, without their endings.
        title: one line.
        tables: in their order.
        notes: how to read them, a few sentences each.
        csv: the same numbers for machines.
        plots: PNG files by what they are of, which ends their names; "" for one that is of everything.
        plot_says: what they show, for those who do not see them.
        sections: further tables below a heading each, behind the notes.
    """

    name: str
    title: str
    tables: Sequence[Table]
    notes: Sequence[str]
    csv: str
    plots: Mapping[str, bytes]
    plot_says: str
    sections: Mapping[str, Sequence[Table]] = field(default_factory=dict)

    def markdown(self) -> str:
        """Title, tables, the plots as links, notes, and sections."""
        lines = [f"# {self.title}", ""]
        for table in self.tables:
            lines += [*markdown_table(table), ""]
        for of in self.plots:
            lines += [f"![{self._says(of)}]({self._picture(of)})", ""]
        lines += ["- " + note.replace("|", "\\|") for note in self.notes]
        for heading, tables in self.sections.items():
            lines += ["", f"## {heading}"]
            for table in tables:
                lines += ["", *markdown_table(table)]
        return "\n".join(lines) + "\n"

    def html(self) -> str:
        """A page of its own, the plots within it."""
        return PAGE.format(
            title=html.escape(self.title),
            tables="\n".join(map(html_table, self.tables)),
            plots="\n".join(
                IMAGE.format(alt=html.escape(self._says(of)), data=base64.b64encode(plot).decode())
                for of, plot in self.plots.items()
            ),
            notes="\n".join(f"<li>{html.escape(note)}</li>" for note in self.notes),
            sections="\n".join(
                f"<h2>{html.escape(heading)}</h2>\n" + "\n".join(map(html_table, tables))
                for heading, tables in self.sections.items()
            ),
        )

    def _picture(self, of: str) -> str:
        return f"{self.name}_{of}.png".replace(" ", "_").replace("/", "_") if of else f"{self.name}.png"

    def _says(self, of: str) -> str:
        return f"{of}: {self.plot_says}" if of else self.plot_says

    def show(self, console: Console) -> None:
        """Print title, tables, notes and sections on a terminal."""
        console.print(Text(self.title, style="bold"))
        for table in self.tables:
            console.print(terminal_table(table))
        for note in self.notes:
            console.print(Text(f"- {note}", style="dim"))
        for heading, tables in self.sections.items():
            console.print(Text(heading, style="bold"))
            for table in tables:
                console.print(terminal_table(table))

    def write(self, folder: Path) -> list[Path]:
        """Write all files, each whole or not at all, and return their paths.

        Raises:
            InputError: The folder cannot be made or written to.
        """
        contents = {
            f"{self.name}.md": self.markdown().encode(),
            f"{self.name}.csv": self.csv.encode(),
            f"{self.name}.html": self.html().encode(),
            **{self._picture(of): plot for of, plot in self.plots.items()},
        }
        for name, content in contents.items():
            write_atomically(folder / name, content)
        return [folder / name for name in contents]
