"""The page as Gradio builds it: what is on it, what it calls, and what it never asks for."""

import json
import re
import socket
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="the page needs Gradio: pip install 'dream-if[app]'")

import gradio as gr

from dream_if.app import interface
from dream_if.app.examples import make_examples
from dream_if.app.interface import build, serve
from dream_if.app.sliders import CHAIN, TITLES, Sliders
from dream_if.data.degradations import ALL_KINDS
from dream_if.errors import InputError


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return make_examples(tmp_path_factory.mktemp("app") / "examples", count=2, size=(48, 64))


@pytest.fixture
def page(demo, examples) -> gr.Blocks:
    return build(demo, examples)


def function(page: gr.Blocks, name: str):
    """The function behind the page of this name; where several events share it, they share what is behind."""
    return next(block.fn for block in page.fns.values() if block.fn.__name__ == name)


def component(page: gr.Blocks, name: str):
    return next(block for block in page.blocks.values() if getattr(block, "elem_id", None) == name)


LEVELS = [0] * len(ALL_KINDS)


def test_a_slider_for_each_kind(page):
    assert set(TITLES) == set(ALL_KINDS)
    for kind in ALL_KINDS:
        slider = component(page, kind)
        assert (slider.minimum, slider.maximum, slider.step, slider.value) == (0, 4, 1, 0)


def test_no_telemetry_and_no_interface_for_programs(page):
    assert page.analytics_enabled is False
    assert {block.api_visibility for block in page.fns.values()} == {"private"}


def test_one_fusion_at_a_time(page):
    fusing = [block for block in page.fns.values() if block.fn.__name__ == "fuse"]
    assert len(fusing) == 2  # the button, and a chosen example
    assert {(block.concurrency_limit, block.concurrency_id) for block in fusing} == {(1, "network")}


def test_fusing_fills_every_output(page, uploads):
    files = (str(uploads / "visible.png"), str(uploads / "infrared.png"))
    pair, visible, infrared, download, summary = function(page, "fuse")(
        *files, "rgb", "auto", False, False, "both", 0, *LEVELS
    )
    assert [side.shape for side in pair] == [(32, 40, 3)] * 2
    assert "Dominance, visible: 0." in visible.label
    assert "Dominance, infrared: 0." in infrared.label
    assert Image.open(download.value["path"] if isinstance(download.value, dict) else download.value).size == (40, 32)
    assert "40 x 32 pixels" in summary


def test_a_mistake_is_gradios_message_with_our_sentence(page, uploads):
    with pytest.raises(gr.Error) as error:
        function(page, "fuse")(str(uploads / "visible.png"), None, "rgb", "auto", False, False, "both", 0, *LEVELS)
    assert error.value.message.startswith("The infrared picture is missing")
    assert error.value.print_exception is False
    with pytest.raises(gr.Error, match="seed: expected a whole number"):
        function(page, "preview")(str(uploads / "visible.png"), "auto", "both", 0.5, *LEVELS)


def test_an_empty_seed_is_0(page, uploads):
    settings = (str(uploads / "visible.png"), "auto", "both")
    empty, zero = (function(page, "preview")(*settings, seed, 4, *LEVELS[1:]) for seed in (None, 0))
    assert (empty == zero).all()


def test_what_a_message_quotes_is_no_markup(page, uploads):
    name = "<b>text.png"
    (uploads / "text.png").rename(uploads / name)
    with pytest.raises(gr.Error) as error:
        function(page, "preview")(str(uploads / name), "auto", "both", 0, *LEVELS)
    assert error.value.message.startswith("&lt;b&gt;text.png: not a picture")


def test_each_slider_moves_its_own_kind(page, uploads, demo):
    file = str(uploads / "visible.png")
    for place, kind in enumerate(CHAIN):
        levels = list(LEVELS)
        levels[place] = 3
        view = function(page, "preview")(file, "auto", "both", 7, *levels)
        assert (view == demo.preview(file, "visible", Sliders({kind: 3}, seed=7), "auto")).all()
        inputs = next(block.inputs for block in page.fns.values() if block.fn.__name__ == "preview")
        assert inputs[4 + place] is component(page, kind)


def test_choosing_an_example_loads_its_files(page, examples):
    chosen = function(page, "choose")(gr.SelectData(None, {"index": 1, "value": None}))
    assert chosen == (str(examples[1].visible), str(examples[1].infrared))


