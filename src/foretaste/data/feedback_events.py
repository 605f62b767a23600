"""What people did with what a service showed them joins the data of a training.

The rows of the log come after those of the source and go through the same preparation: of a pair of a user and an item
the last event counts, wherever it was written down.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import narwhals as nw
import polars as pl
import sqlalchemy as sa

from foretaste.arrays import SECONDS_PER_DAY
from foretaste.data.feedback import KINDS, FeedbackConfig
from foretaste.data.log_database import reading_log
from foretaste.data.log_tables import FEEDBACK, REGISTRATIONS, REQUESTS
from foretaste.data.raw import Note, RawTables
from foretaste.data.schemas import ITEM_ID, KIND, PART, PROMPTED, RATING, TIMESTAMP, USER_ID, VALUE, WEIGHT
from foretaste.errors import DataError

_KEY = "feedback"
"""Of the config; messages begin with it."""
_NUM_EXAMPLES = 3

JOINED = "events of the service's log joined the data (feedback)"
UNKNOWN_KIND = "event of an unknown kind in the log (feedback)"
NOBODY = "event of nobody in the log (feedback)"
UNKNOWN_ITEM = "event of the log with an item that the catalogue has not (feedback)"
"""What `notes` say of the log."""


def pinned(config: FeedbackConfig) -> FeedbackConfig:
    """The same with `up_to` filled in: the last row that the log has now, so that what comes later changes nothing.

    Raises:
        ConfigError: the URL of the log is not one, or its driver is not installed.
        DataError: there are no logs, or their database does not answer.
    """
    if config.up_to is not None:
        return config
    with reading_log(config.log, _KEY) as connection:
        last = connection.execute(sa.select(sa.func.max(FEEDBACK.c.seq))).scalar_one()
    return config.model_copy(update={"up_to": last or 0})


def num_events(config: FeedbackConfig, after: int) -> int:
    """Rows of feedback that came after the one of that `seq`, up to `up_to`, of kinds that count.

    Raises:
        ConfigError, DataError: as `pinned`.
    """
    kinds = [kind for kind in KINDS if _is_read(kind, config)]
    row = FEEDBACK.c
    query = sa.select(sa.func.count()).where(row.seq > after, row.kind.in_(kinds), *_within(config))
    with reading_log(config.log, _KEY) as connection:
        return int(connection.execute(query).scalar_one())


def with_feedback(raw: RawTables, config: FeedbackConfig) -> RawTables:
    """The tables with the events of a service's log, and with the users who were registered there.

    An event counts what its kind does (column `weight`), and knows whether its user ever met its item in a list of the
    service (`prompted`); a rating has its value as `rating`, where the data has any.
    Events are left out, and counted in `notes`, that name nobody, or an item that the catalogue does not have.

    Args:
        raw: as a source reads them.
        config: where the log is, and what counts.

    Raises:
        ConfigError: the URL of the log is not one, or its driver is not installed.
        DataError: there are no logs, their database does not answer, or the data comes with a split of its own, of
            which no event of the log is a part.
    """
    columns = raw.interactions.collect_schema().names()
    if PART in columns:
        raise DataError(
            f"feedback: {raw.info.name} comes with a split of its own, and events of a log are in no part of it; leave "
            "the section 'feedback' out, or read the data without its split."
        )
    with reading_log(config.log, _KEY) as connection:
        events = _read(connection, config)
        registered = None if raw.users is None else _registered(connection, raw.users)
    notes = list(raw.notes)
    for reason, is_lost in _losses(events, config, raw.items):
        lost = events.filter(is_lost)
        if len(lost):
            notes.append(Note(reason, len(lost), _examples(lost)))
        events = events.filter(~is_lost)
    notes.append(Note(JOINED, len(events), drops_events=False))
    told = events.select(
        USER_ID,
        ITEM_ID,
        pl.when(pl.col(KIND).is_in([name for name, kind in KINDS.items() if kind.needs_value]))
        .then(pl.col(VALUE))
        .cast(pl.Float32)
        .alias(RATING),
        pl.col(TIMESTAMP).floor().cast(pl.Int64),
        pl.col(KIND).replace_strict(config.weights, return_dtype=pl.Float32).alias(WEIGHT),
        pl.col(PROMPTED).any().over(USER_ID, ITEM_ID),
    ).select(
        column
        for column in (USER_ID, ITEM_ID, RATING, TIMESTAMP, WEIGHT, PROMPTED)
        if column in (*columns, WEIGHT, PROMPTED)
    )
    joined: pl.LazyFrame = pl.concat([raw.interactions.to_native(), told.lazy()], how="diagonal_relaxed")
    return replace(
        raw,
        interactions=nw.from_native(joined),
        users=raw.users if registered is None else nw.from_native(registered),
        notes=tuple(notes),
        rows_read=None if raw.rows_read is None else raw.rows_read + len(told),
    )


def _read(connection: sa.Connection, config: FeedbackConfig) -> pl.DataFrame:
    """user_id, item_id, kind, value, timestamp, prompted of the rows that count, oldest first; of equal times as they
    came."""
    row = FEEDBACK.c
    # Who sent an event without a name is the one whose request it answers.
    asked = sa.select(REQUESTS.c.user_id).where(REQUESTS.c.request_id == row.request_id).scalar_subquery()
    columns = (
        sa.func.coalesce(row.user_id, asked).label(USER_ID),
        row.item_id,
        row.kind,
        row.value,
        row.timestamp,
        row.request_id.is_not(None).label(PROMPTED),
    )
    query = sa.select(*columns).where(*_within(config)).order_by(row.seq)
    if config.window_days is not None:
        newest = sa.select(sa.func.max(row.timestamp)).where(*_within(config)).scalar_subquery()
        query = query.where(row.timestamp > newest - config.window_days * SECONDS_PER_DAY)
    dtypes = {
        USER_ID: pl.String,
        ITEM_ID: pl.String,
        KIND: pl.String,
        VALUE: pl.Float64,
        TIMESTAMP: pl.Float64,
        PROMPTED: pl.Boolean,
    }
    return pl.read_database(query, connection, schema_overrides=dtypes).sort(TIMESTAMP, maintain_order=True)


def _within(config: FeedbackConfig) -> Sequence[sa.ColumnElement[bool]]:
    return [] if config.up_to is None else [FEEDBACK.c.seq <= config.up_to]


def _is_read(kind: str, config: FeedbackConfig) -> bool:
    """A kind without a weight is left out; but what was passed over takes back what came before."""
    return config.weights[kind] > 0 or not KINDS[kind].is_liking


def _losses(
    events: pl.DataFrame, config: FeedbackConfig, items: nw.LazyFrame[Any] | None
) -> Iterator[tuple[str, pl.Expr]]:
    """Why an event does not join, and which."""
    yield UNKNOWN_KIND, ~pl.col(KIND).is_in(list(KINDS))
    uncounted = [kind for kind in KINDS if not _is_read(kind, config)]
    if uncounted:
        yield f"{' or '.join(uncounted)} in the log, which counts 0 (feedback.weights)", pl.col(KIND).is_in(uncounted)
    yield NOBODY, pl.col(USER_ID).is_null()
    if items is not None:
        catalogue = items.select(ITEM_ID).collect(backend="polars").to_native()[ITEM_ID]
        asked = events[ITEM_ID].unique()
        unknown = asked.filter(~asked.is_in(catalogue.implode()))
        yield UNKNOWN_ITEM, pl.col(ITEM_ID).is_in(unknown.implode())


def _examples(events: pl.DataFrame) -> tuple[str, ...]:
    rows = events.select(USER_ID, ITEM_ID).head(_NUM_EXAMPLES).iter_rows()
    return tuple(f"user {user}, item {item}" for user, item in rows)


def _registered(connection: sa.Connection, users: nw.LazyFrame[Any]) -> pl.LazyFrame:
    """The users with those who were registered: what they said of themselves counts, and else what was known before."""
    known: pl.LazyFrame = users.to_native()
    schema = known.collect_schema()
    found = connection.execute(sa.select(REGISTRATIONS.c.user_id, REGISTRATIONS.c.attributes)).all()
    told = [{**json.loads(row[1] or "{}"), USER_ID: row[0]} for row in found]
    columns = (pl.Series(name, [one.get(name) for one in told], dtype, strict=False) for name, dtype in schema.items())
    registered = pl.DataFrame(list(columns)).lazy()
    both = registered.join(known, on=USER_ID, how="left", suffix="_before", maintain_order="left")
    attributes = [name for name in schema if name != USER_ID]
    renewed = both.select(USER_ID, *(pl.coalesce(name, f"{name}_before").alias(name) for name in attributes))
    return pl.concat([renewed.select(schema.names()), known])
