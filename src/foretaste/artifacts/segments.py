"""What is popular among users of one kind: counts of events by attribute of the user, small enough for a bundle.

A segment is the users with one value of an attribute, or, of a number, within one of its eighths. Segments of few users
are left out, so that no list tells of a person; so are those beyond the largest 256, and the items beyond the thousand
that a segment met most.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from foretaste.arrays import BoolArray, IntArray
from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.schemas import USER_ID

SEGMENTS_FILE = "segment_popularity.parquet"
FEWEST_USERS = 20
_MOST_SEGMENTS = 256
_MOST_ITEMS = 1000
_PARTS = 8
"""Into how many ranges the values of a number are cut, each of about as many users."""

AttributeValue = bool | int | float | str


@dataclass(frozen=True, eq=False)
class Segment:
    """Users of one kind, and what they met."""

    attribute: str
    value: str | None
    """Of a text or a flag; None for a range of numbers."""
    low: float | None
    """The range holds numbers from here …"""
    high: float | None
    """… to below here; None at either end is without bound."""
    num_users: int
    num_events: int
    item_X: IntArray
    """Items in order of their count."""
    count_X: IntArray
    """Events of these users with each."""
    is_complete: bool
    """Whether all items that these users met are listed."""

    @property
    def name(self) -> str:
        """As people read it: `occupation student`, `age 25 to 31`."""
        if self.value is not None:
            return f"{self.attribute} {self.value}"
        if self.low is None:
            return f"{self.attribute} below {self.high:g}"
        return (
            f"{self.attribute} {self.low:g} or more"
            if self.high is None
            else f"{self.attribute} {self.low:g} to {self.high:g}"
        )

    def holds(self, value: AttributeValue) -> bool:
        """Whether a user with this value of the attribute belongs to it."""
        if self.value is not None:
            return self.value == (str(value).lower() if isinstance(value, bool) else str(value))
        if isinstance(value, str):
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value < self.high)


@dataclass(frozen=True, eq=False)
class Segments:
    """The segments of a bundle."""

    segments: tuple[Segment, ...]

    @classmethod
    def of(cls, dataset: Dataset) -> Self | None:
        """The segments of a dataset's users; None where nothing is known of users."""
        if dataset.users is None:
            return None
        events = dataset.interactions
        is_active_U = events.user_counts() > 0
        found = [
            _segment(name, value, low, high, is_member_U & is_active_U, events)
            for name in dataset.users.columns
            if name != USER_ID
            for value, low, high, is_member_U in _groups(dataset.users[name])
            if np.count_nonzero(is_member_U & is_active_U) >= FEWEST_USERS
        ]
        largest = sorted(found, key=lambda each: -each.num_users)[:_MOST_SEGMENTS]
        return cls(tuple(each for each in found if each in largest)) if found else None

    def of_user(self, attributes: Mapping[str, AttributeValue]) -> list[Segment]:
        """The segments to which a user of these attributes belongs."""
        return [
            each for each in self.segments if each.attribute in attributes and each.holds(attributes[each.attribute])
        ]

    def write(self, folder: Path) -> None:
        """Write `segment_popularity.parquet`, a row a segment."""
        rows = [
            {
                "attribute": each.attribute,
                "value": each.value,
                "low": each.low,
                "high": each.high,
                "num_users": each.num_users,
                "num_events": each.num_events,
                "item": each.item_X.tolist(),
                "count": each.count_X.tolist(),
                "is_complete": each.is_complete,
            }
            for each in self.segments
        ]
        integers = pl.List(pl.Int32)
        bounds = {"low": pl.Float64(), "high": pl.Float64()}
        schema: dict[str, pl.DataType] = {"value": pl.String(), **bounds, "item": integers, "count": integers}
        pl.DataFrame(rows, schema_overrides=schema).write_parquet(folder / SEGMENTS_FILE)

    @classmethod
    def read(cls, folder: Path, num_items: int) -> Self:
        """The segments of a bundle.

        Raises:
            ValueError: they name items that there are not.
        """
        segments = []
        for row in pl.read_parquet(folder / SEGMENTS_FILE).iter_rows(named=True):
            item_X, count_X = (np.array(row.pop(name), dtype=np.int32) for name in ("item", "count"))
            if len(item_X) != len(count_X) or (item_X < 0).any() or (item_X >= num_items).any():
                raise ValueError(f"{SEGMENTS_FILE}: a segment's items do not fit the {num_items} of the bundle")
            segments.append(Segment(**row, item_X=item_X, count_X=count_X))
        return cls(tuple(segments))


def _groups(column: pl.Series) -> Iterator[tuple[str | None, float | None, float | None, BoolArray]]:
    """value, low and high of each group of users, and who belongs to it."""
    dtype = column.dtype
    if dtype.is_numeric():
        value_U = column.cast(pl.Float64).fill_nan(None)
        known = value_U.drop_nulls().to_numpy()
        inner = np.unique(np.quantile(known, np.arange(1, _PARTS) / _PARTS)) if len(known) else np.zeros(0)
        cuts = inner[inner > known.min()].tolist() if len(known) else []
        if cuts:
            for low, high in zip([None, *cuts], [*cuts, None], strict=True):
                is_member = value_U >= (-np.inf if low is None else low)
                is_member &= value_U < (np.inf if high is None else high)
                yield None, low, high, is_member.fill_null(False).to_numpy()
    elif dtype in (pl.String, pl.Boolean, pl.Categorical, pl.Enum):
        text_U = column.cast(pl.String)
        for value, count in text_U.drop_nulls().value_counts(sort=True).iter_rows():
            if count < FEWEST_USERS:
                break
            yield value, None, None, (text_U == value).fill_null(False).to_numpy()


def _segment(
    attribute: str,
    value: str | None,
    low: float | None,
    high: float | None,
    is_member_U: BoolArray,
    events: Interactions,
) -> Segment:
    counts_I = np.bincount(events.item_N[is_member_U[events.user_N]], minlength=events.num_items)
    num_met = int(np.count_nonzero(counts_I))
    item_X = np.argsort(-counts_I, kind="stable")[: min(num_met, _MOST_ITEMS)].astype(np.int32)
    return Segment(
        attribute,
        value,
        low,
        high,
        num_users=int(np.count_nonzero(is_member_U)),
        num_events=int(counts_I.sum()),
        item_X=item_X,
        count_X=counts_I[item_X].astype(np.int32),
        is_complete=num_met <= _MOST_ITEMS,
    )
