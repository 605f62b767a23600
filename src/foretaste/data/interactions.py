"""The containers that everything after preparation works on."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl
from scipy import sparse

from foretaste.arrays import BoolArray, FloatArray, IntArray, LongArray
from foretaste.data.raw import SourceInfo
from foretaste.data.schemas import GENRES, TITLE
from foretaste.data.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Interactions:
    """N events, each of one user with one item, oldest first where the data has timestamps."""

    user_N: IntArray
    item_N: IntArray
    weight_N: FloatArray
    """How much an event counts; 1 unless the preparation was told otherwise."""
    timestamp_N: LongArray | None
    """UTC seconds; None for data without timestamps."""
    users: Vocabulary
    items: Vocabulary

    def __post_init__(self) -> None:
        """Check that the arrays belong together."""
        assert len(self.user_N) == len(self.item_N) == len(self.weight_N)
        assert self.timestamp_N is None or len(self.timestamp_N) == len(self.user_N)

    def __len__(self) -> int:
        return len(self.user_N)

    @property
    def num_users(self) -> int:
        """Users of the vocabulary, those without an event here included."""
        return len(self.users)

    @property
    def num_items(self) -> int:
        """Items of the vocabulary, those without an event here included."""
        return len(self.items)

    def select(self, rows: BoolArray | LongArray | slice) -> Self:
        """The events at `rows` (a mask, indices or a slice) over the same vocabularies."""
        return replace(
            self,
            user_N=self.user_N[rows],
            item_N=self.item_N[rows],
            weight_N=self.weight_N[rows],
            timestamp_N=None if self.timestamp_N is None else self.timestamp_N[rows],
        )

    def joined(self, other: "Interactions") -> "Interactions":
        """These events and then those of `other`, which must share the vocabularies."""
        assert self.users is other.users and self.items is other.items
        both = self.timestamp_N is not None and other.timestamp_N is not None
        return replace(
            self,
            user_N=np.concatenate([self.user_N, other.user_N]),
            item_N=np.concatenate([self.item_N, other.item_N]),
            weight_N=np.concatenate([self.weight_N, other.weight_N]),
            timestamp_N=np.concatenate([self.timestamp_N, other.timestamp_N]) if both else None,
        )

    def to_csr(self) -> sparse.csr_array:
        """users × items, float32, the weights of repeated pairs summed, indices sorted within a row."""
        matrix = sparse.coo_array(
            (self.weight_N, (self.user_N, self.item_N)), shape=(self.num_users, self.num_items), dtype=np.float32
        ).tocsr()
        matrix.sum_duplicates()
        return matrix

    def item_counts(self) -> LongArray:
        """counts_I: events of each item."""
        return np.bincount(self.item_N, minlength=self.num_items)

    def user_counts(self) -> LongArray:
        """counts_U: events of each user."""
        return np.bincount(self.user_N, minlength=self.num_users)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the events and both vocabularies: equal data, equal fingerprint."""
        digest = hashlib.sha256(self.users.fingerprint.encode() + self.items.fingerprint.encode())
        for array in (self.user_N, self.item_N, self.weight_N, self.timestamp_N):
            if array is not None:
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a model is trained on: events, and what is known of the items and users in them."""

    interactions: Interactions
    catalogue: pl.DataFrame
    """Row i describes item i: `item_id`, `title` and whatever else the source knows."""
    info: SourceInfo
    users: pl.DataFrame | None = None
    """Row u describes user u, where the source knows anything of users."""

    def __post_init__(self) -> None:
        """Check that the tables are aligned with the vocabularies."""
        assert len(self.catalogue) == self.interactions.num_items
        assert self.users is None or len(self.users) == self.interactions.num_users

    def with_interactions(self, interactions: Interactions) -> "Dataset":
        """The same catalogue and users around other events, such as the training part of a split."""
        return replace(self, interactions=interactions)

    def titles(self, item_indices: IntArray) -> list[str]:
        """Title of each item, its id where it has none."""
        column = TITLE if TITLE in self.catalogue.columns else "item_id"
        rows = self.catalogue[np.asarray(item_indices, dtype=np.int64)]
        return [
            title if title is not None else item_id
            for title, item_id in zip(rows[column], rows["item_id"], strict=True)
        ]

    def genre_matrix(self) -> tuple[sparse.csr_array, list[str]]:
        """items × genres, 1.0 where an item has the genre, and the genres in order; no columns without genres."""
        if GENRES not in self.catalogue.columns:
            return sparse.csr_array((len(self.catalogue), 0), dtype=np.float32), []
        pairs = (
            self.catalogue.select(pl.int_range(pl.len()).alias("item"), pl.col(GENRES))
            .explode(GENRES)
            .drop_nulls(GENRES)
            .unique(["item", GENRES])
        )
        genres = pairs[GENRES].unique().sort().to_list()
        column_N = pairs[GENRES].cast(pl.Enum(genres)).to_physical().to_numpy().astype(np.int64)
        matrix = sparse.coo_array(
            (np.ones(len(pairs), dtype=np.float32), (pairs["item"].to_numpy(), column_N)),
            shape=(len(self.catalogue), len(genres)),
        )
        return matrix.tocsr(), genres


@dataclass(frozen=True, eq=False)
class Split:
    """Three sets of events over one vocabulary, and what the split left out."""

    train: Interactions
    valid: Interactions | None
    """None where no validation part was asked for."""
    test: Interactions
    method: str
    dropped: dict[str, int]
    """Reason → events dropped by the split itself."""
