"""What methods get is what `dream-if test` corrupts and `dream-if degrade` writes."""

import json
import sys
from pathlib import Path

import jsonargparse
import pytest
import torch

from dream_if.data import FixedDegradation, FusionDataModule, OneSided
from dream_if.data.conditions import Condition, under
from dream_if.data.degradations import GaussianNoise, Local, Rain, degrade_batch
from dream_if.data.images import read_image, to_image, to_tensor
from dream_if.data.pairs import collate
from dream_if.errors import InputError
from dream_if.scoring.pairs import sample_digest
from dream_if.scoring.test_sets import SetSettings, TestSet


@pytest.fixture
def images(workspace: Path) -> TestSet:
    return TestSet("pairs", SetSettings.read("pairs", {"root": "pairs"}, workspace))


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        *((kind, {"level": 2}) for kind in ("gaussian", "poisson", "rain", "resize", "jpeg")),
        ("low_light", {"level": 4, "source": "visible"}),
        ("stripes", {"level": 2}),
        ("gaussian", {"level": 2, "source": "infrared"}),
        ("haze+gaussian", {"level": [3, 1]}),
        ("blur+jpeg", {"source": "infrared"}),
        ("gaussian", {"arguments": {}}),
        ("random", {}),
        ("local+haze+gaussian", {"level": [3, 4]}),
        ("local+stripes", {}),
        ("local+random", {"source": "one"}),
        ("gaussian", {"source": "one"}),
        ("shift", {"arguments": {"pixels": 7}}),
    ],
    ids=str,
)
def test_they_are_the_files_that_degrade_writes(images: TestSet, run, kind: str, given: dict) -> None:
    words = {"level": "--level", "arguments": "--arguments", "source": "--degrade"}
    options = [text for key, value in given.items() for text in (words[key], json.dumps(value).strip('"'))]
    assert run("degrade", "pairs", "out", kind, "--seed", 5, *options).status == 0
    condition = Condition.read("c", {"kind": kind, "seed": 5, **given})
    for number, name in enumerate(images.names):
        visible, infrared = under(images.read(number), condition)
        for seen, folder, channels in ((visible, "vi", 3), (infrared, "ir", 1)):
            written = read_image(Path("out/test", folder, f"{name}.png"), channels)
            assert torch.equal(seen[0], to_tensor(written)), (name, folder)
            assert torch.equal(torch.from_numpy(to_image(seen[0])), torch.from_numpy(written))
        clean = images.read(number)
        assert not (torch.equal(visible, clean["visible"]) and torch.equal(infrared, clean["infrared"]))


def test_a_part_of_a_set_is_corrupted_as_in_the_whole(images: TestSet, workspace: Path) -> None:
    """The seed goes by the position in the split, not in the part."""
    part = TestSet("pairs", SetSettings.read("pairs", {"root": "pairs", "limit": 1}, workspace))
    assert part.names == (images.names[1],)  # of three, the middle one
    condition = Condition.read("c", {"kind": "gaussian", "arguments": {"sigma": 20}})
    for one, other in zip(under(part.read(0), condition), under(images.read(1), condition), strict=True):
        assert torch.equal(one, other)


def test_scenes_are_those_of_a_test() -> None:
    settings = SetSettings.read("s", {"layout": "scenes", "count": 3, "size": [32, 48], "seed": 4}, Path("data"))
    module = FusionDataModule(
        num_scenes=12, scene_size=(32, 48), seed=4, num_workers=0, test_degradation=FixedDegradation(Rain.at_level(3))
    )
    module.setup("test")
    expected = module.on_before_batch_transfer(dict(collate([module.test_pairs[0][2]])), 0)
    sample = TestSet("s", settings).read(2)
    assert torch.equal(sample["visible"], expected["visible_clean"])
    visible, infrared = under(sample, Condition.read("rain", {"kind": "rain", "seed": 4}))  # level 3 if none is named
    assert torch.equal(visible, expected["visible"])
    assert torch.equal(infrared, expected["infrared"])


def test_clean_pairs_are_left_alone(images: TestSet) -> None:
    sample = images.read(0)
    assert all(map(torch.equal, under(sample, Condition()), (sample["visible"], sample["infrared"])))


def test_a_shift_moves_the_infrared_image_alone(images: TestSet) -> None:
    sample = images.read(0)
    visible, infrared = under(sample, Condition.read("s", {"kind": "shift", "arguments": {"pixels": 3}}))
    assert torch.equal(visible, sample["visible"])
    assert torch.equal(infrared[..., 3:], sample["infrared"][..., :-3])
    assert torch.equal(infrared[..., :3], sample["infrared"][..., :1].expand(-1, -1, -1, 3))


