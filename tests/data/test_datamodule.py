"""Batches do not depend on workers, batch size or the time of day; and what the settings mean."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml
from torch.utils.data import DataLoader, Dataset

from dream_if.data import FixedDegradation, FusionDataModule, RandomDegradations
from dream_if.data.degradations import GaussianNoise
from dream_if.data.scene_pairs import ScenePairs
from dream_if.errors import InputError
from dream_if.registration.rig import Rig

TINY = {"layout": "folder", "root": "pairs", "crop": 16, "crops_per_pair": 2, "batch_size": 4, "num_workers": 0}


def trainer(stage: str, epoch: int = 0, processes: int = 1, rank: int = 0) -> Any:
    """What the datamodule asks of a trainer."""
    flags = dict.fromkeys(("training", "validating", "sanity_checking", "testing", "predicting"), False) | {stage: True}
    return SimpleNamespace(world_size=processes, global_rank=rank, current_epoch=epoch, **flags)


def samples(loader_name: str, epoch: int = 0, **settings: Any) -> dict[int, tuple[torch.Tensor, ...]]:
    """Sample by index, as the network would see it: (visible, infrared, visible clean, degradation codes)."""
    data = FusionDataModule(**(TINY | settings))
    stage = {"train": "training", "val": "validating", "test": "testing", "predict": "predicting"}[loader_name]
    data.trainer = trainer(stage, epoch)
    data.setup({"train": "fit", "val": "validate"}.get(loader_name, loader_name))
    loaders = getattr(data, f"{loader_name}_dataloader")()
    found = {}
    for loader in loaders if isinstance(loaders, list) else [loaders]:
        if loader_name == "train":
            loader.sampler.set_epoch(epoch)
        for raw in loader:
            batch = data.on_after_batch_transfer(data.on_before_batch_transfer(raw, 0), 0)
            codes = torch.stack([batch["visible_degradation"], batch["infrared_degradation"]], dim=1)
            for place, index in enumerate(batch["index"].tolist()):
                keys = ("visible", "infrared", "visible_clean")
                found[index] = (*(batch[key][place] for key in keys), codes[place])
    return found


def same(one: dict, other: dict) -> bool:
    assert one.keys() == other.keys()
    return all(torch.equal(a, b) for key in one for a, b in zip(one[key], other[key], strict=True))


@pytest.fixture(autouse=True)
def _in_workspace(workspace: Path) -> None:
    """Every test works beside the folder `pairs`."""


class TestReproducibility:
    @pytest.mark.parametrize("loader", ["train", "val"])
    @pytest.mark.parametrize("settings", [{"num_workers": 2}, {"batch_size": 2}, {"batch_size": 8}], ids=str)
    def test_workers_and_batch_size_change_no_sample(self, loader: str, settings: dict) -> None:
        degraded = {"degradation": RandomDegradations(clean=0.2), "val_crop": 24}
        assert same(samples(loader, **degraded), samples(loader, **degraded, **settings))

    def test_an_epoch_brings_new_crops_and_new_corruption(self) -> None:
        settings = {"degradation": FixedDegradation(GaussianNoise(sigma=(5, 35)))}
        first, second = (samples("train", epoch, **settings) for epoch in (0, 1))
        assert same(first, samples("train", 0, **settings))
        for index in first:
            assert not torch.equal(first[index][2], second[index][2])
            noises = [visible - clean for visible, _, clean, _ in (first[index], second[index])]
            assert not torch.equal(*noises)

    @pytest.mark.parametrize(("loader", "setting"), [("val", "degradation"), ("test", "test_degradation")])
    def test_what_is_scored_is_the_same_in_every_epoch_and_call(self, loader: str, setting: str) -> None:
        settings = {setting: RandomDegradations(clean=0.0)}
        first = samples(loader, 0, **settings)
        assert same(first, samples(loader, 5, **settings))
        for visible, infrared, clean, codes in first.values():
            assert not torch.equal(visible, clean)
            assert (codes > 0).all()
            assert infrared.shape[-2:] == visible.shape[-2:]
        assert not same(first, samples(loader, 0, seed=1, **settings))

    def test_predicting_sees_what_testing_sees(self) -> None:
        settings = {"test_degradation": RandomDegradations(clean=0.0)}
        assert same(samples("test", **settings), samples("predict", **settings))

    def test_workers_that_outlive_an_epoch_follow_it(self) -> None:
        """Persistent workers hold copies of the dataset, which nobody tells the epoch."""
        found = {}
        for workers in (0, 1):
            data = FusionDataModule(**(TINY | {"num_workers": workers}))
            data.setup("fit")
            loader = data.train_dataloader()
            found[workers] = []
            for epoch in (0, 1):
                loader.sampler.set_epoch(epoch)
                found[workers] += [(batch["index"].tolist(), batch["visible"]) for batch in loader]
        for (indices, one), (others, other) in zip(found[0], found[1], strict=True):
            assert indices == others
            assert torch.equal(one, other)


class TestDegradation:
    def test_training_and_test_settings_are_separate(self) -> None:
        noisy = FixedDegradation(GaussianNoise(sigma=20))
        for loader in ("train", "val"):
            assert all((codes > 0).all() for *_, codes in samples(loader, degradation=noisy).values())
        assert all((codes == 0).all() for *_, codes in samples("test", degradation=noisy).values())
        assert all((codes > 0).all() for *_, codes in samples("test", test_degradation=noisy).values())
        assert all((codes == 0).all() for *_, codes in samples("train", test_degradation=noisy).values())

    @pytest.mark.parametrize(("which", "codes"), [("visible", [1, 0]), ("infrared", [0, 1]), ("both", [1, 1])])
    def test_one_source_alone(self, which: str, codes: list[int]) -> None:
        found = samples("test", test_degradation=FixedDegradation(GaussianNoise(sigma=20)), degrade=which)
        assert all(sample[3].tolist() == codes for sample in found.values())


class TestTrainSeed:
    def test_it_changes_what_is_trained_on_and_nothing_else(self) -> None:
        noisy = {"degradation": RandomDegradations(), "test_degradation": RandomDegradations(), "val_crop": 24}
        for loader in ("train", "val", "test"):
            kept = same(samples(loader, **noisy), samples(loader, **noisy, train_seed=7))
            assert kept == (loader != "train")
        assert same(samples("train", **noisy, seed=7), samples("train", **noisy, seed=3, train_seed=7))

    def test_fit_takes_seed_everything(self, run, workspace: Path) -> None:
        for more, seed in (((), 5), (("--data.train_seed", "9"), 9)):
            outcome = run("fit", "--config", "tiny.yaml", "--seed_everything", 5, *more)
            assert outcome.status == 0, outcome.err
            config = sorted(workspace.glob("runs/dream-if/*/config.yaml"))[-1]
            assert yaml.safe_load(config.read_text())["data"]["train_seed"] == seed


class TestSplits:
    def test_training_takes_crops_and_testing_whole_images(self) -> None:
        train, val, test = (samples(loader) for loader in ("train", "val", "test"))
        assert (len(train), len(val), len(test)) == (4 * 2, 3, 3)
        assert {sample[0].shape for sample in train.values()} == {(3, 16, 16)}
        # As `write_pairs` makes them: 32 + n % 3 by 40 + n % 2.
        assert [tuple(test[index][1].shape) for index in range(3)] == [(1, 32, 40), (1, 33, 41), (1, 34, 40)]
        assert [tuple(val[index][0].shape) for index in range(3)] == [(3, 32, 40), (3, 33, 41), (3, 34, 40)]

    def test_validation_crops_are_one_of_each_pair(self) -> None:
        found = samples("val", val_crop=24, batch_size=8)
        assert {sample[0].shape for sample in found.values()} == {(3, 24, 24)}
        assert len(found) == 3

    def test_test_crops_are_cut_from_the_whole_images(self) -> None:
        whole, found = samples("test"), samples("test", test_crop=24)
        assert len(found) == 3
        for index, (visible, infrared, *_) in found.items():
            places = whole[index][0].unfold(1, 24, 1).unfold(2, 24, 1)
            (row, column), *others = (places == visible[:, None, None]).all(dim=(0, 3, 4)).nonzero().tolist()
            assert not others
            assert (whole[index][1][:, row : row + 24, column : column + 24] == infrared).all()
        assert same(found, samples("test", test_crop=24, train_seed=5))

    def test_several_sets(self, write_pairs) -> None:
        write_pairs(Path("deep/other"), {"train": 9, "val": 2, "test": 1}, seed=70)
        data = FusionDataModule(**(TINY | {"root": ["pairs", "deep/other"], "mix": "equal"}))
        data.setup("fit")
        names = [name for batch in data.train_dataloader() for name in batch["name"]]
        sets = [name.split("/")[0] for name in names]
        assert len(names) == 2 * 12  # of 13 pairs, in whole batches of two pairs
        assert abs(sets.count("pairs") - sets.count("other")) <= 2 * 2
        assert len(data.val_pairs) == 5
        data.setup("test")
        assert data.test_sets == ["pairs", "other"]
        assert [len(loader) for loader in data.test_dataloader()] == [3, 1]
        assert [batch["name"] for batch in data.test_dataloader()[1]] == [["test_00"]]

    def test_a_rig_registers_what_is_read(self, write_pairs) -> None:
        write_pairs(Path("moved"), {"train": 1, "val": 1, "test": 1})
        matrix = np.array([[1.0, 0, 6], [0, 1, -4], [0, 0, 1]])
        Rig(matrix, "translation", (32, 40), (32, 40), 0.0, 3).write(Path("rig.yaml"))
        (plain,), (laid,) = (samples("test", root="moved", **more).values() for more in ({}, {"rig": "rig.yaml"}))
        assert (laid[0] == plain[0][:, 4:, :34]).all()
        assert (laid[1] == plain[1][:, :28, 6:]).all()
        assert len(samples("train", root="moved", crops_per_pair=4, rig="rig.yaml")) == 4
        with pytest.raises(InputError, match="but scenes and sets that dream-if prepare wrote"):
            FusionDataModule(**(TINY | {"layout": "scenes", "root": None, "rig": "rig.yaml"}))

    def test_a_set_is_called_as_the_user_calls_it(self) -> None:
        Path("linked").symlink_to("pairs")
        assert FusionDataModule(**(TINY | {"root": "linked"})).test_sets == ["linked"]
        assert FusionDataModule(**(TINY | {"root": "linked/../pairs/"})).test_sets == ["pairs"]

    def test_scenes_of_the_splits_differ_and_repeat(self) -> None:
        splits = {split: ScenePairs(split, 2, 0, (64, 80)) for split in ("train", "val", "test")}
        pictures = [splits[split].read(position)[0] for split in splits for position in range(2)]
        assert all(picture.shape == (64, 80, 3) for picture in pictures)
        for place, picture in enumerate(pictures):
            assert not any((picture == other).all() for other in pictures[:place])
        again, infrared, name = ScenePairs("val", 2, 0, (64, 80)).read(1)
        assert (again == pictures[3]).all()
        assert infrared.shape == (64, 80, 1)
        assert name == "scene_00001"


class TestProcesses:
    def test_each_has_its_share(self) -> None:
        indices = []
        for rank in range(2):
            data = FusionDataModule(**TINY)
            data.trainer = trainer("validating", processes=2, rank=rank)
            data.setup("validate")
            indices.append([index for batch in data.val_dataloader() for index in batch["index"].tolist()])
        assert indices == [[0, 2], [1]]

    @pytest.mark.parametrize(
        ("stage", "settings", "message"),
        [
            ("fit", {"batch_size": 4}, "4 training pairs give 8 crops, too few for one batch of 4 on 4 device"),
            ("fit", {"batch_size": 2}, "The validation split has 3 pair(s), fewer than the 4 processes"),
            ("test", {}, "The test set pairs has 3 pair(s), fewer than the 4 processes"),
        ],
    )
    def test_more_than_there_is_work_for(self, stage: str, settings: dict, message: str) -> None:
        data = FusionDataModule(**(TINY | settings))
        data.trainer = trainer("training", processes=4)
        with pytest.raises(InputError) as caught:
            data.setup(stage)
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 3}, "data.crops_per_pair must divide it"),
        ({"crops_per_pair": 0}, "data.crops_per_pair must divide it"),
        ({"num_workers": -1}, "data.num_workers must be 0 or more"),
        ({"layout": "scenes", "root": None, "num_scenes": 0}, "data.num_scenes must be 1 or more"),
        ({"layout": "scenes"}, "needs no folder, but data.root is pairs"),
        ({"root": None}, "data.root is missing: the layout folder reads a folder"),
        ({"root": []}, "data.root is missing"),
        ({"root": ["pairs", "copy/pairs"]}, "data.root names two folders called pairs: pairs and copy/pairs"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_settings_that_contradict_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        FusionDataModule(**(TINY | settings))
    assert message in str(caught.value)


def test_other_sets_to_test_on(write_pairs) -> None:
    write_pairs(Path("night"), {"test": 2}, seed=9)
    data = FusionDataModule(**TINY, test_root="night")
    for stage in ("fit", "test"):
        data.setup(stage)
    assert data.test_sets == ["night"]
    assert len(data.test_pairs[0]) == 2
    assert len(data.train_pairs) > 2


def test_conditions_that_are_one_and_the_same_are_refused() -> None:
    for conditions in ({}, {"a": None, "b": None}):
        with pytest.raises(InputError, match=r"data\.test_degradation"):
            FusionDataModule(**TINY, test_degradation=conditions)


def test_only_the_splits_that_a_stage_needs_must_be_there() -> None:
    shutil.rmtree("pairs/train")
    data = FusionDataModule(**TINY)
    data.setup("test")
    with pytest.raises(InputError, match="has no split 'train'"):
        data.setup("fit")


def move() -> None:
    """Something that OpenCV does with all the threads it may use."""
    cv2.warpAffine(np.zeros((1024, 1024, 3), np.float32), np.eye(2, 3), (1024, 1024))


class OpenCVThreads(Dataset):
    """How many threads OpenCV uses where it is asked, after some work."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, position: int) -> int:
        move()
        return cv2.getNumThreads()


def test_opencv_has_one_thread_in_a_worker_even_if_it_had_more_before() -> None:
    """A worker is a copy of this process without its threads, and must not wait for them."""
    data = FusionDataModule(**TINY)
    data.setup("fit")
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(2)
        move()  # now there are threads
        init = data.train_dataloader().worker_init_fn
        # The limit makes a failure of what would wait for ever.
        loader = DataLoader(OpenCVThreads(), None, num_workers=2, worker_init_fn=init, timeout=60)
        assert list(loader) == [1, 1]
    finally:
        cv2.setNumThreads(before)
