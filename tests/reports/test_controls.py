"""Table 4 with its controls: the full network against them, in one family of tests with the rows against base."""

import shutil

import numpy as np
import pytest
from scipy import stats

from tests.reports.reading import lines_of_csv, sections
from tests.runs.made_runs import METRICS, ROWS, SETS, SHUFFLED, scores_of, write_run

SEEDS = (0, 1, 2)
ALL = ("frozen", "plain", SHUFFLED)


@pytest.fixture
def made(run, write_ablation):
    """Make the table of rows and controls, and return what was printed."""
    write_ablation(controls=ALL)
    outcome = run("tables", "4")
    assert outcome.status == 0, outcome.err
    return outcome.out


def p_values() -> dict[tuple[str, str, str, str], tuple[float, float]]:
    """(set, row, other, metric) -> p of scipy, and after Holm's correction over rows and controls together."""
    raw = {}
    for name in SETS:
        mean = {row: np.mean([scores_of(row, seed)[name] for seed in SEEDS], axis=0) for row in (*ROWS, *ALL)}
        for row, other in [*((row, "base") for row in list(ROWS)[1:]), *(("rd_ce_se", other) for other in ALL)]:
            for column, metric in enumerate(METRICS):
                if (name, metric) != ("llvip+gaussian", "AG"):
                    pair = mean[row][:, column], mean[other][:, column]
                    raw[name, row, other, metric] = stats.wilcoxon(*pair).pvalue
    ordered = sorted(raw.values())
    steps = {p: max(min(1, q * (len(ordered) - ordered.index(q))) for q in ordered if q <= p) for p in ordered}
    return {place: (p, steps[p]) for place, p in raw.items()}


def test_the_family_of_tests_has_rows_and_controls(made):
    expected = p_values()
    assert len(expected) == 35
    assert "over all 35 tests of this document" in made
    for (name, row, other, metric), (p, p_holm) in expected.items():
        line = lines_of_csv(other)[name, row, metric]
        assert line["against"] == other
        assert float(line["p"]) == pytest.approx(p, rel=1e-9)
        assert float(line["p_holm"]) == pytest.approx(p_holm, rel=1e-9)
    corrected = {p_holm for (_, _, other, _), (_, p_holm) in expected.items() if other in ALL}
    assert len(corrected) > 2  # not all alike


@pytest.mark.usefixtures("made")
def test_differences_are_the_full_networks_less_the_controls():
    for other in ALL:
        for name in SETS:
            full, control = (
                np.array([scores_of(row, seed)[name].mean(axis=0) for seed in SEEDS]) for row in ("rd_ce_se", other)
            )
            for column, metric in enumerate(METRICS):
                line = lines_of_csv(other)[name, "rd_ce_se", metric]
                differences = (full - control)[:, column]
                assert float(line["difference"]) == pytest.approx(differences.mean(), rel=1e-9)
                assert float(line["mean"]) == pytest.approx(full[:, column].mean(), rel=1e-12)
                apart = (name, metric) == ("llvip+gaussian", "AG")
                assert line["seeds_ahead"] == ("" if apart else str((differences > 0).sum()))
                own = lines_of_csv()[name, other, metric]
                assert (own["against"], own["p"]) == ("", "")
                assert float(own["mean"]) == pytest.approx(control[:, column].mean(), rel=1e-12)


def test_controls_stand_below_the_rows_and_against_the_full_network(made):
    tables = sections(made)
    scores = tables["llvip, 12 image(s)"]
    assert [row[0] for row in scores[6:]] == ["control: frozen", "control: plain", "control: shuffled"]
    assert [row[-1] for row in scores[5:]] == ["1.50", "1.50", "2.50", "1.50"]
    assert [row[4:7] for row in scores[6:]] == [["–"] * 3] * 3  # the paper has no controls
    assert list(tables).index("llvip, against base") + 1 == list(tables).index(
        "llvip, RD + CE + SE against the controls"
    )
    against = tables["llvip, RD + CE + SE against the controls"]
    assert [row[0] for row in against[1:]] == ["control: frozen", "control: plain", "control: shuffled"]
    line = lines_of_csv("plain")["llvip", "rd_ce_se", "SSIM"]
    p = float(line["p_holm"])
    assert against[2][3] == (
        f"{float(line['difference']):+.3f}, {'<0.001' if p < 0.0005 else f'{p:.3f}'}, {line['seeds_ahead']}/3"
    )
    assert len(against[0]) == 4  # none of the paper's


def test_a_note_tells_what_the_controls_are(made):
    assert "frozen: RD + CE + SE trained and tested with every dominance map fixed at one half; " in made
    assert "plain: base, made larger (8 channels at full resolution, [1, 1, 1, 2] blocks at the four levels" in made
    assert "shuffled: the networks of RD + CE + SE, tested with the dominance maps of another image." in made


def test_without_controls_nothing_tells_of_them(run, write_ablation):
    write_ablation()
    assert "control" not in run("tables", "4").out


def test_an_image_that_a_control_has_no_value_for_is_left_out_of_its_test_alone(run, write_ablation):
    runs = write_ablation(controls=ALL) / "deep"
    scores = scores_of("frozen", 1)
    scores["llvip"][3, 1] = np.nan
    shutil.rmtree(runs / "frozen-1")
    write_run(runs / "frozen-1", "frozen", 1, scores=scores)
    assert "Left out: Qabf on llvip (control: frozen 1)." in run("tables", "4").out
    images = [lines_of_csv(other)["llvip", "rd_ce_se", "Qabf"]["images"] for other in ("base", *ALL)]
    assert images == ["12", "11", "12", "12"]
