"""Reading a prepared set, whole and damaged."""

import json
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dream_if.data.layouts import find_pairs
from dream_if.data.pairs import PairedImages, PairFiles
from dream_if.data.prepare import prepare_pairs
from dream_if.data.prepared import PreparedPairs, find_damage, is_prepared, read_manifest
from dream_if.errors import InputError
from tests.data.pictures import write, write_pair


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    for index, (height, width) in enumerate([(32, 40), (33, 47), (40, 32)]):
        write_pair(tmp_path / "set", f"{index}", height, width, seed=2 * index)
    prepare_pairs(tmp_path / "set", tmp_path / "packed", "tno")
    return tmp_path / "packed"


def test_pixels_lie_in_the_files_as_the_manifest_says(packed: Path) -> None:
    """By the words of the module's docstring, with nothing of the package."""
    manifest = json.loads((packed / "manifest.json").read_text())
    pairs = manifest["splits"]["test"]["pairs"]
    images = PairFiles(find_pairs("tno", packed.parent / "set", "test"))
    for place, pair in enumerate(pairs):
        *pictures, name = images.read(place)
        assert pair["name"] == name
        for source, channels, picture in (("visible", 3, pictures[0]), ("infrared", 1, pictures[1])):
            kind, offset = pair[source]
            count = pair["height"] * pair["width"] * channels
            values = np.fromfile(packed / f"test_{source}.raw", kind, count, offset=offset)
            assert offset % 64 == 0
            assert np.array_equal(values.reshape(pair["height"], pair["width"], channels), picture)


def test_images_are_views_that_nobody_can_write_to(packed: Path) -> None:
    visible, infrared, _ = PreparedPairs(packed, "test").read(1)
    for image in (visible, infrared):
        assert not image.flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            image[0] = 0


def test_a_copy_for_a_worker_holds_no_pixels(packed: Path) -> None:
    pairs = PreparedPairs(packed, "test")
    expected = pairs.read(2)
    copied = pickle.dumps(pairs)
    assert len(copied) < 2000 < expected[0].nbytes
    for ours, theirs in zip(pickle.loads(copied).read(2), expected, strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux tells what is in memory")
def test_a_crop_touches_no_more_than_its_strip(tmp_path: Path) -> None:
    for part, channels in (("vi", 3), ("ir", 1)):
        write(tmp_path / "set" / part / "large.bmp", np.zeros((2400, 2400, channels), np.uint8), "BMP")
    prepare_pairs(tmp_path / "set", tmp_path / "packed", "tno")
    images = PairedImages(PreparedPairs(tmp_path / "packed", "test"), crop=48)

    def resident() -> int:
        """Bytes of the visible file that this process has touched, and what the kernel maps around them."""
        block = re.search(r"test_visible\.raw\n(?:.*\n)*?Rss: +(\d+) kB", Path("/proc/self/smaps").read_text())
        return int(block[1]) * 1024 if block else 0

    images.source.read(0)
    assert resident() == 0
    images[0]
    assert 0 < resident() < 3 * 2400 * 2400 / 3


class TestDamage:
    def test_only_a_manifest_of_ours_counts(self, tmp_path: Path) -> None:
        assert not is_prepared(tmp_path)
        (tmp_path / "manifest.json").write_text('{"format": "of somebody else"}')
        assert not is_prepared(tmp_path)
        assert not is_prepared(tmp_path / "manifest.json")

    @pytest.mark.parametrize("share", [0.2, 0.6, 0.999])
    def test_manifest_cut_short(self, packed: Path, share: float) -> None:
        path = packed / "manifest.json"
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        assert is_prepared(packed)
        with pytest.raises(InputError, match=r"manifest\.json: damaged or cut short"):
            read_manifest(packed)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (lambda content: content["splits"]["test"]["pairs"].reverse(), "was changed after it was written"),
            (lambda content: content["splits"]["test"]["files"]["visible"].update(blake2b="0"), "was changed"),
            (lambda content: content.pop("blake2b"), "was changed"),
            (lambda content: content.update(version=1), "has version 1 .* reads version 2"),
        ],
    )
    def test_manifest_changed(self, packed: Path, change: Callable[[dict], object], says: str) -> None:
        path = packed / "manifest.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        for use in (read_manifest, find_damage, lambda root: PreparedPairs(root, "test")):
            with pytest.raises(InputError, match=says):
                use(packed)

    @pytest.mark.parametrize("amount", [-1, 1])
    def test_file_of_another_length(self, packed: Path, amount: int) -> None:
        path = packed / "test_visible.raw"
        content = path.read_bytes()
        path.write_bytes(content[:-1] if amount < 0 else content + b"\0")
        with pytest.raises(
            InputError, match=rf"test_visible\.raw: has {len(content) + amount} bytes where .*cut short"
        ):
            PreparedPairs(packed, "test")

    def test_missing_files(self, packed: Path) -> None:
        pairs = PreparedPairs(packed, "test")
        (packed / "test_infrared.raw").unlink()
        with pytest.raises(InputError, match=r"test_infrared\.raw: cannot be read"):
            read_manifest(packed)
        with pytest.raises(InputError, match=r"test_infrared\.raw: cannot be opened"):
            pairs.read(0)

    def test_it_can_be_moved(self, packed: Path) -> None:
        shutil.move(packed, packed.parent / "elsewhere")
        assert find_damage(packed.parent / "elsewhere") == []
        assert PreparedPairs(packed.parent / "elsewhere", "test").read(0)[0].shape == (32, 40, 3)
