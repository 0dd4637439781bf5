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
    ("Table 1, clean", "table1.csv", (*FUSED, "AG", "SF")),
    ("Table 1, clean: grey skies, grain, clipping", "table1.csv", SEEN_FIRST),
    ("Table 1, RoadScene, beside published networks", "peers.csv", (*FUSED, "AG", "SF", *SEEN_FIRST)),
    ("Table 2, noise of sigma 35 on both sources", "table2.csv", (*FUSED, "LPIPS")),
    ("Table 2, the same noise: grey skies, grain, clipping", "table2.csv", SEEN_FIRST),
    ("Table 2 with FFDNet, the same noise", "ffdnet.csv", (*FUSED, "LPIPS")),
)


def markdown(file: Path, metrics: tuple[str, ...]) -> str:
    """A row for each method of a table's CSV file, a column for each set; the best in bold."""
    lines = pd.read_csv(file)
    lines = lines[~lines["set"].str.endswith("(paper)") & lines["metric"].isin(metrics)]
    means = lines.groupby(["method", "set", "metric"], sort=False)["mean"].mean()
    methods, columns = lines["method"].unique(), lines["set"].unique()
    rows = [f"| {' / '.join(metrics)} | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for method in methods:
        cells = []
        for column in columns:
            values = []
            for metric in metrics:
                of_all = means[:, column, metric]
                best = of_all.max() if METRICS[metric].higher_is_better else of_all.min()
                text = "–" if pd.isna(of_all[method]) else f"{of_all[method]:.3f}"
                values.append(f"**{text}**" if f"{best:.3f}" == text else text)
            cells.append(" / ".join(values))
        rows.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(rows)


def tables() -> str:
    """All tables, each folded under its title."""
    parts = []
    for title, name, metrics in TABLES:
        parts += [f'<details markdown="1">\n<summary>{title}</summary>\n', markdown(FILES / name, metrics), ""]
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
