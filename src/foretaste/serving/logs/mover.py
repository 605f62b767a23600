"""The thread that brings the journal into the database, away from every request."""

import logging
import time
from collections.abc import Callable
from threading import Event, Lock, Thread

from sqlalchemy.exc import DBAPIError

from foretaste.data.log_database import LogDatabase
from foretaste.errors import ForetasteError
from foretaste.serving.logs.insertion import Inserter
from foretaste.serving.logs.journal import AbandonedJournal, Journal, adopt_abandoned
from foretaste.serving.logs.moving import move_segments
from foretaste.serving.logs.retention import delete_old_rows
from foretaste.serving.logs.settings import LogConfig
from foretaste.serving.logs.tail import Tail

logger = logging.getLogger(__name__)

_LONGEST_PAUSE_SECONDS = 30.0
"""Between attempts while the database does not answer."""
_ADOPTION_SECONDS = 10.0
"""Between looks for the journals of dead workers."""
_RETENTION_SECONDS = 60.0
"""Between deletions, once nothing old is left."""
_TURNS_OF_REQUESTS = 4
"""Requests alone are moved with every fourth turn: in larger batches each costs a third less, and nobody waits for
them. Feedback and registrations take along what is there."""
_PAUSE_SECONDS = 0.002
"""Between two pieces of a batch, each of two or three milliseconds: a request that comes meanwhile waits for one at
most."""


class Mover:
    """Moves, follows, deletes: all that the logs do in the background."""

    def __init__(
        self,
        config: LogConfig,
        journal: Journal,
        database: LogDatabase,
        tail: Tail,
        clock: Callable[[], float] = time.time,
    ) -> None:
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
        self._clock = clock
        self._inserter = Inserter(database, clock)
        self._abandoned: list[AbandonedJournal] = []
        self._is_prepared = False
        self._next_adoption = 0.0
        self._next_retention = 0.0
        self._turns_without_move = 0
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
        self._inserter.pause_seconds = _PAUSE_SECONDS
        self._thread.start()

    def stop(self) -> None:
        """Move what is left, and let the journals go."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
            self._inserter.pause_seconds = 0.0
        self.turn()
        for each in self._abandoned:
            each.close()

    def turn(self, *, moves_all: bool = True) -> None:
        """Do once what the thread does again and again.

        Args:
            moves_all: rows of requests, too, though nothing else is there.
        """
        with self._turn:
            self._adopt()
            try:
                self._prepare()
                if moves_all or self._is_due():
                    self._journal.rotate()
                    self._turns_without_move = 0
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
                self.turn(moves_all=False)
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

    def _is_due(self) -> bool:
        self._turns_without_move += 1
        return self._journal.is_awaited or self._turns_without_move >= _TURNS_OF_REQUESTS

    def _adopt(self) -> None:
        if time.monotonic() < self._next_adoption:
            return
        for abandoned in adopt_abandoned(self._config.journal_dir):
            logger.info("%s: the journal of a service that was killed is moved here", abandoned.folder)
            self._abandoned.append(abandoned)
            self._tail.remember(abandoned)
        self._next_adoption = time.monotonic() + _ADOPTION_SECONDS

    def _move(self) -> None:
        for abandoned in list(self._abandoned):
            self._move_all(abandoned)
            self._abandoned.remove(abandoned)
            abandoned.close()
        self._move_all(self._journal)

    def _move_all(self, journal: Journal | AbandonedJournal) -> None:
        for moved in move_segments(journal, self._inserter, self._config.journal_dir):
            self.num_moved += moved.num_rows
            self.num_damaged += moved.num_damaged
            self.num_rejected += moved.num_rejected

    def _delete_old(self) -> None:
        if time.monotonic() >= self._next_retention and not delete_old_rows(
            self._database, self._config, self._clock()
        ):
            self._next_retention = time.monotonic() + _RETENTION_SECONDS

    def _say(self, problem: str | None) -> None:
        """One line in the log when the database goes, and one when it is back."""
        if problem and not self.problem:
            logger.warning("%s: rows stay in the journal until the database takes them (%s)", self._database, problem)
        if self.problem and not problem:
            logger.warning("%s: the database takes rows again", self._database)
        self.problem = problem
