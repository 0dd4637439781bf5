"""`dream-if tables 4` on made-up runs, against scipy and against arithmetic done a second way."""

import json
import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy import stats

from dream_if.metrics import SSIM, AverageGradient
from dream_if.models import DreamIF
from dream_if.reports.published_numbers import TABLE_4
from tests.reports.reading import lines_of_csv, sections
from tests.runs.made_runs import CONFIG, METRICS, ROWS, SETS, change_config, scores_of, write_run

SEEDS = (0, 1, 2)
LABELS = {"base": "base", "rd": "RD", "rd_ce": "RD + CE", "rd_se": "RD + SE", "rd_ce_se": "RD + CE + SE"}


@pytest.fixture
def made(run, write_ablation):
    """Make the table of whole runs, and return what was printed."""
    write_ablation()
    outcome = run("tables", "4")
    assert outcome.status == 0, outcome.err
    return outcome.out


APART = ("llvip+gaussian", "AG")


def expected_p() -> dict[tuple[str, str, str], tuple[float, float]]:
    """(set, row, metric) -> p of scipy and p after Holm's correction, written as its definition over sorted values."""
    raw = {}
    for name in SETS:
        mean = {row: np.mean([scores_of(row, seed)[name] for seed in SEEDS], axis=0) for row in ROWS}
        for row in list(ROWS)[1:]:
            for column, metric in enumerate(METRICS):
                if (name, metric) == APART:
                    continue
                raw[name, row, metric] = stats.wilcoxon(mean[row][:, column], mean["base"][:, column]).pvalue
    ordered = sorted(raw.values())
    steps = {p: max(min(1, q * (len(ordered) - ordered.index(q))) for q in ordered if q <= p) for p in ordered}
    return {place: (p, steps[p]) for place, p in raw.items()}


@pytest.mark.usefixtures("made")
def test_means_deviations_and_p_values():
    lines = lines_of_csv()
    p_values = expected_p()
    assert len(p_values) == 20
    for name in SETS:
        base = {seed: scores_of("base", seed)[name].mean(axis=0) for seed in SEEDS}
        for row in ROWS:
            by_seed = np.array([scores_of(row, seed)[name].mean(axis=0) for seed in SEEDS])
            for column, metric in enumerate(METRICS):
                line = lines[name, row, metric]
                values = by_seed[:, column]
                assert float(line["mean"]) == pytest.approx(values.sum() / 3, rel=1e-12)
                squares = ((values - values.sum() / 3) ** 2).sum()
                assert float(line["std"]) == pytest.approx(math.sqrt(squares / 2), rel=1e-9)
                assert [float(line[f"seed_{seed}"]) for seed in SEEDS] == pytest.approx(values, rel=1e-12)
                if row == "base":
                    assert line["p"] == line["difference"] == ""
                    continue
                if (name, metric) == APART:
                    assert (line["p"], line["p_holm"], line["seeds_ahead"]) == ("nan", "nan", "")
                    continue
                p, p_holm = p_values[name, row, metric]
                assert float(line["p"]) == pytest.approx(p, rel=1e-9)
                assert float(line["p_holm"]) == pytest.approx(p_holm, rel=1e-9)
                differences = [by_seed[place, column] - base[seed][column] for place, seed in enumerate(SEEDS)]
                assert float(line["difference"]) == pytest.approx(sum(differences) / 3, rel=1e-9)
                assert int(line["seeds_ahead"]) == sum(d > 0 for d in differences)
                assert int(line["images"]) == 12
    assert len({float(line["p_holm"]) for line in lines.values() if line["p_holm"]}) > 3  # not all alike


