"""An evaluation that is split among cores or jobs gives the files of one that is not."""

import json
import shutil
import subprocess
import sys
import threading
import time

import pytest
import torch

from dream_if.cli.verbs.evaluate import run
from dream_if.errors import InputError
from dream_if.scoring import engine
from dream_if.scoring.parallel import Share, one_torch_thread, spread

METRICS = "AG,EN,SSIM,Qabf,VIFF"


def contents(folder):
    """The results, less when they were computed and where."""
    files = {name: (folder / name).read_bytes() for name in ("per_image.csv", "table.md", "box_plots.png")}
    summary = json.loads((folder / "summary.json").read_text())
    return files | {"summary.json": {key: value for key, value in summary.items() if key != "date"}}


@pytest.fixture
def whole(options, folders):
    """What one thread gives, without a split."""
    assert run(options(metrics=METRICS, batch_size=2)) == 0
    held = contents(folders / "out")
    shutil.rmtree(folders / "out")
    return held


class TestShare:
    def test_shares_are_apart_and_together_all(self):
        parts = [Share(number, 3).of_all("abcdefgh") for number in (1, 2, 3)]
        assert sorted(item for part in parts for item in part) == list("abcdefgh")
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        assert Share().of_all("abc") == list("abc")

    @pytest.mark.parametrize("text", ["0/2", "3/2", "2", "a/b", "1/0", "-1/2", "1/2/3", ""])
    def test_others_are_refused(self, text):
        with pytest.raises(InputError, match=r"--share: expected K/N with K from 1 to N, such as 2/8, got"):
            Share.parse(text)

    def test_without_a_folder_to_meet_in_it_is_refused(self, options):
        with pytest.raises(InputError, match="--share: needs --out"):
            run(options(share="1/2", out=None))


class TestSpread:
    def test_workers_work_at_the_same_time_and_each_on_one_item(self):
        both = threading.Barrier(2, timeout=10)
        at_work = []

        def work(item, worker):
            at_work.append(worker)
            assert at_work.count(worker) == 1
            both.wait()
            at_work.remove(worker)
            return item * 10

        assert sorted(spread(work, range(8), ["a", "b"])) == [10 * item for item in range(8)]

    def test_a_failure_ends_it_and_nothing_more_is_begun(self):
        begun = []

        def work(item, _worker):
            begun.append(item)
            time.sleep(0.005)
            if item == 2:
                raise InputError("broken")

        with pytest.raises(InputError, match="broken"):
            list(spread(work, range(1000), ["a"]))
        count = len(begun)
        assert count < 1000
        time.sleep(0.05)
        assert len(begun) == count

    def test_torch_has_one_thread_in_every_worker(self):
        torch.set_num_threads(3)  # the fixture of this folder puts it back
        with one_torch_thread():
            counts = list(spread(lambda *_: torch.get_num_threads(), range(4), [0, 1]))
        assert counts == [1, 1, 1, 1]
        assert torch.get_num_threads() == 3


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_no_byte(options, folders, whole, threads):
    assert run(options(metrics=METRICS, batch_size=2, threads=threads)) == 0
    assert contents(folders / "out") == whole


def test_threads_work_at_the_same_time(options, monkeypatch):
    both = threading.Barrier(2, timeout=20)
    original = engine._Worker.score

    def together(*args):
        both.wait()
        return original(*args)

    monkeypatch.setattr(engine._Worker, "score", together)
    assert run(options(metrics="AG", batch_size=2, threads=2)) == 0


def test_torchs_own_threads_change_no_byte(options, folders, whole):
    torch.set_num_threads(3)
    assert run(options(metrics=METRICS, batch_size=2)) == 0
    assert contents(folders / "out") == whole


def test_the_last_share_writes_the_results(options, folders, whole, capsys):
    given = {"metrics": METRICS, "batch_size": 2}
    for number, missing in ((1, 6), (3, 4)):  # four batches of seven images, for two methods
        assert run(options(share=f"{number}/3", **given)) == 0
        assert f"Share {number}/3 is done; {missing} of 14 fused images are still to" in capsys.readouterr().out
        assert not (folders / "out" / "per_image.csv").exists()
    assert run(options(share="2/3", **given)) == 0
    assert contents(folders / "out") == whole


def test_without_a_share_only_what_others_left_is_computed(options, folders, whole, monkeypatch):
    given = {"metrics": METRICS, "batch_size": 2}
    assert run(options(share="2/2", **given)) == 0
    original, computed = engine._Worker.score, []

    def counting(worker, wanted, batch):
        computed.append(len(batch.items))
        return original(worker, wanted, batch)

    monkeypatch.setattr(engine._Worker, "score", counting)
    assert run(options(**given)) == 0
    assert contents(folders / "out") == whole
    assert 0 < sum(computed) < 14


@pytest.mark.slow
def test_two_processes_at_a_time_give_the_files_of_one(folders, whole):
    script = f"""
import sys
from dream_if.cli.verbs.evaluate import Options, run
options = dict(visible="vi", infrared="ir", fused=["mix=mix", "max=max"], metrics="{METRICS}", convention="dream_if",
               lpips_weights=None, device="cpu", threads=1, batch_size=2, resize=False, out="out", share=sys.argv[1])
sys.exit(run(Options(**options)))
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", script, share], cwd=folders, stdout=subprocess.PIPE, text=True)
        for share in ("1/2", "2/2")
    ]
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert any("Wrote per_image.csv" in text for text in said)
    assert {path.name for path in (folders / "out").glob("*.jsonl")} == {"scores.1of2.jsonl", "scores.2of2.jsonl"}
    held, settings = (
        contents(folders / "out"),
        {"visible": "vi", "infrared": "ir", "fused": {"mix": "mix", "max": "max"}},
    )
    whole["summary.json"]["settings"] |= settings
    assert held == whole


@pytest.mark.parametrize("device", ["cpu,cpu", "cpu,meta"])
def test_devices_of_two_kinds_or_twice_the_same_are_refused(options, device):
    with pytest.raises(InputError, match=r"device"):
        run(options(device=device))
