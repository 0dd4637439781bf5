"""What the plot of Table 4 says about its metrics."""

import pytest

from dream_if.tables.plots import _title


@pytest.mark.parametrize(
    ("metric", "sets", "expected"),
    [
        ("AG", ["msrs", "msrs+gaussian"], "AG, higher is better on clean pairs"),
        ("AG", ["msrs", "tno"], "AG, higher is better"),
        ("AG", ["msrs+gaussian"], "AG"),
        ("Qabf", ["msrs", "msrs+gaussian"], "Qabf, higher is better"),
        ("LPIPS", ["msrs", "msrs+gaussian"], "LPIPS, lower is better"),
    ],
)
def test_no_side_is_the_better_one_where_noise_is_rewarded(metric: str, sets: list[str], expected: str) -> None:
    assert _title(metric, sets) == expected
