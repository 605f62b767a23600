import errno
import os
import shutil
import sqlite3

import polars as pl
import pytest
from safetensors import SafetensorError

from foretaste.cli.system_errors import in_words


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (errno.ENOSPC, "full"),
        (errno.EACCES, "may not"),
        (errno.EROFS, "nothing can be written"),
        (errno.EEXIST, "file"),
    ],
)
def test_what_the_system_refuses_is_told_with_the_path_and_a_remedy(number, word):
    told = in_words(OSError(number, os.strerror(number), "artifacts/x"))
    assert told is not None
    assert told.startswith("artifacts/x: ")
    assert word in told
    assert "; " in told


@pytest.mark.parametrize(
    "error",
    [
        OSError("71762 requested and 29664 written"),  # NumPy's array.tofile
        OSError(errno.ENOSPC, "No space left on device"),
        pl.exceptions.ComputeError("parquet: underlying IO error: No space left on device (os error 28)"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        sqlite3.OperationalError("database or disk is full"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534"),  # torch.save
        shutil.Error([("a", "b", "[Errno 28] No space left on device: 'a' -> 'b'")]),
    ],
)
def test_a_full_disk_is_known_by_what_each_library_says(error):
    assert in_words(error) == "the disk is full; free space there, or name another folder."


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), KeyError("a bug"), FileNotFoundError(errno.ENOENT, "gone", "x")]
)
def test_our_own_mistakes_keep_their_traceback(error):
    assert in_words(error) is None
