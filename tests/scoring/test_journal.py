import errno
import math
from pathlib import Path

import pytest

from dream_if.errors import InputError
from dream_if.scoring.journal import JournalEntry, ScoreJournal


def entry(key, **values):
    return JournalEntry(key, "ours", "a", "2024-01-01T00:00:00+00:00", values)


def test_scores_come_back_bit_for_bit(tmp_path):
    path = tmp_path / "scores.jsonl"
    ScoreJournal(path).add([entry("k", AG=0.1 + 0.2, PSNR=math.inf, CC=math.nan)])
    again = ScoreJournal(path)
    assert again.value("k", "AG") == 0.1 + 0.2
    assert again.value("k", "PSNR") == math.inf
    assert math.isnan(again.value("k", "CC"))
    assert again.date("k", "AG") == "2024-01-01T00:00:00+00:00"
    assert again.value("k", "EN") is None
    assert again.value("other", "AG") is None


def test_later_entries_add_to_and_replace_earlier_ones(tmp_path):
    path = tmp_path / "scores.jsonl"
    journal = ScoreJournal(path)
    journal.add([entry("k", AG=1.0, EN=2.0)])
    journal.add([entry("k", AG=3.0)])
    for one in (journal, ScoreJournal(path)):
        assert (one.value("k", "AG"), one.value("k", "EN")) == (3.0, 2.0)


def test_a_line_cut_short_costs_that_line_alone(tmp_path):
    path = tmp_path / "scores.jsonl"
    ScoreJournal(path).add([entry("first", AG=1.0), entry("second", AG=2.0)])
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(first, len(whole) - 1):
        path.write_bytes(whole[:length])
        journal = ScoreJournal(path)
        assert (journal.value("first", "AG"), journal.value("second", "AG")) == (1.0, None)
        journal.add([entry("third", AG=3.0)])
        again = ScoreJournal(path)
        assert [again.value(key, "AG") for key in ("first", "second", "third")] == [1.0, None, 3.0]


@pytest.mark.parametrize("line", ["[]", "5", '{"key": "k"}', '{"values": []}', "\x00\x01", "", '{"a": {}, "b": 1}'])
def test_lines_of_another_kind_are_passed_over(tmp_path, line):
    path = tmp_path / "scores.jsonl"
    ScoreJournal(path).add([entry("k", AG=1.0)])
    with path.open("a") as file:
        file.write(f"{line}\n")
    assert ScoreJournal(path).value("k", "AG") == 1.0


def test_without_a_file_it_remembers_for_the_process():
    journal = ScoreJournal(None)
    journal.add([entry("k", AG=1.0)])
    assert journal.value("k", "AG") == 1.0


def test_a_full_disk_is_an_input_error(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    journal = ScoreJournal(tmp_path / "scores.jsonl")
    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(InputError, match=r"scores\.jsonl: cannot be written \(No space left on device\)"):
        journal.add([entry("k", AG=1.0)])


def test_a_folder_in_its_place_is_an_input_error(tmp_path):
    (tmp_path / "scores.jsonl").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        ScoreJournal(tmp_path / "scores.jsonl")
