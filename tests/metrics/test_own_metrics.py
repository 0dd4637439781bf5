"""Metrics of the user's own: registered, by their path, and by entry points of installed packages."""

from importlib.metadata import EntryPoint, EntryPoints

import pytest
import torch
from torch import Tensor

from dream_if.errors import InputError
from dream_if.metrics import (
    METRICS,
    FusionMetric,
    find_metric,
    foreign_metrics,
    fusion_metrics,
    register_metric,
    registry,
)

IMAGES = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16), torch.rand(2, 1, 16, 16)


class Spread(FusionMetric):
    symbol = "spread"
    higher_is_better = True

    def score(self, fused: Tensor, visible: Tensor, infrared: Tensor) -> Tensor:
        return fused.std(dim=(1, 2, 3))


class Double(Spread):
    symbol = "AG"


class Nameless(FusionMetric):
    higher_is_better = True


class Undirected(FusionMetric):
    symbol = "undirected"


@pytest.fixture(autouse=True)
def _metrics_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "METRICS", METRICS.copy())


def test_by_its_path_it_is_computed_beside_ours() -> None:
    found = fusion_metrics([f"{__name__}.Spread", "AG"], per_image=True)(*IMAGES)
    assert torch.equal(found["spread"], IMAGES[0].std(dim=(1, 2, 3)))
    assert set(found) == {"spread", "AG"}


def test_registered_it_is_known_by_its_symbol() -> None:
    assert register_metric(Spread) is Spread
    assert find_metric("spread") == "spread"
    assert register_metric(Spread) is Spread  # as when a notebook's cell runs again
    assert [metric.symbol for metric in foreign_metrics(["AG", "spread"])] == ["spread"]


def test_an_entry_point_offers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = EntryPoints([EntryPoint("spread", f"{__name__}:Spread", registry.ENTRY_POINTS)])
    monkeypatch.setattr(registry, "entry_points", lambda group: offered.select(group=group))
    assert "spread" in fusion_metrics(["spread"])
    assert "spread" in registry.METRICS


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (Double, "another metric, AverageGradient, has the symbol AG already"),
        (Nameless, "expected a symbol"),
        (Undirected, "expected a symbol, text without . and /, and higher_is_better"),
        (torch.nn.Linear, "expected a class that inherits from dream_if.metrics.FusionMetric"),
    ],
)
def test_what_is_no_metric_is_refused(metric: type, message: str) -> None:
    with pytest.raises(InputError, match=message):
        register_metric(metric)


def test_a_path_that_leads_nowhere() -> None:
    with pytest.raises(InputError, match=r"metric nowhere\.Metric: cannot be imported"):
        find_metric("nowhere.Metric")
