"""Runs that W&B holds, fetched with its own client from a double of its server."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dream_if.errors import InputError
from dream_if.runs.tracked import ARTIFACT, fetch_runs
from tests.runs.made_runs import write_run, write_sweep
from tests.runs.wandb_double import Run, Service, serving

pytest.importorskip("wandb")

SOURCE = "wandb:someone/dream-if"
FETCH = """\
import sys
from dream_if.errors import InputError
from dream_if.runs.tracked import fetch_runs
for source in sys.argv[1:]:
    try:
        print(fetch_runs(source))
    except InputError as error:
        print(error)
"""


def hold(double: Service, name: str, folder: Path, files: tuple[str, ...]) -> None:
    """Have the double hold these files of a run as the newest version of its artifact."""
    run = double.runs.setdefault(name, Run())
    run.facts["sweep"], run.state = "swp", "finished"
    contents = {}
    for file in files:
        body = (folder / file).read_bytes()
        double.put(f"/store/{name}/{len(run.artifacts)}/{file}", body)
        digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        contents[file] = {"digest": digest, "size": len(body), "birthArtifactID": ""}
    place = f"/store/{name}/{len(run.artifacts)}/manifest"
    manifest = {"version": 1, "storagePolicy": "wandb-storage-policy-v1", "contents": contents}
    double.put(place, json.dumps(manifest | {"storagePolicyConfig": {"storageLayout": "V2"}}).encode())
    about = {"id": f"{name}-{len(run.artifacts)}", "type": ARTIFACT, "name": f"{ARTIFACT}-{name}", "digest": place}
    double.artifacts[about["id"]] = about | {"version": len(run.artifacts), "manifest": double.address + place}
    run.artifacts.append(double.artifacts[about["id"]])


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Two tested runs in `local` that the double holds as well, and a third that it has no files of."""
    monkeypatch.chdir(tmp_path)
    service = Service()
    with serving(service):
        for row in ("base", "rd"):
            folder = write_run(Path("local") / row, row, 0)
            (folder / "best.ckpt").write_bytes(b"weights")
            hold(service, row, folder, ("config.yaml",))  # as after the training
            hold(service, row, folder, ("config.yaml", "metrics.json", "per_image.csv", "best.ckpt"))
        service.runs["begun"] = Run()
        service.runs["begun"].facts["sweep"] = "swp"
        yield service


def variables(double: Service, folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    cache = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    return kept | cache | {"WANDB_BASE_URL": double.address, "WANDB_API_KEY": "0" * 40}


def call(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_table_is_that_of_the_folders(double: Service, run, tmp_path: Path) -> None:
    sweep = write_sweep(["base", "rd"], [0])
    assert run("tables", "4", "local", "--sweep", sweep, "--out", "here").status == 0
    stale = tmp_path / "cache/dream-if/wandb/someone/dream-if/swp/gone"
    stale.mkdir(parents=True)
    program = "import sys\nfrom dream_if.cli import main\nsys.exit(main(sys.argv[1:]))"
    words = ("tables", "4", f"{SOURCE}/swp", "--sweep", sweep, "--out", "there")
    said = call(variables(double, tmp_path), "-c", program, *words)
    assert f"{SOURCE}/swp: run begun was left out: it is running and has no files at W&B." in said
    assert Path("there/table4.csv").read_text() == Path("here/table4.csv").read_text()
    files = {str(path.relative_to(stale.parent)) for path in stale.parent.rglob("*.*")}
    assert files == {
        f"{row}/{name}" for row in ("base", "rd") for name in ("config.yaml", "metrics.json", "per_image.csv")
    }


def test_what_cannot_be_fetched_is_told_in_a_line(double: Service, tmp_path: Path) -> None:
    environment = variables(double, tmp_path)
    said = call(environment, "-c", FETCH, "wandb:someone/nothing", f"{SOURCE}/other").splitlines()
    assert "wandb:someone/nothing: W&B knows no such project, or does not show it to you." in said
    assert any(line.startswith(f"{SOURCE}/other: none of its 0 run(s) has files at W&B.") for line in said)
    del environment["WANDB_API_KEY"]
    said = call(environment, "-c", FETCH, SOURCE)
    assert f"{SOURCE}: cannot be fetched; W&B says: No API key configured" in said


@pytest.mark.parametrize("source", ["wandb:", "wandb:me", "wandb:me/", "wandb:me/..", "wandb:a/b/c/d", "wandb:../b"])
def test_what_is_no_project(source: str) -> None:
    with pytest.raises(InputError, match="expected wandb:entity/project or wandb:entity/project/sweep"):
        fetch_runs(source)


def test_without_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(InputError, match="the package wandb is missing; pip install wandb"):
        fetch_runs(SOURCE)
