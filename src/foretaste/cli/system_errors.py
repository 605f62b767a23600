"""What the operating system refuses, in words: a full disk, a folder that may not be written, a file in the way."""

import errno
import re

_FULL = "the disk is full; free space there, or name another folder"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: "this user may not; allow it, or name another",
    errno.EPERM: "this user may not; allow it, or name another",
    errno.EROFS: "nothing can be written there; name another folder",
    errno.ENOTDIR: "a file is where a folder is expected; move it away, or name another folder",
    errno.EEXIST: "a file is where a folder is expected; move it away, or name another folder",
    errno.EISDIR: "a folder is where a file is expected; name another",
    errno.EMFILE: "too many files are open; allow more, as with `ulimit -n 4096`",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}
_SAID_BY_LIBRARIES = re.compile(
    r"no space left on device|disk is full|disk quota exceeded|\d+ requested and \d+ written|unexpected pos \d+ vs \d+",
    re.IGNORECASE,
)
"""Polars, safetensors, SQLite, NumPy and PyTorch say that the disk is full in errors of their own."""


def in_words(error: Exception) -> str | None:
    """What happened and what to do, for what the system refused; None for any other error."""
    if _SAID_BY_LIBRARIES.search(str(error)):
        return _sentence(error, _FULL)
    if isinstance(error, OSError) and error.errno in _REMEDIES:
        return _sentence(error, _REMEDIES[error.errno])
    return None


def _sentence(error: Exception, remedy: str) -> str:
    path = getattr(error, "filename", None)
    return f"{path}: {remedy}." if isinstance(path, str) else f"{remedy}."
