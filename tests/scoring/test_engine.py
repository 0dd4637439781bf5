"""Scores are those of the metrics, and an evaluation goes on where it was stopped."""

import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from dream_if.cli.verbs.evaluate import run
from dream_if.metrics import METRICS, fusion_metrics
from dream_if.scoring import engine, scored_folders
from dream_if.scoring.journal import ScoreJournal

FILES = ("per_image.csv", "summary.json", "table.md", "box_plots.png")


class FrozenClock:
    @staticmethod
    def now(_zone):
        return FrozenClock()

    @staticmethod
    def isoformat(timespec):
        return f"2024-05-06 {timespec}"


@pytest.fixture
def frozen(monkeypatch):
    monkeypatch.setattr(engine, "datetime", FrozenClock)


@pytest.fixture
def computed(monkeypatch):
    """A list that grows by (metrics, number of images) with each batch computed."""
    batches = []
    original = engine._Worker.score

    def counting(worker, chosen, batch):
        batches.append((tuple(chosen), len(batch.items)))
        return original(worker, chosen, batch)

    monkeypatch.setattr(engine._Worker, "score", counting)
    return batches


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def rows(folder):
    with (folder / "per_image.csv").open(newline="") as file:
        return {(row["method"], row["name"]): row for row in csv.DictReader(file)}


def tensor(path, mode):
    image = np.asarray(Image.open(path).convert(mode), np.float64)
    return torch.from_numpy(image.reshape(*image.shape[:2], -1)).permute(2, 0, 1)[None] / 255


def test_scores_are_those_of_the_metric_classes_one_by_one(scored, folders):
    scored(metrics="AG,EN,SSIM,Qabf")
    table = rows(folders / "out")
    assert len(table) == 14
    for method, mode in (("mix", "L"), ("max", "RGB")):
        for name in ("s0", "s1", "s6"):
            metrics = fusion_metrics(["AG", "EN", "SSIM", "Qabf"])
            metrics.update(
                tensor(folders / method / f"{name}.png", mode),
                tensor(folders / "vi" / f"{name}.png", "RGB"),
                tensor(folders / "ir" / f"{name}.png", "L"),
            )
            for metric, value in metrics.compute().items():
                assert float(table[method, name][metric]) == pytest.approx(value.item(), rel=1e-9), (method, metric)


def test_sixteen_bit_sources_keep_their_range(scored, folders):
    scored()
    before = rows(folders / "out")
    for path in (folders / "ir").iterdir():
        Image.fromarray(np.asarray(Image.open(path)).astype(np.uint16) * 257).save(path)
    scored(batch_size=2)
    after = rows(folders / "out")
    for key, row in before.items():
        assert float(after[key]["SSIM"]) == pytest.approx(float(row["SSIM"]), rel=1e-12)


def test_the_batch_size_changes_nothing_beyond_rounding(scored, folders):
    tables = []
    for size in (1, 2, 100):
        shutil.rmtree(folders / "out", ignore_errors=True)
        scored(batch_size=size)
        tables.append(rows(folders / "out"))
    for key, row in tables[0].items():
        for metric in ("AG", "EN", "SSIM"):
            values = [float(table[key][metric]) for table in tables]
            assert values == pytest.approx([float(row[metric])] * 3, rel=1e-9)


def test_batches_hold_one_size_and_at_most_the_number_asked_for(scored, computed):
    scored(batch_size=3)
    assert [count for _, count in computed] == [3, 3, 2, 2, 2, 2]


@pytest.mark.usefixtures("frozen")
def test_a_run_stopped_after_any_batch_ends_like_one_that_was_not(options, folders, computed, monkeypatch):
    few = options(batch_size=2, metrics="AG")
    assert run(few) == 0
    whole = contents(folders / "out")
    total = len(computed)
    add = ScoreJournal.add
    for stop in range(total):
        shutil.rmtree(folders / "out")
        computed.clear()
        calls = iter(range(total))

        def dying(journal, entries, calls=calls, stop=stop):
            if next(calls) == stop:
                raise RuntimeError("killed")
            add(journal, entries)

        monkeypatch.setattr(ScoreJournal, "add", dying)
        with pytest.raises(RuntimeError, match="killed"):
            run(few)
        assert not any((folders / "out" / name).exists() for name in FILES)
        monkeypatch.setattr(ScoreJournal, "add", add)
        assert run(few) == 0
        assert contents(folders / "out") == whole
        assert len(computed) == total + 1  # the batch that was lost, and no other, twice


@pytest.mark.usefixtures("frozen")
def test_a_journal_cut_anywhere_gives_the_same_files(scored, folders):
    scored(metrics="AG")
    whole = contents(folders / "out")
    journal = folders / "out" / "scores.jsonl"
    data = journal.read_bytes()
    for length in range(0, len(data), 571):
        journal.write_bytes(data[:length])
        scored(metrics="AG")
        assert contents(folders / "out") == whole


@pytest.mark.slow
def test_a_killed_process_goes_on(folders):
    script = """
import sys, time
from dream_if.scoring import engine
from dream_if.cli.verbs.evaluate import Options, run
original = engine._Worker.score
def slow(*args):
    time.sleep(0.15)
    return original(*args)
engine._Worker.score = slow
options = dict(visible="vi", infrared="ir", fused=["mix=mix", "max=max"], metrics="AG,EN", convention="dream_if",
               lpips_weights=None, device="cpu", batch_size=1, resize=False, out="out", threads=1, share="1/1")
sys.exit(run(Options(**options)))
"""
    command = [sys.executable, "-c", script]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    journal = folders / "out" / "scores.jsonl"
    process = subprocess.Popen(command, cwd=folders, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= 4):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = journal.read_bytes()
    assert 4 <= kept.count(b"\n") < 14
    assert not (folders / "out" / "per_image.csv").exists()
    subprocess.run(command, cwd=folders, env=environment, check=True, capture_output=True)
    assert journal.read_bytes().startswith(kept)
    assert journal.read_bytes().count(b"\n") == 14
    assert len(rows(folders / "out")) == 14