def test_the_markdown_shows_the_same(made):
    tables = sections(made)
    assert list(tables)[2:] == [
        "llvip, 12 image(s)", "llvip, against base", "llvip+gaussian, 12 image(s)", "llvip+gaussian, against base",
    ]  # fmt: skip
    assert re.findall("^## (.*)$", made, re.MULTILINE) == ["llvip", "llvip+gaussian"]
    lines = lines_of_csv()
    scores, against = tables["llvip, 12 image(s)"], tables["llvip, against base"]
    assert scores[0][:4] == ["row", "AG ↑", "Qabf ↑", "SSIM ↑"]
    assert [row[0] for row in scores[1:]] == list(LABELS.values())
    for row, cells in zip(ROWS, scores[1:], strict=True):
        for metric, cell in zip(METRICS, cells[1:4], strict=True):
            line = lines["llvip", row, metric]
            plain = re.sub(r"\*\*|</?u>", "", cell)
            assert plain == f"{float(line['mean']):.3f} ± {float(line['std']):.3f}"
    for column in (1, 2, 3):
        means = [float(lines["llvip", row, METRICS[column - 1]]["mean"]) for row in ROWS]
        best, second = np.argsort(means)[::-1][:2]
        marked = [row[column] for row in scores[1:]]
        assert [place for place, cell in enumerate(marked) if cell.startswith("**")] == [best]
        assert [place for place, cell in enumerate(marked) if cell.startswith("<u>")] == [second]
    for row, cells in zip(list(ROWS)[1:], against[1:], strict=True):
        assert cells[0] == LABELS[row]
        for metric, cell in zip(METRICS, cells[1:4], strict=True):
            line = lines["llvip", row, metric]
            p = float(line["p_holm"])
            shown = "<0.001" if p < 0.0005 else f"{p:.3f}"
            assert cell == f"{float(line['difference']):+.3f}, {shown}, {line['seeds_ahead']}/3"


def test_what_noise_raises_has_no_marks_and_no_tests_where_there_is_noise(made):
    tables = sections(made)
    scores, against = tables["llvip+gaussian, 12 image(s)"], tables["llvip+gaussian, against base"]
    assert scores[0][1:4] == ["AG", "Qabf ↑", "SSIM ↑"]
    assert not any(row[1].startswith(("**", "<u>")) for row in scores[1:])
    assert any(row[2].startswith("**") for row in scores[1:])
    assert all(re.fullmatch(r"[+-]\d\.\d{3}, –", row[1]) for row in against[1:])


def test_the_papers_rows_stand_beside_those_of_clean_llvip(made):
    tables = sections(made)
    header, *rows = tables["llvip, 12 image(s)"]
    assert header[4:7] == ["paper AG", "paper Qabf", "paper SSIM"]  # those that were computed
    assert [cell.strip("*<u>/") for cell in rows[0][4:7]] == ["5.402", "0.627", "1.181"]
    assert rows[4][4:7] == ["**5.926**", "**0.679**", "**1.198**"]
    against = tables["llvip, against base"]
    assert against[0][4:] == header[4:7]
    assert against[4][4:] == ["+0.524", "+0.052", "+0.017"]
    for title in ("llvip+gaussian, 12 image(s)", "llvip+gaussian, against base"):
        assert not any("paper" in name for name in tables[title][0])
    assert "Its header reads EI, AG, PSNR, Qabf, VIFF" in made
    assert float(lines_of_csv()["LLVIP (paper)", "rd_se", "VIFF"]["mean"]) == 0.797


def test_the_papers_numbers_are_its_own():
    """Its last row is that of LLVIP in its Table 1, and every metric's best row is the full network."""
    assert TABLE_4["rd_ce_se"] == {"AG": 5.926, "SF": 19.992, "Qabf": 0.679, "SSIM": 1.198, "VIFF": 0.800}
    for metric in TABLE_4["base"]:
        assert max(TABLE_4, key=lambda row: TABLE_4[row][metric]) == "rd_ce_se"
        assert min(TABLE_4, key=lambda row: TABLE_4[row][metric]) == "base"


def test_the_size_of_each_rows_network(made):
    for row, cells in zip(ROWS, sections(made)["llvip, 12 image(s)"][1:], strict=True):
        switches = dict(zip(("use_rd", "use_ce", "use_se"), ROWS[row], strict=True))
        net = DreamIF(**CONFIG["model"]["net"], **switches)
        assert cells[-1] == f"{sum(parameter.numel() for parameter in net.parameters()) / 1e6:.2f}"


