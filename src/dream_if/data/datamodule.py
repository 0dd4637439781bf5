"""`FusionDataModule`: selects, crops, degrades and batches the pairs."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from dream_if.data.degradations import Composition, degrade_batch
from dream_if.data.degradations.base import SOURCES, Source
from dream_if.data.images import to_image, to_tensor
from dream_if.data.layouts import Layout
from dream_if.data.loader_timing import TimedLoader
from dream_if.data.own_layout import OwnLayout, pairs_of
from dream_if.data.pairs import Image, PairedImages, PairFiles, PairSource, collate
from dream_if.data.prepared import PreparedPairs, is_prepared
from dream_if.data.sampling import Mix, TrainingSampler, WithoutDuplicates
from dream_if.data.scene_pairs import ScenePairs
from dream_if.data.splits import Split
from dream_if.errors import InputError
from dream_if.registration.rig import read_rig

__all__ = ["FusionDataModule", "one_opencv_thread"]


class _Joined:
    """Several sources of pairs, one after the other, each name led by its set's where there are several."""

    def __init__(self, sources: dict[str, PairSource]) -> None:
        self.sources = sources
        self.lengths = [len(source) for source in sources.values()]

    def __len__(self) -> int:
        return sum(self.lengths)

    def read(self, position: int) -> tuple[Image, Image, str]:
        for name, source in self.sources.items():
            if position < len(source):
                visible, infrared, stem = source.read(position)
                return visible, infrared, f"{name}/{stem}" if len(self.sources) > 1 else stem
            position -= len(source)
        raise IndexError(f"Expected a position below {len(self)}, got {position + len(self)}.")


