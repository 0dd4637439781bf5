"""What stands at the top of Table 4, on runs whose numbers are known."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from dream_if.metrics import SSIM, Qabf
from tests.reports.reading import lines_of_csv, sections
from tests.runs.made_runs import METRICS, ROWS, write_run

SEEDS = (0, 1, 2)
ORDER = "Order of the rows, by their mean over sets"
VERDICT = "RD + CE + SE, on how many sets it is ahead and behind"


@pytest.fixture
def write_known(tmp_path, monkeypatch):
    """`write_known({set: images}, {row: {set: value}})`: runs in which every metric is that, else 0.4.

    A value is one number, or one for each seed, or (seeds, images). The images of a set differ alike for all rows.
    """
    monkeypatch.chdir(tmp_path)

    def call(images: dict[str, int], values: dict[str, dict[str, object]]) -> None:
        for row in ROWS:
            for seed in SEEDS:
                of_row = {name: values.get(row, {}).get(name, 0.4) for name in images}
                scores = {name: scores_around(value, images[name])[seed] for name, value in of_row.items()}
                write_run(Path("runs/table4") / f"{row}-{seed}", row, seed, scores=scores)

    return call


def scores_around(value: object, images: int) -> np.ndarray:
    """(seeds, images, metrics)."""
    given = np.asarray(value)
    by_image = np.broadcast_to(given[:, None] if given.ndim == 1 else given, (len(SEEDS), images))
    return np.repeat((by_image + np.linspace(-0.1, 0.1, images))[:, :, None], len(METRICS), axis=2)


def lines_of(text: str, title: str) -> dict[tuple[str, str], list[str]]:
    """(condition, metric) -> the other cells."""
    return {(row[0], row[1]): row[2:] for row in sections(text)[title][1:]}


def test_the_order_of_the_rows_is_that_of_their_means_over_sets(run, write_known):
    values = {
        "base": {"road": 0.40, "city": 0.50},
        "rd": {"road": (0.40, 0.42, 0.44), "city": (0.54, 0.52, 0.50)},  # the seeds differ on a set, not over them
        "rd_ce": {"road": (0.40, 0.41, 0.42), "city": (0.50, 0.51, 0.52)},
        "rd_se": {"road": 0.50, "city": 0.40},  # as base over the sets, on none alone
        "rd_ce_se": {"road": 0.1, "city": 1.0, "road+fog": 0.3},
    }
    write_known({"road": 4, "city": 40, "road+fog": 4}, values)
    outcome = run("tables", "4")
    lines = lines_of(outcome.out, ORDER)
    assert list(lines) == [("clean", "AG"), ("clean", "Qabf"), ("clean", "SSIM"), ("fog", "Qabf"), ("fog", "SSIM")]
    assert lines["clean", "Qabf"][0] == (
        "RD + CE + SE 0.550 ± 0.000 > RD 0.470 ± 0.000 > RD + CE 0.460 ± 0.010 > base 0.450 ± 0.000 "
        "= RD + SE 0.450 ± 0.000"
    )
    assert lines["fog", "SSIM"][0].startswith("base 0.400 ± 0.000 = RD 0.400")
    assert lines["fog", "SSIM"][0].endswith(" > RD + CE + SE 0.300 ± 0.000")
    assert lines["clean", "Qabf"][1] == "RD + CE + SE > RD + CE > RD + SE > RD > base"  # .679 .675 .668 .659 .627
    assert lines["clean", "AG"][1] == "RD + CE + SE > RD + SE > RD + CE > RD > base"
    assert outcome.out.index(ORDER) < outcome.out.index(VERDICT) < outcome.out.index("## road")
    page = re.sub(r">\s+<", "><", Path("runs/table4/table4.html").read_text())
    assert "<td>RD + CE + SE &gt; RD + CE &gt;" in page
    assert "<td>fog</td><td>SSIM</td><td>1 (0)</td>" in page


def test_where_lower_is_better_the_lowest_comes_first_and_is_ahead(run, write_known, monkeypatch):
    monkeypatch.setattr(Qabf, "higher_is_better", False)
    monkeypatch.setattr(SSIM, "higher_is_better", None)
    write_known({"road": 40, "city": 40}, {"rd_ce_se": {"road": 0.3, "city": 0.5}, "rd": {"road": 0.3}})
    text = run("tables", "4").out
    orders = lines_of(text, ORDER)
    assert list(orders) == [("clean", "AG"), ("clean", "Qabf")]
    assert orders["clean", "Qabf"][0].startswith("RD 0.350 ± 0.000 > base 0.400")
    assert orders["clean", "AG"][0].endswith(" > RD 0.350 ± 0.000")
    assert lines_of(text, VERDICT)["clean", "Qabf"] == ["2 (2)", "1 ahead, 1 behind"]
    assert lines_of(text, VERDICT)["clean", "AG"] == ["2 (2)", "1 ahead, 1 behind"]
    lines = lines_of_csv()
    assert [lines["road", "rd_ce_se", metric]["seeds_ahead"] for metric in ("Qabf", "AG")] == ["3", "0"]


PLACES = {
    "ahead": (40, 0.43),
    "ahead too": (40, (0.401, 0.41, 0.41)),
    "few": (5, 0.43),  # images: p is not below .01
    "one seed": (40, (0.45, 0.45, 0.399)),
    "behind": (40, 0.38),
    "a little behind": (40, 0.395),
    "behind by one seed": (40, (0.43, 0.43, 0.30)),
    "ahead by one image": (40, np.full((3, 40), 0.399) + np.eye(1, 40)),  # the test speaks for base
}


def test_ahead_takes_all_seeds_and_a_small_p_and_behind_a_hundredth(run, write_known):
    sets = {f"{name}{condition}": count for name, (count, _) in PLACES.items() for condition in ("", "+fog")}
    values = {name: value for name, (_, value) in PLACES.items()} | {"ahead+fog": 0.43}
    write_known(sets, {"rd_ce_se": values})
    outcome = run("tables", "4")
    assert sections(outcome.out)[VERDICT][0] == ["condition", "metric", "sets (large enough)", "against base"]
    lines = lines_of(outcome.out, VERDICT)
    assert lines["clean", "Qabf"] == ["8 (7)", "2 ahead, 2 behind"]
    assert lines["fog", "Qabf"] == ["8 (7)", "1 ahead, 0 behind"]
    place = lines_of_csv()["ahead by one image", "rd_ce_se", "Qabf"]
    assert place["seeds_ahead"] == "3"
    assert float(place["p_holm"]) < 0.01
    assert ("fog", "AG") not in lines
    assert "is ahead on a set if each seed has the better mean and the corrected p is below 0.01" in outcome.out
    assert "few (5), few+fog (5)" in outcome.out


def test_the_full_network_against_each_control(run, write_ablation):
    """By `scores_of` each row, and each control after them, is higher by a tenth, on the noise of three seeds."""
    write_ablation(controls=("frozen", "plain", "shuffled"), sets={"tno": 60, "msrs": 60, "tno+fog": 60})
    outcome = run("tables", "4")
    others = ("base", "control: frozen", "control: plain", "control: shuffled")
    assert sections(outcome.out)[VERDICT][0][3:] == [f"against {other}" for other in others]
    for (condition, _), cells in lines_of(outcome.out, VERDICT).items():
        count = "1" if condition == "fog" else "2"
        assert cells == [f"{count} ({count})", f"{count} ahead, 0 behind", *[f"0 ahead, {count} behind"] * 3]


@pytest.fixture
def with_maps(run, write_known):
    """Make a table in which base has no statistics of maps, and the other rows have known ones."""
    write_known({"road": 4, "city": 4, "road+fog": 4}, {})
    for row in ("rd", "rd_ce_se"):
        for seed in SEEDS:
            folder = Path("runs/table4") / f"{row}-{seed}"
            shutil.rmtree(folder)
            scores = dict.fromkeys(("road", "city", "road+fog"), scores_around(0.4, 4)[seed])
            shift = 0.01 * seed if row == "rd" else 0.0
            ranks = [0.2, np.nan, 0.4, np.nan]  # undefined for two images
            write_run(folder, row, seed, scores=scores, dominance={
                "road": np.column_stack([[0.1 + shift] * 4, ranks if row == "rd" else [np.nan] * 4]),
                "city": np.column_stack([[0.3 + shift] * 4, [np.nan] * 4]),
                "road+fog": np.column_stack([[0.1, 0.2, 0.3, 0.4], [np.nan] * 4]),
            })  # fmt: skip
    outcome = run("tables", "4")
    assert outcome.status == 0, outcome.err
    return outcome.out


def test_dominance_maps_have_a_table_for_each_condition(with_maps):
    tables = sections(with_maps)
    assert tables["clean, dominance maps"] == [
        ["row", "RD_deviation", "RD_error_rank"],
        ["RD", "0.210 ± 0.010", "0.300 ± 0.000"],
        ["RD + CE + SE", "0.200 ± 0.000", "–"],
    ]
    assert tables["fog, dominance maps"] == [
        ["row", "RD_deviation"],
        ["RD", "0.250 ± 0.000"],
        ["RD + CE + SE", "0.250 ± 0.000"],
    ]
    assert with_maps.index("## Dominance maps") < with_maps.index("## road")


def test_dominance_maps_take_no_part_in_the_tests(with_maps):
    assert "over all 32 tests of this document" in with_maps  # 4 rows by 3 metrics by 3 sets, less AG under fog
    lines = lines_of_csv()
    assert ("road", "base", "RD_deviation") not in lines
    line = lines["city", "rd", "RD_deviation"]
    assert [float(line[f"seed_{seed}"]) for seed in SEEDS] == pytest.approx([0.30, 0.31, 0.32])
    assert (line["against"], line["p"], line["seeds_ahead"]) == ("", "", "")
    assert "RD_" not in re.sub(r"(?s)## Dominance maps.*?## road", "", with_maps).replace("begin with RD_", "")


def test_without_maps_nothing_tells_of_them(run, write_ablation):
    write_ablation(seeds=(0,))
    assert "ominance maps" not in run("tables", "4").out
