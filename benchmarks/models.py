"""The page docs/models.md from the JSON of each model and training, and what is measured into that JSON.

python -m benchmarks.models > docs/models.md                                  # or: make models
python -m benchmarks.models --measure small --threads 2                       # time, memory, operations
python -m benchmarks.models --measure docs/data/table4/rd-0-c2f816            # the same of a training
python -m benchmarks.models --card small > src/dream_if/weights/small.md      # for the Hugging Face hub
python -m benchmarks.models --scores small runs/tables/table1.csv runs/tables/table2.csv \
    --by "dream-if tables 1 tables/shipped --data data" "dream-if tables 2 --limit 20 tables/shipped --data data"
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml

from dream_if.inference import Fuser, load_network
from dream_if.inference.card import card, score_table
from dream_if.methods.method import Computed
from dream_if.methods.rows import Row
from dream_if.models import DreamIF, ForeignNetwork, FusionNetwork
from dream_if.models.shipped import SHIPPED, shipped
from dream_if.reports.efficiency import measure

RUNS = Path("docs/data")  # the trainings whose scores the pages report
METRICS = ("Qabf", "SSIM", "VIFF")
CARD_METRICS = (*METRICS, "LPIPS")
SETS = ("llvip", "roadscene", "msrs", "m3fd", "tno")
CONDITIONS = {"clean": "", "Gaussian noise of sigma 35 on both": "+noise", "one of seven corruptions on both": "+both"}
SIZES = {"640x480": (480, 640), "1280x1024": (1024, 1280)}
HEAD = """\
# Models

The weights that come with the package. `make models` writes this page from the JSON file beside each;
`python -m benchmarks.models --measure NAME --threads 2` measures time and memory again.
"""
TRAININGS = """\
## Trainings for the tables

The rows of [Table 4](table4.md) and of [DreamIF beside a U-Net](networks.md): small networks, trained for minutes on
pairs of LLVIP, RoadScene, MSRS and M3FD. LLVIP is free for non-commercial use alone, the others state no licence, so
these weights are not shipped, and there is no hash. The folder `docs/data/<training>` has the recipe, `config.yaml`
(`dream-if fit --config` takes it), and the scores of all images. The digit in a name is the seed.
Scores are means over crops of 160 pixels from 145 test pairs. They do not compare with those of whole images above.

Seconds are of processor time on one core of a busy virtual machine, in bfloat16; all seeds of a network cost
the same. `python -m benchmarks.models --measure docs/data/<training>` measures again.
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
            f"| data | {', '.join(told['data'].get('root') or ['generated scenes'])} |",
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
    return "\n".join([*parts, *trainings(RUNS), ""])


def trainings(folder: Path) -> Iterator[str]:
    """Tables of the trainings in a folder: what each costs, and what it scores under each condition."""
    yield TRAININGS
    yield f"| training | parameters |{''.join(f' {size}: GMAC | seconds | MiB |' for size in SIZES)}"
    yield f"|---|---:|{'---:|---:|---:|' * len(SIZES)}"
    for file in sorted(folder.glob("*/*/cost.json")):
        cost = json.loads(file.read_text())
        sizes = (f" {of['gmac']:.1f} | {of['seconds']:.1f} | {of['mib']} |" for of in cost["sizes"].values())
        yield f"| {file.parent.relative_to(folder)} | {cost['parameters']:,} |{''.join(sizes)}"
    for title, condition in CONDITIONS.items():
        yield from ("", f"| {title}: {' / '.join(METRICS)} | {' | '.join(SETS)} |", f"|---|{'---|' * len(SETS)}")
        for file in sorted(folder.glob("*/*/metrics.json")):
            values = json.loads(file.read_text()).get("test", {}).get("metrics", {})
            if f"test/{SETS[0]}{condition}/{METRICS[0]}" in values:
                cells = (
                    " / ".join(f"{values[f'test/{name}{condition}/{metric}']:.3f}" for metric in METRICS)
                    for name in SETS
                )
                yield f"| {file.parent.relative_to(folder)} | {' | '.join(cells)} |"


def network_of(run: Path) -> FusionNetwork:
    """The network of a run's configuration, with random weights."""
    settings = yaml.safe_load((run / "config.yaml").read_text())["model"]["net"]
    if "class_path" in settings:
        return ForeignNetwork.made(settings["class_path"], **settings["init_args"])
    return DreamIF(**settings)


def measured(name: str, net: FusionNetwork, threads: int, clock: Callable[[], float]) -> dict[str, Any]:
    """Operations, time and memory of one pair of each size, on the CPU, as `dream-if fuse` computes."""
    torch.set_num_threads(threads)
    fuser = Fuser(net, device="cpu")
    row = Row(name, Computed(lambda visible, infrared: fuser(visible, infrared, maps=False).image, "", "", net))
    sizes = {}
    for title, size in SIZES.items():
        cost = measure(row, size, repeats=1, device=torch.device("cpu"), clock=clock)
        sizes[title] = {
            "gmac": round((cost.operations or 0) / 1e9, 1),
            "seconds": round(cost.seconds, 1),
            "mib": round((cost.memory or 0) / 2**20),
        }
    return {
        "on": f"{platform.machine()} CPU, {threads} thread(s), {fuser.precision}, torch {torch.__version__}",
        "sizes": sizes,
    }


def scores(tables: list[Path], method: str) -> dict[str, Any]:
    """Condition -> set -> metric -> mean, of one method in the CSV files that `dream-if tables` wrote."""
    found: dict[str, Any] = {}
    for table in tables:
        lines = pd.read_csv(table)
        for line in lines[(lines["method"] == method) & lines["metric"].isin(CARD_METRICS)].itertuples():
            found.setdefault(line.condition, {}).setdefault(line.set, {})[line.metric] = round(line.mean, 6)
    return found


def main() -> None:
    """Print the page, or write into a model's JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", metavar="NAME", help="shipped weights, or the folder of a training")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--scores", nargs="+", metavar=("NAME", "CSV"))
    parser.add_argument("--by", nargs="+", metavar="COMMAND", help="what wrote the CSV files of --scores")
    parser.add_argument("--card", metavar="NAME")
    options = parser.parse_args()
    if options.scores and not options.by:
        parser.error("--scores needs --by: the commands that wrote the CSV files")
    if options.card:
        print(card(options.card, json.loads((SHIPPED / f"{options.card}.json").read_text())), end="")
        return
    if not (name := options.measure or (options.scores or [""])[0]):
        print(page(), end="")
        return
    if (run := Path(name)).is_dir():
        net = network_of(run)
        cost = measured(run.name, net, 1, time.process_time)
        count = sum(parameter.numel() for parameter in net.parameters())
        (run / "cost.json").write_text(json.dumps({"parameters": count, **cost}, indent=2) + "\n")
        return
    file = SHIPPED / f"{name}.json"
    told = json.loads(file.read_text())
    if options.measure:
        told["cost"] = measured(name, load_network(name), options.threads, time.perf_counter)
    else:
        told["scores"] = scores([Path(table) for table in options.scores[1:]], f"Dream-IF {name}")
        told["scored_by"] = options.by
    file.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
