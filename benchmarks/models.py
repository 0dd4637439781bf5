"""The page docs/models.md from the JSON beside each shipped model, and what is measured into that JSON.

python -m benchmarks.models > docs/models.md                                  # or: make models
python -m benchmarks.models --measure small --threads 2                       # time, memory, operations
python -m benchmarks.models --scores small runs/tables/folders/table1.csv runs/tables/folders/table2.csv
"""

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from dream_if.inference import Fuser, load_network
from dream_if.inference.card import score_table
from dream_if.methods.method import Computed
from dream_if.methods.rows import Row
from dream_if.models.shipped import SHIPPED, shipped
from dream_if.reports.efficiency import measure

SIZES = {"640x480": (480, 640), "1280x1024": (1024, 1280)}
HEAD = """\
# Models

The weights that come with the package. `make models` writes this page from the JSON file beside each;
`python -m benchmarks.models --measure NAME` measures time and memory again.
"""


def page() -> str:
    """All models as Markdown."""
    parts = [HEAD]
    for name in shipped():
        told = json.loads((SHIPPED / f"{name}.json").read_text())
        training = told["training"]
        parts += [
            f"## {name}",
            "",
            "| | |",
            "|---|---|",
            f"| parameters | {told['parameters']:,} |",
            f"| data | {', '.join(told['data']['root'])} |",
            f"| terms | {told['terms']} |",
            f"| training | {training['epochs']} epochs, {training['steps']} steps, seed {training['seed']}, "
            f"{training['trainer']['precision']}, on {training['hardware']} |",
            f"| started from | {training['start_from'] or 'nothing'} |",
            f"| commit | `{training['commit']}` |",
            f"| best by | {training['best_by']} {training['best_value']:.4f} |",
            f"| SHA-256 | `{told['sha256']}` |",
        ]
        if cost := told.get("cost"):
            parts += ["", f"| {cost['on']} | GMAC | seconds | MiB |", "|---|---:|---:|---:|"]
            for size, of in cost["sizes"].items():
                parts.append(f"| {size} | {of['gmac']:.1f} | {of['seconds']:.1f} | {of['mib']} |")
        parts += [*score_table(told), "", f"[How they were made, and what to look out for](model_card_{name}.md).", ""]
    return "\n".join(parts)


def measured(name: str, threads: int) -> dict[str, Any]:
    """Operations, time and memory of one pair of each size, on the CPU, as `dream-if fuse` computes."""
    torch.set_num_threads(threads)
    net = load_network(name)
    fuser = Fuser(net, device="cpu")
    row = Row(name, Computed(lambda visible, infrared: fuser(visible, infrared, maps=False).image, "", "", net))
    sizes = {}
    for title, size in SIZES.items():
        cost = measure(row, size, repeats=1, device=torch.device("cpu"))
        sizes[title] = {
            "gmac": round((cost.operations or 0) / 1e9, 1),
            "seconds": round(cost.seconds, 1),
            "mib": round((cost.memory or 0) / 2**20),
        }
    return {
        "on": f"{platform.machine()} CPU, {threads} thread(s), {fuser.precision}, torch {torch.__version__}",
        "sizes": sizes,
    }


def scores(tables: list[Path]) -> dict[str, Any]:
    """Condition -> set -> metric -> mean, of the first method of the CSV files that `dream-if tables` wrote."""
    found: dict[str, Any] = {}
    for table in tables:
        lines = pd.read_csv(table)
        for line in lines[lines["method"] == lines["method"].iloc[0]].itertuples():
            found.setdefault(line.condition, {}).setdefault(line.set, {})[line.metric] = round(line.mean, 4)
    return found


def main() -> None:
    """Print the page, or write into a model's JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", metavar="NAME")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--scores", nargs="+", metavar=("NAME", "CSV"))
    options = parser.parse_args()
    if not (name := options.measure or (options.scores or [""])[0]):
        print(page(), end="")
        return
    file = SHIPPED / f"{name}.json"
    told = json.loads(file.read_text())
    if options.measure:
        told["cost"] = measured(name, options.threads)
    else:
        told["scores"] = scores([Path(table) for table in options.scores[1:]])
        plan = f"experiments/tables/folders.yaml --data data --weights {name}"
        told["scored_by"] = [f"dream-if tables {number} {plan}" for number in (1, 2)]
    file.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
