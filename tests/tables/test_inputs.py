"""What methods get is what `dream-if test` corrupts and `dream-if degrade` writes."""

from pathlib import Path

import pytest
import torch

from dream_if.data import FixedDegradation, FusionDataModule
from dream_if.data.degradations import Rain
from dream_if.data.images import read_image, to_image, to_tensor
from dream_if.data.pairs import collate
from dream_if.errors import InputError
from dream_if.tables.inputs import Condition, Images, SetSettings, digest, under


@pytest.fixture
def images(workspace: Path) -> Images:
    return Images(SetSettings.read("pairs", {"root": "pairs"}, workspace))


@pytest.mark.parametrize("kind", ["gaussian", "poisson", "rain", "resize"])
@pytest.mark.parametrize("source", ["both", "infrared"])
def test_they_are_the_files_that_degrade_writes(images: Images, run, kind: str, source: str) -> None:
    assert run("degrade", "pairs", "out", kind, "--level", 2, "--seed", 5, "--degrade", source).status == 0
    condition = Condition.read("c", {"kind": kind, "level": 2, "seed": 5, "source": source})
    for number, name in enumerate(images.names):
        visible, infrared = under(images.read(number), condition)
        for seen, folder, channels in ((visible, "vi", 3), (infrared, "ir", 1)):
            written = read_image(Path("out/test", folder, f"{name}.png"), channels)
            assert torch.equal(seen[0], to_tensor(written)), (name, folder)
            assert torch.equal(torch.from_numpy(to_image(seen[0])), torch.from_numpy(written))


def test_a_part_of_a_set_is_corrupted_as_in_the_whole(images: Images, workspace: Path) -> None:
    """The seed goes by the position in the split, not in the part."""
    part = Images(SetSettings.read("pairs", {"root": "pairs", "limit": 1}, workspace))
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
    sample = Images(settings).read(2)
    assert torch.equal(sample["visible"], expected["visible_clean"])
    visible, infrared = under(sample, Condition.read("rain", {"kind": "rain", "seed": 4}))  # level 3 if none is named
    assert torch.equal(visible, expected["visible"])
    assert torch.equal(infrared, expected["infrared"])


def test_clean_pairs_are_left_alone(images: Images) -> None:
    sample = images.read(0)
    assert all(map(torch.equal, under(sample, Condition()), (sample["visible"], sample["infrared"])))


def test_a_shift_moves_the_infrared_image_alone(images: Images) -> None:
    sample = images.read(0)
    visible, infrared = under(sample, Condition.read("s", {"kind": "shift", "arguments": {"pixels": 3}}))
    assert torch.equal(visible, sample["visible"])
    assert torch.equal(infrared[..., 3:], sample["infrared"][..., :-3])
    assert torch.equal(infrared[..., :3], sample["infrared"][..., :1].expand(-1, -1, -1, 3))


def test_a_random_condition_corrupts_every_pair(images: Images) -> None:
    condition = Condition.read("r", {"kind": "random"})
    for number in range(len(images.names)):
        sample = images.read(number)
        assert not torch.equal(under(sample, condition)[0], sample["visible"])


def test_the_digest_knows_pixels_and_position(images: Images) -> None:
    first, again, second = images.read(0), images.read(0), images.read(1)
    assert digest(first) == digest(again) != digest(second)
    again["visible"][0, 0, 0, 0] += 1 / 255
    assert digest(first) != digest(again)
    moved = {**first, "index": first["index"] + 1}
    assert digest(first) != digest(moved)


@pytest.mark.usefixtures("workspace")
def test_a_set_is_found_whatever_its_capitals() -> None:
    Path("sets").mkdir()
    Path("pairs").rename("sets/llvip")
    given = {"root": "{data}/LLVIP", "layout": "llvip"}
    for data in ("sets", "sets/llvip"):
        assert SetSettings.read("LLVIP", given, Path(data)).root == Path("sets/llvip")
    missing = SetSettings.read("LLVIP", given, Path("elsewhere")).missing
    assert missing is not None
    assert "bupt-ai-cz.github.io/LLVIP" in missing


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "kind"),
        ("gaussian", "expected null, or a mapping"),
        ({"kind": "fog"}, "there is no kind 'fog'; expected gaussian"),
        ({"kind": "rain", "level": 5}, "expected a level from 1 to 4"),
        ({"kind": "rain", "level": 1, "arguments": {"density": 3}}, "a level stands for arguments"),
        ({"kind": "gaussian", "arguments": {"sgima": 3}}, "sgima"),
        ({"kind": "gaussian", "sources": "both"}, "expected null, or a mapping"),
        ({"kind": "gaussian", "source": "neither"}, "both, visible or infrared"),
        ({"kind": "shift"}, "a shift has one argument, pixels"),
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
        ({"root": "pairs", "limit": 0}, "limit: expected a whole number from 1"),
        ({"root": "pairs", "folder": "x"}, "expected a mapping with some of layout"),
    ],
    ids=str,
)
def test_a_set_that_cannot_be_used(given: dict, message: str) -> None:
    with pytest.raises(InputError, match=r"sets\.s") as error:
        SetSettings.read("s", given, Path("data"))
    assert message in str(error.value)
