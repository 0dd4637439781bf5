"""The files an evaluation leaves, and how they are to be read."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from dream_if.errors import InputError
from dream_if.metrics import METRICS
from dream_if.reports import evaluation_report as report
from dream_if.reports.table import number
from dream_if.scoring.image_folders import ImageFile, ImageSet
from dream_if.scoring.scored_folders import Evaluation, EvaluationSettings
from dream_if.scoring.statistics import fewest_pairs, holm
from tests.scoring.made_scores import scores

NAN = math.nan


def evaluation(values, metrics=("AG",), resized=None, methods=None):
    """An `Evaluation` of made-up scores (M, N, K); `resized` is a method whose images had another size."""
    values = np.asarray(values, np.float64)
    methods = methods or tuple(f"m{k}" for k in range(values.shape[0]))
    names = tuple(f"s{k}" for k in range(values.shape[1]))
    files = tuple(ImageFile(Path(name), (64, 48), "") for name in names)
    small = tuple(ImageFile(Path(name), (32, 24), "") for name in names)
    images = ImageSet(
        names, files, files, {m: small if m == resized else files for m in methods}, dict.fromkeys(methods, ())
    )
    folders = dict.fromkeys(methods, Path("f"))
    settings = EvaluationSettings(
        Path("v"), Path("i"), folders, tuple(metrics), "dream_if", None, "cpu", 1, bool(resized)
    )
    return Evaluation(settings, images, scores(values, metrics, methods))


def cells(text, line):
    return [cell.strip() for cell in text.splitlines()[line].strip("|").split("|")]


def test_best_is_bold_and_second_best_underlined():
    values = [[[4.0, 4.0]], [[1.0, 1.0]], [[3.0, 3.0]], [[2.0, 2.0]]]
    text = report.markdown_text(evaluation(values, ("AG", "MSE")))
    assert cells(text, 0) == ["method", "AG ↑", "MSE ↓", "rank ↓"]
    assert cells(text, 2) == ["m0", "**4.000**", "4.000", "**2.50**"]
    assert cells(text, 3) == ["m1", "1.000", "**1.000**", "**2.50**"]
    assert cells(text, 4) == ["m2", "<u>3.000</u>", "3.000", "**2.50**"]
    assert cells(text, 5) == ["m3", "2.000", "<u>2.000</u>", "**2.50**"]


def test_ranks_are_means_over_metrics():
    text = report.markdown_text(evaluation([[[4.0, 1.0]], [[1.0, 2.0]], [[3.0, 3.0]]], ("AG", "MSE")))
    assert [cells(text, line)[3] for line in (2, 3, 4)] == ["**1.00**", "<u>2.50</u>", "<u>2.50</u>"]


def test_means_printed_alike_are_marked_alike():
    text = report.markdown_text(evaluation([[[1.40011]], [[1.40009]], [[1.2]], [[NAN]]]))
    assert [cells(text, line)[1] for line in (2, 3, 4, 5)] == ["**1.400**", "**1.400**", "<u>1.200</u>", "– (0/1)"]


def test_a_metric_without_direction_is_not_marked(monkeypatch):
    monkeypatch.setattr(METRICS["AG"], "higher_is_better", None)
    text = report.markdown_text(evaluation([[[2.0]], [[1.0]]]))
    assert cells(text, 0)[1] == "AG"
    assert [cells(text, line)[1] for line in (2, 3)] == ["2.000", "1.000"]
    assert cells(text, 7) == ["m1", "1.000"]


def test_a_single_method_is_not_marked_ranked_or_tested():
    text = report.markdown_text(evaluation([[[2.0], [4.0]]]))
    assert cells(text, 0) == ["method", "AG ↑"]
    assert cells(text, 2) == ["m0", "3.000 ± 1.414"]
    assert "Wilcoxon" not in text
    assert "bold" not in text


def test_p_values_carry_the_side():
    worse = np.linspace(0, 1, 14)
    values = np.stack([2 * worse + 1, worse, 5 * worse + 2])[..., None]
    text = report.markdown_text(evaluation(values))
    assert cells(text, 6) == ["m0 against", "AG"]
    assert cells(text, 8) == ["m1", "<0.001 (+)"]
    assert cells(text, 9) == ["m2", "<0.001 (-)"]
    assert "(2 tests)" in text


def test_few_images_are_said_to_be_too_few():
    too_few = "no corrected p can fall below 0.05: that takes 6 images"
    assert too_few in report.markdown_text(evaluation(np.arange(10.0).reshape(2, 5, 1)))
    assert too_few not in report.markdown_text(evaluation(np.arange(12.0).reshape(2, 6, 1)))


def test_undefined_scores_are_said_everywhere():
    made = evaluation([[[1.0], [NAN], [2.0]], [[1.0], [2.0], [3.0]]])
    text = report.markdown_text(made)
    assert cells(text, 2)[1] == "<u>1.500</u> ± 0.707 (2/3)"
    note = "m0: AG is undefined for 1 of 3 images; mean and deviation are over the others."
    assert note in text
    assert made.notes == report.summary_record(made)["notes"] == [note]
    assert report.csv_text(made).splitlines() == [
        "method,name,AG", "m0,s0,1.0", "m0,s1,nan", "m0,s2,2.0", "m1,s0,1.0", "m1,s1,2.0", "m1,s2,3.0",
    ]  # fmt: skip
    record = json.loads(json.dumps(report._plain(report.summary_record(made)), allow_nan=False))
    assert record["methods"]["m0"]["metrics"]["AG"]["undefined_images"] == ["s1"]


def test_scaling_is_said_everywhere(tmp_path):
    made = evaluation([[[1.0], [2.0]], [[1.0], [3.0]]], resized="m1")
    note = "m1: 2 of 2 images were scaled to the size of their sources (bicubic, antialiased) before scoring"
    assert note in report.markdown_text(made)
    assert note in report.summary_record(made)["notes"][0]
    assert report.summary_record(made)["settings"]["resize"] is True
    assert report.csv_text(made).splitlines()[0] == "method,name,AG,resized_from"
    assert report.csv_text(made).splitlines()[-1] == "m1,s1,3.0,32x24"
    plain = evaluation([[[1.0], [2.0]], [[1.0], [3.0]]])
    assert "scaled" not in report.markdown_text(plain)
    report.write_report(made, tmp_path / "resized")
    report.write_report(plain, tmp_path / "plain")
    plots = [(tmp_path / name / "box_plots.png").read_bytes() for name in ("resized", "plain")]
    assert plots[0] != plots[1]


def test_names_cannot_break_the_files():
    made = evaluation([[[1.0]], [[2.0]]], methods=("a|b", 'c,"d"'))
    text = report.markdown_text(made)
    assert text.splitlines()[2].startswith("| a\\|b |")
    assert '"c,""d""",s0,2.0' in report.csv_text(made)


