"""The database of the service's logs: SQLite in a file, or PostgreSQL."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError

from foretaste.data.log_tables import ERASURES, METADATA, SCHEMA_VERSION, SETTINGS, user_hash
from foretaste.errors import ArtifactError, ConfigError, DataError

_WAIT_SECONDS = 10
"""How long a writer waits for another before it gives up."""
_CONNECT_SECONDS = 5
_CACHE_KIB = 64 * 1024
"""Of SQLite: ids come in no order, so the pages of their index are touched at random."""
_PAGE_BYTES = 8 * 1024
"""Of a file of SQLite that is made: a request takes half a kilobyte, and to write pages of 8 KiB takes a fifth of the
time of an insertion less than to write those of 4."""
_ADVISORY_LOCK = 0x464F5245
"""Held by whoever writes to PostgreSQL, so that `seq` grows in the order of commits. The number only has to be ours."""


class LogDatabase:
    """Connections to one database; nothing is opened before it is used.

    Args:
        url: `sqlite:///FILE` or `postgresql+psycopg://…`.
        is_power_safe: a commit in SQLite waits for the disk, as it always does in PostgreSQL.
        overwrites_deleted: what is deleted in SQLite is overwritten in its file.

    Raises:
        ConfigError: the URL is of another kind of database, or its driver is not installed.
    """

    def __init__(self, url: str, *, is_power_safe: bool = False, overwrites_deleted: bool = False) -> None:
        self._url = _checked_url(url)
        self._is_sqlite = self._url.get_backend_name() == "sqlite"
        self._is_power_safe = is_power_safe
        self._overwrites_deleted = overwrites_deleted
        if self._is_sqlite:
            options: dict[str, Any] = {"connect_args": {"timeout": _WAIT_SECONDS}}
        else:
            options = {"connect_args": {"connect_timeout": _CONNECT_SECONDS}, "pool_pre_ping": True, "pool_size": 2}
        self.engine = sa.create_engine(self._url, **options)
        if self._is_sqlite:
            sa.event.listen(self.engine, "connect", self._set_up_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)

    def __str__(self) -> str:
        return self._url.render_as_string(hide_password=True)

    @property
    def is_sqlite(self) -> bool:
        """False for PostgreSQL."""
        return self._is_sqlite

    def prepare(self) -> None:
        """Make the tables that are missing.

        Raises:
            ConfigError: the folder of SQLite's file cannot be made.
            ArtifactError: the tables are of a newer version of foretaste.
            sqlalchemy.exc.OperationalError: the database does not answer.
        """
        if self._is_sqlite:
            folder = Path(self._url.database or "").parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigError(f"log.url: the folder {folder} cannot be made ({error.strerror}).") from error
        with self.writing() as connection:
            if sa.inspect(connection).has_table(SETTINGS.name):
                self._check_version(connection)
                return
            METADATA.create_all(connection)
            values = {"schema_version": str(SCHEMA_VERSION), "salt": secrets.token_hex(16)}
            connection.execute(SETTINGS.insert(), [{"name": name, "value": value} for name, value in values.items()])

    def exists(self) -> bool:
        """Whether there are tables to read.

        Raises:
            ArtifactError: as `prepare`.
            sqlalchemy.exc.OperationalError: the database does not answer.
        """
        if self._is_sqlite and not Path(self._url.database or "").exists():
            return False
        with self.reading() as connection:
            if not sa.inspect(connection).has_table(SETTINGS.name):
                return False
            self._check_version(connection)
        return True

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that sees one state of the database."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction, alone among those who write; committed in the end."""
        with self.engine.connect() as connection:
            writer = connection.execution_options(foretaste_writes=True)
            with writer.begin():
                if not self._is_sqlite:
                    writer.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
                yield writer

    def write_through(self) -> None:
        """Bring into SQLite's file what its write-ahead log holds, and empty that; of PostgreSQL nothing is asked."""
        if self._is_sqlite:
            connection = self.engine.raw_connection()
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _check_version(self, connection: sa.Connection) -> None:
        version = int(setting(connection, "schema_version"))
        if version > SCHEMA_VERSION:
            raise ArtifactError(
                f"{self}: the tables are of version {version}, and this foretaste knows up to {SCHEMA_VERSION}; "
                f"use the foretaste that wrote them, or another database."
            )

    def _set_up_sqlite(self, connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where SQLAlchemy says so, not where the driver guesses
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # first: it tells nothing to a file that is there
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA secure_delete = {'ON' if self._overwrites_deleted else 'FAST'}")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._is_power_safe else 'NORMAL'}")


@contextmanager
def reading_log(url: str, key: str) -> Iterator[sa.Connection]:
    """A connection to the logs of a service, for a training that needs them.

    Args:
        url: database of the logs, as `log.url` of the service.
        key: of the config that names it; messages begin with it.

    Raises:
        ConfigError: the URL is not one, or its driver is not installed.
        DataError: there are no logs, or the database does not answer.
    """
    database = LogDatabase(url)
    try:
        if not database.exists():
            raise DataError(f"{key}: {database} has no logs of a service; expected its log.url, or null for none.")
        with database.reading() as connection:
            yield connection
    except DBAPIError as error:
        raise DataError(f"{key}: {database} does not answer ({error.orig}); start it and train again.") from error
    finally:
        database.close()


def setting(connection: sa.Connection, name: str) -> str:
    """A value of the table `foretaste`."""
    return str(connection.execute(sa.select(SETTINGS.c.value).where(SETTINGS.c.name == name)).scalar_one())


class Erasures:
    """Who was forgotten, as far as it has been read."""

    def __init__(self) -> None:
        self._salt = ""
        self.last_seq = 0
        self._erased_at: dict[str, float] = {}

    def refresh(self, connection: sa.Connection) -> None:
        """Read what has been added since."""
        if not self._salt:
            self._salt = setting(connection, "salt")
        columns = (ERASURES.c.seq, ERASURES.c.user_hash, ERASURES.c.erased_at)
        for seq, hashed, erased_at in connection.execute(
            sa.select(*columns).where(ERASURES.c.seq > self.last_seq).order_by(ERASURES.c.seq)
        ):
            self.last_seq = seq
            self._erased_at[hashed] = max(erased_at, self._erased_at.get(hashed, erased_at))

    def __len__(self) -> int:
        return len(self._erased_at)

    def erased_at(self, user_id: str) -> float | None:
        """When the user was last forgotten, UTC seconds; None for never."""
        return self._erased_at.get(user_hash(user_id, self._salt)) if self._erased_at else None

    def covers(self, user_id: str | None, timestamp: float) -> bool:
        """Whether the user was forgotten after that moment, UTC seconds."""
        erased_at = None if user_id is None else self.erased_at(user_id)
        return erased_at is not None and timestamp <= erased_at


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("foretaste_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _checked_url(url: str) -> sa.URL:
    expected = "expected sqlite:///FOLDER/FILE.db or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        raise ConfigError(f"log.url: not a database URL; {expected}.") from None
    if parsed.drivername not in ("sqlite", "postgresql+psycopg"):
        raise ConfigError(f"log.url: a database of kind '{parsed.drivername}'; {expected}.")
    if parsed.drivername == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ConfigError(f"log.url: SQLite in memory would be lost with the process; {expected}.")
    if parsed.drivername != "sqlite" and find_spec("psycopg") is None:
        raise ConfigError("log.url: PostgreSQL needs psycopg; install it with pip install 'foretaste[postgres]'.")
    return parsed
