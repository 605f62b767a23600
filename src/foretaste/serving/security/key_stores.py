"""Where the records of API keys are kept: a file, or the database of the logs."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from foretaste.artifacts import atomic
from foretaste.errors import ConfigError
from foretaste.serving.security.keys import KeyRecord

_RECORDS = TypeAdapter(list[KeyRecord])


class KeyStore(Protocol):
    """Records of API keys. Each method raises ConfigError where they cannot be read."""

    def records(self) -> Sequence[KeyRecord]:
        """All of them, the revoked ones too, oldest first."""

    def add(self, record: KeyRecord) -> None:
        """Keep a new one."""

    def revoke(self, key_id: str, revoked_at: str) -> None:
        """Mark one as revoked.

        Raises:
            ConfigError: there is none of that id, or it is revoked.
        """


def key_store(place: str) -> KeyStore:
    """The store at a path or, where it has `://`, a database."""
    return DatabaseKeys(place) if "://" in place else FileKeys(Path(place))


class FileKeys:
    """One JSON file that its owner alone may read; written whole, under a lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def records(self) -> Sequence[KeyRecord]:
        """All of them; none where there is no file."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be read ({error.strerror}); the service needs it.") from error
        try:
            return _RECORDS.validate_json(text)
        except ValidationError as error:
            raise ConfigError(
                f"{self.path}: expected API keys as `foretaste keys create` writes them, found "
                f"{error.error_count()} faults; restore it, or delete it and create new keys."
            ) from error

    def add(self, record: KeyRecord) -> None:
        """Keep a new one; the file is made where there is none."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.locked(self.path.parent):
            self._write([*self.records(), record])

    def revoke(self, key_id: str, revoked_at: str) -> None:
        """Mark one as revoked."""
        if not self.path.exists():
            raise _unknown(key_id, [])
        with atomic.locked(self.path.parent):
            records = self.records()
            _live(key_id, records)
            self._write(
                [each.model_copy(update={"revoked_at": revoked_at}) if each.id == key_id else each for each in records]
            )

    def _write(self, records: Sequence[KeyRecord]) -> None:
        hidden = self.path.with_name(f".{self.path.name}.new")
        descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_RECORDS.dump_json(list(records), indent=1))
            file.flush()
            os.fsync(file.fileno())
        hidden.replace(self.path)
        atomic.force_to_disk(self.path.parent)


class DatabaseKeys:
    """The table `api_keys` of a database."""

    def __init__(self, url: str) -> None:
        import sqlalchemy as sa

        try:
            self._engine = sa.create_engine(url)
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as error:
            raise ConfigError(
                f"{url.split('://')[0]}://…: no database can be opened there ({error}); expected a URL such as "
                f"sqlite:///artifacts/log.sqlite, or postgresql+psycopg://user@host/name with "
                f"pip install 'foretaste[postgres]'."
            ) from error
        self._table = sa.Table(
            "api_keys",
            sa.MetaData(),
            sa.Column("id", sa.String(8), primary_key=True),
            sa.Column("created_at", sa.String(40), nullable=False),
            sa.Column("record", sa.Text, nullable=False),
        )

    def records(self) -> Sequence[KeyRecord]:
        """All of them; none where there is no table."""
        import sqlalchemy as sa

        query = sa.select(self._table.c.record).order_by(self._table.c.created_at, self._table.c.id)
        try:
            if not sa.inspect(self._engine).has_table(self._table.name):
                return []
            with self._engine.connect() as connection:
                return [KeyRecord.model_validate_json(text) for (text,) in connection.execute(query)]
        except (sa.exc.SQLAlchemyError, ValidationError) as error:
            raise ConfigError(f"API keys cannot be read from {self._engine.url!r} ({error!s:.200}).") from error

    def add(self, record: KeyRecord) -> None:
        """Keep a new one; the table is made where there is none."""
        self._table.metadata.create_all(self._engine)
        row = {"id": record.id, "created_at": record.created_at, "record": record.model_dump_json()}
        with self._engine.begin() as connection:
            connection.execute(self._table.insert().values(row))

    def revoke(self, key_id: str, revoked_at: str) -> None:
        """Mark one as revoked."""
        record = _live(key_id, self.records()).model_copy(update={"revoked_at": revoked_at})
        with self._engine.begin() as connection:
            connection.execute(
                self._table.update().where(self._table.c.id == key_id).values(record=record.model_dump_json())
            )


def _live(key_id: str, records: Sequence[KeyRecord]) -> KeyRecord:
    for record in records:
        if record.id == key_id and record.revoked_at is None:
            return record
    raise _unknown(key_id, records)


def _unknown(key_id: str, records: Sequence[KeyRecord]) -> ConfigError:
    live = ", ".join(f"{each.id} ({each.name})" for each in records if each.revoked_at is None)
    return ConfigError(f"no key '{key_id}' to revoke; there are {live or 'none'}. `foretaste keys list` shows them.")