@pytest.mark.usefixtures("workspace")
def test_a_shift_beyond_the_image_is_refused_before_anything_is_written(run) -> None:
    plan = {"methods": {"mean": "average"}, "sets": {"s": {"root": "pairs"}}, "tables": {"shift": {"pixels": [2, 40]}}}
    Path("plan.yaml").write_text(json.dumps(plan))
    message = run("tables", "shift", "plan.yaml", "--out", "out").message
    assert "conditions.shift 40, s: Shift.pixels: expected fewer than the 40 columns of an image, got 40" in message
    assert not Path("out").exists()


def test_a_class_of_the_user_with_a_known_name_does_not_come_in_between() -> None:
    class Mine(GaussianNoise):
        name = "gaussian"

    (part,) = Condition.read("c", {"kind": "gaussian"}).parts
    assert part.made_by is GaussianNoise is not Mine
    assert part.arguments == {"sigma": 35}  # the level of the paper


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "gaussian", "level": 2}, "gaussian (level 2), both sources, seed 0"),
        ({"kind": "haze", "seed": 4}, "haze (level 3), visible source alone, seed 4"),
        ({"kind": "haze+gaussian", "level": [2, 4]}, "haze then gaussian (level 2+4), both sources, seed 0"),
        ({"kind": "random"}, "random (training ranges), both sources, seed 0"),
        ({"kind": "local+blur", "source": "infrared"}, "local blur (level 3), infrared source alone, seed 0"),
        ({"kind": "local+haze+jpeg"}, "local haze then jpeg (level 3), both sources, seed 0"),
        ({"kind": "local+random", "source": "one"}, "local random (training ranges), one source of each pair, seed 0"),
        ({"kind": "shift", "arguments": {"pixels": 3}}, "infrared shifted right by 3 pixel(s)"),
    ],
    ids=str,
)
def test_a_condition_in_words(given: dict, words: str) -> None:
    assert Condition.read("c", given).words == words


def test_a_local_condition_of_one_source_is_that_of_the_classes(images: TestSet) -> None:
    """Written by hand, and read back from the settings that a test is told."""
    condition = Condition.read("c", {"kind": "local+gaussian", "level": 4, "source": "one", "seed": 2})
    composition = OneSided(FixedDegradation(Local(GaussianNoise(50))))
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(FusionDataModule, "data")
    module = parser.instantiate_classes(parser.parse_object({"data": {**condition.settings, "num_workers": 0}})).data
    touched = set()
    for number in range(len(images.names)):
        sample = images.read(number)
        expected = degrade_batch(dict(sample), composition, 2, 0, "test")
        told = module.on_before_batch_transfer(dict(sample), 0)
        for source, seen in zip(("visible", "infrared"), under(sample, condition), strict=True):
            assert torch.equal(seen, told[source])
            assert (seen - expected[source]).abs().max() <= 0.5 / 255 + 1e-6
            if not torch.equal(seen, sample[source]):
                touched.add((number, source))
    assert sorted(number for number, _ in touched) == list(range(len(images.names)))


def test_conditions_that_differ_have_different_keys() -> None:
    kinds = ({"kind": "gaussian"}, {"kind": "local+gaussian"}, {"kind": "random"}, {"kind": "local+random"})
    conditions = [Condition.read("c", {**kind, "source": source}) for kind in kinds for source in ("both", "one")]
    assert len({condition.key for condition in conditions}) == len({condition.words for condition in conditions}) == 8


def test_a_random_condition_corrupts_every_pair(images: TestSet) -> None:
    condition = Condition.read("r", {"kind": "random"})
    for number in range(len(images.names)):
        sample = images.read(number)
        assert not torch.equal(under(sample, condition)[0], sample["visible"])


def test_the_digest_knows_pixels_and_position(images: TestSet) -> None:
    first, again, second = images.read(0), images.read(0), images.read(1)
    assert sample_digest(first) == sample_digest(again) != sample_digest(second)
    again["visible"][0, 0, 0, 0] += 1 / 255
    assert sample_digest(first) != sample_digest(again)
    moved = {**first, "index": first["index"] + 1}
    assert sample_digest(first) != sample_digest(moved)


