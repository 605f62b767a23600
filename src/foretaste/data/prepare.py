"""From raw events to `Interactions`: repeats, ratings, k-core, weights, with an audit of every row dropped.

The steps run in this order: row limit, repeated pairs, what was passed over, rating threshold, k-core. A user's last
word counts: someone who rated an item 5 and later 2, or passed it over, does not like it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import narwhals as nw
import numpy as np
import polars as pl
from pydantic import Field

from foretaste.arrays import SECONDS_PER_DAY, BoolArray, FloatArray, IntArray, LongArray
from foretaste.data.engines import EVENTS, KEEP, Engine, Frame, PolarsEngine
from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.raw import Note, RawTables
from foretaste.data.schemas import ITEM_ID, PART, PARTS, PROMPTED, RATING, TIMESTAMP, USER_ID, WEIGHT
from foretaste.data.spark import check_spark, spark_engine
from foretaste.data.vocabulary import Vocabulary
from foretaste.errors import DataError
from foretaste.settings import Settings

REPEATED = "repeated pair, a later event counts"
"""What an audit says of the events that the last word of a user took the place of."""
_WEIGHT_COLUMNS = {"one": None, "rating": RATING, "events": EVENTS}


class PrepareConfig(Settings):
    """Which events count, and how much."""

    engine: Literal["polars", "spark"] = "polars"
    """Where the steps are computed, with equal results. `polars`: on this machine. `spark`: in the active Spark
    session, or in one that the usual configuration of Spark describes."""
    exchange_dir: Path | None = None
    """Folder for the rows on their way to Spark and back, which all its machines see; None takes a temporary one."""
    max_interactions: int | None = Field(default=None, gt=0)
    """Read no more than the first so many events; None reads all."""
    min_rating: float | None = None
    """Events rated below are not positives and are dropped; None takes every event as a positive. Feedback that is no
    rating, such as a click, has no rating to be below."""
    min_user_interactions: int = Field(default=1, ge=1)
    """Each user keeps at least so many events (with `min_item_interactions`, iterated until both hold)."""
    min_item_interactions: int = Field(default=1, ge=1)
    """Each item keeps at least so many events."""
    weight: Literal["one", "rating", "events"] = "one"
    """What an event counts: 1, its rating, or how often the pair occurred; times the weight of its kind of feedback."""
    half_life_days: float | None = Field(default=None, gt=0)
    """Days in which an event loses half its weight, counted from the newest; None counts all ages alike."""


@dataclass(frozen=True)
class Audit:
    """Where every row went."""

    rows_read: int
    """Events that reached the preparation or were rejected while reading."""
    dropped: tuple[Note, ...]
    """Reason, count and examples, in the order of the steps."""
    rows_kept: int
    num_users: int
    num_items: int
    remarks: tuple[Note, ...] = ()
    """What reading changed without dropping an event."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """The result of preparation: a dataset, and how it came about."""

    dataset: Dataset
    audit: Audit
    part_N: IntArray | None = None
    """Index into `PARTS` of each event, where the source gives a split."""
    is_prompted_N: BoolArray | None = None
    """True for each event whose user met its item in a list of a service; None where the data has no log."""
    negatives: Interactions | None = None
    """User-item pairs to rank the test items against, where the source gives them."""
    truth: Interactions | None = None
    """Ratings, as weights, of items that were drawn for users at random, where the source gives them."""


def prepare(raw: RawTables, config: PrepareConfig, engine: Engine | None = None) -> Prepared:
    """Clean, filter and encode the events of a source.

    Args:
        raw: the tables.
        config: which events count.
        engine: what computes the steps; None takes the one that the config names.

    Raises:
        DataError: a step needs a column that the data does not have, or nothing is left; the message tells which
            filter dropped how many.
    """
    columns = raw.interactions.collect_schema().names()
    _check(config, columns)
    with _opened(config) if engine is None else nullcontext(engine) as computing:
        cleaned = _cleaned(raw, config, columns, computing)
    rows = cleaned.rows
    if rows.is_empty():
        raise DataError(_nothing_left(raw.info.name, cleaned.rows_read, cleaned.dropped))
    interactions = _encode(rows, _WEIGHT_COLUMNS[config.weight], config.half_life_days)
    audit = Audit(
        rows_read=cleaned.rows_read,
        dropped=cleaned.dropped,
        rows_kept=len(interactions),
        num_users=interactions.num_users,
        num_items=interactions.num_items,
        remarks=tuple(note for note in raw.notes if not note.drops_events),
    )
    dataset = Dataset(
        interactions,
        catalogue=_aligned(raw.items, ITEM_ID, interactions.items),
        info=raw.info,
        users=None if raw.users is None else _aligned(raw.users, USER_ID, interactions.users),
    )
    part_N = rows[PART].cast(pl.Enum(PARTS)).to_physical().to_numpy().astype(np.int32) if PART in rows.columns else None
    is_prompted_N = rows[PROMPTED].fill_null(False).to_numpy() if PROMPTED in rows.columns else None
    negatives, truth = _pairs(raw.negatives, interactions), _pairs(raw.truth, interactions)
    return Prepared(dataset, audit, part_N, is_prompted_N, negatives, truth)


def check_engine(config: PrepareConfig) -> None:
    """Refuse an engine that cannot be started, before any data is read.

    Raises:
        ConfigError: something that it needs is missing; the message tells what brings it.
    """
    if config.engine == "spark":
        check_spark(config.exchange_dir)


@contextmanager
def _opened(config: PrepareConfig) -> Iterator[Engine]:
    if config.engine == "polars":
        yield PolarsEngine()
        return
    with spark_engine(config.exchange_dir) as engine:
        yield engine


@dataclass(frozen=True)
class _Cleaned:
    """The events that all steps kept, and what became of the rest."""

    rows: pl.DataFrame
    dropped: tuple[Note, ...]
    rows_read: int


def _cleaned(raw: RawTables, config: PrepareConfig, columns: list[str], engine: Engine) -> _Cleaned:
    weight_column = _WEIGHT_COLUMNS[config.weight]
    rated = weight_column == RATING or config.min_rating is not None
    needed = (USER_ID, ITEM_ID, TIMESTAMP, PART, WEIGHT, PROMPTED, *([RATING] if rated else []))
    wanted = raw.interactions.select([column for column in needed if column in columns])
    frame = engine.load(wanted if config.max_interactions is None else wanted.head(config.max_interactions))
    dropped = [note for note in raw.notes if note.drops_events]
    rows_loaded = int(frame.select(nw.len()).collect().item())
    rows_read = rows_loaded + sum(note.count for note in dropped)

    def drop(flagged: Frame, reason: str) -> Frame:
        division = engine.divide(flagged)
        if division.num_dropped:
            dropped.append(Note(reason, division.num_dropped, division.examples))
        return division.kept

    if config.max_interactions is not None and raw.rows_read is not None and raw.rows_read > rows_read:
        dropped.append(
            Note(f"after the first {config.max_interactions:,} (max_interactions)", raw.rows_read - rows_read)
        )
        rows_read = raw.rows_read
    frame = drop(engine.flag_last(frame), REPEATED)
    if weight_column != EVENTS:
        frame = frame.drop(EVENTS)
    if WEIGHT in columns:
        counts = (nw.col(WEIGHT) > 0).fill_null(True)
        frame = drop(frame.with_columns(counts.alias(KEEP)), "pair whose last event passed the item over")
    if config.min_rating is not None:
        # As a rating is stored: to 64 bits, the rating 3.3 is a little less than 3.3.
        good = (nw.col(RATING) >= nw.lit(config.min_rating, nw.Float32)).fill_null(False)
        if WEIGHT in columns:
            good = good | (nw.col(RATING).is_null() & ~nw.col(WEIGHT).is_null())
        frame = drop(frame.with_columns(good.alias(KEEP)), f"rating below {config.min_rating:g} (min_rating)")
    if max(config.min_user_interactions, config.min_item_interactions) > 1:
        core = f"{config.min_user_interactions}-core of users, {config.min_item_interactions}-core of items"
        frame = drop(engine.flag_core(frame, config.min_user_interactions, config.min_item_interactions), core)

    return _Cleaned(engine.collect(frame), tuple(dropped), rows_read)


def _check(config: PrepareConfig, columns: list[str]) -> None:
    needs = {
        "min_rating": (config.min_rating is not None, RATING),
        "weight: rating": (config.weight == "rating", RATING),
        "half_life_days": (config.half_life_days is not None, TIMESTAMP),
    }
    for option, (asked, column) in needs.items():
        if asked and column not in columns:
            raise DataError(
                f"prepare.{option} needs a column '{column}', and the data has only {', '.join(columns)}; "
                f"leave the option out."
            )
    if PART in columns and max(config.min_user_interactions, config.min_item_interactions) > 1:
        raise DataError(
            "prepare.min_user_interactions and min_item_interactions would change a given split, whose published "
            "figures then no longer compare; set both to 1."
        )


def _nothing_left(name: str, rows_read: int, dropped: Sequence[Note]) -> str:
    if rows_read == 0:
        return f"{name}: 0 events; expected at least one row of user and item. Is this the right file?"
    eaten = "; ".join(f"{note.reason}: {note.count:,}" for note in dropped)
    return f"{name}: 0 of {rows_read:,} events are left. Dropped by {eaten}. Loosen the filter that took the most."


def _encode(rows: pl.DataFrame, weight_column: str | None, half_life_days: float | None) -> Interactions:
    user_N, users = _dense(rows[USER_ID])
    item_N, items = _dense(rows[ITEM_ID])
    timestamp_N = rows[TIMESTAMP].to_numpy() if TIMESTAMP in rows.columns else None
    weight_N = np.ones(len(rows), np.float32) if weight_column is None else rows[weight_column].fill_null(1).to_numpy()
    if WEIGHT in rows.columns and weight_column != EVENTS:
        weight_N = weight_N * rows[WEIGHT].fill_null(1).to_numpy()
    if half_life_days is not None:
        assert timestamp_N is not None
        weight_N = weight_N * decay(timestamp_N, half_life_days)
    return Interactions(user_N, item_N, weight_N.astype(np.float32, copy=False), timestamp_N, users, items)


def decay(timestamp_N: LongArray, half_life_days: float) -> FloatArray:
    """Weights 2^(-age / half_life) of events, age counted from the newest one.

    Args:
        timestamp_N: UTC seconds.
        half_life_days: days, > 0.

    Returns:
        weight_N in (0, 1], float32.
    """
    age_days_N = (timestamp_N.max() - timestamp_N) / SECONDS_PER_DAY
    weight_N: FloatArray = np.exp2(-age_days_N / half_life_days).astype(np.float32)
    return weight_N


def _dense(ids: pl.Series) -> tuple[IntArray, Vocabulary]:
    """Categorical ids → dense indices in the order of the vocabulary, without a pass over the text of every row."""
    codes = ids.to_physical().to_numpy()
    present = np.flatnonzero(np.bincount(codes))
    assert isinstance(ids.dtype, pl.Categorical)
    names = ids.dtype.categories.to_series().gather(present)
    vocabulary = Vocabulary.of(names)
    index_of_code = np.full(int(present[-1]) + 1, -1, dtype=np.int32)
    index_of_code[present] = vocabulary.indices(names)
    return index_of_code[codes], vocabulary


def _aligned(table: nw.LazyFrame[Any] | None, key: str, vocabulary: Vocabulary) -> pl.DataFrame:
    """Row i describes id i; the first of repeated rows counts, and an id without a row gets nulls."""
    wanted = pl.DataFrame({key: vocabulary.ids})
    if table is None:
        return wanted
    rows: pl.DataFrame = table.collect(backend="polars").to_native()
    return wanted.join(rows.unique(key, keep="first", maintain_order=True), on=key, how="left", maintain_order="left")


def _pairs(table: nw.LazyFrame[Any] | None, interactions: Interactions) -> Interactions | None:
    """Pairs beside the events, by their rating where there is one; one whose user or item has no event is left out."""
    if table is None:
        return None
    rows: pl.DataFrame = table.collect(backend="polars").to_native()
    user_N, item_N = interactions.users.indices(rows[USER_ID]), interactions.items.indices(rows[ITEM_ID])
    known_N = (user_N >= 0) & (item_N >= 0)
    weight_N = rows[RATING].to_numpy()[known_N] if RATING in rows.columns else np.ones(int(known_N.sum()), np.float32)
    return Interactions(
        user_N[known_N], item_N[known_N], weight_N, None, users=interactions.users, items=interactions.items
    )
