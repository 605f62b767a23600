"""External id ⇄ dense index: the only place that translates."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl

from foretaste.arrays import UNKNOWN, IntArray


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The ids of all users or of all items; an id's index is its position.

    Ids are strings: `007` and `7` are two ids.
    """

    ids: pl.Series
    """Unique strings, none null."""

    @classmethod
    def of(cls, ids: Sequence[str] | pl.Series) -> Self:
        """The vocabulary of unique `ids`, sorted: as numbers where all are canonical integers, else as text.

        The order does not depend on the order of the rows, so the same data always gets the same indices.
        """
        unique = pl.Series("id", ids, dtype=pl.String).unique()
        canonical = unique.str.contains(r"^(0|[1-9]\d{0,17})$").all()
        return cls(unique.cast(pl.Int64).sort().cast(pl.String) if canonical and len(unique) else unique.sort())

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, external_id: str) -> bool:
        return external_id in self._index_by_id

    @cached_property
    def _index_by_id(self) -> dict[str, int]:
        return {external_id: index for index, external_id in enumerate(self.ids)}

    def index(self, external_id: str) -> int:
        """The index of one id; -1 if it is unknown."""
        return self._index_by_id.get(external_id, UNKNOWN)

    def indices(self, external_ids: Sequence[str] | pl.Series) -> IntArray:
        """The index of each id, int32; -1 where unknown."""
        wanted = pl.DataFrame({"id": pl.Series(external_ids, dtype=pl.String)})
        table = pl.DataFrame({"id": self.ids, "index": np.arange(len(self), dtype=np.int32)})
        found = wanted.join(table, on="id", how="left", maintain_order="left")
        return found["index"].fill_null(UNKNOWN).to_numpy()

    def starting_with(self, prefix: str, limit: int) -> list[str]:
        """The first `limit` ids that begin so, in the order of their indices."""
        return self.ids.filter(self.ids.str.starts_with(prefix)).head(limit).to_list()

    def id(self, index: int) -> str:
        """The external id at `index`."""
        return str(self.ids[int(index)])

    def ids_at(self, indices: IntArray) -> list[str]:
        """The external ids at `indices`, all of them ≥ 0."""
        return list(self.ids.gather(np.asarray(indices, dtype=np.int64)))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the ids in order."""
        digest = hashlib.sha256()
        for external_id in self.ids:
            digest.update(external_id.encode() + b"\0")
        return digest.hexdigest()
