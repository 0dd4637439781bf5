"""The tables of docs/results.md are those that its script prints from the CSV files in docs/data/tables."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks import shipped_tables as script


def test_the_page_has_what_is_printed() -> None:
    _, block, _ = script.PAGE.read_text().split(script.MARK)
    assert block.strip() == script.tables().strip()


@pytest.mark.parametrize(("card", "files"), [("small", "table"), ("fast", "table"), ("open", "open_table")])
@pytest.mark.parametrize(("heading", "number"), [("clean", 1), ("noise of sigma 35", 2)])
def test_the_cards_have_the_values_of_the_files(card: str, files: str, heading: str, number: int) -> None:
    means = pd.read_csv(script.FILES / f"{files}{number}.csv").set_index(["method", "set", "metric"])["mean"]
    page = (script.PAGE.parent / f"model_card_{card}.md").read_text()
    table = page.partition(f"| {heading}: ")[2].partition("\n\n")[0].replace("*", "")
    (metrics, *sets), _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
    assert len(sets) == 5
    assert len(rows) >= 2
    for name, *cells in rows:
        method = f"Dream-IF {name}" if name in ("small", "fast") else name
        assert cells == [
            " / ".join(f"{means[method, place, metric]:.3f}" for metric in metrics.split(" / ")) for place in sets
        ]


@pytest.mark.parametrize(
    ("metric", "row"),
    [
        ("Qabf", "| ours | **0.600** | 0.300 |"),
        ("LPIPS", "| ours | 0.600 | **0.300** |"),
        ("LPIPS_self", "| ours | 0.600 | **0.300** |"),
    ],
)
def test_the_best_is_bold(metric: str, row: str, tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    lines = [
        f"TNO,clean,ours,{metric},0.6", f"MSRS,clean,ours,{metric},0.3", f"TNO,clean,theirs,{metric},0.4",
        f"MSRS,clean,theirs,{metric},0.5", f"TNO (paper),clean,TTD,{metric},0.9", "TNO,clean,ours,AG,4",
    ]  # fmt: skip
    file.write_text("\n".join(["set,condition,method,metric,mean", *lines]))
    assert script.markdown(file, (metric,)).splitlines() == [
        f"| {metric} | TNO | MSRS |",
        "|---|---|---|",
        row,
        "| theirs | 0.400 | **0.500** |" if metric == "Qabf" else "| theirs | **0.400** | 0.500 |",
    ]


def test_a_score_that_no_image_has_is_a_dash(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("set,condition,method,metric,mean\nTNO,clean,ours,Dimming,nan\n")
    assert "| ours | – |" in script.markdown(file, ("Dimming",))


def test_costs_are_in_millions_of_parameters_billions_of_operations_milliseconds_and_mebibytes(tmp_path: Path) -> None:
    file = tmp_path / "efficiency.csv"
    lines = ["ours,2704205,136837066782.0,108.8928,900243456", "theirs,,,0.0057,1048576"]
    file.write_text("\n".join(["method,parameters,operations,seconds,memory", *lines]))
    assert script.efficiency(file).splitlines() == [
        "| method | M parameters | GMAC | ms | MiB |",
        "|---|---:|---:|---:|---:|",
        "| ours | 2.704 | 136.84 | 108892.8 | 859 |",
        "| theirs | – | – | 5.7 | 1 |",
    ]


def test_columns_by_condition_are_means_of_sets_and_by_level_have_a_value_for_each(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    lines = [
        "TNO,clean,ours,SSIM,1", "TNO,rain 1,ours,SSIM,0.4", "MSRS,rain 1,ours,SSIM,0.2", "TNO,rain 2,ours,SSIM,0.1",
        "TNO,low_light 1,ours,SSIM,0.7", "TNO,low_light 2,ours,SSIM,0.6",
        "TNO,clean,theirs,SSIM,1", "TNO,rain 1,theirs,SSIM,0.2", "TNO,rain 2,theirs,SSIM,0.5",
        "TNO,low_light 1,theirs,SSIM,0.8", "TNO,low_light 2,theirs,SSIM,0.5",
    ]  # fmt: skip
    file.write_text("\n".join(["set,condition,method,metric,mean", *lines]))
    assert script.markdown(file, ("SSIM",), "level").splitlines() == [
        "| SSIM 1 / SSIM 2 | rain | low_light |",
        "|---|---|---|",
        "| ours | **0.300** / 0.100 | 0.700 / **0.600** |",
        "| theirs | 0.200 / **0.500** | **0.800** / 0.500 |",
    ]
    assert "| ours | **1.000** | **0.300** | 0.100 |" in script.markdown(file, ("SSIM",), "condition")
