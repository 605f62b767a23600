"""A journal into the database, a segment at a time: committed first, deleted then."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson

from foretaste.serving.logs.insertion import Inserter, fields_of
from foretaste.serving.logs.journal import AbandonedJournal, Journal, Line, read_lines

logger = logging.getLogger(__name__)

REJECTED_FILE = "rejected.jsonl"
"""In the folder of the journals: rows that the database cannot hold."""
_BATCH_ROWS = 5_000
"""Committed together: in batches of 2,000 each row takes a seventh longer."""


@dataclass(frozen=True)
class Moved:
    """What became of a batch of lines."""

    num_rows: int
    num_damaged: int
    """Lines that were cut short, as the last of a killed process may be; none was acknowledged."""
    num_rejected: int


def move_segments(journal: Journal | AbandonedJournal, inserter: Inserter, root: Path) -> Iterator[Moved]:
    """Move every closed segment; what was moved already is not doubled.

    Raises:
        sqlalchemy.exc.DBAPIError: the database does not answer. Nothing is lost.
    """
    rejected: list[Line] = []
    for segment in journal.closed_segments():
        lines = read_lines(segment)
        num_damaged = 0
        while batch := list(islice(lines, _BATCH_ROWS)):
            whole = [line for line in batch if line is not None]
            inserter.insert(whole, rejected.append)
            _put_aside(rejected, root / REJECTED_FILE)
            num_damaged += len(batch) - len(whole)
            yield Moved(len(whole) - len(rejected), len(batch) - len(whole), len(rejected))
            rejected.clear()
        journal.remove(segment)
        if num_damaged:
            logger.warning("%s: %d lines were cut short, as when a process is killed", segment, num_damaged)


def _put_aside(rejected: list[Line], path: Path) -> None:
    if rejected:
        with path.open("ab") as file:
            file.writelines(orjson.dumps(fields_of(line), option=orjson.OPT_APPEND_NEWLINE) for line in rejected)
        logger.error("%s: %d rows that the database cannot hold were put aside there", path, len(rejected))
