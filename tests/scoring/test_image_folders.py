"""What is wrong with the files is said before anything is scored, all of it at once."""

import shutil

import numpy as np
import pytest
from PIL import Image

from dream_if.errors import InputError
from dream_if.scoring.image_folders import find_images


def find(folders, resize=False, **fused):
    fused = fused or {"mix": folders / "mix", "max": folders / "max"}
    return find_images(folders / "vi", folders / "ir", fused, resize=resize)


def complaint(folders, **options):
    with pytest.raises(InputError) as caught:
        find(folders, **options)
    return str(caught.value)


def test_triples_share_their_stem_whatever_the_ending(folders):
    Image.open(folders / "mix" / "s3.png").save(folders / "mix" / "s3.bmp")
    (folders / "mix" / "s3.png").unlink()
    images = find(folders)
    assert images.names == tuple(f"s{k}" for k in range(7))
    for files in (images.visible, images.infrared, *images.fused.values()):
        assert [file.path.stem for file in files] == list(images.names)
    assert images.visible[1].size == (44, 44)
    assert images.visible[0].size == (56, 48)
    assert images.extra == {"mix": (), "max": ()}


def test_progress_counts_every_file_once(folders):
    seen = []
    find_images(
        folders / "vi",
        folders / "ir",
        {"visible": folders / "vi", "mix": folders / "mix"},
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(done, 21) for done in range(1, 22)]


def test_everything_wrong_with_the_fused_images_is_named_at_once(folders):
    (folders / "mix" / "s1.png").unlink()
    (folders / "mix" / "s5.png").unlink()
    (folders / "max" / "s0.png").write_bytes(b"")
    (folders / "max" / "s2.png").write_bytes((folders / "max" / "s2.png").read_bytes()[:-200])
    (folders / "max" / "s3.png").write_text("no image")
    Image.new("L", (30, 20)).save(folders / "max" / "s4.png")
    message = complaint(folders)
    assert f"mix: 2 of 7 image(s) missing in {folders / 'mix'}, for the source(s) s1, s5" in message
    for name in ("s0", "s2", "s3"):
        assert str(folders / "max" / f"{name}.png") in message
    assert f"max: 1 image(s) of another size than their sources: {folders / 'max' / 's4.png'} is 30x20, not 44x44" in (
        message
    )
    assert "--resize" in message


def test_resize_lets_sizes_pass_and_nothing_else(folders):
    Image.new("L", (30, 20)).save(folders / "mix" / "s4.png")
    images = find(folders, resize=True)
    assert images.resized("mix") == {"s4": (30, 20)}
    assert images.resized("max") == {}
    (folders / "max" / "s0.png").unlink()
    message = complaint(folders, resize=True)
    assert "s0" in message
    assert "--resize" not in message


def test_sources_of_unequal_size_are_refused_even_with_resize(folders):
    Image.new("L", (30, 20)).save(folders / "ir" / "s4.png")
    message = complaint(folders, resize=True)
    assert f"{folders / 'vi' / 's4.png'} is 44x44 but {folders / 'ir' / 's4.png'} is 30x20" in message


def test_a_folder_of_other_images_is_refused(folders):
    (folders / "other").mkdir()
    assert "the folder: no image" in complaint(folders, other=folders / "other")
    for name in ("a.png", "b.png", "c.png", "d.png"):
        shutil.copy(folders / "mix" / "s0.png", folders / "other" / name)
    message = complaint(folders, mix=folders / "mix", other=folders / "other")
    assert f"other: nothing in {folders / 'other'} has the stem of a source (sources: s0, s1, s2, ...;" in message
    assert "the folder: a.png, b.png, c.png, ...)" in message


def test_extra_images_are_listed_not_scored(folders):
    shutil.copy(folders / "mix" / "s0.png", folders / "mix" / "extra.png")
    images = find(folders)
    assert images.extra == {"mix": ("extra",), "max": ()}
    assert len(images.fused["mix"]) == 7


def test_one_stem_twice_is_refused(folders):
    shutil.copy(folders / "mix" / "s0.png", folders / "mix" / "s0.jpg")
    message = complaint(folders)
    assert "mix: files in" in message
    assert "s0.jpg and s0.png" in message
    assert "missing" not in message


def test_sources_without_partner_are_named(folders):
    (folders / "ir" / "s0.png").unlink()
    (folders / "vi" / "s6.png").unlink()
    message = complaint(folders)
    assert f"1 visible image(s) without a partner in {folders / 'ir'}: s0.png" in message
    assert f"1 infrared image(s) without a partner in {folders / 'vi'}: s6.png" in message


def test_ambiguous_and_empty_sources_are_refused(folders):
    shutil.copy(folders / "vi" / "s0.png", folders / "vi" / "s0.bmp")
    assert "s0.bmp and s0.png" in complaint(folders)
    (folders / "none").mkdir()
    with pytest.raises(InputError, match="no images in"):
        find_images(folders / "none", folders / "none", {"mix": folders / "mix"})


def test_an_unreadable_source_is_named(folders):
    (folders / "vi" / "s2.png").write_bytes(b"")
    assert str(folders / "vi" / "s2.png") in complaint(folders)


def test_the_digest_follows_the_content(folders):
    before = find(folders).fused["mix"][0].digest
    Image.fromarray(np.full((48, 56), 7, np.uint8)).save(folders / "mix" / "s0.png")
    assert find(folders).fused["mix"][0].digest != before
