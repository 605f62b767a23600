"""One row a request, in the journal before the answer leaves."""

import logging

from foretaste.errors import LogFullError
from foretaste.serving.logs.journal import Journal
from foretaste.serving.logs.rows import REQUEST, RequestRow, encoded

logger = logging.getLogger(__name__)


class RequestLog:
    """Where requests are written down."""

    def __init__(self, journal: Journal, *, wait_for_disk: bool = False) -> None:
        self.num_appended = 0
        self.num_dropped = 0
        """Rows that the journal did not take. The answer goes out all the same: people come before the log."""
        self._journal = journal
        self._wait_for_disk = wait_for_disk

    def append(self, row: RequestRow) -> bool:
        """Whether the row was written; once it is, it survives the end of the process.

        Raises:
            RequestError: the row holds what JSON cannot say.
        """
        try:
            self._journal.append(REQUEST, encoded(row), wait_for_disk=self._wait_for_disk)
        except LogFullError as error:
            if not self.num_dropped:
                logger.warning("requests are answered without a row in the log: %s", error)
            self.num_dropped += 1
            return False
        self.num_appended += 1
        return True
