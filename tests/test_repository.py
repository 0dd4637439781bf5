"""What stands around the code: workflows call targets that exist, and what is said twice agrees."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def test_every_target_is_phony() -> None:
    phony = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:"))
    assert targets() == set(phony.split()[1:])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_targets_that_exist(path: Path) -> None:
    workflow = read(path)
    assert workflow.keys() >= {"name", True, "permissions", "jobs"}  # True: what YAML 1.1 takes `on` for
    called = set(re.findall(r"\bmake ([a-z0-9-]+)", path.read_text()))
    assert called
    assert called <= targets()
    for job in workflow["jobs"].values():
        assert all("run" in step or "@" in step["uses"] for step in job["steps"])


def test_the_workflows_are_those_that_are_needed() -> None:
    called = set(re.findall(r"\bmake ([a-z0-9-]+)", " ".join(path.read_text() for path in WORKFLOWS)))
    assert called == {"test", "test-lowest", "test-slow", "attack", "docs", "dist"}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_something(path: Path) -> None:
    form = read(path)
    assert form["name"]
    assert form["description"]
    assert all(field["attributes"]["label"] for field in form["body"])


def test_further_files_can_be_read() -> None:
    assert read(ROOT / ".github/dependabot.yml")["version"] == 2
    assert read(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"][0]["entry"] == "make lint"
    assert json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())["postCreateCommand"] == "make install"


def test_the_citation_agrees_with_the_package_and_the_readme() -> None:
    citation = read(ROOT / "CITATION.cff")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    changes = re.findall(r"^## \[(\S+)\](?: - (\S+))?", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert changes[:2] == [("Unreleased", ""), (citation["version"], str(citation["date-released"]))]
    assert f"dream_if-{citation['version']}-py3" in (ROOT / "README.md").read_text()
    paper, readme = citation["preferred-citation"], (ROOT / "README.md").read_text()
    assert f"{{{paper['title']}}}" in readme
    assert f"{{{paper['journal']}}}" in readme
    authors = " and ".join(f"{author['family-names']}, {author['given-names']}" for author in paper["authors"])
    assert f"{{{authors}}}" in readme


def test_the_image_installs_extras_that_exist() -> None:
    (extras,) = re.findall(r'"\.\[([\w,]+)\]"', (ROOT / "Dockerfile").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(extras.split(",")) <= project["optional-dependencies"].keys()
