"""What counts as the same point: settings that are there, against those that are asked for."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from dream_if.errors import InputError
from dream_if.runs.sweep_display import Board, State
from dream_if.runs.sweep_point import Point
from dream_if.runs.sweep_runner import run_points

SETTINGS = {
    "trainer": {"logger": {"class_path": "WandbLogger", "init_args": {"save_dir": "runs"}}, "max_epochs": 2},
    "data": {
        "crop": 16,
        "degradation": {"class_path": "RandomDegradations", "init_args": {"clean": 0.5}},
        "test_degradation": {"clean": None, "noise": {"class_path": "FixedDegradation", "init_args": {"level": 2}}},
    },
    "then_test": True,
}


def changed(change: Callable[[dict], object]) -> dict:
    settings = copy.deepcopy(SETTINGS)
    change(settings)
    return settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s["data"]["test_degradation"].update(rain=None), "data.test_degradation.rain is not set there"),
        (lambda s: s["data"]["test_degradation"].pop("clean"), "clean is None there and not set here"),
        (lambda s: s["data"]["test_degradation"]["noise"]["init_args"].update(kind=1), "noise.init_args.kind is not"),
        (lambda s: s["data"]["degradation"]["init_args"].update(kinds=[1]), "init_args.kinds is not set there"),
        (lambda s: s["trainer"].update(max_epochs=3), "trainer.max_epochs is 2 there and 3 here"),
        (lambda s: s["trainer"].update(new=None), None),
        (lambda s: s["data"].pop("crop"), None),
        (lambda s: s.update(threads=4), None),
        (lambda s: s["trainer"]["logger"]["init_args"].update(resume=None), None),
    ],
)
def test_names_that_a_user_gives_must_agree_and_those_of_a_newer_version_need_not(
    tmp_path: Path, change: Callable[[dict], object], message: str | None
) -> None:
    Point("a", {}, (), SETTINGS, tmp_path).write_record()
    asked = Point("a", {}, (), changed(change), tmp_path)
    if message is None:
        asked.refuse_another()
        return
    with pytest.raises(InputError, match="this point has been run with other settings") as raised:
        asked.refuse_another()
    assert message in str(raised.value)


@pytest.mark.usefixtures("stand_in", "workspace")
def test_a_point_that_has_become_another_while_it_waited_is_not_run(calls) -> None:
    command = ("/usr/bin/env", "dream-if", "fit", "--trainer.logger.save_dir=runs")
    points = [Point(name, {"which": name}, command, SETTINGS, Path("runs/here", name)) for name in "ab"]
    points[0].folder.mkdir(parents=True)
    other = changed(lambda settings: settings["data"].update(crop=32))
    Point("a", {}, command, other, points[0].folder).write_record()
    (points[0].folder / "metrics.json").write_text('{"test": {}}')
    console = Console(record=True, width=500)
    with Board(points, console) as board:
        run_points(points, board, workers=1, devices=[], threads=1, project="here")
    assert board.states == {"a": State.FAILED, "b": State.FINISHED}
    assert [call["run"] for call in calls()] == ["b"]
    assert "data.crop is 32 there and 16 here" in console.export_text()
