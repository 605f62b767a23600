"""All logs of one worker together: opened once, asked by the routes, closed in the end."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from foretaste.data.log_database import LogDatabase
from foretaste.serving.logs.feedback import Feedback, RecentEvents
from foretaste.serving.logs.journal import Journal
from foretaste.serving.logs.mover import Mover
from foretaste.serving.logs.request_log import RequestLog
from foretaste.serving.logs.rows import RegistrationRow
from foretaste.serving.logs.settings import LogConfig
from foretaste.serving.logs.tail import Tail, find_registration
from foretaste.serving.logs.users import RegisteredUsers


@dataclass(frozen=True)
class LogStatus:
    """How the logs are; the counts are since this worker began."""

    requests_appended: int
    requests_dropped: int
    """Answers without a row, as the journal was full."""
    feedback_taken: int
    feedback_refused: int
    registrations_taken: int
    registrations_refused: int
    rows_moved: int
    """From the journal into the database."""
    rows_rejected: int
    lines_damaged: int
    journal_bytes: int
    """Not yet in the database."""
    database_problem: str | None
    """None while the database takes rows."""


class ServiceLogs:
    """The logs of one worker. Each worker process opens its own, after it was forked or spawned.

    `requests.append(row)`, `feedback.take(event)` and `users.register(...)` return when the row survives the process;
    `recent.history(user_id, since)` and `users.attributes(user_id)` are what the next answer knows.
    """

    def __init__(
        self, config: LogConfig, since: float | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        """What is to be logged where.

        Args:
            config: the section `log`.
            since: the last moment that the oldest served model was trained on, UTC seconds; None reads all events.
            clock: UTC seconds.

        Raises:
            ConfigError: the URL of the database is not one, or its driver is not installed.
        """
        waits_always = config.fsync == "always"
        waits_for_feedback = config.fsync != "never"
        self._database = LogDatabase(config.url, is_power_safe=waits_for_feedback)
        self._journal = Journal(config.journal_dir, config.max_journal_bytes)
        self.recent = RecentEvents(config.max_recent_users, config.max_recent_events)
        self.requests = RequestLog(self._journal, wait_for_disk=waits_always)
        self.feedback = Feedback(self._journal, self.recent, wait_for_disk=waits_for_feedback)
        self.users = RegisteredUsers(
            self._journal,
            self._find_registration,
            config.max_recent_users,
            wait_for_disk=waits_for_feedback,
            clock=clock,
        )
        self._mover = Mover(
            config, self._journal, self._database, Tail(self._database, self.recent, self.users, since), clock
        )

    def start(self) -> None:
        """Replay what earlier workers left, fill the memory, and move rows in the background from here on.

        A database that does not answer does not hinder: rows wait in the journal.

        Raises:
            ArtifactError: the database is of a newer version of foretaste.
        """
        self._mover.start()

    def stop(self) -> None:
        """Move what is left, and close; rows that the database does not take wait in the journal for the next start."""
        self._mover.stop()
        self._journal.close()
        self._database.close()

    def move_now(self) -> None:
        """Move what there is, and read what others moved; returns when it is done, or was found impossible."""
        self._mover.turn()

    def status(self) -> LogStatus:
        """How the logs are now."""
        return LogStatus(
            requests_appended=self.requests.num_appended,
            requests_dropped=self.requests.num_dropped,
            feedback_taken=self.feedback.num_taken,
            feedback_refused=self.feedback.num_refused,
            registrations_taken=self.users.num_taken,
            registrations_refused=self.users.num_refused,
            rows_moved=self._mover.num_moved,
            rows_rejected=self._mover.num_rejected,
            lines_damaged=self._mover.num_damaged,
            journal_bytes=self._journal.num_bytes,
            database_problem=self._mover.problem,
        )

    def _find_registration(self, user_id: str) -> RegistrationRow | None:
        if self._mover.problem is not None:
            return None
        try:
            return find_registration(self._database, user_id)
        except DBAPIError:
            return None
