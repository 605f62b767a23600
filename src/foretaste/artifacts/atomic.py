"""Folders and links that appear whole or not at all, whatever is killed when.

A folder is filled under a hidden name, forced to disk and renamed. Its writer holds a lock on it that ends with the
process, so that what a killed process left behind can be told from what another is still writing.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HIDDEN = ".unfinished-"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, waiting for it if need be; the system releases it should the process die."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def unfinished_folder(root: Path) -> Iterator[Path]:
    """A new hidden folder in `root`, for the caller to fill and to pass to `finish`; else it is removed in the end."""
    with locked(root):
        clear_abandoned(root)
        folder = _hidden_name(root)
        folder.mkdir()
        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def finish(folder: Path, name: str) -> Path:
    """Force an unfinished folder and its files to disk and give it its name, which must be free."""
    for path in folder.iterdir():
        force_to_disk(path)
    force_to_disk(folder)
    final = folder.with_name(name)
    folder.rename(final)
    force_to_disk(final.parent)
    return final


def write_text(path: Path, text: str) -> None:
    """Write a file as UTF-8; a reader finds what stood there before, or all of the new text."""
    hidden = _hidden_name(path.parent)
    hidden.write_text(text, encoding="utf-8")
    replace_file(hidden, path)


def replace_file(new: Path, path: Path) -> None:
    """Force a file to disk and give it the name of another; a reader finds the old file or the new one."""
    force_to_disk(new)
    new.replace(path)
    force_to_disk(path.parent)


def replace_link(link: Path, target: str) -> None:
    """Point `link` at `target`, a name beside it. A reader sees the old target or the new one."""
    hidden = _hidden_name(link.parent)
    hidden.symlink_to(target)
    hidden.replace(link)
    force_to_disk(link.parent)


def remove_folder(folder: Path) -> None:
    """Delete a folder; no reader ever finds half of it under its name."""
    hidden = _hidden_name(folder.parent)
    folder.rename(hidden)
    shutil.rmtree(hidden)


def clear_abandoned(root: Path) -> None:
    """Delete what killed processes left unfinished in `root`. To be called with the lock of `root` held."""
    for path in root.glob(f"{_HIDDEN}*"):
        if path.is_symlink():
            path.unlink()
        elif not is_locked(path):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def presence(root: Path) -> Iterator[str]:
    """The name of a new file in `root` that is locked as long as the block lasts and this process lives.

    To be asked with `is_locked`; a file of that name that is not locked belongs to a process that is gone.
    """
    path = root / secrets.token_hex(4)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield path.name
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Yields True with the lock of a file, made if need be, held as long as the block lasts and this process lives.

    Yields False at once, without it, where another process holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def append_line(path: Path, line: str) -> None:
    """Append one line and force it to disk; a line that a crash cut short before is ended first."""
    with path.open("a+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        ending = b"" if file.read() in (b"", b"\n") else b"\n"
        file.write(ending + line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def force_to_disk(path: Path) -> None:
    """Return when a file, or the list of names in a folder, would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """True while some process holds the lock of a file or folder; False where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _hidden_name(root: Path) -> Path:
    return root / f"{_HIDDEN}{secrets.token_hex(4)}"
