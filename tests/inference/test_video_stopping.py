"""`dream-if fuse` on videos: what is for pictures alone is refused, and SIGTERM leaves nothing behind."""

import os
import signal
from pathlib import Path

import pytest
import torch

from dream_if.inference.flicker import Flicker

pytest.importorskip("av", reason="videos need the extra `video`")

from tests.inference.videos import frames_of, write

EXACT = ("--device", "cpu", "--precision", "float32", "--threads", "1")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("v.mp4", "i.mp4"):
        write(Path(name), frames_of(70, 2))
    yield
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("infrared", "options", "said"),
    [
        ("i.mp4", ("--allow-missing",), "--allow-missing is for pictures; of videos both are needed."),
        ("i.mp4", ("--format", "png"), "--format is for pictures in a folder; the ending of OUT names"),
        ("./v.mp4", (), "v.mp4 and v.mp4: are the same"),
    ],
)
def test_what_is_refused(run, weights, infrared, options, said):
    message = run("fuse", "v.mp4", infrared, "-o", "f.mp4", "--weights", weights, *EXACT, *options).message
    assert message.startswith(said)
    assert not Path("f.mp4").exists()


def test_sigterm_leaves_nothing_behind(run, weights, monkeypatch):
    before = set(os.listdir())
    part_files = []
    add_to_flicker = Flicker.add

    def add(*args):
        part_files.append(set(os.listdir()) - before)
        os.kill(os.getpid(), signal.SIGTERM)
        add_to_flicker(*args)

    monkeypatch.setattr(Flicker, "add", add)
    arrived = []
    own = signal.signal(signal.SIGTERM, lambda *_: arrived.append(1))  # else a failure would end all tests
    try:
        outcome = run("fuse", "v.mp4", "i.mp4", "-o", "f.mp4", "--weights", weights, *EXACT)
        assert len(part_files[0]) == 1
        assert (outcome.status, arrived) == (143, [])
        assert set(os.listdir()) == before
        os.kill(os.getpid(), signal.SIGTERM)
        assert arrived == [1]
    finally:
        signal.signal(signal.SIGTERM, own)
