"""Users who were registered, with what is known of them."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from foretaste.errors import LogFullError
from foretaste.serving.logs.journal import Journal
from foretaste.serving.logs.rows import REGISTRATION, RegistrationRow, encoded

FindStored = Callable[[str], RegistrationRow | None]
"""The latest registration of a user in the database; None for nobody, or for a database that does not answer."""


class RegisteredUsers:
    """The registrations used last, in memory; the rest is looked up. Safe to use from several threads."""

    def __init__(
        self,
        journal: Journal,
        find_stored: FindStored,
        max_users: int,
        *,
        wait_for_disk: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.num_taken = 0
        self.num_refused = 0
        """Registrations that the journal did not take."""
        self._journal = journal
        self._find_stored = find_stored
        self._max_users = max_users
        self._wait_for_disk = wait_for_disk
        self._clock = clock
        self._known: OrderedDict[str, RegistrationRow] = OrderedDict()
        self._is_complete = True
        self._lock = Lock()

    def register(self, user_id: str, attributes: Mapping[str, Any]) -> RegistrationRow:
        """Return when the registration survives the end of the process; it replaces an older one of the user.

        Raises:
            LogFullError: the journal did not take it.
            RequestError: a value that JSON cannot say.
        """
        row = RegistrationRow(
            registration_id=secrets.token_hex(16),
            user_id=user_id,
            registered_at=self._clock(),
            attributes=dict(attributes),
        )
        try:
            self._journal.append(REGISTRATION, encoded(row), is_vital=True, wait_for_disk=self._wait_for_disk)
        except LogFullError:
            self.num_refused += 1
            raise
        self.num_taken += 1
        self.add(row)
        return row

    def attributes(self, user_id: str) -> Mapping[str, Any] | None:
        """What is known of a user; None for one who was never registered."""
        with self._lock:
            row = self._known.get(user_id)
            if row is not None:
                self._known.move_to_end(user_id)
                return row.attributes
            if self._is_complete:
                return None
        stored = self._find_stored(user_id)
        if stored is None:
            return None
        self.add(stored)
        return stored.attributes

    def add(self, row: RegistrationRow) -> None:
        """Remember a registration, unless a later one of the user is known."""
        with self._lock:
            known = self._known.get(row.user_id)
            if known is None or known.registered_at <= row.registered_at:
                self._known[row.user_id] = row
            self._known.move_to_end(row.user_id)
            if len(self._known) > self._max_users:
                self._known.popitem(last=False)
                self._is_complete = False

    def forget(self, user_id: str, until: float) -> None:
        """Drop a user who was registered before then, UTC seconds."""
        with self._lock:
            known = self._known.get(user_id)
            if known is not None and known.registered_at <= until:
                del self._known[user_id]

    def user_ids(self) -> list[str]:
        """Those in memory."""
        with self._lock:
            return list(self._known)