def test_plots_show_every_metric_of_every_method(tmp_path):
    values = np.random.default_rng(0).normal(size=(3, 20, 4))
    values[1, :, 2] = NAN
    report.write_report(evaluation(values, ("AG", "SF", "EN", "SD")), tmp_path)
    with Image.open(tmp_path / "box_plots.png") as image:
        image.load()
        wide, high = image.size
    report.write_report(evaluation(values[..., :1]), tmp_path)
    with Image.open(tmp_path / "box_plots.png") as image:
        assert image.size[0] < wide
        assert image.size[1] < high


def test_nothing_is_written_in_part(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InputError, match="out"):
        report.write_report(evaluation([[[1.0]]]), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "a file"


@pytest.mark.parametrize("tests", [1, 2, 20, 146])
def test_the_fewest_images_are_the_fewest(tests):
    fewest = fewest_pairs(tests)
    always_better = [stats.wilcoxon(np.arange(1.0, n + 1)).pvalue for n in (fewest - 1, fewest)]
    family = [[smallest] * tests for smallest in always_better]
    assert min(holm(family[0])) >= 0.05 > min(holm(family[1]))


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "0.123"), (99.9994, "99.999"), (123.456, "123.5"), (-1.5, "-1.500"), (NAN, "–")]
)
def test_numbers_are_printed_alike(value, text):
    assert number(value) == text
