"""Who may import whom. The rules are those of the table in CONTRIBUTING.md."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "dream_if"

# Part -> the other parts of ours that it may import. A part is a module or folder directly under the package.
ALLOWED = {
    "errors": set(),
    "files": {"errors"},
    "figures": {"data", "errors", "evaluation", "files", "inference", "models"},
    "render": set(),
    "models": set(),
    "losses": set(),
    "metrics": set(),
    "baselines": set(),
    "data": {"errors", "threads"},
    "threads": {"errors"},
    "launch": {"errors", "threads"},
    "dominance": {"losses", "models"},
    "task": {"baselines", "dominance", "losses", "metrics", "models"},
    "callbacks": {"errors", "files", "figures"},
    "epoch_lines": set(),
    "evaluation": {"data", "errors", "files", "metrics", "render", "threads"},
    "sweeps": {"errors", "files", "messages", "threads"},
    "inference": {"errors", "files", "models", "threads"},
    "app": {"data", "errors", "inference", "threads"},
    "export": {"errors", "files", "inference", "models", "threads"},
    "detection": {"data", "errors", "files"},
    "tables": {
        "baselines",
        "data",
        "detection",
        "errors",
        "evaluation",
        "figures",
        "files",
        "inference",
        "messages",
        "metrics",
        "models",
        "render",
        "sweeps",
        "threads",
    },
    "messages": {"errors"},
    "arguments": {"errors"},
    "training": {
        "arguments",
        "callbacks",
        "data",
        "epoch_lines",
        "errors",
        "inference",
        "launch",
        "messages",
        "models",
        "task",
    },
    "verbs": {"data", "metrics"},
    "cli": {
        "app",
        "arguments",
        "callbacks",
        "errors",
        "evaluation",
        "export",
        "figures",
        "inference",
        "messages",
        "sweeps",
        "tables",
        "training",
        "verbs",
    },
    "__init__": {"inference"},
}
# Library -> the parts that may use it; a network or a metric is to be had without the framework around it.
CONFINED = {
    "lightning": {"task", "callbacks", "cli", "data", "epoch_lines", "launch", "training"},
    "wandb": set(),
    "albumentations": {"data"},
}


def part_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_follow_the_plan(file: Path) -> None:
    part = part_of(file)
    assert part in ALLOWED, f"{part} is new: say in ALLOWED what it may import"
    ours = {name.split(".")[1] for name in imports(file) if name.startswith("dream_if.")} - {part}
    assert ours <= ALLOWED[part]
    libraries = {name.split(".")[0] for name in imports(file)}
    for library in libraries & CONFINED.keys():
        assert part in CONFINED[library], f"{part} must do without {library}"


def test_only_callbacks_and_sweeps_know_wandb() -> None:
    knowing = {part_of(file) for file in FILES if "wandb" in file.read_text().lower().replace("w&b", "")}
    assert knowing <= {"callbacks", "sweeps", "training"}  # which hands a run's group to its logger


def test_the_rules_would_notice() -> None:
    assert "dream_if.models" in imports(PACKAGE / "task.py")
    assert any(name.startswith("lightning") for name in imports(PACKAGE / "task.py"))
