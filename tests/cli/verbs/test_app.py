"""`dream-if app` as a user meets it, but for the page itself."""

import importlib.util
import socket

import pytest

from dream_if.cli.verbs import app


@pytest.mark.parametrize("port", ["0", "65536", "-1"])
def test_ports(run, port):
    assert run("app", "--port", port).message == f"--port: expected 1 to 65535, got {port}."


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "a..b", "300.1.1.1"], ids=["that of another machine", "no name", "unknown"]
)
def test_hosts(run, monkeypatch, host):
    look_up = socket.getaddrinfo

    def offline(name, *args, **kwargs):
        if name == "300.1.1.1":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(name, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    monkeypatch.setattr(app, "make_fuser", lambda *_, **__: pytest.fail("went on"))
    message = run("app", "--host", host, "--port", "7999").message
    assert message.startswith("--host: expected an address of this machine, such as 127.0.0.1 or 0.0.0.0")
    assert f"got {host!r} (" in message
    assert "7999" not in message


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_hosts_of_this_machine(host):
    app.check_host(host)


def test_gradio_missing(run, monkeypatch):
    monkeypatch.setattr(app, "find_spec", lambda name: None if name == "gradio" else importlib.util.find_spec(name))
    message = run("app").message
    assert "Gradio" in message
    assert "pip install 'dream-if[app]'" in message
