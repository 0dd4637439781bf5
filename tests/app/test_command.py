"""`dream-if app` as a user meets it, but for the page itself."""

import importlib.util

import pytest

from dream_if.app import command


@pytest.mark.parametrize("port", ["0", "65536", "-1"])
def test_ports(run, port):
    assert run("app", "--port", port).message == f"--port: expected 1 to 65535, got {port}."


def test_gradio_missing(run, monkeypatch):
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "gradio" else importlib.util.find_spec(name))
    assert run("app").message == "the page needs Gradio, which is not installed; pip install 'dream-if[app]' brings it."
