"""A file that only grows: what has been appended survives the process, though it be killed in the next instruction.

Each worker has a folder of its own, which it locks for as long as it lives; it appends to the newest of the segments
in it, and deletes a segment when the database has its rows. The folder of a dead worker is not locked: another adopts
it. A row is one line, `<crc32> <kind> <row>`; a line that was cut short has no end or the wrong sum.
"""

import fcntl
import logging
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from zlib import crc32

from foretaste.artifacts.atomic import locked
from foretaste.errors import ConfigError, LogFullError

_SEGMENT_BYTES = 16 << 20
_SUFFIX = ".journal"
_RESERVE = 0.1
"""Share of the limit that only rows may use that must not be lost."""

logger = logging.getLogger(__name__)

Line = tuple[bytes, bytes]
"""Kind and body of a row."""


class Journal:
    """The journal of this worker. Safe to use from several threads.

    Raises:
        ConfigError: nothing can be written in `root`.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"log.journal_dir: the folder {root} cannot be made ({error.strerror}).") from error
        self.folder = root / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"
        with locked(root):
            self.folder.mkdir()
            folder_lock = _try_lock(self.folder)
        assert folder_lock is not None
        self._folder_lock = folder_lock
        self._max_bytes = max_bytes
        self._max_bytes_unreserved = int(max_bytes * (1 - _RESERVE))
        self._lock = Lock()
        self._number = 0
        self._segment = self.folder
        self._descriptor = -1
        self._segment_bytes = 0
        self._closed_bytes: dict[Path, int] = {}
        self._closed_bytes_total = 0
        self._cut_short = False
        self.is_awaited = False
        """Whether vital rows came since the last rotation: other workers wait for them."""
        self._open_next()

    @property
    def num_bytes(self) -> int:
        """What is on disk and not yet in the database."""
        return self._segment_bytes + self._closed_bytes_total

    def append(self, kind: bytes, body: bytes, *, is_vital: bool = False, wait_for_disk: bool = False) -> None:
        """Return when the row is the system's to keep.

        Args:
            kind: one letter.
            body: the row, without a line break.
            is_vital: may use the last tenth of the journal, and is moved with the next turn.
            wait_for_disk: return only when a power cut would not lose the row either.

        Raises:
            LogFullError: the journal is at its limit, or the disk took no more.
        """
        payload = kind + b" " + body
        line = b"%08x %b\n" % (crc32(payload), payload)
        with self._lock:
            total = self.num_bytes + len(line)
            if total > (self._max_bytes if is_vital else self._max_bytes_unreserved):
                raise LogFullError(f"{self.folder}: the journal is at its limit (log.max_journal_bytes); try later.")
            self._write(line)
            self.is_awaited |= is_vital
            if wait_for_disk:
                self._force_to_disk()
            if self._segment_bytes > _SEGMENT_BYTES:
                self._rotate()

    def rotate(self) -> None:
        """Begin a new segment, so that all rows until now are in closed ones."""
        with self._lock:
            if self._segment_bytes:
                self._rotate()

    def closed_segments(self) -> list[Path]:
        """Segments that nothing is appended to any more, oldest first."""
        with self._lock:
            return list(self._closed_bytes)

    def remove(self, segment: Path) -> None:
        """Delete a closed segment."""
        segment.unlink(missing_ok=True)
        with self._lock:
            self._closed_bytes_total -= self._closed_bytes.pop(segment, 0)

    def close(self) -> None:
        """Stop appending. A folder without rows goes; one with rows waits for the next worker."""
        with self._lock:
            os.close(self._descriptor)
            if not self._segment_bytes:
                self._segment.unlink()
        _release(self.folder, self._folder_lock)

    def _write(self, line: bytes) -> None:
        if self._cut_short:
            line = b"\n" + line
        try:
            written = os.write(self._descriptor, line)
        except OSError as error:
            raise LogFullError(f"{self._segment}: cannot be written ({error.strerror}); try later.") from error
        self._segment_bytes += written
        self._cut_short = written != len(line)
        if self._cut_short:
            raise LogFullError(f"{self._segment}: the disk took {written} of {len(line)} bytes; make room.")

    def _force_to_disk(self) -> None:
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise LogFullError(f"{self._segment}: cannot be forced to disk ({error.strerror}); try later.") from error

    def _rotate(self) -> None:
        before = self._segment, self._descriptor, self._segment_bytes
        try:
            self._open_next()
        except OSError as error:
            logger.warning("%s: no new segment (%s); the old one goes on", self.folder, error.strerror)
            return
        segment, descriptor, size = before
        os.close(descriptor)
        self._closed_bytes[segment] = size
        self._closed_bytes_total += size

    def _open_next(self) -> None:
        segment = self.folder / f"{self._number + 1:08d}{_SUFFIX}"
        self._descriptor = os.open(segment, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        self._segment = segment
        self._number += 1
        self._segment_bytes = 0
        self._cut_short = False
        self.is_awaited = False


class AbandonedJournal:
    """The journal of a dead worker, held by this one."""

    def __init__(self, folder: Path, folder_lock: int) -> None:
        self.folder = folder
        self._folder_lock = folder_lock

    def closed_segments(self) -> list[Path]:
        """All there are, oldest first."""
        return segments(self.folder)

    def remove(self, segment: Path) -> None:
        """Delete a segment."""
        segment.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the folder; without segments it is deleted."""
        _release(self.folder, self._folder_lock)


def adopt_abandoned(root: Path) -> list[AbandonedJournal]:
    """The journals in `root` whose workers are dead; none that another worker holds."""
    if not root.is_dir():
        return []
    with locked(root):
        held = [(folder, _try_lock(folder)) for folder in sorted(root.iterdir()) if folder.is_dir()]
    return [AbandonedJournal(folder, folder_lock) for folder, folder_lock in held if folder_lock is not None]


def segments(folder: Path) -> list[Path]:
    """The segments of a worker's folder, oldest first."""
    return sorted(folder.glob(f"*{_SUFFIX}"))


def read_lines(segment: Path) -> Iterator[Line | None]:
    """The rows of a segment in their order; None for a line that was cut short or damaged."""
    with segment.open("rb") as file:
        for line in file:
            if line != b"\n":
                yield _row(line)


def _row(line: bytes) -> Line | None:
    checksum, payload = line[:8], line[9:-1]
    if line[-1:] != b"\n" or len(payload) < 3 or checksum != b"%08x" % crc32(payload):
        return None
    return payload[:1], payload[2:]


def _try_lock(folder: Path) -> int | None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _release(folder: Path, descriptor: int) -> None:
    with locked(folder.parent):
        if not any(folder.iterdir()):
            folder.rmdir()
        os.close(descriptor)
