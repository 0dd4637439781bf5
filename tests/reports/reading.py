"""What the files of Table 4 say."""

import csv
from pathlib import Path

from dream_if.reports.ablation import Ablation, make_ablation
from dream_if.reports.ablation_runs import rows_of_table4
from dream_if.runs.finished import find_runs


def made(folder: Path) -> Ablation:
    """Table 4 of the runs in a folder."""
    found = find_runs(folder)
    return make_ablation(found, rows_of_table4(found))


def lines_of_csv(against: str = "base") -> dict[tuple[str, str, str], dict[str, str]]:
    """(set, row, metric) -> line of the table below the current folder, without those against another row than this."""
    with Path("runs/table4/table4.csv").open(newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["against"] in ("", against)]
    found = {(line["set"], line["row"], line["metric"]): line for line in lines}
    assert len(found) == len(lines)
    return found


def sections(text: str) -> dict[str, list[list[str]]]:
    """Title -> rows of cells, the header first, of the tables of a Markdown text."""
    found: dict[str, list[list[str]]] = {}
    title = ""
    for line in text.splitlines():
        if line.startswith("### "):
            title = line[4:]
            found[title] = []
        elif line.startswith("| "):
            found[title].append([cell.strip() for cell in line.strip("|").split("|")])
    return found
