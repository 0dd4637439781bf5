"""Who may import whom. The rules are those of the table in CONTRIBUTING.md."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "dream_if"

# Part -> the other parts of ours that it may import. A part is a module or folder directly under the package.
ALLOWED = {
    "errors": set(),
    "compat": {"errors"},
    "storage": {"errors"},
    "pixels": set(),
    "decoding": {"errors"},
    "yaml_files": {"errors"},
    "figures": {"errors", "inference", "models", "pixels", "storage"},
    "settings": {"errors"},
    "cache_keys": {"errors", "storage"},
    "methods": {
        "baselines",
        "cache_keys",
        "data",
        "errors",
        "inference",
        "models",
        "settings",
        "storage",
        "user_code",
    },
    "models": {"compat", "errors", "messages"},
    "losses": {"errors"},
    "metrics": {"errors"},
    "baselines": set(),
    "data": {"decoding", "errors", "machine", "pixels", "registration", "storage", "user_code"},
    "machine": {"errors"},
    "shipped": {"errors"},
    "user_code": {"errors", "shipped"},
    "dominance_statistics": {"losses", "models"},
    "task": {"baselines", "compat", "dominance_statistics", "errors", "losses", "metrics", "models"},
    "callbacks": {"errors", "figures", "messages", "pixels", "runs", "storage"},
    "scoring": {
        "baselines",
        "cache_keys",
        "data",
        "errors",
        "inference",
        "methods",
        "metrics",
        "models",
        "settings",
        "storage",
        "yaml_files",
    },
    "runs": {"data", "errors", "messages", "metrics", "shipped", "storage", "yaml_files"},
    "registration": {"errors", "storage", "yaml_files"},
    "inference": {"compat", "decoding", "errors", "machine", "models", "registration", "storage", "yaml_files"},
    "app": {"data", "decoding", "errors", "inference", "storage"},
    "export": {"compat", "errors", "inference", "models"},
    "downstream": {
        "baselines",
        "cache_keys",
        "data",
        "decoding",
        "errors",
        "methods",
        "models",
        "pixels",
        "scoring",
        "storage",
        "user_code",
    },
    "reports": {
        "compat",
        "data",
        "downstream",
        "errors",
        "figures",
        "machine",
        "messages",
        "methods",
        "metrics",
        "models",
        "pixels",
        "runs",
        "scoring",
        "storage",
        "yaml_files",
    },
    "messages": {"errors", "yaml_files"},
    "cli": {
        "app",
        "callbacks",
        "compat",
        "data",
        "errors",
        "downstream",
        "export",
        "figures",
        "inference",
        "losses",
        "machine",
        "messages",
        "metrics",
        "models",
        "registration",
        "storage",
        "reports",
        "runs",
        "scoring",
        "shipped",
        "task",
        "user_code",
        "yaml_files",
    },
    "__init__": {"inference"},
}
# Library -> the parts that may use it; a network or a metric is to be had without the framework around it.
CONFINED = {
    "lightning": {"task", "callbacks", "cli", "data"},
    "wandb": {"callbacks", "runs"},
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


def test_the_picture_is_true() -> None:
    """Each part stands in one row of the picture in CONTRIBUTING.md, below all parts that import it."""
    picture = (PACKAGE.parents[1] / "CONTRIBUTING.md").read_text().split("```text\n┌")[1].split("└")[0]
    rows = [row.splitlines()[1] for row in ("─" + picture).split("├")]
    names = [(name, -at) for at, row in enumerate(rows) for name in re.findall(r"\w+", row)]
    height = dict(names)
    assert sorted(name for name, _ in names) == sorted(ALLOWED.keys() - {"__init__"})
    assert not [(part, used) for part in height for used in ALLOWED[part] if height[used] >= height[part]]


def test_modules_import_each_other_in_no_circle() -> None:
    names = {".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts): file for file in FILES}
    left = {name: imports(file) & names.keys() for name, file in names.items() if file.stem != "__init__"}
    while free := {name for name, needs in left.items() if not needs & left.keys()}:
        left = {name: needs for name, needs in left.items() if name not in free}
    assert left == {}


def test_only_callbacks_and_sweeps_know_wandb() -> None:
    knowing = {part_of(file) for file in FILES if "wandb" in file.read_text().lower().replace("w&b", "")}
    assert knowing <= {"callbacks", "runs", "cli"}  # which hands a run's group to its logger


def test_the_rules_would_notice() -> None:
    assert "dream_if.models" in imports(PACKAGE / "task.py")
    assert any(name.startswith("lightning") for name in imports(PACKAGE / "task.py"))