def test_a_foreign_network_and_a_foreign_metric_count_by_what_their_runs_note(run, write_ablation):
    """Without their code: the size of the network, and that less of the metric is better."""
    for path in write_ablation().rglob("metrics.json"):
        change_config(path.parent, lambda config: config["model"].update(net={"class_path": "mine.Net"}))
        record = json.loads(path.read_text().replace("/AG", "/glare"))
        record["test"] |= {"parameters": 1_230_000, "higher_is_better": {"glare": False}}
        path.write_text(json.dumps(record))
        images = path.with_name("per_image.csv")
        images.write_text(images.read_text().replace("AG", "glare", 1))
    grid = {"group": {"values": list(ROWS)}, "seed_everything": {"values": list(SEEDS)}}
    Path("my.yaml").write_text(yaml.safe_dump({"method": "grid", "command": ["${args}"], "parameters": grid}))
    outcome = run("tables", "sweep", "runs/table4", "--sweep", "my.yaml")
    assert outcome.status == 0, outcome.err
    header, *rows = sections(outcome.out)["llvip, 12 image(s)"]
    assert {cells[-1] for cells in rows} == {"1.23"}
    column = header.index("glare ↓")
    means = [np.mean([scores_of(row, seed)["llvip"][:, 0].mean() for seed in SEEDS]) for row in ROWS]
    assert [cells[column].startswith("**") for cells in rows] == [mean == min(means) for mean in means]


def test_the_notes_say_how_the_numbers_came_about(made):
    for words in (
        "5 rows with 3 seed(s) each (0, 1, 2)",
        "over all 20 tests of this document",
        "the seeds of one image are not independent samples",
        "folder in [data/llvip]",
        "Corruption in training: RandomDegradations (clean 0.5)",
        "in the test: clean: none, gaussian: FixedDegradation",
        "128 steps in 4 epoch(s), batches of 4 crops of 96 pixels, AdamW (lr 0.001), precision bf16-mixed",
        "4 channels at full resolution",
        "Tested checkpoint: best.ckpt, the epoch with the highest val/Qabf on the validation pairs.",
        "Hardware: 1 x abacus. Versions: torch 9.",
        "There AG stand apart, without marks and tests",
    ):
        assert words in made, words
    assert "generated" not in made
    assert made.startswith("# Table 4, ablation on llvip, with networks of up to 0.34 M parameters\n")


def test_the_files(made, run, files_below, tmp_path):
    folder = Path("runs/table4")
    text = (folder / "table4.md").read_text()
    assert text in made
    pictures = ("table4_clean.png", "table4_gaussian.png")
    assert made.endswith(f"Wrote table4.md, table4.csv, table4.html, {', '.join(pictures)} to runs/table4\n")
    for name in pictures:
        with Image.open(folder / name) as picture:
            picture.load()
            assert picture.size[0] > 500
        assert f"]({name})" in text
    page = (folder / "table4.html").read_text()
    cells: list[str] = []

    class Cells(HTMLParser):
        def handle_starttag(self, tag, attrs):
            self.inside = tag in ("td", "th") or (tag in ("b", "u") and self.inside)
            if tag in ("td", "th"):
                cells.append("")

        def handle_data(self, data):
            if getattr(self, "inside", False):
                cells[-1] += data

        def handle_endtag(self, tag):
            self.inside = tag in ("b", "u")

    Cells().feed(page)
    shown = [re.sub(r"\*\*|</?u>", "", cell) for rows in sections(text).values() for row in rows for cell in row]
    assert cells == shown
    assert page.count("data:image/png;base64,") == 2
    assert page.index("<li>") < page.index("<h2>llvip</h2>") < page.index("<h2>llvip+gaussian</h2>")
    assert "http" not in page.replace("https://", "http")
    before = {name: (folder / name).read_bytes() for name in ("table4.md", "table4.csv", "table4.html")}
    assert run("tables", "4", "runs/table4", "--out", tmp_path / "else").status == 0
    assert files_below(tmp_path / "else") == {"table4.md", "table4.csv", "table4.html", *pictures}
    assert {name: (tmp_path / "else" / name).read_bytes() for name in before} == before


def test_a_lower_mean_is_ahead_where_lower_is_better(run, write_ablation, monkeypatch):
    write_ablation()
    monkeypatch.setattr(AverageGradient, "higher_is_better", False)
    monkeypatch.setattr(SSIM, "higher_is_better", None)
    outcome = run("tables", "4")
    lines = lines_of_csv()
    assert lines["llvip", "rd_ce_se", "AG"]["seeds_ahead"] == "0"
    assert lines["llvip", "rd_ce_se", "Qabf"]["seeds_ahead"] == "3"
    assert lines["llvip", "rd_ce_se", "SSIM"]["seeds_ahead"] == ""
    header, base, *_ = sections(outcome.out)["llvip, 12 image(s)"]
    assert header[1:4] == ["AG ↓", "Qabf ↑", "SSIM"]
    assert base[1].startswith("**")
    judged = [row[:2] for row in sections(outcome.out)["Order of the rows, by their mean over sets"][1:]]
    assert judged == [["clean", "AG"], ["clean", "Qabf"], ["gaussian", "Qabf"]]
    assert not any(row[3].startswith(("**", "<u>")) for row in sections(outcome.out)["llvip, 12 image(s)"][1:])