@pytest.mark.usefixtures("workspace")
def test_a_set_is_found_whatever_its_capitals() -> None:
    Path("sets").mkdir()
    Path("pairs").rename("sets/llvip")
    given = {"root": "{data}/LLVIP", "layout": "llvip"}
    for data in ("sets", "sets/llvip"):
        assert SetSettings.read("LLVIP", given, Path(data)).root == Path("sets/llvip")
    missing = SetSettings.read("LLVIP", given, Path("elsewhere")).missing("LLVIP")
    assert missing is not None
    assert "bupt-ai-cz.github.io/LLVIP" in missing


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "kind"),
        ("gaussian", "expected null, or a mapping"),
        ({"kind": "fog"}, "kind: there is no degradation 'fog'; expected one of gaussian"),
        ({"kind": ["haze", "gaussian"]}, "kind: expected a name, or several such as haze+gaussian"),
        ({"kind": "haze+random"}, "there is no degradation 'random' of haze+random"),
        ({"kind": "haze+gaussian", "level": [1]}, "level: expected one, or one for each of haze, gaussian"),
        ({"kind": "haze+gaussian", "level": []}, "level: expected one, or one for each"),
        ({"kind": "random", "level": 3}, "level: random has no levels"),
        ({"kind": "random", "arguments": {"kinds": 5}}, "arguments: "),
        ({"kind": "shift", "level": 3, "arguments": {"pixels": 3}}, "level: shift has no levels"),
        ({"kind": "shift", "source": "visible", "arguments": {"pixels": 3}}, "source: shift applies to the infrared"),
        ({"kind": "shift", "arguments": [1]}, "arguments: expected a mapping"),
        ({"kind": "haze", "source": "one"}, "source: haze applies to the visible source alone, got one"),
        ({"kind": "local+haze+local+blur"}, "there is no degradation 'local' of local+haze+local+blur"),
        ({"kind": "haze", "source": "infrared"}, "source: haze applies to the visible source alone"),
        ({"kind": "gaussian", "seed": "abc"}, "seed: expected a whole number from 0 up"),
        ({"kind": "gaussian", "seed": -1}, "seed: expected a whole number from 0 up"),
        ({"kind": "gaussian", "seed": True}, "seed: expected a whole number from 0 up"),
        ({"kind": "gaussian", "level": "3"}, "expected a level from 1 to 4, got '3'"),
        ({"kind": "rain", "level": 5}, "expected a level from 1 to 4"),
        ({"kind": "rain", "level": 1, "arguments": {"density": 3}}, "a level stands for arguments"),
        ({"kind": "gaussian", "arguments": {"sgima": 3}}, "sgima"),
        ({"kind": "gaussian", "sources": "both"}, "expected null, or a mapping"),
        ({"kind": "gaussian", "source": "neither"}, "both, one, visible, infrared"),
        ({"kind": "shift"}, "arguments: missing a required argument: 'pixels'"),
        ({"kind": "shift", "arguments": {"pixels": -1}}, "from 0 to 255"),
    ],
    ids=str,
)
def test_a_condition_that_cannot_be_used(given: object, message: str) -> None:
    with pytest.raises(InputError, match=r"conditions\.c") as error:
        Condition.read("c", given)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"layout": "flir", "root": "pairs"}, "layout: expected llvip"),
        ({"layout": "scenes", "root": "pairs"}, "the layout scenes alone has none"),
        ({}, "names the folder"),
        ({"root": "pairs", "split": "all"}, "split: expected train"),
        *(({"layout": "scenes", "size": size}, "size: expected height and width") for size in (5, ["a", "b"], [64])),
        ({"layout": "scenes", "size": [64, 31]}, "each 32 or more"),
        ({"root": "pairs", "limit": 0}, "limit: expected a whole number from 1"),
        ({"root": "pairs", "folder": "x"}, "expected a mapping with some of layout"),
    ],
    ids=str,
)
def test_a_set_that_cannot_be_used(given: dict, message: str) -> None:
    with pytest.raises(InputError, match=r"sets\.s") as error:
        SetSettings.read("s", given, Path("data"))
    assert message in str(error.value)


def test_a_degradation_of_the_users_own_is_a_condition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "own_kinds", raising=False)
    code = (
        "import torch\n"
        "from dream_if.data.degradations import Degradation\n"
        "class White(Degradation):\n"
        "    def draw(self, generator, shape):\n"
        "        return {}\n"
        "    def corrupt(self, image, draw):\n"
        "        return torch.ones_like(image)\n"
    )
    Path("own_kinds.py").write_text(code)
    condition = Condition.read("white", {"kind": "own_kinds.White", "source": "visible"})
    sample = TestSet("s", SetSettings.read("s", {"layout": "scenes", "count": 2, "size": [32, 32]}, tmp_path)).read(0)
    visible, infrared = under(sample, condition)
    assert visible.eq(1).all()
    assert torch.equal(infrared, sample["infrared"])
    assert condition.settings["test_degradation"]["init_args"]["kind"]["class_path"] == "own_kinds.White"
    assert Condition.read("both", {"kind": "haze+own_kinds.White"}).level is None
    key = condition.key
    Path("own_kinds.py").write_text(code + "# another\n")
    assert condition.key != key
    with pytest.raises(
        InputError, match=r"conditions.c.kind: expected a subclass of .*Degradation, got own_kinds.torch"
    ):
        Condition.read("c", {"kind": "own_kinds.torch"})
