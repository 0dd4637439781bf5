"""YAML files that would take a program down, and such as say a thing twice."""

import os
import time
from pathlib import Path

import pytest
import yaml

from dream_if.cli.model_parser import _names_class
from dream_if.errors import InputError
from dream_if.yaml_files import read_yaml

LAUGHS = "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LAUGHS, "has more than 20000 values"),
        ("a: &a [*a]\n", "nested deeper than 50 levels, below a."),
        ("[" * 900 + "]" * 900, "nested deeper than 50 levels"),
        ("[" * 60 + "]" * 60, "nested deeper than 50 levels"),
        (f"a: {'9' * 5000}\n", "a value cannot be read"),
        ("a: " + "x" * 1_000_001, "more than 1000000 bytes"),
        ("data:\n  crop: 96\n  crop: 64\n", "data.crop appears twice, again in line 3"),
        ("a: [1\n", "not a YAML file: .* in line 2"),
        ("a: !!python/object:os.system x\n", "not a YAML file: could not determine a constructor"),
        ("? [1]\n: 2\n", "not a YAML file: found unhashable key"),
        ("a: 2026-99-99\n", "a value cannot be read"),
    ],
)
def test_is_refused_at_once(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    start = time.process_time()
    with pytest.raises(InputError, match=says) as caught:
        read_yaml(tmp_path / "x.yaml")
    assert time.process_time() - start < 5
    assert str(caught.value).startswith(f"{tmp_path / 'x.yaml'}: ")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", ["", "a: 1\n", "a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\n", "- 1\n- [2, null]\n", "7"])
def test_is_what_pyyaml_says(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    assert read_yaml(tmp_path / "x.yaml") == yaml.safe_load(text)


NO_CLASSES = ("2026-99-99", "9" * 5000, "[" * 200 + "]" * 200, "[" * 3000, LAUGHS, "? [1]\n: 2", "a:\0")


@pytest.mark.parametrize("text", NO_CLASSES)
def test_a_value_of_the_command_line_names_no_class(text: str) -> None:
    assert not _names_class(text)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for name in ("pipe.yaml", "nothing.yaml", ""):
        with pytest.raises(InputError, match="no such configuration file"):
            read_yaml(tmp_path / name)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="nor any text"):
        read_yaml(tmp_path / "bytes.yaml")
