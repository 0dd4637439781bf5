"""Scores of detections, against values worked out by hand."""

import math
from importlib.util import find_spec

import pytest
import torch

from dream_if.downstream import scoring
from dream_if.downstream.labels import Boxes
from dream_if.downstream.scoring import AP, AP_50, RECALL, check_scorer, score_detections
from dream_if.errors import InputError

pytestmark = pytest.mark.skipif(find_spec("pycocotools") is None, reason="needs the extra detection")

SIZE = (100, 100)
FIRST, SECOND, NOWHERE = (10, 10, 30, 30), (50, 50, 80, 80), (0, 80, 10, 90)


def there(*boxes: tuple[int, ...], kind: int = 0) -> Boxes:
    return Boxes.make(boxes, [kind] * len(boxes), SIZE)


def found(*boxes: tuple[tuple[float, ...], float], kind: int = 0) -> dict[str, torch.Tensor]:
    return {
        "boxes": torch.tensor([box for box, _ in boxes], dtype=torch.float32).reshape(-1, 4),
        "labels": torch.full((len(boxes),), kind + 1),
        "scores": torch.tensor([score for _, score in boxes]),
    }


def test_everything_found() -> None:
    scores = score_detections([found((FIRST, 0.9), (SECOND, 0.3))], [there(FIRST, SECOND)], ["person"])
    assert set(scores) == {RECALL, AP_50, AP, *(f"{metric}, person" for metric in (RECALL, AP_50, AP))}
    assert all(value == pytest.approx(1.0) for value in scores.values())


def test_a_false_alarm_between_two_hits() -> None:
    """Precision is 1 up to recall 1/2, at 51 of 101 points, and 2/3 beyond; F1 is 2/3, 1/2, 4/5."""
    scores = score_detections([found((FIRST, 0.9), (NOWHERE, 0.8), (SECOND, 0.7))], [there(FIRST, SECOND)], ["person"])
    assert scores[AP_50] == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert scores[AP] == pytest.approx(scores[AP_50])  # the hits are exact at every overlap
    assert scores[RECALL] == 1.0


def test_recall_is_where_f1_is_best() -> None:
    alarms = [(NOWHERE, 0.8 - n / 100) for n in range(5)]  # F1 is 2/3 at the first hit, 4/9 at the last
    scores = score_detections([found((FIRST, 0.9), *alarms, (SECOND, 0.1))], [there(FIRST, SECOND)], ["person"])
    assert scores[RECALL] == 0.5


def test_a_box_is_found_once_and_in_its_own_image() -> None:
    images = [found((FIRST, 0.9), (FIRST, 0.8)), found((FIRST, 0.7))]
    scores = score_detections(images, [there(FIRST), there(SECOND)], ["person"])
    assert scores[AP_50] == pytest.approx(51 / 101)
    assert scores[RECALL] == 0.5


def test_an_overlap_of_six_tenths_counts_at_three_of_ten_thresholds() -> None:
    narrow = (10, 10, 30, 22.4)  # 248 of 400 pixels, so an overlap of 0.62: enough at 0.5, 0.55 and 0.6
    scores = score_detections([found((narrow, 0.9))], [there(FIRST)], ["person"])
    assert scores[AP_50] == pytest.approx(1.0)
    assert scores[AP] == pytest.approx(0.3)


def test_classes_are_scored_apart_and_averaged() -> None:
    boxes = Boxes.make([FIRST, SECOND], [0, 1], SIZE)
    scores = score_detections([found((FIRST, 0.9), (SECOND, 0.8), kind=0)], [boxes], ["person", "car", "bus"])
    assert scores[f"{AP_50}, person"] == pytest.approx(1.0)
    assert scores[f"{AP_50}, car"] == scores[f"{RECALL}, car"] == 0.0
    assert all(math.isnan(scores[f"{metric}, bus"]) for metric in (RECALL, AP_50, AP))
    assert scores[RECALL] == 0.5
    assert scores[AP_50] == pytest.approx(0.5)


def test_nothing_found_and_nothing_there() -> None:
    scores = score_detections([found(), found()], [there(FIRST), there()], ["person"])
    assert (scores[RECALL], scores[AP_50], scores[AP]) == (0.0, 0.0, 0.0)
    empty = score_detections([found((FIRST, 0.9))], [there()], ["person"])
    assert all(math.isnan(value) for value in empty.values())


def test_without_pycocotools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="pycocotools, not installed"):
        check_scorer()
