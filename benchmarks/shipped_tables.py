"""Prints the tables of docs/results.md from the CSV files in docs/data/tables, or writes them into the page.

    python benchmarks/shipped_tables.py [--write]

`dream-if tables` wrote the files, with the plans tables/shipped, peers and ffdnet; the page has the commands.
"""

import sys
from pathlib import Path

import pandas as pd

from dream_if.metrics.registry import METRICS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results.md"
FILES = ROOT / "docs" / "data" / "tables"
MARK = "<!-- benchmarks/shipped_tables.py -->\n"
FUSED = ("Qabf", "SSIM", "VIFF")
SEEN_FIRST = ("Dimming", "FlatNoise", "Clipping")
TABLES = (
    ("Table 1, clean", "table1.csv", "set", (*FUSED, "AG", "SF")),
    ("Table 1, clean: grey skies, grain, clipping", "table1.csv", "set", SEEN_FIRST),
    ("Table 1, RoadScene, beside published networks", "peers.csv", "set", (*FUSED, "AG", "SF", *SEEN_FIRST)),
    ("Table 2, noise of sigma 35 on both sources", "table2.csv", "set", (*FUSED, "LPIPS")),
    ("Table 2, the same noise: grey skies, grain, clipping", "table2.csv", "set", SEEN_FIRST),
    ("Table 2 with FFDNet, the same noise", "ffdnet.csv", "set", (*FUSED, "LPIPS")),
    ("Table 3, means over LLVIP and RoadScene", "table3.csv", "condition", FUSED),
    ("Table 3, the same: LPIPS to the clean sources, and to the own clean image", "table3.csv", "condition",
     ("LPIPS", "LPIPS_self")),
    ("Severity, four pairs of RoadScene: Qabf at levels 1 to 4", "severity.csv", "kind", ("Qabf",)),
    ("Severity, the same pairs: LPIPS at levels 1 to 4", "severity.csv", "kind", ("LPIPS",)),
)  # fmt: skip


def scores(file: Path, columns: str, metrics: tuple[str, ...]) -> pd.DataFrame:
    """Means of a table's CSV file, by method, column and what stands in a cell.

    Args:
        file: what `dream-if tables` wrote.
        columns: "set", or over all sets "condition", or "kind", with its levels side by side in a cell.
        metrics: side by side in a cell; one where columns are kinds.
    """
    lines = pd.read_csv(file)
    lines = lines[~lines["set"].str.endswith("(paper)") & lines["metric"].isin(metrics)]
    lines["part"] = lines["metric"]
    if columns == "kind":
        lines = lines[lines["condition"] != "clean"]
        lines[["kind", "part"]] = lines["condition"].str.rsplit(" ", n=1, expand=True)
    means = lines.groupby(["method", columns, "part", "metric"], sort=False)["mean"].mean()
    return means.rename_axis(index={columns: "column"}).reset_index()


def markdown(file: Path, columns: str, metrics: tuple[str, ...]) -> str:
    """A row for each method, a column for each set, condition or kind; the best in bold."""
    means = scores(file, columns, metrics)
    shown = [metric for metric in metrics if metric in set(means["metric"])]
    parts = sorted(means["part"].unique()) if columns == "kind" else shown
    titles = means["column"].unique()
    rows = [f"| {' / '.join(shown)} | {' | '.join(titles)} |", f"|---|{'---|' * len(titles)}"]
    for method in means["method"].unique():
        cells = []
        for title in titles:
            values = []
            for part in parts:
                at = means[(means["column"] == title) & (means["part"] == part)].set_index("method")
                value = at["mean"][method]
                metric = METRICS[at["metric"].iloc[0].removesuffix("_self")]
                best = at["mean"].max() if metric.higher_is_better else at["mean"].min()
                text = "–" if pd.isna(value) else f"{value:.3f}"
                values.append(f"**{text}**" if f"{best:.3f}" == text else text)
            cells.append(" / ".join(values))
        rows.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(rows)


def tables() -> str:
    """All tables, each folded under its title."""
    parts = []
    for title, name, columns, metrics in TABLES:
        table = markdown(FILES / name, columns, metrics)
        parts += [f'<details markdown="1">\n<summary>{title}</summary>\n', table, ""]
        parts += ["</details>", ""]
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
