"""The real `wandb sweep` and `wandb agent` run Table 4, against a double of the five operations they ask for.

The double proves the client's half: what the service itself makes of the file is not to be had without an account.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from threading import Lock, Thread

import pytest
import yaml

from tests.conftest import TINY

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PROJECT = {"id": "p", "name": "dream-if", "entity": {"id": "e", "name": "someone"}}


class Service:
    """What W&B's server knows of one sweep, and its answers."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.config = ""
        self.waiting: list[dict] = []
        self.given: list[str] = []
        self.operations: list[str] = []

    def answer(self, operation: str, variables: dict) -> dict:
        with self.lock:
            self.operations.append(operation)
            return getattr(self, operation)(variables)

    def Viewer(self, _: dict) -> dict:
        teams = {"edges": [{"node": {"name": "someone"}}]}
        person = {"id": "v", "entity": "someone", "username": "someone", "name": "Someone", "email": "a@b.example"}
        return {"viewer": person | {"admin": False, "flags": "{}", "apiKeys": {"edges": []}, "teams": teams}}

    def UpsertSweep(self, variables: dict) -> dict:
        assert variables["projectName"] == "dream-if"
        self.config = variables["config"]
        parameters = yaml.safe_load(self.config)["parameters"]
        names = sorted(parameters)
        choices = [parameters[name]["values"] for name in names]
        self.waiting = [dict(zip(names, values, strict=True)) for values in product(*choices)]
        return {"upsertSweep": {"sweep": {"name": "swp", "project": PROJECT}, "configValidationWarnings": []}}

    def SweepWithRuns(self, _: dict) -> dict:
        sweep = {"id": "s", "name": "swp", "method": "grid", "state": "RUNNING", "config": self.config}
        return {"project": {"sweep": sweep | {"runs": {"edges": []}}}}

    def CreateAgent(self, _: dict) -> dict:
        return {"createAgent": {"agent": {"id": "agent"}}}

    def Heartbeat(self, variables: dict) -> dict:
        commands: list[dict] = []
        if not json.loads(variables.get("runState") or "{}"):  # one at a time, and an exit would kill
            if self.waiting:
                self.given.append(f"run{len(self.given):02d}")
                args = {name: {"value": value} for name, value in self.waiting.pop(0).items()}
                commands = [{"type": "run", "run_id": self.given[-1], "program": "", "args": args}]
            else:
                commands = [{"type": "exit"}]
        return {"agentHeartbeat": {"agent": {"id": "agent"}, "commands": json.dumps(commands)}}


@pytest.fixture
def service() -> Iterator[tuple[Service, str]]:
    """The double and its address; it stops with the test."""
    double = Service()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path != "/graphql":  # the client's telemetry
                return self.reply(404, b"{}")
            asked = json.loads(body)
            found = re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])
            assert found
            try:
                data = {"data": double.answer(found[1], asked.get("variables") or {})}
            except AttributeError:
                data = {"errors": [{"message": f"{found[1]} is none of the five"}]}
            return self.reply(200, json.dumps(data).encode())

        def reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: pytest would show it."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Nothing: the client ends connections as it likes."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield double, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder where table4.yaml, with two of its seeds, trains the tiny network on generated scenes."""
    sweep = yaml.safe_load((ROOT / "sweeps" / "table4.yaml").read_text())
    position = sweep["command"].index("--config=experiments/full.yaml")
    sweep["command"][position] = "--config=tiny.yaml"
    sweep["parameters"]["seed_everything"]["values"].remove(2)
    (tmp_path / "table4.yaml").write_text(yaml.safe_dump(sweep))
    data = {"layout": "scenes", "num_scenes": 4, "crop": 16, "crops_per_pair": 2, "batch_size": 4, "num_workers": 0}
    metrics = ["AG", "SF", "Qabf", "SSIM", "VIFF"]
    tiny = TINY | {"data": data, "model": TINY["model"] | {"metrics": metrics, "compare": []}, "panels": {"count": 0}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    return tmp_path


def test_wandb_runs_the_sweep(service: tuple[Service, str], place: Path) -> None:
    double, address = service
    tools = Path(sys.executable).parent
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    variables = kept | {
        "HOME": str(place),
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "WANDB_BASE_URL": address,
        "WANDB_API_KEY": "0" * 40,
        "WANDB_MODE": "offline",  # of the runs; sweep and agent talk to the server all the same
    }

    def call(*words: str, limit: float) -> str:
        done = subprocess.run(
            [tools / words[0], *words[1:]],
            cwd=place,
            env=variables,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    said = call("wandb", "sweep", "table4.yaml", limit=60)
    assert "wandb agent someone/dream-if/swp" in said
    assert "Malformed" not in said
    said = call("wandb", "agent", "--forward-signals", "someone/dream-if/swp", limit=1200)

    assert set(double.operations) <= {"Viewer", "UpsertSweep", "SweepWithRuns", "CreateAgent", "Heartbeat"}, said
    assert len(double.given) == 10
    seen = set()
    for name in double.given:
        run = place / "runs" / "table4" / "dream-if" / name
        assert (run / "metrics.json").exists(), said
        settings = yaml.safe_load((run / "config.yaml").read_text())
        assert settings["trainer"]["logger"]["init_args"]["group"] == settings["group"]
        assert json.loads((run / "metrics.json").read_text())["test"]["metrics"]["test/scenes/VIFF"] > 0
        seen.add((settings["group"], settings["seed_everything"]))
    assert seen == set(product(["base", "rd", "rd_ce", "rd_se", "rd_ce_se"], [0, 1]))
    table = call("dream-if", "tables", "4", "runs/table4", limit=60)
    for row in ("base", "rd"):
        assert row in table.lower()
    assert (place / "runs" / "table4" / "table4.html").exists()