def test_examples_are_the_same_every_time(examples, tmp_path):
    again = make_examples(tmp_path / "again", count=2, size=(48, 64))
    for one, other in zip(examples, again, strict=True):
        assert one.visible.read_bytes() == other.visible.read_bytes()
        assert one.infrared.read_bytes() == other.infrared.read_bytes()
        assert one.thumbnail.shape == (48, 128, 3)
        assert (one.thumbnail[:, :64] == np.asarray(Image.open(one.visible))).all()
        assert (one.thumbnail[:, 64:, 0] == np.asarray(Image.open(one.infrared))).all()


def test_the_page_is_served_with_a_ban_on_other_servers(page, monkeypatch):
    asked = set()
    for target, name in ((socket.socket, "connect"), (socket, "getaddrinfo")):
        original = getattr(target, name)

        def noted(*args, original=original):
            host = args[0] if isinstance(args[0], str | None) else args[1][0]
            asked.add(host)
            return original(*args)

        monkeypatch.setattr(target, name, noted)
    serve(page, "127.0.0.1", None, share=False)
    try:
        with urlopen(page.local_url) as answer:  # of this machine
            html = answer.read().decode()
            policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self' ")
        assert not re.search("https?:|\\*", policy)
        assert not re.search(r"<(link|script)[^>]*(href|src)=.https?:", html)
        assert "fonts.googleapis.com" not in html
        assert asked == {"127.0.0.1"}
    finally:
        page.close()


def test_a_port_in_use_is_said(page):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"the page cannot be served on 127.0.0.1, port {port}"):
            serve(page, "127.0.0.1", port, share=False)


def test_an_upload_that_is_too_large_is_refused(page, monkeypatch):
    monkeypatch.setattr(interface, "MOST_BYTES", 1000)
    serve(page, "127.0.0.1", None, share=False)
    form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n%s\r\n--x--\r\n'
    try:
        statuses = []
        for size in (900, 1100):
            kind = {"Content-Type": "multipart/form-data; boundary=x"}
            request = Request(f"{page.local_url}gradio_api/upload", form % bytes(size), kind)
            try:
                with urlopen(request, timeout=30) as answer:  # of this machine
                    statuses.append(answer.status)
            except HTTPError as error:
                statuses.append(error.code)
        assert statuses == [200, 413]
    finally:
        page.close()


def _sent(page: gr.Blocks, body: dict) -> str:
    """What the page's queue answers to a request."""
    api = f"{page.local_url}gradio_api/queue/"
    request = Request(f"{api}join", json.dumps(body).encode(), {"Content-Type": "application/json"})  # of this machine
    try:
        with urlopen(request, timeout=30) as answer:
            answer.read()
    except HTTPError as error:
        return f"{error.code} {error.read().decode()}"
    with urlopen(f"{api}data?session_hash={body['session_hash']}", timeout=30) as answer:
        return next(line.decode() for line in answer if b"process_completed" in line)


def test_requests_that_no_page_sends_leave_no_traceback(page, capfd):
    numbers = {block.fn.__name__: number for number, block in page.fns.items()}
    good = [None, "auto", "both", 0, *LEVELS]
    wrong = [good[:1], [None] * 40, ["/etc/passwd", *good[1:]], [{"path": "/etc/passwd"}, *good[1:]], [[1], *good[1:]]]
    wrong += [[*good[:place], value, *good[place + 1 :]] for place in (2, 3, 4) for value in ("x", ["both"], {}, 99.5)]
    serve(page, "127.0.0.1", None, share=False)
    try:
        assert '"success":true' in _sent(page, {"fn_index": numbers["preview"], "data": good, "session_hash": "good"})
        for number, data in enumerate(wrong):
            body = {"fn_index": numbers["preview"], "data": data, "session_hash": f"p{number}"}
            assert "success" in _sent(page, body)
        for number, event in enumerate([None, {}, [], "x", 5, {"index": 99}, {"index": -1}, {"index": "x"}]):
            body = {"fn_index": numbers["choose"], "data": [], "event_data": event, "session_hash": f"c{number}"}
            assert "example: expected a number below 2" in _sent(page, body)
        assert _sent(page, {"fn_index": 999, "data": [], "session_hash": "x"}) == "400 The request cannot be read."
    finally:
        page.close()
    said = "".join(capfd.readouterr())
    assert "Traceback" not in said
    assert said.count("dream-if: refused '/gradio_api/queue/join' (KeyError)") == 1
