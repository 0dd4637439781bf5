"""The tables of docs/results.md are those that its script prints from the CSV files in docs/data/tables."""

from pathlib import Path

import pytest

from benchmarks import shipped_tables as script


def test_the_page_has_what_is_printed() -> None:
    _, block, _ = script.PAGE.read_text().split(script.MARK)
    assert block.strip() == script.tables().strip()


@pytest.mark.parametrize(
    ("metric", "row"),
    [
        ("Qabf", "| ours | **0.600** | 0.300 |"),
        ("LPIPS", "| ours | 0.600 | **0.300** |"),
    ],
)
def test_the_best_is_bold(metric: str, row: str, tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    lines = [
        f"TNO,clean,ours,{metric},0.6", f"MSRS,clean,ours,{metric},0.3", f"TNO,clean,theirs,{metric},0.4",
        f"MSRS,clean,theirs,{metric},0.5", f"TNO (paper),clean,TTD,{metric},0.9", "TNO,clean,ours,AG,4",
    ]  # fmt: skip
    file.write_text("\n".join(["set,condition,method,metric,mean", *lines]))
    assert script.markdown(file, "set", (metric,)).splitlines() == [
        f"| {metric} | TNO | MSRS |",
        "|---|---|---|",
        row,
        "| theirs | 0.400 | **0.500** |" if metric == "Qabf" else "| theirs | **0.400** | 0.500 |",
    ]


def test_a_score_that_no_image_has_is_a_dash(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("set,condition,method,metric,mean\nTNO,clean,ours,Dimming,nan\n")
    assert "| ours | – |" in script.markdown(file, "set", ("Dimming",))


def test_a_column_for_each_condition_has_means_over_sets(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    lines = [
        "TNO,rain,ours,LPIPS,0.2", "MSRS,rain,ours,LPIPS,0.4", "TNO,blur,ours,LPIPS,0.5", "MSRS,blur,ours,LPIPS,0.7",
        "TNO,rain,ours,LPIPS_self,0.1", "MSRS,rain,ours,LPIPS_self,0.1", "TNO,blur,ours,LPIPS_self,0.3",
        "MSRS,blur,ours,LPIPS_self,0.3", "TNO,rain,theirs,LPIPS,0.4", "MSRS,rain,theirs,LPIPS,0.4",
        "TNO,blur,theirs,LPIPS,0.1", "MSRS,blur,theirs,LPIPS,0.1", "TNO,rain,theirs,LPIPS_self,0",
        "MSRS,rain,theirs,LPIPS_self,0", "TNO,blur,theirs,LPIPS_self,0.4", "MSRS,blur,theirs,LPIPS_self,0.4",
        "TNO (paper),rain,TTD,LPIPS,0",
    ]  # fmt: skip
    file.write_text("\n".join(["set,condition,method,metric,mean", *lines]))
    assert script.markdown(file, "condition", ("LPIPS", "LPIPS_self")).splitlines() == [
        "| LPIPS / LPIPS_self | rain | blur |",
        "|---|---|---|",
        "| ours | **0.300** / 0.100 | 0.600 / **0.300** |",
        "| theirs | 0.400 / **0.000** | **0.100** / 0.400 |",
    ]


def test_a_column_for_each_kind_has_its_levels(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    lines = [
        "TNO,clean,ours,Qabf,0.9", "TNO,rain 1,ours,Qabf,0.5", "TNO,rain 2,ours,Qabf,0.4", "TNO,blur 1,ours,Qabf,0.6",
        "TNO,blur 2,ours,Qabf,0.2", "TNO,rain 1,ours,SSIM,1.1", "TNO,clean,theirs,Qabf,0.9",
        "TNO,rain 1,theirs,Qabf,0.3", "TNO,rain 2,theirs,Qabf,0.6", "TNO,blur 1,theirs,Qabf,0.1",
        "TNO,blur 2,theirs,Qabf,0.1",
    ]  # fmt: skip
    file.write_text("\n".join(["set,condition,method,metric,mean", *lines]))
    assert script.markdown(file, "kind", ("Qabf",)).splitlines() == [
        "| Qabf | rain | blur |",
        "|---|---|---|",
        "| ours | **0.500** / 0.400 | **0.600** / **0.200** |",
        "| theirs | 0.300 / **0.600** | 0.100 / 0.100 |",
    ]
