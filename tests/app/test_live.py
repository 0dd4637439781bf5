"""Two live sources on the page: what visitors are shown, and how it ends."""

import base64
import io
import json
import os
import threading
from contextlib import suppress
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image

from dream_if.app.live import Live
from dream_if.errors import InputError

URLS = "udp://me:secret@a:1", "udp://me:secret@a:10"


def picture(uri: str) -> np.ndarray:
    kind, _, data = uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


class Fusing:
    """Stands in for the fusion: shows frames of grey levels when told, and ends as told."""

    def __init__(self, end="", fault=None) -> None:
        self.end, self.fault = end, fault
        self.levels, self.more = [0.2, 0.4], threading.Event()

    def __call__(self, show, say, stop) -> str:
        for level in self.levels:
            show(np.full((20, 30, 3), level, np.float32), *(np.full((20, 30), each, np.float32) for each in (0, 1)))
        say("4.0 fused frames a second")
        while not (self.more.wait(0.01) or stop.is_set()):
            pass
        if self.fault is not None:
            raise self.fault
        return self.end


def begun(fusing) -> Live:
    live = Live(fusing, *URLS)
    live.start()
    live.wait()
    return live


def test_the_newest_frame_and_the_sources_in_half_the_size():
    live = begun(Fusing())
    live.finish()
    fused, visible, infrared = map(picture, live.view.pictures)
    assert fused.shape == (20, 30, 3)
    assert np.abs(fused.astype(float) - 0.4 * 255).max() <= 2
    assert visible.shape == infrared.shape == (10, 15, 3)
    assert visible.max() <= 1
    assert infrared.min() >= 254
    assert live.view.ended


def test_the_end_is_told_without_the_address(capsys):
    fusing = Fusing(f"{URLS[1]} was silent for 10 s")
    live = begun(fusing)
    assert not live.view.ended
    fusing.more.set()
    live.join()
    assert live.view.line == "The infrared source was silent for 10 s"
    assert live.view.ended
    assert capsys.readouterr().err == "The infrared source was silent for 10 s; the page stays.\n"


def test_a_name_within_a_word_is_none_of_a_source():
    fusing = Fusing("v ended; i: distrusted in 3 of 4 frames, its level is low")
    fusing.more.set()
    live = Live(fusing, "v", "i")
    live.start()
    live.join()
    said = "The visible source ended; the infrared source: distrusted in 3 of 4 frames, its level is low"
    assert live.view.line == said


def test_an_error_after_frames_is_told_and_one_before_is_raised():
    fusing = Fusing(fault=InputError(f"{URLS[0]}: memory is short"))
    fusing.more.set()
    live = Live(fusing, *URLS)
    live.start()
    live.join()
    live.wait()
    assert live.view.line == "The visible source: memory is short"
    fusing.levels = []
    live = Live(fusing, *URLS)
    live.start()
    with pytest.raises(InputError, match=f"{URLS[0]}: memory is short"):
        live.wait()


class TestPage:
    @pytest.fixture
    def page(self):
        pytest.importorskip("gradio", reason="the page needs Gradio: pip install 'dream-if[app]'")
        from dream_if.app.interface import build_live, serve

        self.fusing = Fusing(f"{URLS[0]} ended <b>")
        self.live = begun(self.fusing)
        page = serve(build_live(self.live), "127.0.0.1", None, share=False)
        yield page
        page.close()
        self.live.finish()

    def ask(self, page, visitor: str) -> list:
        """What a tick of this visitor's page brings: the window and the line."""
        [number] = page.fns
        body = {"fn_index": number, "data": [None], "session_hash": visitor}
        request = Request(  # of this machine
            f"{page.local_url}gradio_api/run/predict", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"][1:]

    def test_visitors_see_the_same_and_nothing_is_sent_twice(self, page):
        first = self.ask(page, "one")
        assert self.live.view.pictures[0] in first[0]
        assert first[1] == "4.0 fused frames a second"
        assert self.ask(page, "two") == first
        assert self.live.view.pictures[0] not in str(self.ask(page, "one"))
        self.fusing.more.set()
        self.live.join()
        window, line = self.ask(page, "two")
        assert self.live.view.pictures[0] in window
        assert line.startswith("**The visible source ended &lt;b&gt;.** This is the last frame")

    def test_no_upload_and_no_interface_for_programs(self, page):
        assert {type(block).__name__ for block in page.blocks.values()}.isdisjoint({"File", "UploadButton", "Textbox"})
        assert {block.api_visibility for block in page.fns.values()} == {"private"}


class TestCommand:
    @pytest.fixture(autouse=True)
    def _here(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

    @pytest.mark.parametrize(
        ("args", "said"),
        [
            (("--live", "udp://a:1"), "--live: expected 2 arguments"),
            (("--live", "udp://a:1", "udp://a:1"), "udp://a:1 is both sources; give two"),
            (("--live", "udp://a:1", "a.mp4"), "a.mp4: expected a stream, a URL, a device or a named pipe"),
            (("--live", "udp://a:1", "udp://a:2", "--timeout", "0"), "--timeout must be above 0"),
            (("--live", "udp://a:1", "udp://a:2", "--rig", "none.yaml"), "none.yaml"),
            (("--lag", "1"), "--timeout are for --live"),
            (
                ("--live", "tcp://127.0.0.1:9", "udp://127.0.0.1:50999"),
                "tcp://127.0.0.1:9: cannot be read as a video (",
            ),
        ],
    )
    def test_what_is_refused(self, run, weights, args, said):
        pytest.importorskip("av", reason="videos need the extra `video`")
        pytest.importorskip("gradio", reason="the page needs Gradio: pip install 'dream-if[app]'")
        assert said in run("app", *args, "--weights", weights, "--device", "cpu", "--threads", "1").message

    @pytest.mark.slow  # in real time
    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
    def test_two_pipes_on_the_page_until_one_ends(self, run, weights, monkeypatch):
        pytest.importorskip("av", reason="videos need the extra `video`")
        pytest.importorskip("gradio", reason="the page needs Gradio: pip install 'dream-if[app]'")
        import gradio as gr

        from tests.inference.test_stream import Sender

        for name in ("v", "i"):
            os.mkfifo(name)
        asked = TestPage()
        found = []

        def visit(page) -> None:
            found.append(asked.ask(page, "one")[0])
            for thread in threading.enumerate():
                if isinstance(thread, Live):
                    thread.join()
            found.append(asked.ask(page, "one")[1])

        monkeypatch.setattr(gr.Blocks, "block_thread", visit)
        for sender in (Sender("v", 100), Sender("i", 75)):
            sender.start()
        outcome = run("app", "--live", "v", "i", "--weights", weights, "--device", "cpu", "--threads", "1")
        assert outcome.status == 0, outcome.err
        assert found[0].count("data:image/jpeg") == 3
        assert found[1].startswith("**The infrared source ended")
        assert "This is the last frame" in found[1]
        assert "until Ctrl-C" in outcome.out
        with suppress(OSError):
            os.close(os.open("v", os.O_WRONLY | os.O_NONBLOCK))
