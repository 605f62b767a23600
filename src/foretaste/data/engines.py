"""Where frames are computed.

`prepare` is written against `Engine`. `LazyEngine` computes every step as Narwhals expressions, on the backend that a
`Bridge` leads to; `PolarsEngine`, the default, does the same on this machine with the hot steps on integer codes. Their
results are equal to the last tie: of events of a pair at the same moment, the later row of the file counts.
"""

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import narwhals as nw
import numpy as np
import polars as pl

from foretaste.arrays import IntArray
from foretaste.data.counting import in_core, last_of_each_pair
from foretaste.data.schemas import ITEM_ID, PART, TIMESTAMP, USER_ID, WEIGHT

Frame: TypeAlias = nw.LazyFrame[Any]

KEEP = "keep"
"""True for the rows that a step keeps."""
EVENTS = "events"
"""How many plain events of its pair a row stands for."""
ROW = "#row"
"""Place of an event in the source, from 0."""
_COUNT = "#count"
_NEWEST = "#newest"
_NUM_EXAMPLES = 3


@dataclass(frozen=True)
class Division:
    """What a step kept, and what it dropped."""

    kept: Frame
    num_dropped: int
    examples: tuple[str, ...]
    """A few of the dropped rows, as `user u, item i`."""


class Engine(Protocol):
    """Computes the steps of preparation on lazy frames of interactions."""

    def load(self, frame: Frame) -> Frame:
        """The frame, held so that the next steps do not read the files again."""
        ...

    def flag_last(self, frame: Frame) -> Frame:
        """Add `keep`, true for the last event of each (user, item, part), and `events`, the size of that group.

        Where events have weights, `events` is their sum.
        """
        ...

    def flag_core(self, frame: Frame, min_per_user: int, min_per_item: int) -> Frame:
        """Add `keep`, true within the iterated k-core."""
        ...

    def divide(self, frame: Frame) -> Division:
        """Part the frame by its column `keep`."""
        ...

    def collect(self, frame: Frame) -> pl.DataFrame:
        """The rows in memory, in order of time where there is one; ids as categoricals."""
        ...


class Bridge(Protocol):
    """The way between the frames of a source, which are Polars', and the backend that computes."""

    def over(self, frame: pl.LazyFrame) -> Frame:
        """The same rows on the backend, in any order."""
        ...

    def back(self, frame: Frame) -> pl.LazyFrame:
        """The same rows in Polars, in any order."""
        ...


class LazyEngine:
    """Narwhals expressions throughout: the steps run where the bridge leads to; without one, in Polars."""

    def __init__(self, bridge: Bridge | None = None) -> None:
        self._bridge = bridge

    def load(self, frame: Frame) -> Frame:
        """Number the rows, whose order a cluster would forget, and hold them where they are computed."""
        numbered = _polars(frame).with_row_index(ROW).with_columns(pl.col(ROW).cast(pl.Int64))
        return _held(nw.from_native(numbered) if self._bridge is None else self._bridge.over(numbered))

    def flag_last(self, frame: Frame) -> Frame:
        """See `Engine`."""
        columns = frame.collect_schema()
        pair = [column for column in (USER_ID, ITEM_ID, PART) if column in columns]
        counted = nw.col(WEIGHT).fill_null(1.0).cast(nw.Float64).sum() if WEIGHT in columns else nw.len()
        row = nw.col(ROW)
        if TIMESTAMP in columns:
            row = nw.when(nw.col(TIMESTAMP) == nw.col(TIMESTAMP).max().over(*pair)).then(row)
            frame = frame.with_columns(row.alias(_NEWEST))
            row = nw.col(_NEWEST)
        is_last = nw.col(ROW) == row.max().over(*pair)
        flagged = frame.with_columns(is_last.alias(KEEP), counted.over(*pair).alias(EVENTS))
        return _held(flagged.drop(_NEWEST, strict=False))

    def flag_core(self, frame: Frame, min_per_user: int, min_per_item: int) -> Frame:
        """See `Engine`."""
        core = frame.select(ROW, USER_ID, ITEM_ID)
        size, smaller = -1, _num_rows(core)
        while size != smaller:
            size = smaller
            for column, least in ((USER_ID, min_per_user), (ITEM_ID, min_per_item)):
                # Counted apart and joined: over windows a cluster would send and sort every row.
                counted = core.group_by(column).agg(nw.len().alias(_COUNT))
                core = core.join(counted.filter(nw.col(_COUNT) >= least).select(column), on=column, how="semi")
            core = _held(core)
            smaller = _num_rows(core)
        flags = core.select(ROW, nw.lit(True).alias(KEEP))
        return _held(frame.join(flags, on=ROW, how="left").with_columns(nw.col(KEEP).fill_null(False)))

    def divide(self, frame: Frame) -> Division:
        """See `Engine`."""
        kept = _held(frame.filter(nw.col(KEEP)).drop(KEEP))
        dropped = frame.filter(~nw.col(KEEP))
        num_dropped = _num_rows(dropped)
        return Division(kept, num_dropped, _examples(dropped.sort(ROW)) if num_dropped else ())

    def collect(self, frame: Frame) -> pl.DataFrame:
        """See `Engine`."""
        rows = _with_codes(_polars(frame) if self._bridge is None else self._bridge.back(frame))
        order = [column for column in (TIMESTAMP, ROW) if column in frame.collect_schema()]
        return rows.collect(engine="streaming").sort(order).drop(ROW)