class FusionDataModule(LightningDataModule):
    """Pairs of visible and infrared images, for training degraded on the device after the transfer.

    Training takes crops, several from each decoded pair; testing and predicting take whole images unless told
    otherwise, one set per root, named after its folder. What a sample looks like, crop, flips and corruption, is a pure
    function of (seed, epoch, index): no number of workers, devices or samples in a batch changes it.

    Args:
        layout: how the folders are arranged; ``scenes`` generates road scenes and needs no data. Or a function of your
            own, ``package.module.name``: of a set's folder and a split, to a list of (visible file, infrared file).
        root: folder of the set, or several to train on and test all together. One that ``dream-if prepare`` wrote is
            recognised, whatever the layout.
        test_root: folder, or several, to test and predict on instead; those of ``root`` if null.
        rig: file of ``dream-if align --calibrate`` for the cameras of all these folders: infrared images are laid on
            the visible ones, and both are cut to what both show. Null: they are registered.
        crop: side of the training crops in pixels.
        crops_per_pair: crops from each decoded pair; divides ``batch_size``.
        batch_size: crops in a training batch, on each device.
        val_crop: side of the crops, one from each pair, that validation looks at; whole images if null.
        test_crop: the same for testing, where many pairs matter more than whole ones; predicting takes whole images.
        mix: how often each of several sets comes up in training: by its size, or all equally.
        degradation: what is done to training and validation samples, each source on its own; nothing if null.
        test_degradation: what is done to test and predict samples, the same at every call; what it changes is rounded
            to 8 bit as in the files that ``dream-if degrade`` writes; nothing if null. Several by name, as ``{clean:
            null, noisy: {class_path: ...}}``, test each set under each: the set ``road`` is then called
            ``road+noisy``, and still ``road`` where nothing is done to it.
        degrade: which of the sources; ``dream_if.data.OneSided`` corrupts one of each pair.
        num_workers: processes that read; they do not change what is read.
        seed: of scenes, and of degradations when validating and testing, whatever ``seed_everything`` is.
        train_seed: of order, crops, flips and degradations in training; `dream-if fit` fills in ``seed_everything``,
            so that repeated runs are tested alike but trained on different draws. Null: as ``seed``.
        num_scenes: how many training scenes; an eighth as many for validation and a quarter for test, at least 2.
        scene_size: height and width of the scenes in pixels.

    Raises:
        InputError: A setting contradicts another, or the data is not as the layout says.
    """

    def __init__(
        self,
        layout: Layout | OwnLayout = "scenes",
        root: str | list[str] | None = None,
        test_root: str | list[str] | None = None,
        rig: str | None = None,
        crop: int = 96,
        crops_per_pair: int = 4,
        batch_size: int = 8,
        val_crop: int | None = None,
        test_crop: int | None = None,
        mix: Mix = "proportional",
        degradation: Composition | None = None,
        test_degradation: Composition | dict[str, Composition | None] | None = None,
        degrade: Literal["both", "visible", "infrared"] = "both",
        num_workers: int = 2,
        seed: int = 0,
        train_seed: int | None = None,
        num_scenes: int = 64,
        scene_size: tuple[int, int] = (240, 320),
    ) -> None:
        super().__init__()
        if crops_per_pair < 1 or batch_size < 1 or batch_size % crops_per_pair:
            raise InputError(
                f"data.batch_size counts crops, so data.crops_per_pair must divide it; got a batch_size of "
                f"{batch_size} with {crops_per_pair} crops per pair."
            )
        train_seed = seed if train_seed is None else train_seed
        for name, value in (("seed", seed), ("train_seed", train_seed)):
            if not 0 <= value < 2**32:
                raise InputError(f"data.{name} must be from 0 up and below {2**32}, got {value}.")
        for name, value, least in (("num_workers", num_workers, 0), ("num_scenes", num_scenes, 1)):
            if value < least:
                raise InputError(f"data.{name} must be {least} or more, got {value}.")
        self.roots = _named_roots(root)
        self.test_roots = _named_roots(test_root) or self.roots
        if layout == "scenes":
            for name, given, roots in (("root", root, self.roots), ("test_root", test_root, self.test_roots)):
                if given and not all(map(is_prepared, roots.values())):
                    raise InputError(
                        f"data.layout is scenes, which needs no folder, but data.{name} is {given}: drop one."
                    )
        elif not root:
            raise InputError(
                f"data.root is missing: the layout {layout} reads a folder. Name it with --data.root, or use "
                "--data.layout scenes to train without any data."
            )
        self.rig = None if rig is None else read_rig(Path(rig).expanduser())
        if rig is not None and not (
            root and not any(map(is_prepared, (*self.roots.values(), *self.test_roots.values())))
        ):
            raise InputError(
                f"data.rig is {rig}, but scenes and sets that dream-if prepare wrote are read as they are: drop it, or "
                "name the folders of the images."
            )
        self.layout = layout
        self.crop = crop
        self.crops_per_pair = crops_per_pair
        self.batch_size = batch_size
        self.val_crop = val_crop
        self.test_crop = test_crop
        self.mix: Mix = mix
        self.degradation = degradation
        self.test_degradation = test_degradation
        self._conditions()  # refuses wrong conditions now, not at the test
        self.degraded: set[Source] = set(SOURCES) if degrade == "both" else {degrade}
        self.num_workers = num_workers
        self.seed = seed
        self.train_seed = train_seed
        self.num_scenes = num_scenes
        self.scene_size = scene_size

    @property
    def test_sets(self) -> list[str]:
        """Names of the sets that testing and predicting go through, in the order of their loaders."""
        sets = list(self.test_roots) or ["scenes"]
        return [f"{name}+{condition}" if condition else name for name in sets for condition in self._conditions()]

    def setup(self, stage: str) -> None:
        """Find the pairs of the splits that this stage needs.

        Raises:
            InputError: A folder, a split or a partner is missing.
        """
        if stage == "fit":
            self.train_pairs = PairedImages(
                _Joined(self._sources("train")), self.crop, self.crops_per_pair, flip=True, seed=self.train_seed
            )
            if len(self.train_pairs) * self.crops_per_pair < self.batch_size * self._processes:
                raise InputError(
                    f"{len(self.train_pairs)} training pairs give {len(self.train_pairs) * self.crops_per_pair} "
                    f"crops, too few for one batch of {self.batch_size} on {self._processes} device(s): lower "
                    "data.batch_size, raise data.crops_per_pair, or add pairs."
                )
        if stage in ("fit", "validate"):
            self.val_pairs = PairedImages(_Joined(self._sources("val")), self.val_crop, seed=self.seed)
            self._check_shares("validation split", self.val_pairs)
        if stage in ("test", "predict"):
            sources = self._sources("test")
            crop = self.test_crop if stage == "test" else None
            each = [PairedImages(source, crop, seed=self.seed) for source in sources.values()]
            for name, pairs in zip(sources, each, strict=True):
                self._check_shares(f"test set {name}", pairs)
            self.test_pairs = [pairs for pairs in each for _ in self._conditions()]

    def _check_shares(self, name: str, pairs: PairedImages) -> None:
        """A process without a share would leave the others waiting for its metrics for ever."""
        if len(pairs) < self._processes:
            raise InputError(
                f"The {name} has {len(pairs)} pair(s), fewer than the {self._processes} processes that would share "
                "them: use fewer with --trainer.devices, or add pairs."
            )

    def _sources(self, split: Split) -> dict[str, PairSource]:
        roots = self.test_roots if split == "test" else self.roots
        if not roots:
            share = {"train": 1, "val": 8, "test": 4}[split]
            count = max(2, self.num_scenes // share)
            return {"scenes": ScenePairs(split, count, self.seed, self.scene_size)}
        return {
            name: PreparedPairs(root, split)
            if is_prepared(root)
            else PairFiles(pairs_of(self.layout, root, split), self.rig)
            for name, root in roots.items()
        }

    def _conditions(self) -> dict[str, Composition | None]:
        """Test degradations by what is added to a set's name; "" adds nothing.

        Raises:
            InputError: There is none, or two leave the images as they are.
        """
        given = self.test_degradation
        if not isinstance(given, Mapping):
            return {"": given}
        named = {name if suffered else "": suffered for name, suffered in given.items()}
        if not named or len(named) < len(given):
            raise InputError(
                "data.test_degradation names conditions to test under, one of them null at most; got "
                f"{', '.join(given) or 'none'}."
            )
        return named

    @property
    def _processes(self) -> int:
        return self.trainer.world_size if self.trainer else 1

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled batches of ``batch_size`` crops."""
        source = self.train_pairs.source
        assert isinstance(source, _Joined)
        sampler = TrainingSampler(
            self.train_pairs, source.lengths, self.mix, self.train_seed, processes=self._processes, rank=self._rank
        )
        return self._loader(self.train_pairs, sampler, self.batch_size // self.crops_per_pair, drop_last=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """The validation pairs in order: whole, one by one, or a crop of each in batches."""
        return self._evaluated(self.val_pairs, self.batch_size if self.val_crop else 1)

    def test_dataloader(self) -> list[DataLoader[Any]]:
        """One loader for each of `test_sets`, images one by one."""
        return [self._evaluated(pairs, 1) for pairs in self.test_pairs]

    def predict_dataloader(self) -> list[DataLoader[Any]]:
        """The test loaders."""
        return self.test_dataloader()

    def _evaluated(self, pairs: PairedImages, batch_size: int) -> DataLoader[Any]:
        return self._loader(pairs, WithoutDuplicates(pairs, self._processes, self._rank), batch_size, drop_last=False)

    def _loader(
        self, pairs: PairedImages, sampler: TrainingSampler | WithoutDuplicates, batch_size: int, drop_last: bool
    ) -> DataLoader[Any]:
        return TimedLoader(
            pairs,
            batch_size=batch_size,
            sampler=sampler,
            drop_last=drop_last,
            collate_fn=collate,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=one_opencv_thread,
        )

    def on_before_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> dict[str, Any]:
        """Degrade what is tested and predicted, before it goes to the device, to the images that a file would hold.

        On the CPU and with 256 levels, so that they are those that ``dream-if degrade`` writes, on whatever device the
        network runs.
        """
        if self._fitting:
            return batch
        conditions = list(self._conditions().values())
        batch = self._degraded(batch, conditions[dataloader_idx % len(conditions)], self.seed, 0, "test")
        for source in SOURCES:
            both = zip(batch[source], batch[f"{source}_clean"], strict=True)
            batch[source] = torch.stack(
                [image if torch.equal(image, clean) else to_tensor(to_image(image)) for image, clean in both]
            )
        return batch

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> dict[str, Any]:
        """Degrade what is trained on and validated, on its device; see `dream_if.data.degradations.degrade_batch`."""
        trainer = self.trainer
        if trainer is None or not self._fitting:
            return batch
        if trainer.training:
            return self._degraded(batch, self.degradation, self.train_seed, trainer.current_epoch, "train")
        return self._degraded(batch, self.degradation, self.seed, 0, "val")

    @property
    def _fitting(self) -> bool:
        trainer = self.trainer
        return trainer is not None and (trainer.training or trainer.validating or trainer.sanity_checking)

    def _degraded(
        self, batch: dict[str, Any], composition: Composition | None, seed: int, epoch: int, split: Split
    ) -> dict[str, Any]:
        return degrade_batch(batch, composition, seed, epoch, split, self.degraded)


def one_opencv_thread(_worker: int) -> None:
    """Keep OpenCV in a worker to one thread: the workers are what there is to be had of cores.

    0 says so, not 1: for 1 OpenCV asks its threads to end, which a forked process has none of, and waits for ever.
    """
    cv2.setNumThreads(0)


def _named_roots(roots: str | Sequence[str] | None) -> dict[str, Path]:
    """Each root under the name of its folder.

    Raises:
        InputError: Two have the same name, and so could not be told apart in a table.
    """
    named: dict[str, Path] = {}
    for root in [roots] if isinstance(roots, str) else roots or []:
        path = Path(root).expanduser()
        name = Path(os.path.abspath(path)).name  # a link keeps its own name, which is the one the user chose
        if name in named:
            raise InputError(f"data.root names two folders called {name}: {named[name]} and {path}; rename one.")
        named[name] = path
    return named
