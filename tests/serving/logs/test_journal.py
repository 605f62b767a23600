import os
import signal
import subprocess
import sys
import threading

import pytest

from foretaste.errors import LogFullError
from foretaste.serving.logs import journal as journal_module
from foretaste.serving.logs.journal import Journal, adopt_abandoned, read_lines, segments

LIMIT = 1 << 20


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path / "journal", LIMIT)
    yield opened
    opened.close()


def lines_of(folder):
    return [line for segment in segments(folder) for line in read_lines(segment)]


def test_rows_come_back_as_they_went(journal):
    journal.append(b"r", b'{"user_id":"\xc3\xa9"}')
    journal.rotate()
    journal.append(b"f", b"{}")
    assert lines_of(journal.folder) == [(b"r", b'{"user_id":"\xc3\xa9"}'), (b"f", b"{}")]


def test_a_line_is_readable_as_it_stands(journal):
    journal.append(b"r", b"{}")
    assert segments(journal.folder)[0].read_bytes() == b"3a405c57 r {}\n"  # the sum as gzip has it


@pytest.mark.parametrize("kept", range(1, 20))
def test_a_line_cut_short_anywhere_is_told_from_a_whole_one(journal, kept):
    journal.append(b"r", b'{"a":1}')
    journal.append(b"r", b'{"a":2}')
    (segment,) = segments(journal.folder)
    whole = segment.read_bytes()
    line_bytes = len(whole) // 2
    segment.write_bytes(whole[: line_bytes + min(kept, line_bytes - 1)])
    assert list(read_lines(segment)) == [(b"r", b'{"a":1}'), None]


def test_a_flipped_bit_is_found(journal):
    journal.append(b"r", b'{"a":1}')
    (segment,) = segments(journal.folder)
    whole = segment.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        segment.write_bytes(damaged)
        assert (b"r", b'{"a":1}') not in list(
            read_lines(segment)
        ) or place == 8  # the space before the kind says nothing


def test_a_row_after_one_that_the_disk_cut_short_is_whole(journal, monkeypatch):
    real_write = os.write
    monkeypatch.setattr(journal_module.os, "write", lambda descriptor, line: real_write(descriptor, line[:9]))
    with pytest.raises(LogFullError, match="took 9 of 19 bytes"):
        journal.append(b"r", b'{"a":1}')
    monkeypatch.undo()
    journal.append(b"r", b'{"a":2}')
    assert lines_of(journal.folder) == [None, (b"r", b'{"a":2}')]


def test_a_write_that_fails_is_not_acknowledged(journal, monkeypatch):
    def full(descriptor, line):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal_module.os, "write", full)
    with pytest.raises(LogFullError, match="No space left"):
        journal.append(b"r", b"{}")
    monkeypatch.undo()
    journal.append(b"r", b"{}")
    assert lines_of(journal.folder) == [(b"r", b"{}")]


def test_the_last_tenth_is_for_what_must_not_be_lost(tmp_path):
    journal = Journal(tmp_path, 1000)
    row = b"x" * 78  # 90 bytes a line with sum, kind and end
    for _ in range(10):
        journal.append(b"r", row)
    with pytest.raises(LogFullError, match="max_journal_bytes"):
        journal.append(b"r", row)
    journal.append(b"f", row, is_vital=True)
    with pytest.raises(LogFullError):
        journal.append(b"f", row, is_vital=True)
    journal.rotate()
    assert journal.num_bytes == 11 * 90
    journal.remove(journal.closed_segments()[0])
    journal.append(b"r", row)
    journal.close()


def test_many_threads_lose_and_mix_nothing(journal):
    def write(thread):
        for number in range(200):
            journal.append(b"r", f'{{"row":"{thread}-{number}"}}'.encode())
            if number % 20 == 0:
                journal.rotate()

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = lines_of(journal.folder)
    assert len(found) == len(set(found)) == 800
    assert None not in found


def test_large_segments_are_closed_by_themselves(journal, monkeypatch):
    monkeypatch.setattr(journal_module, "_SEGMENT_BYTES", 50)
    for _ in range(10):
        journal.append(b"r", b'{"a":1}')
    assert len(segments(journal.folder)) == 4
    assert len(journal.closed_segments()) == 3


def test_only_the_journals_of_the_dead_are_adopted(journal, tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from foretaste.serving.logs.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]), 1 << 20); journal.append(b'r', b'{}'); print(flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", script, tmp_path / "journal"], stdout=subprocess.PIPE)
    try:
        other.stdout.readline()
        assert adopt_abandoned(tmp_path / "journal") == []
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()
    (abandoned,) = adopt_abandoned(tmp_path / "journal")
    assert adopt_abandoned(tmp_path / "journal") == []  # once is enough
    (segment,) = abandoned.closed_segments()
    assert list(read_lines(segment)) == [(b"r", b"{}")]
    abandoned.remove(segment)
    abandoned.close()
    assert [folder.name for folder in (tmp_path / "journal").iterdir()] == [journal.folder.name]


def test_a_closed_journal_leaves_a_folder_only_with_rows(tmp_path):
    empty, used = Journal(tmp_path, LIMIT), Journal(tmp_path, LIMIT)
    used.append(b"r", b"{}")
    empty.close()
    used.close()
    assert [folder.name for folder in tmp_path.iterdir()] == [used.folder.name]
