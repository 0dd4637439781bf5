"""The differences that docs/table4.md prints: the full network less base, less itself with others' maps, less plain.

    python benchmarks/table4_differences.py [docs/data/table4]

A run's folder is called <row>-<seed>-<hash>. By condition and metric: the mean over sets of the mean difference, least
to largest of the sets, and on how many sets all seeds are ahead / behind with p < .01 by Wilcoxon's signed-rank test
over images, each image's score being the mean over seeds. Then what the fusion weight says.
"""

import sys
from pathlib import Path

import pandas as pd
from scipy.stats import wilcoxon

CONDITIONS = ("clean", "both", "visible", "infrared", "local")
METRICS = ("Qabf", "SSIM", "VIFF")
STATISTICS = (
    *("RD_visible", "RD_deviation", "RD_activity_rank", "RD_trust_rank"),
    *("RD_fall", "RD_fall_inside", "RD_fall_outside"),
)
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


def markdown(table: pd.DataFrame) -> str:
    """The rows of a table in Markdown."""
    return "\n".join(f"| {name} | {' | '.join(row)} |" for name, row in zip(table.index, table.to_numpy(), strict=True))


def main() -> None:
    """Print the tables."""
    scores = read_scores(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/data/table4"))
    network, shuffled = (scores[scores.method == method] for method in ("network", "shuffled"))
    rows = {row: network[network.row == row] for row in ("base", "rd_ce_se", "plain")}
    full = rows["rd_ce_se"]
    pairs = {
        "base": (full, rows["base"]), "shuffled": (full, shuffled[shuffled.row == "rd_ce_se"]),
        "plain": (full, rows["plain"]), "plain less base": (rows["plain"], rows["base"]),
    }  # fmt: skip
    for name, (first, second) in pairs.items():
        seeds = len(set(first.seed) & set(second.seed))
        title = name if "less" in name else f"RD + CE + SE less {name}"
        print(f"\n{title}, {seeds} seed(s)\n\n{markdown(compared(first, second))}")
    means = full.groupby(["condition", "set"])[list(STATISTICS)].mean()
    ends = {end: means.groupby(level="condition").agg(end).loc[list(CONDITIONS)] for end in ("min", "max")}
    told = ends["min"].map("{:.2f} to ".format) + ends["max"].map("{:.2f}".format)
    print(f"\n{', '.join(STATISTICS)}\n\n{markdown(told.where(ends['min'].notna(), ''))}")


if __name__ == "__main__":
    main()
