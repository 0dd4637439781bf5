"""The small plan of the tables for which networks are trained: detection and segmentation."""

from pathlib import Path

import yaml

SIZE = (48, 64)
ROWS = ("mine", "visible alone", "infrared alone")
OWN = {"train": 3, "steps": 2, "batch": 2, "size": 48}


def write_plan(table: str, own: dict | None = None, **changes: object) -> str:
    """Write plan.yaml for a table, with settings of the table's own and others, and return its name."""
    given = {
        "methods": {"mine": "average"},
        "sets": {"scenes": {"layout": "scenes", "count": 2, "size": list(SIZE)}},
        "tables": {table: {**OWN, **(own or {})}},
        **changes,
    }
    Path("plan.yaml").write_text(yaml.safe_dump(given, sort_keys=False))
    return "plan.yaml"
