"""What the documentation shows can be done: every command of it parses, and the site builds without a broken link."""

import importlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dream_if.cli.lightning import settings_of
from dream_if.cli.main import LIGHTNINGS, OWN
from dream_if.cli.options import read_options
from dream_if.metrics import METRICS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "sweeps/README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page: Path) -> Iterator[str]:
    """The commands in blocks of code, each in one line, without comments and without what only stands for something."""
    text = re.sub(r'"?\$\w+"?', "0", page.read_text().replace("\\\n", " "))  # a variable of the shell
    for line in re.findall(r"^(?: {4,}|\$ |)(dream-if .*)$", text, flags=re.MULTILINE):
        command = re.sub(r"\s+#.*", "", line).strip()
        if "..." not in command and "`" not in command and "<" not in command:
            yield command


CASES = [pytest.param(command, id=f"{page.stem}: {command[:60]}") for page in PAGES for command in commands(page)]


@pytest.fixture(scope="module")
def settings() -> set[str]:
    def names(content: Any, above: str = "") -> Iterator[str]:
        for key, value in content.items():
            yield above + key
            if isinstance(value, dict):
                yield from names(value, f"{above}{key}.")

    return {*names(settings_of(["fit", "--config", "small"])), "config", "print_config", "help-all", "trust-code"}


def test_there_are_commands() -> None:
    assert len(CASES) > 60


@pytest.mark.parametrize("command", CASES)
def test_a_command_parses(command: str, settings: set[str]) -> None:
    _, verb, *words = shlex.split(command)
    if verb in OWN and "--help" not in words:
        read_options(importlib.import_module(f"dream_if.cli.verbs.{verb}").Options, words, prog=verb, about="")
    elif verb in LIGHTNINGS:
        flags = [word[2:].partition("=")[0] for word in words if word.startswith("--")]
        for flag in flags:
            whole = [flag, *(flag.rsplit(".", count)[0] for count in range(1, flag.count(".") + 1))]
            assert flag in settings or flag == "help" or settings & set(whole[1:]) - {"model", "data", "trainer"}, flag
    else:
        assert verb in (*OWN, "--help", "--version")


def test_the_site_builds(tmp_path: Path) -> None:
    for package in ("mkdocs", "latex2mathml", "nbconvert"):
        pytest.importorskip(package)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DreamIF" in (tmp_path / "site/api/models/index.html").read_text()
    formulas = (tmp_path / "site/formulas/index.html").read_text()
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">' in formulas
    assert "arithmatex" not in formulas
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        assert (tmp_path / f"site/tutorials/{notebook.stem}/index.html").exists()
    pages = [page.read_text() for page in (tmp_path / "site").rglob("*.html")]
    assert not any(re.search(r"^\* ", page, flags=re.MULTILINE) for page in pages)  # a list that was not taken for one
    found = json.loads((tmp_path / "site/search/search_index.json").read_text())["docs"]
    for words in ("Qabf", "rig", "wandb agent"):
        assert any(re.search(rf"\b{words}\b", entry["text"]) for entry in found)
    assert not any(re.search(r'<(script|img|link)[^>]*(src|href)="https?://(?!localhost)', page) for page in pages)


def test_every_metric_has_a_formula() -> None:
    text = (ROOT / "docs/formulas.md").read_text()
    assert [name for name in METRICS if name.split("_")[0] not in text] == []
