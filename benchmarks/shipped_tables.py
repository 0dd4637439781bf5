"""Prints the tables of docs/results.md from the CSV files in docs/data/tables, or writes them into the page.

    python benchmarks/shipped_tables.py [--write]

`dream-if tables` wrote the files, with the plans tables/shipped, peers and ffdnet; the page has the commands.
"""

import sys
from pathlib import Path

import pandas as pd

from dream_if.metrics.registry import METRICS
from dream_if.reports.efficiency import COLUMNS
from dream_if.reports.table import Cell, Table, markdown_table, number

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results.md"
FILES = ROOT / "docs" / "data" / "tables"
MARK = "<!-- benchmarks/shipped_tables.py -->\n"
FUSED = ("Qabf", "SSIM", "VIFF")
SEEN_FIRST = ("Dimming", "FlatNoise", "Clipping")
TABLES = (  # title, file, metrics, and what the columns are: sets, conditions, or kinds with a value for each level
    ("Table 1, clean", "table1.csv", (*FUSED, "AG", "SF"), "set"),
    ("Table 1, clean: grey skies, grain, clipping", "table1.csv", SEEN_FIRST, "set"),
    ("Table 1, RoadScene, beside published networks", "peers.csv", (*FUSED, "AG", "SF", *SEEN_FIRST), "set"),
    ("Table 2, noise of sigma 35 on both sources", "table2.csv", (*FUSED, "LPIPS"), "set"),
    ("Table 2, the same noise: grey skies, grain, clipping", "table2.csv", SEEN_FIRST, "set"),
    ("Table 2 with FFDNet, the same noise", "ffdnet.csv", (*FUSED, "LPIPS"), "set"),
    ("Table 3, means over the five sets", "table3.csv", FUSED, "condition"),
    (
        "Table 3, the same: to the clean sources, and to the own clean image",
        "table3.csv",
        ("LPIPS", "LPIPS_self"),
        "condition",
    ),
    *((f"Severity, 35 pairs of RoadScene: {name}", "severity.csv", (name,), "level") for name in ("Qabf", "LPIPS")),
)


def markdown(file: Path, metrics: tuple[str, ...], by: str = "set") -> str:
    """A row for each method of a table's CSV file, columns for sets, conditions or kinds; the best in bold."""
    lines = pd.read_csv(file)
    lines = lines[~lines["set"].str.endswith("(paper)") & lines["metric"].isin(metrics)]
    if by == "level":
        graded = lines[lines["condition"].str.contains(" ")]
        named = graded["condition"].str.rsplit(n=1, expand=True)
        lines = graded.assign(column=named[0], part=graded["metric"] + " " + named[1])
        parts = list(lines["part"].unique())
    else:
        lines = lines.assign(column=lines[by], part=lines["metric"])
        parts = list(metrics)
    means = lines.groupby(["method", "column", "part"], sort=False)["mean"].mean()
    methods, columns = lines["method"].unique(), lines["column"].unique()
    rows = [f"| {' / '.join(parts)} | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for method in methods:
        cells = []
        for column in columns:
            values = []
            for part in parts:
                of_all = means[:, column, part]
                best = of_all.max() if METRICS[part.split()[0].removesuffix("_self")].higher_is_better else of_all.min()
                text = "–" if pd.isna(of_all[method]) else f"{of_all[method]:.3f}"
                values.append(f"**{text}**" if f"{best:.3f}" == text else text)
            cells.append(" / ".join(values))
        rows.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(rows)


def efficiency(file: Path) -> str:
    """The table of `dream-if tables efficiency` from its CSV file."""
    lines = []
    for method, *cost in pd.read_csv(file).itertuples(index=False):
        units = zip(cost, COLUMNS.values(), strict=True)
        lines.append([Cell(method), *(Cell(number(value / unit, digits)) for value, (unit, digits) in units)])
    return "\n".join(markdown_table(Table(["method", *COLUMNS], lines)))


def tables() -> str:
    """All tables, each folded under its title."""
    titled = {title: markdown(FILES / name, metrics, by) for title, name, metrics, by in TABLES}
    titled["Efficiency, 640x480, float32 on one thread"] = efficiency(FILES / "efficiency.csv")
    parts = []
    for title, table in titled.items():
        parts += [f'<details markdown="1">\n<summary>{title}</summary>\n', table, "", "</details>", ""]
    return "\n".join(parts)


def main() -> None:
    """Print the tables, or write them between the marks of the page."""
    if sys.argv[1:] != ["--write"]:
        print(tables())
        return
    before, _, after = PAGE.read_text().split(MARK)
    PAGE.write_text(f"{before}{MARK}\n{tables()}\n{MARK}{after}")


if __name__ == "__main__":
    main()
