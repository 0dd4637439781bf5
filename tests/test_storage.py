"""Files and folders are whole or not there, lines survive a crash, and images are listed and paired by stem."""

import hashlib
import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from dream_if.errors import InputError
from dream_if.storage import (
    append_json_lines,
    atomic_file,
    atomic_folder,
    cache_key,
    file_digest,
    images_by_stem,
    list_folder,
    match,
    read_json_lines,
    refuse_used_folder,
    write_atomically,
)


def fail_after(write: Callable[[], object]) -> None:
    write()
    raise RuntimeError


def kill_within(opened: Callable[[], AbstractContextManager[Path]], fill: Callable[[Path], object]) -> None:
    """Kill a process that has written a part."""
    child = os.fork()
    if child == 0:
        with opened() as part:
            fill(part)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


class TestFiles:
    def test_a_failure_leaves_what_was_there(self, tmp_path: Path) -> None:
        path = tmp_path / "below" / "a.txt"
        write_atomically(path, b"old")
        with pytest.raises(RuntimeError), atomic_file(path) as part:
            fail_after(lambda: part.write_bytes(b"half"))
        assert path.read_bytes() == b"old"
        assert os.listdir(path.parent) == ["a.txt"]

    def test_what_a_killed_process_left_is_removed(self, tmp_path: Path) -> None:
        kill_within(lambda: atomic_file(tmp_path / "a.txt"), lambda part: part.write_bytes(b"half"))
        write_atomically(tmp_path / "b.txt", b"whole")
        assert os.listdir(tmp_path) == ["b.txt"]

    def test_what_another_process_is_writing_stays(self, tmp_path: Path) -> None:
        with atomic_file(tmp_path / "a.txt") as part:
            part.write_bytes(b"first")
            child = multiprocessing.get_context("spawn").Process(
                target=write_atomically, args=(tmp_path / "a.txt", b"2")
            )
            child.start()
            child.join()
            assert (child.exitcode, (tmp_path / "a.txt").read_bytes()) == (0, b"2")
        assert (tmp_path / "a.txt").read_bytes() == b"first"
        assert os.listdir(tmp_path) == ["a.txt"]

    def test_the_digest_is_that_of_the_content(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"abc")
        assert file_digest(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
        with pytest.raises(InputError, match="b: cannot be read"):
            file_digest(tmp_path / "b")

    def test_a_key_depends_on_every_part(self) -> None:
        keys = {cache_key(parts) for parts in (["a", 1], ["a", 2], ["a1"], {"a": 1})}
        assert len(keys) == 4
        assert cache_key({"a": 1, "b": 2}, sort_keys=True) == cache_key({"b": 2, "a": 1}, sort_keys=True)


class TestFolders:
    @pytest.mark.parametrize("others", [0, 1])
    def test_a_folder_that_was_made_for_a_file_is_gone_where_the_file_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: int
    ) -> None:
        def no_room(*_: object) -> int:
            raise OSError(28, "No space left on device")

        if others:
            (tmp_path / "made").mkdir()
        monkeypatch.setattr(Path, "write_bytes", no_room)
        with pytest.raises(InputError, match="cannot be written"):
            write_atomically(tmp_path / "made/a", b"1")
        assert (tmp_path / "made").exists() == bool(others)

    def test_it_has_its_name_when_it_is_full(self, tmp_path: Path) -> None:
        with atomic_folder(tmp_path / "made") as folder:
            (folder / "a").write_text("")
            assert not (tmp_path / "made").exists()
        assert os.listdir(tmp_path) == ["made"]
        assert os.listdir(tmp_path / "made") == ["a"]
        assert (tmp_path / "made").stat().st_mode & 0o777 == 0o755

    def test_it_is_gone_after_a_failure(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError), atomic_folder(tmp_path / "made") as folder:
            fail_after((folder / "a").touch)
        assert os.listdir(tmp_path) == []

    def test_two_do_not_fill_one(self, tmp_path: Path) -> None:
        with (
            atomic_folder(tmp_path / "made"),
            pytest.raises(InputError, match="made: another process is filling it"),
            atomic_folder(tmp_path / "made"),
        ):
            pass
        assert os.listdir(tmp_path) == ["made"]

    def test_what_a_killed_process_left_is_removed(self, tmp_path: Path) -> None:
        kill_within(lambda: atomic_folder(tmp_path / "made"), lambda folder: (folder / "below").mkdir())
        with atomic_folder(tmp_path / "made") as folder:
            assert not any(folder.iterdir())
        assert os.listdir(tmp_path) == ["made"]

    def test_one_in_use_is_refused(self, tmp_path: Path) -> None:
        refuse_used_folder(tmp_path, "scenes")
        refuse_used_folder(tmp_path / "none", "scenes")
        (tmp_path / "a").write_text("")
        for path in (tmp_path, tmp_path / "a"):
            with pytest.raises(InputError, match="expected a new or empty folder for scenes"):
                refuse_used_folder(path, "scenes")


def test_a_line_that_was_cut_off_harms_no_other(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    assert read_json_lines(path) == []
    append_json_lines(path, [{"a": 1}, {"a": 2}])
    path.write_bytes(path.read_bytes()[:-4])
    append_json_lines(path, [{"a": 3}])
    assert read_json_lines(path) == [{"a": 1}, {"a": 3}]
    assert json.loads(path.read_text().splitlines()[-1]) == {"a": 3}


class TestImages:
    def test_dot_files_folders_and_other_endings_are_no_images(self, tmp_path: Path) -> None:
        for name in ("b.PNG", "a.jpg", "a.tiff", ".c.png", "d.txt"):
            (tmp_path / name).write_text("")
        (tmp_path / "e.png").mkdir()
        found = {stem: [path.name for path in paths] for stem, paths in images_by_stem(tmp_path).items()}
        assert found == {"a": ["a.jpg", "a.tiff"], "b": ["b.PNG"]}
        assert [path.name for path in list_folder(tmp_path)] == ["a.jpg", "a.tiff", "b.PNG", "d.txt", "e.png"]
        with pytest.raises(InputError, match="none: cannot be listed"):
            list_folder(tmp_path / "none")

    def test_pairs_and_what_has_no_partner(self, tmp_path: Path) -> None:
        for name in ("vi/a.png", "vi/b.png", "vi/c.png", "vi/c.jpg", "ir/a.bmp", "ir/c.png", "ir/d.png"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("")
        matches = match(tmp_path / "vi", tmp_path / "ir")
        assert [(pair.name, pair.visible.name, pair.infrared.name) for pair in matches.pairs] == [
            ("a", "a.png", "a.bmp")
        ]
        assert [path.name for path in matches.without_infrared] == ["b.png"]
        assert [path.name for path in matches.without_visible] == ["d.png"]
        assert [[path.name for path in paths] for paths in matches.ambiguous] == [["c.jpg", "c.png"]]