def test_a_finished_run_computes_nothing(scored, folders, computed):
    scored()
    before = contents(folders / "out")
    journal = (folders / "out" / "scores.jsonl").read_bytes()
    computed.clear()
    scored()
    assert computed == []
    assert contents(folders / "out") == before
    assert (folders / "out" / "scores.jsonl").read_bytes() == journal


def test_only_what_changed_is_computed_again(scored, folders, computed):
    scored(batch_size=1)
    before = rows(folders / "out")
    computed.clear()
    Image.fromarray(np.full((48, 56), 90, np.uint8)).save(folders / "mix" / "s3.png")
    scored(batch_size=1)
    assert [count for _, count in computed] == [1]
    after = rows(folders / "out")
    assert [key for key in before if before[key] != after[key]] == [("mix", "s3")]
    assert float(after["mix", "s3"]["EN"]) == 0
    computed.clear()
    shutil.copy(folders / "vi" / "s0.png", folders / "vi" / "s2.png")  # a source concerns every method
    scored(batch_size=1)
    assert len(computed) == 2
    computed.clear()
    os.utime(folders / "vi" / "s2.png", (1, 1))  # the content decides, not the date
    scored(batch_size=1)
    assert computed == []


def test_added_metrics_and_methods_are_all_that_is_computed(scored, folders, computed):
    scored()
    computed.clear()
    scored(metrics="SD,AG,EN,SSIM")
    assert {chosen for chosen, _ in computed} == {("SD",)}
    computed.clear()
    methods = [f"{name}={folders / name}" for name in ("vi", "mix", "max")]
    scored(fused=methods)
    assert sum(count for _, count in computed) == 7


def test_a_changed_convention_or_definition_is_computed_again(scored, computed, monkeypatch):
    scored()
    first = scored(convention="vifb")["methods"]["mix"]["metrics"]["AG"]["mean"]
    assert sum(count for _, count in computed) == 28
    monkeypatch.setattr(scored_folders, "package_digest", lambda _: "changed")
    assert scored(convention="vifb")["methods"]["mix"]["metrics"]["AG"]["mean"] == first
    assert sum(count for _, count in computed) == 42


def test_conventions_give_their_own_numbers(scored):
    ours = scored(metrics="AG")["methods"]["mix"]["metrics"]["AG"]["mean"]
    theirs = scored(metrics="AG", convention="vifb")["methods"]["mix"]["metrics"]["AG"]["mean"]
    assert ours != theirs


def test_without_out_nothing_is_written(options, folders):
    before = sorted(folders.rglob("*"))
    assert run(options(out=None)) == 0
    assert sorted(folders.rglob("*")) == before


def test_a_smaller_image_is_scaled_to_its_sources(scored, folders):
    small = Image.open(folders / "mix" / "s0.png").resize((28, 24), Image.Resampling.BOX)
    small.save(folders / "mix" / "s0.png")
    summary = scored(resize=True, metrics="EN,SD")
    bicubic = small.resize((56, 48), Image.Resampling.BICUBIC)  # Pillow's own, rounded to 8 bits between the two passes
    row = rows(folders / "out")["mix", "s0"]
    assert float(row["SD"]) == pytest.approx(np.asarray(bicubic).std(), abs=0.3)
    assert row["resized_from"] == "28x24"
    assert rows(folders / "out")["mix", "s1"]["resized_from"] == ""
    assert summary["resized"] == {"mix": {"s0": [28, 24]}, "max": {}}


def test_undefined_scores_are_counted(scored, folders):
    Image.new("L", (56, 48), 90).save(folders / "mix" / "s0.png")
    summary = scored(metrics="CC,AG")
    assert math.isnan(float(rows(folders / "out")["mix", "s0"]["CC"]))
    record = summary["methods"]["mix"]["metrics"]["CC"]
    assert (record["defined"], record["undefined"], record["undefined_images"]) == (6, 1, ["s0"])
    assert summary["metrics"]["CC"]["images_ranked"] == 6
    (comparison, _) = summary["wilcoxon"]["comparisons"]
    assert (comparison["images"], comparison["left_out"]) == (6, 1)
    values = [float(row["CC"]) for key, row in rows(folders / "out").items() if key[0] == "mix" and key[1] != "s0"]
    assert record["mean"] == pytest.approx(np.mean(values))
    assert record["std"] == pytest.approx(np.std(values, ddof=1))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
    ids=["cuda", "cpu", "numpy"],
)
def test_too_little_memory_says_what_to_do(options, monkeypatch, error):
    def exhausted(*_):
        raise error

    monkeypatch.setattr(METRICS["AG"], "score", exhausted)
    with pytest.raises(ValueError, match=r"s0: the memory of cpu .* 3 image\(s\) .* --batch-size"):
        run(options())


def test_the_journal_is_readable(scored, folders):
    scored()
    lines = (folders / "out" / "scores.jsonl").read_text().splitlines()
    assert {(line["method"], line["name"]) for line in map(json.loads, lines)} == set(rows(folders / "out"))
