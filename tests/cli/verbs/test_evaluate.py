"""`dream-if evaluate` through its parser: options, messages, and what it prints."""

import io
import json

import pytest
from rich.console import Console

from dream_if.cli.options import read_options
from dream_if.cli.verbs import evaluate as verb
from dream_if.cli.verbs.evaluate import Options, run
from dream_if.errors import InputError
from dream_if.scoring.scored_folders import evaluate


def parse(folders, *more):
    sources = ["--visible", str(folders / "vi"), "--infrared", str(folders / "ir")]
    return read_options(Options, [*sources, "--fused", f"mix={folders / 'mix'}", *more], prog="evaluate", about="")


def test_all_options_together(folders, capsys):
    more = ["--fused", f"max={folders / 'max'}", "--metrics", "AG, EN", "--out", str(folders / "out")]
    more += ["--batch-size", "2", "--device", "cpu", "--convention", "vifb", "--resize"]
    assert run(parse(folders, *more)) == 0
    output = capsys.readouterr().out
    assert (folders / "out" / "table.md").read_text() in output
    assert output.endswith(f"Wrote per_image.csv, summary.json, table.md, box_plots.png to {folders / 'out'}\n")
    summary = json.loads((folders / "out" / "summary.json").read_text())
    assert summary["settings"] == {
        "visible": str(folders / "vi"),
        "infrared": str(folders / "ir"),
        "fused": {"mix": str(folders / "mix"), "max": str(folders / "max")},
        "metrics": ["AG", "EN"],
        "convention": "vifb",
        "lpips_weights": None,
        "device": "cpu",
        "batch_size": 2,
        "resize": True,
    }
    assert summary["counts"] == {"methods": 2, "images": 7}
    assert summary["wilcoxon"]["family_size"] == 2
    assert set(summary["methods"]) == {"mix", "max"}


def test_the_defaults_are_the_table_of_the_paper(folders):
    options = parse(folders)
    assert options.metrics == "AG,SF,Qabf,SSIM,VIFF"
    assert (options.convention, options.device, options.resize, options.out) == ("dream_if", "cpu", False, None)


def test_the_sources_may_be_rows_of_the_table(scored, folders):
    methods = [f"{name}={folders / folder}" for name, folder in (("visible", "vi"), ("infrared", "ir"))]
    summary = scored(fused=methods, metrics="SSIM")
    (comparison,) = summary["wilcoxon"]["comparisons"]
    assert (comparison["equal"], comparison["p"]) == (7, 1.0)


def test_a_metric_that_a_method_never_has_leaves_the_other_ranks(scored, folders):
    methods = [f"{name}={folders / name}" for name in ("mix", "vi")]  # the SCD of a source is undefined
    summary = scored(fused=methods, metrics="AG,SCD")
    assert summary["metrics"]["SCD"]["images_ranked"] == 0
    for method in summary["methods"].values():
        assert method["metrics"]["SCD"]["mean_rank"] is None
        assert method["average_rank"] == method["metrics"]["AG"]["mean_rank"]
    assert "Ranks leave out SCD: no image has a score of every method there." in summary["notes"]
    assert "vi: SCD is undefined for all 7 images." in summary["notes"]
    assert summary["wilcoxon"]["family_size"] == 1


def test_a_terminal_gets_tables_in_bold(folders):
    evaluation = evaluate(
        folders / "vi", folders / "ir", {"[mix]": folders / "mix", "max": folders / "max"}, metrics=["AG", "EN"]
    )
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system="standard")
    verb.print_evaluation(evaluation, console)
    text = console.file.getvalue()
    assert "[mix]" in text
    assert "\x1b[1m" in text
    assert "\x1b[4m" in text
    assert "Holm" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": "AG,Qab"}, r"--metrics AG,Qab .*no metric is called 'Qab', did you mean Qabf; there are AG, "),
        ({"metrics": " , "}, r"--metrics: no metric was named; there are AG, "),
        ({"convention": "mine"}, r"--convention mine: no metric has a convention 'mine'; there are dream_if, "),
        ({"convention": "vifb", "metrics": "AG,SCD"}, r"--convention vifb: SCD has no convention 'vifb'"),
        ({"metrics": "LPIPS", "lpips_weights": "nowhere"}, r"LPIPS weights: there is no file nowhere"),
        ({"device": "tpu9"}, r"device 'tpu9': expected .*, and one that this machine has \("),
        ({"device": "meta"}, r"device 'meta': expected"),
        ({"batch_size": 0}, r"--batch-size: expected at least 1, got 0"),
        ({"visible": "nowhere"}, r"--visible: nowhere is not a folder"),
        ({"infrared": "nowhere"}, r"--infrared: nowhere is not a folder"),
        ({"fused": ["ours=nowhere"]}, r"--fused ours: nowhere is not a folder"),
        ({"fused": []}, r"--fused: expected at least one method"),
    ],
)
def test_settings_that_cannot_be_used(options, folders, changes, message):
    with pytest.raises(InputError, match=message):
        run(options(**changes))
    assert not (folders / "out").exists()


def test_a_device_that_is_not_there(options, monkeypatch):
    def absent(*_, **__):
        raise AssertionError("Torch not compiled with CUDA enabled")

    monkeypatch.setattr("dream_if.scoring.scored_folders.torch.zeros", absent)
    with pytest.raises(InputError, match=r"device 'cuda': .*\(Torch not compiled with CUDA enabled\)"):
        run(options(device="cuda"))


def test_results_do_not_go_among_the_images(options, folders):
    with pytest.raises(InputError, match=r"--out: .* is also the folder of --fused mix"):
        run(options(out=folders / "max" / ".." / "mix"))


def test_a_file_in_the_place_of_the_output(options, folders):
    (folders / "out").write_text("")
    with pytest.raises(InputError, match="out: "):
        run(options())


def test_missing_images_stop_it_before_anything_is_written(options, folders):
    (folders / "mix" / "s1.png").unlink()
    with pytest.raises(InputError, match="mix: 1 of 7"):
        run(options())
    assert list((folders / "out").iterdir()) == []


def test_interrupting_says_that_it_can_go_on(options, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("dream_if.scoring.scored_folders.score_groups", interrupted)
    assert run(options()) == 130
    assert "the same command continues from here" in capsys.readouterr().err
    assert run(options(out=None)) == 130
    assert "nothing is kept without --out" in capsys.readouterr().err


def test_extra_images_are_warned_of(scored, folders):
    (folders / "mix" / "s0.png").rename(folders / "mix" / "old.png")
    (folders / "mix" / "s0.png").write_bytes((folders / "mix" / "s1.png").read_bytes())
    (folders / "mix" / "s0.png").write_bytes((folders / "mix" / "old.png").read_bytes())
    summary = scored()
    assert summary["without_sources"] == {"mix": ["old"], "max": []}
    assert "mix: 1 image(s) without sources were not scored: old." in (folders / "out" / "table.md").read_text()
