"""A double of W&B's server on this machine: what its client asks for in a sweep, in a run, and through `wandb.Api`.

It proves the client's half: what the service itself does is not to be had without an account.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from threading import RLock, Thread
from typing import Any

import yaml

PROJECT = {"id": "p", "internalId": "1", "name": "dream-if", "entity": {"id": "e", "name": "someone"}}
LAST_PAGE = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}


class Run:
    """What the server holds of a run."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.config: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.history: dict[int, dict[str, Any]] = {}
        self.state = "running"
        self.preempting = False
        self.artifacts: list[dict[str, Any]] = []


class Service:
    """What W&B's server knows of one project with one sweep, and its answers.

    Attributes:
        runs: by their ids.
        given: the ids of the runs that agents were told to start, those of a run started again twice.
        blobs: what was uploaded, by its digest as MD5 in hex.
        operations: that were asked for.
        unknown: those among them that this double does not know.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self.address = ""
        self.config = ""
        self.waiting: list[dict] = []
        self.again: list[str] = []
        self.given: list[str] = []
        self.runs: dict[str, Run] = {}
        self.artifacts: dict[str, dict[str, Any]] = {}
        self.blobs: dict[str, bytes] = {}
        self.places: dict[str, bytes] = {}
        self.operations: list[str] = []
        self.unknown: list[str] = []

    def answer(self, operation: str, variables: dict) -> dict:
        with self.lock:
            self.operations.append(operation)
            known = getattr(self, operation, None)
            if known is None:
                self.unknown.append(operation)
                return {"errors": [{"message": f"{operation} is not known here"}]}
            return {"data": known(variables)}

    # Of whoever asks.

    def Viewer(self, _: dict) -> dict:
        teams = {"edges": [{"node": {"name": "someone"}}]}
        person = {"id": "v", "entity": "someone", "username": "someone", "name": "Someone", "email": "a@b.example"}
        return {"viewer": person | {"admin": False, "flags": "{}", "apiKeys": {"edges": []}, "teams": teams}}

    def GetDefaultEntity(self, _: dict) -> dict:
        return {"viewer": {"id": "v", "entity": "someone"}}

    def ServerFeaturesQuery(self, _: dict) -> dict:
        return {"serverInfo": {"features": []}}

    # Of sweeps.

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
        """One run at a time, that which was cut off first, with every setting it has logged; an exit would kill."""
        commands: list[dict] = []
        if not json.loads(variables.get("runState") or "{}"):
            if self.again:
                self.given.append(self.again.pop(0))
                commands = [{"type": "resume", "args": self.runs[self.given[-1]].config}]
            elif self.waiting:
                self.given.append(f"run{len(set(self.given)):02d}")
                values = self.waiting.pop(0)
                commands = [{"type": "run", "args": {name: {"value": value} for name, value in values.items()}}]
            else:
                commands = [{"type": "exit"}]
            if self.given and commands[0]["type"] != "exit":
                commands[0] |= {"run_id": self.given[-1], "program": ""}
        return {"agentHeartbeat": {"agent": {"id": "agent"}, "commands": json.dumps(commands)}}

    # Of runs.

    def UpsertBucket(self, variables: dict) -> dict:
        name = variables["name"]
        new = name not in self.runs
        run = self.runs.setdefault(name, Run())
        run.state = "running"
        run.facts |= {key: value for key, value in variables.items() if value is not None}
        run.config |= json.loads(variables.get("config") or "{}")
        bucket = {"id": name, "name": name, "displayName": name, "description": None, "config": json.dumps(run.config)}
        bucket |= {"sweepName": run.facts.get("sweep"), "project": PROJECT, "historyLineCount": len(run.history)}
        return {"upsertBucket": {"bucket": bucket, "inserted": new}}

    def RunResumeStatus(self, variables: dict) -> dict:
        name = variables["name"]
        bucket = None
        if run := self.runs.get(name):
            tail = json.dumps([json.dumps(run.history[max(run.history)])]) if run.history else "[]"
            bucket = {"id": name, "name": name, "summaryMetrics": json.dumps(run.summary), "displayName": name}
            bucket |= {"logLineCount": 0, "historyLineCount": len(run.history), "eventsLineCount": 0}
            bucket |= {"historyTail": tail, "eventsTail": "[]", "config": json.dumps(run.config), "tags": []}
            bucket |= {"notes": None, "wandbConfig": "{}"}
        return {"model": PROJECT | {"bucket": bucket}}

    def RunStoppedStatus(self, _: dict) -> dict:
        return {"project": {"run": {"stopped": False}}}

    def CreateRunFiles(self, variables: dict) -> dict:
        files = [{"name": name, "uploadUrl": self._place(variables["run"], name)} for name in variables["files"]]
        return {"createRunFiles": {"runID": variables["run"], "uploadHeaders": [], "files": files}}

    def stream(self, name: str, sent: dict) -> dict:
        """What a run tells while it runs."""
        with self.lock:
            run = self.runs[name]
            files = sent.get("files") or {}
            if history := files.get("wandb-history.jsonl"):
                lines = enumerate(map(json.loads, history["content"]), history["offset"])
                run.history |= dict(lines)
            if summary := files.get("wandb-summary.json"):
                run.summary |= json.loads(summary["content"][-1])
            run.preempting |= bool(sent.get("preempting"))
            if sent.get("complete"):
                run.state = "crashed" if sent.get("exitcode") else "finished"
                if run.preempting and sent.get("exitcode"):
                    self.again.append(name)
                run.preempting = False
        return {"exitcode": None, "limits": {}}

    # Of artifacts.

    def CreateArtifact(self, variables: dict) -> dict:
        asked = variables["input"]
        run = self.runs[asked["runName"]]
        same = [held for held in run.artifacts if held["name"] == asked["artifactCollectionName"]]
        name = f"artifact{len(self.artifacts)}"
        kept = {"id": name, "type": asked["artifactTypeName"], "name": asked["artifactCollectionName"]}
        self.artifacts[name] = kept | {"digest": asked["digest"], "version": len(same), "manifest": ""}
        run.artifacts.append(self.artifacts[name])
        sequence = {"latestArtifact": {"id": same[-1]["id"]} if same else None}
        return {"createArtifact": {"artifact": {"id": name, "state": "PENDING", "artifactSequence": sequence}}}

    def CreateArtifactManifest(self, variables: dict) -> dict:
        name = variables["artifactID"]
        self.artifacts[name]["manifest"] = place = self._place(name, "manifest")
        file = {"id": f"{name}-manifest", "uploadUrl": place, "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": f"{name}-manifest", "file": file}}}

    def UpdateArtifactManifest(self, variables: dict) -> dict:
        name = variables["artifactManifestID"]
        place = self._place(name.removesuffix("-manifest"), "manifest")
        file = {"id": name, "uploadUrl": place, "uploadHeaders": []}
        return {"updateArtifactManifest": {"artifactManifest": {"id": name, "file": file}}}

    def CreateArtifactFiles(self, variables: dict) -> dict:
        nodes = []
        for file in variables["input"]["artifactFiles"]:
            place = self._place(file["artifactID"], file["name"])
            node = {"storagePath": place, "uploadUrl": place, "uploadHeaders": [], "uploadMultipartUrls": None}
            nodes.append({"node": node | {"artifact": {"id": file["artifactID"]}}})
        return {"createArtifactFiles": {"files": {"edges": nodes}}}

    def CommitArtifact(self, variables: dict) -> dict:
        held = self.artifacts[variables["artifactID"]]
        return {"commitArtifact": {"artifact": {"id": held["id"], "digest": held["digest"]}}}

    # Of `wandb.Api`.

    def Runs(self, variables: dict) -> dict:
        if (variables["entity"], variables["project"]) != ("someone", "dream-if"):
            return {"project": None}
        asked = json.loads(variables["filters"]).get("sweep")
        found = {name: run for name, run in self.runs.items() if asked in (None, run.facts.get("sweep"))}
        edges = [{"node": self._listed(name, run), "cursor": name} for name, run in found.items()]
        told = {"internalId": "1", "runCount": len(found), "readOnly": False}
        return {"project": told | {"runs": {"edges": edges, "pageInfo": LAST_PAGE}}}

    def _listed(self, name: str, run: Run) -> dict:
        empty = dict.fromkeys(("group", "jobType", "commit", "description", "notes", "heartbeatAt"))
        about = {"id": name, "name": name, "displayName": name, "tags": [], "sweepName": run.facts.get("sweep")}
        about |= {"state": run.state, "readOnly": False, "createdAt": "2026-01-01T00:00:00", "projectId": "1"}
        user = {"name": "Someone", "username": "someone"}
        return empty | about | {"historyLineCount": len(run.history), "user": user}

    def RunOutputArtifacts(self, variables: dict) -> dict:
        edges = [{"node": self._told(held), "cursor": held["id"]} for held in self.runs[variables["run"]].artifacts]
        return {"project": {"run": {"artifacts": {"totalCount": len(edges), "pageInfo": LAST_PAGE, "edges": edges}}}}

    def _told(self, held: dict) -> dict:
        project = {key: PROJECT[key] for key in ("id", "internalId", "name", "entity")}
        sequence = {"__typename": "ArtifactSequence", "name": held["name"], "project": project}
        empty = dict.fromkeys(("description", "metadata", "historyStep", "commitHash", "updatedAt"))
        about = {"__typename": "Artifact", "id": held["id"], "artifactSequence": sequence, "tags": [], "aliases": []}
        about |= {"versionIndex": held["version"], "artifactType": {"name": held["type"]}, "ttlIsInherited": True}
        about["ttlDurationSeconds"] = -1  # for ever
        about |= {"state": "COMMITTED", "size": 1, "fileCount": 1, "createdAt": "2026-01-01T00:00:00"}
        return empty | about | {"digest": held["digest"], "digestAlgorithm": "MANIFEST_MD5"}

    def FetchArtifactManifest(self, variables: dict) -> dict:
        return {"artifact": {"currentManifest": {"file": {"directUrl": self.artifacts[variables["id"]]["manifest"]}}}}

    # Of files.

    def _place(self, *parts: str) -> str:
        return f"{self.address}/store/{'/'.join(parts)}"

    def put(self, path: str, body: bytes) -> None:
        with self.lock:
            self.places[path] = body
            self.blobs[hashlib.md5(body, usedforsecurity=False).hexdigest()] = body

    def get(self, path: str) -> bytes | None:
        """A file by its place, or by the digest in an address such as `/artifactsV2/.../<digest>/<name>`."""
        with self.lock:
            digests = [part for part in path.split("/") if part in self.blobs]
            return self.places.get(path, self.blobs[digests[0]] if digests else None)

    def files_of(self, artifact: dict) -> dict[str, bytes]:
        """What an artifact holds, by name."""
        manifest = json.loads(self.places[artifact["manifest"].removeprefix(self.address)])
        digests = {name: base64.b64decode(held["digest"]).hex() for name, held in manifest["contents"].items()}
        return {name: self.blobs[digest] for name, digest in digests.items()}


@contextmanager
def serving(double: Service) -> Iterator[str]:
    """Serve on a free port, whose address is given; it stops with the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def do_POST(self) -> None:
            body = self.body()
            if stream := re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", self.path):
                return self.reply(200, json.dumps(double.stream(stream[1], json.loads(body))).encode())
            if self.path != "/graphql":  # the client's telemetry
                return self.reply(404, b"{}")
            asked = json.loads(body)
            found = re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])
            assert found
            return self.reply(200, json.dumps(double.answer(found[1], asked.get("variables") or {})).encode())

        def do_PUT(self) -> None:
            double.put(self.path, self.body())
            self.reply(200, b"")

        def do_GET(self) -> None:
            held = double.get(self.path.partition("?")[0])
            self.reply(404 if held is None else 200, held or b"")

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
    double.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield double.address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
