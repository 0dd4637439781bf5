"""Configurations that the parser would not come to an end with."""

from pathlib import Path

import pytest
import yaml

from dream_if.errors import InputError
from dream_if.messages import read_configuration


def nested(levels: int) -> dict:
    """So many classes within each other."""
    inner = {"class_path": "dream_if.data.RandomDegradations"}
    for _ in range(levels - 1):
        inner = {"class_path": "dream_if.data.OneSided", "init_args": {"of": inner}}
    return {"data": {"degradation": inner}}


def kinds(count: int) -> dict:
    """A list of so many kinds."""
    return {"data": {"degradation": {"init_args": {"kinds": [{"class_path": "Blur"}] * count}}}}


@pytest.mark.parametrize("content", [nested(6), kinds(100)])
def test_as_many_classes_as_the_parser_takes(content: dict, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(content))
    assert read_configuration(tmp_path / "x.yaml") == content


@pytest.mark.parametrize("content", [nested(7), kinds(101)])
def test_more_are_refused(content: dict, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=r"x\.yaml: has more than 100 class_path, or more than 6 within each other"):
        read_configuration(tmp_path / "x.yaml")


def test_fifty_kinds_are_read_in_seconds(tmp_path: Path, run) -> None:
    content = {"data": {"degradation": {"class_path": "RandomDegradations", **kinds(50)["data"]["degradation"]}}}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(content))
    assert run("fit", "--config", tmp_path / "x.yaml", "--print_config").status == 0