def rewrite(runs: Path, row: str, seed: int, scores: dict[str, np.ndarray]) -> None:
    """Put a run with these scores in the place of the one that is there."""
    shutil.rmtree(runs / f"{row}-{seed}")
    write_run(runs / f"{row}-{seed}", row, seed, scores=scores)


@pytest.mark.parametrize(
    ("undefined", "told"),
    [
        ({("rd", 1): [3], ("rd_ce", 0): [3, 5], ("rd_ce", 2): [5, 6]}, "Qabf on llvip (RD 1, RD + CE 3)."),
        ({("base", 0): [2], ("rd_se", 1): [4]}, "Qabf on llvip (RD 1, RD + CE 1, RD + SE 2, RD + CE + SE 1)."),
    ],
)
def test_the_note_on_undefined_values_counts_for_each_row(run, write_ablation, undefined, told):
    folder = write_ablation()
    for (row, seed), images in undefined.items():
        scores = scores_of(row, seed)
        scores["llvip"][images, 1] = math.nan
        rewrite(folder / "deep", row, seed, scores)
    outcome = run("tables", "4")
    assert outcome.status == 0, outcome.err
    assert f"Left out: {told}" in outcome.out


def test_an_undefined_value_leaves_its_image_out_of_the_tests_alone(run, write_ablation):
    folder = write_ablation()
    scores = scores_of("rd", 1)
    scores["llvip"][3, 1] = math.nan
    rewrite(folder / "deep", "rd", 1, scores)
    outcome = run("tables", "4")
    assert outcome.status == 0, outcome.err
    lines = lines_of_csv()
    assert (lines["llvip", "rd", "Qabf"]["images"], lines["llvip", "rd", "AG"]["images"]) == ("11", "12")
    assert lines["llvip", "rd_ce", "Qabf"]["images"] == "12"
    assert "Left out: Qabf on llvip (RD 1)." in outcome.out


def test_a_metric_that_is_undefined_everywhere_is_a_dash(run, write_ablation):
    folder = write_ablation(seeds=())
    for row in ROWS:
        for seed in (0, 1):
            scores = {"scenes": scores_of(row, seed)["llvip"]}
            scores["scenes"][:, 2] = math.nan
            write_run(folder / f"{row}-{seed}", row, seed, scores=scores)
    outcome = run("tables", "4")
    assert outcome.status == 0, outcome.err
    *_, scored, against = sections(outcome.out).values()
    assert scored[1][3] == "– ± –"
    assert against[1][3] == "–, –"
    assert "over all 8 tests" in outcome.out


def test_a_single_seed_has_no_deviation_and_few_images_no_small_p(run, write_ablation):
    write_ablation(seeds=(4,), sets={"scenes": 8, "tno": 40})
    outcome = run("tables", "4")
    assert outcome.status == 0, outcome.err
    assert "±" not in "".join(sections(outcome.out)["scenes, 8 image(s)"][1])
    assert "One seed shows no spread between trainings" in outcome.out
    assert lines_of_csv()["scenes", "rd", "AG"]["std"] == "nan"
    assert "no corrected p falls below 0.01 on fewer than 13 images. These have too few: scenes (8)." in outcome.out
    assert 2 / 2**13 * 24 < 0.01 < 2 / 2**12 * 24
    assert "paper AG" in sections(outcome.out)["scenes, 8 image(s)"][0]  # no LLVIP there: the first set as it is


def test_generated_scenes_are_in_the_title(run, write_ablation):
    for folder in (write_ablation() / "deep").iterdir():
        change_config(folder, lambda config: config["data"].update(layout="scenes", root=None))
    outcome = run("tables", "4")
    title = "Table 4, ablation on generated scenes, not photographs, with networks of up to 0.34 M parameters"
    assert outcome.out.startswith(f"# {title}\n")
    assert f"<h1>{title}</h1>" in Path("runs/table4/table4.html").read_text()
    assert "They are no substitute for the paper" in outcome.out
    assert "Data: generated scenes." in outcome.out
