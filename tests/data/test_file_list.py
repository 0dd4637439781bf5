"""Which files a table was made from, and whether others have the same, through the front door."""

import csv
import hashlib
import shutil
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.usefixtures("workspace")

PLAN = {
    "methods": {"mine": "average"},
    "sets": {"Pairs": {"root": "pairs"}, "scenes": {"layout": "scenes", "count": 2, "size": [48, 64]}},
    "metrics": ["AG"],
}


@pytest.fixture
def listed(run) -> Path:
    Path("plan.yaml").write_text(yaml.safe_dump(PLAN))
    outcome = run("tables", "1", "plan.yaml", "--out", "out", "--threads", "1")
    assert outcome.status == 0, outcome.err
    assert "table1_pairs.csv" in outcome.out.splitlines()[-1]
    return Path("out/table1_pairs.csv")


def test_a_table_lists_its_pairs_and_check_knows_them_again(run, listed):
    with listed.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = sorted(path.stem for path in Path("pairs/test/vi").iterdir())
    assert [(row["set"], row["name"]) for row in rows] == [("Pairs", name) for name in names]
    assert rows[0]["size"] == "40x32"
    for row in rows:
        for source, folder in (("visible", "vi"), ("infrared", "ir")):
            content = Path(f"pairs/test/{folder}/{row['name']}.png").read_bytes()
            assert row[f"{source}_sha256"] == hashlib.sha256(content).hexdigest()
    outcome = run("check", "pairs", "--manifest", listed)
    assert (outcome.status, outcome.out) == (0, f"All {len(names)} pair(s) are those that {listed} lists.\n")


def test_what_is_missing_or_another_file_is_a_line_each(run, listed):
    Path("pairs/test/vi/test_00.png").unlink()
    shutil.copy("pairs/test/ir/test_00.png", "pairs/test/ir/test_01.png")
    outcome = run("check", "pairs", "--manifest", listed)
    assert outcome.status == 1
    assert outcome.out.splitlines() == [
        "test_00: there is no such pair",
        "pairs/test/ir/test_01.png: is another file than the one listed",
    ]


def test_lists_that_cannot_be_used(run, listed):
    several = listed.read_text()
    Path("several.csv").write_text(several + several.splitlines()[1].replace("Pairs", "TNO") + "\n")
    assert run("check", "pairs", "--manifest", "several.csv").status == 0  # by the name of the folder
    Path("pairs").rename("other")
    assert run("check", "other", "--manifest", listed).status == 0
    assert "is of the sets Pairs, TNO; give the folder" in run("check", "other", "--manifest", "several.csv").message
    assert "cannot be read as a list of files" in run("check", "other", "--manifest", "no.csv").message
    Path("few.csv").write_text("set,name\nPairs,a\n")
    assert (
        "few.csv: expected a list of pairs with the columns" in run("check", "other", "--manifest", "few.csv").message
    )