class PolarsEngine:
    """This machine: ids become integer codes while the file is read, and the hot steps count codes."""

    def load(self, frame: Frame) -> Frame:
        """Read in a stream, so that the text of the ids is never in memory as a whole."""
        held = _with_codes(_polars(frame)).collect(engine="streaming")
        return nw.from_native(held.lazy())

    def flag_last(self, frame: Frame) -> Frame:
        """See `Engine`."""
        rows = _polars(frame).collect()
        user_N, num_users = _codes(rows[USER_ID])
        item_N, num_items = _codes(rows[ITEM_ID])
        timestamp_N = rows[TIMESTAMP].to_numpy() if TIMESTAMP in rows.columns else np.zeros(len(rows), dtype=np.int64)
        if PART in rows.columns:
            part_N, num_parts = _codes(rows[PART].cast(pl.Categorical(pl.Categories.random())))
            user_N, num_users = user_N * num_parts + part_N, num_users * num_parts
        is_last_N, count_N = last_of_each_pair(user_N, item_N, timestamp_N, num_users, num_items)
        rows = rows.with_columns(pl.Series(KEEP, is_last_N), pl.Series(EVENTS, count_N))
        if WEIGHT in rows.columns:
            pair = [column for column in (USER_ID, ITEM_ID, PART) if column in rows.columns]
            total = pl.col(WEIGHT).fill_null(1.0).cast(pl.Float64).sum().over(pair)
            rows = rows.with_columns(total.alias(EVENTS))
        return nw.from_native(rows.lazy())

    def flag_core(self, frame: Frame, min_per_user: int, min_per_item: int) -> Frame:
        """See `Engine`."""
        rows = _polars(frame).collect()
        user_N, num_users = _codes(rows[USER_ID])
        item_N, num_items = _codes(rows[ITEM_ID])
        core_N = in_core(user_N, item_N, num_users, num_items, min_per_user, min_per_item)
        return nw.from_native(rows.with_columns(pl.Series(KEEP, core_N)).lazy())

    def divide(self, frame: Frame) -> Division:
        """See `Engine`."""
        rows = _polars(frame).collect()
        flags = rows[KEEP]
        num_dropped = len(rows) - int(flags.sum())
        if num_dropped == 0:
            return Division(nw.from_native(rows.drop(KEEP).lazy()), 0, ())
        examples = _examples(nw.from_native(rows.lazy().filter(~pl.col(KEEP))))
        return Division(nw.from_native(rows.filter(flags).drop(KEEP).lazy()), num_dropped, examples)

    def collect(self, frame: Frame) -> pl.DataFrame:
        """See `Engine`."""
        rows = _polars(frame).collect()
        if TIMESTAMP in rows.columns and not rows[TIMESTAMP].is_sorted():
            rows = rows.sort(TIMESTAMP, maintain_order=True)
        return rows


def _polars(frame: Frame) -> pl.LazyFrame:
    native = frame.to_native()
    assert isinstance(native, pl.LazyFrame)
    return native


def _with_codes(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Ids as categoricals, each column with its own categories: whatever else the process reads does not swell them."""
    return frame.with_columns(
        pl.col(column).cast(pl.Categorical(pl.Categories.random())) for column in (USER_ID, ITEM_ID)
    )


def _codes(ids: pl.Series) -> tuple[IntArray, int]:
    """The integer code of each row, and a bound above all of them."""
    codes: IntArray = ids.to_physical().to_numpy().view(np.int32)
    return codes, int(codes.max()) + 1 if len(codes) else 0


def _held(frame: Frame) -> Frame:
    """The frame with its rows computed once: Spark keeps them on the cluster, other backends in memory."""
    native = frame.to_native()
    if hasattr(native, "localCheckpoint"):
        checkpointed: Frame = nw.from_native(native.localCheckpoint())
        return checkpointed
    return frame.collect().lazy()


def _num_rows(frame: Frame) -> int:
    return int(frame.select(nw.len()).collect().item())


def _examples(dropped: Frame) -> tuple[str, ...]:
    rows = dropped.select(nw.col(USER_ID, ITEM_ID)).head(_NUM_EXAMPLES).collect()
    return tuple(f"user {user}, item {item}" for user, item in rows.iter_rows())
