"""The thread that brings the journal into the database, away from every request."""

import logging
from itertools import islice
from threading import Event, Lock, Thread
from time import monotonic

from sqlalchemy.exc import DBAPIError

from foretaste.data.log_database import LogDatabase
from foretaste.errors import ForetasteError
from foretaste.serving.logs.insertion import Inserter
from foretaste.serving.logs.journal import AbandonedJournal, Journal, Line, adopt_abandoned, read_lines
from foretaste.serving.logs.retention import delete_old_rows
from foretaste.serving.logs.settings import LogConfig
from foretaste.serving.logs.tail import Tail

logger = logging.getLogger(__name__)

_BATCH_ROWS = 2_000
_LONGEST_PAUSE_SECONDS = 30.0
"""Between attempts while the database does not answer."""
_ADOPTION_SECONDS = 10.0
"""Between looks for the journals of dead workers."""
_RETENTION_SECONDS = 60.0
"""Between deletions, once nothing old is left."""
REJECTED_FILE = "rejected.jsonl"
"""In the folder of the journals: rows that the database cannot hold."""


class Mover:
    """Moves, follows, deletes: all that the logs do in the background."""

    def __init__(self, config: LogConfig, journal: Journal, database: LogDatabase, tail: Tail) -> None:
        self.num_moved = 0
        """Rows of the journals that are in the database."""
        self.num_damaged = 0
        """Lines that were cut short, as the last of a killed process may be. None was acknowledged."""
        self.num_rejected = 0
        """Rows that the database cannot hold; they are in a file."""
        self.problem: str | None = None
        """Why the database does not take rows; None where it does."""
        self._config = config
        self._journal = journal
        self._database = database
        self._tail = tail
        self._inserter = Inserter(database)
        self._abandoned: list[AbandonedJournal] = []
        self._is_prepared = False
        self._next_adoption = 0.0
        self._next_retention = 0.0
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="foretaste-log-mover", daemon=True)
        self._turn = Lock()

    def start(self) -> None:
        """Move what earlier workers left, then go on in a thread.

        A database that does not answer is tried again later.

        Raises:
            ArtifactError: the database is of a newer version of foretaste.
        """
        self.turn()
        self._thread.start()

    def stop(self) -> None:
        """Move what is left, and let the journals go."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self.turn()
        for each in self._abandoned:
            each.close()

    def turn(self) -> None:
        """Do once what the thread does again and again."""
        with self._turn:
            try:
                self._prepare()
                self._journal.rotate()
                self._move()
                self._tail.read()
                self._delete_old()
            except DBAPIError as error:
                self._say(str(error.orig).strip())
            else:
                self._say(None)

    def _run(self) -> None:
        pause = self._config.move_every_seconds
        while not self._stopping.wait(pause):
            try:
                self.turn()
            except (ForetasteError, OSError) as error:
                self._say(str(error))
            except Exception:
                logger.exception("the log cannot be moved; it goes on in the journal")
                self.problem = "unexpected error; see the log of the service"
            fails = self.problem is not None
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS) if fails else self._config.move_every_seconds

    def _prepare(self) -> None:
        if not self._is_prepared:
            self._database.prepare()
            self._is_prepared = True

    def _move(self) -> None:
        if monotonic() >= self._next_adoption:
            self._abandoned += adopt_abandoned(self._config.journal_dir)
            self._next_adoption = monotonic() + _ADOPTION_SECONDS
        for abandoned in list(self._abandoned):
            self._move_all(abandoned)
            self._abandoned.remove(abandoned)
            abandoned.close()
        self._move_all(self._journal)

    def _move_all(self, journal: Journal | AbandonedJournal) -> None:
        for segment in journal.closed_segments():
            num_damaged = 0
            lines = read_lines(segment)
            while batch := list(islice(lines, _BATCH_ROWS)):
                whole = [line for line in batch if line is not None]
                num_damaged += len(batch) - len(whole)
                self._inserter.insert(whole, self._reject)
                self.num_moved += len(whole)
            journal.remove(segment)
            if num_damaged:
                logger.warning("%s: %d lines were cut short, as when a process is killed", segment, num_damaged)
                self.num_damaged += num_damaged

    def _reject(self, line: Line) -> None:
        path = self._config.journal_dir / REJECTED_FILE
        with path.open("ab") as file:
            file.write(line[1] + b"\n")
        logger.error("%s: a row that the database cannot hold was put aside there", path)
        self.num_rejected += 1

    def _delete_old(self) -> None:
        if monotonic() >= self._next_retention and not delete_old_rows(self._database, self._config):
            self._next_retention = monotonic() + _RETENTION_SECONDS

    def _say(self, problem: str | None) -> None:
        """One line in the log when the database goes, and one when it is back."""
        if problem and not self.problem:
            logger.warning("%s: rows stay in the journal until the database takes them (%s)", self._database, problem)
        if self.problem and not problem:
            logger.warning("%s: the database takes rows again", self._database)
        self.problem = problem
