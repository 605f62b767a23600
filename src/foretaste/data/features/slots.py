"""Values → slots of a vector: frequent values have one each, the rest share hashed ones."""

from typing import Self
from zlib import crc32

import numpy as np
import polars as pl
from scipy import sparse

from foretaste.settings import Settings


class Slots(Settings):
    """Which slot each value has.

    Slot i < len(values) is that of `values[i]`. The others go by their CRC-32, which is the same on every machine, into
    one of `num_buckets`. Values that too few training rows had, or none, have no slot: nothing was learnt of them.
    """

    values: tuple[str, ...]
    """The most frequent values of the training rows, most frequent first."""
    num_buckets: int
    """Slots that the rest share: slot len(values) + b is for a CRC-32 that leaves b when divided by this."""
    rest: tuple[int, ...]
    """CRC-32 of each value of the rest, ascending; any other value has no slot."""

    @classmethod
    def fit(cls, lists: pl.Series, top_k: int, num_buckets: int, min_rows: int) -> Self:
        """The slots that training rows give reason for.

        Args:
            lists: the values of each training row, lists of strings.
            top_k: values that get a slot of their own; of equally frequent ones the first in the order of text.
            num_buckets: hashed slots for the rest.
            min_rows: rows that must have a value.
        """
        counts = _pairs(lists).group_by("value").len().filter(pl.col("len") >= min_rows)
        ranked = counts.sort("len", "value", descending=[True, False])["value"].to_list()
        rest = sorted({_crc(value) for value in ranked[top_k:]}) if num_buckets else []
        return cls(values=tuple(ranked[:top_k]), num_buckets=num_buckets if rest else 0, rest=tuple(rest))

    def __len__(self) -> int:
        return len(self.values) + self.num_buckets

    @property
    def names(self) -> list[str]:
        """What each slot stands for."""
        return [*self.values, *(f"other #{bucket}" for bucket in range(self.num_buckets))]

    def encode(self, lists: pl.Series) -> sparse.csr_array:
        """rows × slots, float32: 1 where a row has a value of the slot."""
        pairs = _pairs(lists)
        placed = pairs.join(self._slots_of(pairs["value"].unique()), on="value").unique(["row", "slot"])
        return sparse.coo_array(
            (np.ones(len(placed), dtype=np.float32), (placed["row"].to_numpy(), placed["slot"].to_numpy())),
            shape=(len(lists), len(self)),
        ).tocsr()

    def _slots_of(self, values: pl.Series) -> pl.DataFrame:
        """(value, slot) of the values that have one."""
        own = {value: slot for slot, value in enumerate(self.values)}
        rest = {crc: len(own) + crc % self.num_buckets for crc in self.rest}
        slots = [own[value] if value in own else rest.get(_crc(value)) for value in values]
        return pl.DataFrame({"value": values, "slot": pl.Series(slots, dtype=pl.Int64)}).drop_nulls()


def as_lists(values: pl.Series, separator: str | None) -> pl.Series:
    """Values as lists of strings, lower case and without space at the ends; empty ones are left out."""
    if isinstance(values.dtype, pl.List):
        lists = values.cast(pl.List(pl.String))
    else:
        text = values.cast(pl.String)
        lists = text.str.split(separator) if separator else text.reshape((-1, 1)).arr.to_list()
    tidy = lists.list.eval(pl.element().str.strip_chars().str.to_lowercase())
    return tidy.list.eval(pl.element().filter(pl.element() != ""))


def _pairs(lists: pl.Series) -> pl.DataFrame:
    """(row, value), each pair once."""
    rows = pl.DataFrame({"row": np.arange(len(lists), dtype=np.int64), "value": lists.cast(pl.List(pl.String))})
    return rows.explode("value").drop_nulls().unique(maintain_order=True)


def _crc(value: str) -> int:
    return crc32(value.encode())
