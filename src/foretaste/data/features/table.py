"""Features as models read them: a dense part with named columns, and bags of slots for learned embeddings."""

from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

import numpy as np
from scipy import sparse

from foretaste.arrays import BoolArray, FloatArray, LongArray

ColumnKind: TypeAlias = Literal["number", "missing", "category", "text", "popularity"]


@dataclass(frozen=True)
class DenseColumn:
    """A column of the dense part."""

    name: str
    kind: ColumnKind
    source: str
    """The column of the catalogue or of the users table that it comes from."""
    of_history: bool = False
    """True for a mean over the items that a user has met."""


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """The features of X rows: items or users."""

    columns: tuple[DenseColumn, ...]
    dense_XF: FloatArray
    bags: dict[str, sparse.csr_array]
    """Name → rows × slots, float32: what share of a row's values is in each slot. A row sums to 1, or is empty."""

    def __post_init__(self) -> None:
        """Check that the parts have the same rows."""
        assert self.dense_XF.shape[1] == len(self.columns)
        assert all(bag.shape[0] == len(self) for bag in self.bags.values())

    def __len__(self) -> int:
        return len(self.dense_XF)

    @classmethod
    def beside(cls, num_rows: int, tables: list["FeatureTable"]) -> Self:
        """The features of several tables of the same `num_rows` rows, in order."""
        return cls(
            tuple(column for table in tables for column in table.columns),
            np.hstack([np.zeros((num_rows, 0), dtype=np.float32), *(table.dense_XF for table in tables)]),
            {name: bag for table in tables for name, bag in table.bags.items()},
        )

    def take(self, rows: LongArray | BoolArray) -> Self:
        """The rows that a mask or indices name."""
        bags = {name: bag[rows] for name, bag in self.bags.items()}
        return type(self)(self.columns, self.dense_XF[rows], bags)

    def means_over(self, history_BI: sparse.csr_array) -> Self:
        """For each history the mean of its items' features, weighted as the history says; zero where it is empty.

        A row depends on its own history alone, to the bit.

        Args:
            history_BI: weights ≥ 0; the items are the rows of this table.
        """
        share_BI = row_shares(history_BI)
        return type(self)(
            tuple(
                DenseColumn(f"history {column.name}", column.kind, column.source, of_history=True)
                for column in self.columns
            ),
            share_BI @ self.dense_XF,
            # Items without a value in a bag take no part in its mean.
            {f"history {name}": row_shares((share_BI @ bag).tocsr()) for name, bag in self.bags.items()},
        )


def row_shares(weights_XV: sparse.csr_array) -> sparse.csr_array:
    """Each row divided by its sum, float32, indices sorted; rows without weight come out empty."""
    total_X = np.asarray(weights_XV.sum(axis=1)).ravel()
    total_N = np.repeat(total_X, np.diff(weights_XV.indptr))
    share_N = np.divide(weights_XV.data, total_N, out=np.zeros(len(total_N), dtype=np.float32), where=total_N > 0)
    shares_XV = sparse.csr_array((share_N, weights_XV.indices, weights_XV.indptr), shape=weights_XV.shape)
    return shares_XV.sorted_indices()
