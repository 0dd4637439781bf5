"""Prints the tables of docs/table4.md from the scores in docs/data/table4, or writes them into the page.

    python benchmarks/table4_differences.py [--write]

A run's folder is called <row>-<seed>-<hash>. First each row's mean over sets and seeds, its standard deviation over
seeds and its rank among the paper's rows; below them the paper's, of clean LLVIP. Then differences: the mean over sets
of the mean difference, least to largest of the sets, and on how many sets all seeds are ahead / behind with p < .01 by
Wilcoxon's signed-rank test over images, each image's score being the mean over seeds. Then what the fusion weight says.
"""

import sys
from pathlib import Path

import pandas as pd
from scipy.stats import wilcoxon

from dream_if.reports.published_numbers import TABLE_4

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "table4.md"
MARK = "<!-- benchmarks/table4_differences.py -->\n"
CONDITIONS = {
    "clean": "clean", "both": "both", "visible": "visible alone", "infrared": "infrared alone",
    "local": "a region of one",
}  # fmt: skip
METRICS = ("Qabf", "SSIM", "VIFF")
ROWS = ("base", "rd", "rd_ce", "rd_se", "rd_ce_se")
CONTROLS = ("frozen", "plain")
FULL = "rd_ce_se"
NAMES = {"rd": "RD", "rd_ce": "RD + CE", "rd_se": "RD + SE", FULL: "RD + CE + SE", "paper": "paper, clean LLVIP"}
STATISTICS = {
    "RD_visible": "mean of visible", "RD_deviation": "deviation", "RD_activity_rank": "rank with activity",
    "RD_trust_rank": "rank with trusted activity", "RD_fall": "fall of the corrupted source",
    "RD_fall_inside": "inside", "RD_fall_outside": "outside",
}  # fmt: skip
LEVEL = 0.01


def read_scores(root: Path) -> pd.DataFrame:
    """The scores of all images of all runs below a folder, with the row, seed, set and condition of each."""
    frames = []
    for file in sorted(root.glob("*/per_image.csv")):
        row, seed, *_ = file.parent.name.split("-")
        frames.append(pd.read_csv(file).assign(row=row, seed=int(seed)))
    scores = pd.concat(frames, ignore_index=True)
    place = scores["set"].str.split("+", n=1, expand=True)
    return scores.assign(set=place[0], condition=place[1].fillna("clean"))


def compared(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """A table of one method less another, with the seeds that both have."""
    seeds = sorted(set(first.seed) & set(second.seed))
    index = ["condition", "set", "name", "seed"]
    paired = (frame[frame.seed.isin(seeds)].set_index(index)[list(METRICS)] for frame in (first, second))
    difference = next(paired).sub(next(paired))
    table = {}
    for (condition, metric), values in (
        difference.melt(ignore_index=False).set_index("variable", append=True).groupby(level=["condition", "variable"])
    ):
        means, ahead, behind = [], 0, 0
        for _, of_set in values["value"].groupby(level="set"):
            by_seed = of_set.groupby(level="seed").mean()
            means.append(by_seed.mean())
            sure = wilcoxon(of_set.groupby(level="name").mean()).pvalue < LEVEL
            ahead += bool(sure and (by_seed > 0).all())
            behind += bool(sure and (by_seed < 0).all())
        mean = sum(means) / len(means)
        table[condition, metric] = f"{mean:+.3f} ({min(means):+.3f} to {max(means):+.3f}), {ahead}/{behind}"
    return pd.Series(table).unstack().loc[list(CONDITIONS), list(METRICS)]


def in_order(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One metric of all rows by condition: mean ± deviation over seeds, and the rank among the rows of the paper."""
    by_seed = scores.groupby(["condition", "row", "seed", "set"])[metric].mean().groupby(level=[0, 1, 2]).mean()
    means, deviations = (by_seed.groupby(level=[0, 1]).agg(how).unstack() for how in ("mean", "std"))
    present = [row for row in ROWS if row in means]
    means.loc["paper"] = {row: TABLE_4[row][metric] for row in present}
    ranks = means[present].rank(axis=1, ascending=False)

    def cell(condition: str, row: str) -> str:
        if pd.isna(means.at[condition, row]):
            return ""
        spread = "" if pd.isna(deviations[row].get(condition)) else f" ± {deviations.at[condition, row]:.3f}"
        rank = f" ({ranks.at[condition, row]:.0f})" if row in present else ""
        return f"{means.at[condition, row]:.3f}{spread}{rank}"

    columns = [row for row in (*ROWS, *CONTROLS) if row in means]
    index = [*CONDITIONS, "paper"]
    return pd.DataFrame([[cell(condition, row) for row in columns] for condition in index], index, columns)


def markdown(title: str, table: pd.DataFrame) -> str:
    """A table with its title."""
    names = CONDITIONS | NAMES
    head = ["condition", *(names.get(column, STATISTICS.get(column, column)) for column in table)]
    rows = [
        head,
        ["---"] * len(head),
        *([names[name], *row] for name, row in zip(table.index, table.to_numpy(), strict=True)),
    ]
    return f"**{title}**\n\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def tables(root: Path) -> str:
    """All tables, of the runs below a folder."""
    scores = read_scores(root)
    network = scores[scores.method == "network"]
    rows = dict(iter(network.groupby("row")))
    rows["shuffled"] = scores[(scores.method == "shuffled") & (scores.row == FULL)]
    parts = [markdown(f"{metric} of all rows", in_order(network, metric)) for metric in METRICS]
    against_base = [(row, "base") for row in (FULL, *ROWS[1:-1], *CONTROLS)]
    for first, second in [*against_base, *((FULL, control) for control in ("shuffled", *CONTROLS))]:
        if first in rows and second in rows:
            seeds = len(set(rows[first].seed) & set(rows[second].seed))
            title = f"{NAMES.get(first, first)} less {NAMES.get(second, second)}, {seeds} seed{'s' * (seeds > 1)}"
            parts.append(markdown(title, compared(rows[first], rows[second])))
    means = rows[FULL].groupby(["condition", "set"])[list(STATISTICS)].mean()
    ends = {end: means.groupby(level="condition").agg(end).loc[list(CONDITIONS)] for end in ("min", "max")}
    told = ends["min"].map("{:.2f} to ".format) + ends["max"].map("{:.2f}".format)
    title = "What the fusion weight says, mean over seeds, least to largest mean of the five sets"
    return "\n".join([*parts, markdown(title, told.where(ends["min"].notna(), ""))])


def main() -> None:
    """Print the tables, or write them between the marks of the page."""
    printed = tables(ROOT / "docs" / "data" / "table4")
    if sys.argv[1:] != ["--write"]:
        print(printed)
        return
    before, _, after = PAGE.read_text().split(MARK)
    PAGE.write_text(f"{before}{MARK}\n{printed}\n{MARK}{after}")


if __name__ == "__main__":
    main()
