"""Popularity: an item's score is the weight of its events, the same for everyone.

The floor that every other model must beat, and the fallback of the engine. Two variants: with recency, where an event
loses half its weight every `half_life_days`; and by genre, where popularity is multiplied by how much of a user's
history lies in the item's genres.
"""

from typing import Self

import numpy as np
from pydantic import Field
from scipy import sparse

from foretaste.arrays import SECONDS_PER_DAY, FloatArray, IntArray, LongArray
from foretaste.data.interactions import Dataset
from foretaste.errors import ModelError
from foretaste.models.protocol import FitContext, Query, State
from foretaste.models.sparse_state import pack, unpack
from foretaste.settings import Settings


class PopularityConfig(Settings):
    """Hyperparameters of Popularity."""

    half_life_days: float | None = Field(default=None, gt=0)
    """Days in which an event loses half its weight; null counts all alike."""
    by_genre: bool = False
    """Multiply popularity by the share of the user's history that lies in the item's genres."""


def decayed_counts(
    item_N: IntArray, weight_N: FloatArray, timestamp_N: LongArray, num_items: int, half_life_days: float
) -> FloatArray:
    """counts_I, float32: the weight of each item's events, each times 2^(-age / half_life), age from the newest event.

    Args:
        item_N: item index of each event.
        weight_N: how much each event counts.
        timestamp_N: UTC seconds.
        num_items: I.
        half_life_days: days, > 0.
    """
    age_days_N = (timestamp_N.max(initial=0) - timestamp_N) / SECONDS_PER_DAY
    decayed_N = weight_N * np.exp2(-age_days_N / half_life_days)
    return np.bincount(item_N, weights=decayed_N, minlength=num_items).astype(np.float32)


def genre_shares(item_genres_IG: sparse.csr_array, popularity_I: FloatArray) -> sparse.csr_array:
    """shares_IG: how an item divides itself among genres; each row sums to 1.

    An item of two genres is half of each. An item without genres counts as the mix of all events, so that missing
    metadata neither lifts nor buries it.
    """
    count_I = np.diff(item_genres_IG.indptr)
    shares_IG = sparse.diags_array(1.0 / np.maximum(count_I, 1)) @ item_genres_IG
    mix_G = popularity_I.astype(np.float64) @ shares_IG
    total = mix_G.sum()
    mix_G = mix_G / total if total > 0 else np.full(len(mix_G), 1.0 / len(mix_G))
    without_genre_I1 = sparse.csr_array((count_I == 0).astype(np.float64)[:, None])
    return sparse.csr_array(shares_IG + without_genre_I1 @ sparse.csr_array(mix_G[None, :]), dtype=np.float32)


def genre_affinity(history_BI: sparse.csr_array, shares_IG: sparse.csr_array) -> FloatArray:
    """affinity_BI = (h_b / |h_b|₁) · shares · sharesᵀ; 1 throughout for an empty history.

    It is the chance that an event of the history and an item, each choosing one of its genres, choose the same one.
    """
    profile_BG = sparse.csr_array(history_BI) @ shares_IG
    mass_B = profile_BG.sum(axis=1)
    affinity_BI = (profile_BG @ shares_IG.T.tocsr()).toarray()
    is_known_B = mass_B > 0
    affinity_BI[is_known_B] /= mass_B[is_known_B, None]
    affinity_BI[~is_known_B] = 1.0
    return np.asarray(affinity_BI, dtype=np.float32)


class Popularity:
    """Scores every user alike, or by the genres of their history."""

    def __init__(self, config: PopularityConfig | None = None) -> None:
        self.config = config or PopularityConfig()
        self.popularity_I = np.zeros(0, dtype=np.float32)
        self.genre_shares_IG: sparse.csr_array | None = None

    def fit(self, dataset: Dataset, context: FitContext) -> Self:  # noqa: ARG002
        """Count.

        Raises:
            ModelError: `half_life_days` without timestamps, or `by_genre` without genres.
        """
        events = dataset.interactions
        if self.config.half_life_days is None:
            self.popularity_I = np.bincount(events.item_N, weights=events.weight_N, minlength=events.num_items).astype(
                np.float32
            )
        elif events.timestamp_N is None:
            raise ModelError(
                f"popularity: half_life_days is {self.config.half_life_days:g}, but the data has no timestamps; "
                "leave half_life_days out, or give the data a timestamp column."
            )
        else:
            self.popularity_I = decayed_counts(
                events.item_N, events.weight_N, events.timestamp_N, events.num_items, self.config.half_life_days
            )
        self.genre_shares_IG = None
        if self.config.by_genre:
            item_genres_IG, genres = dataset.genre_matrix()
            if not genres:
                raise ModelError(
                    "popularity: by_genre is on, but no item has a genre; "
                    "set by_genre to false, or give the items table a `genres` column."
                )
            self.genre_shares_IG = genre_shares(item_genres_IG, self.popularity_I)
        return self

    def score(self, query: Query) -> FloatArray:
        """scores_BI: popularity, times the affinity of the history's genres where asked for; read-only where shared."""
        if self.genre_shares_IG is None:
            return np.broadcast_to(self.popularity_I, (len(query), len(self.popularity_I)))
        return self.popularity_I * genre_affinity(query.history_BI, self.genre_shares_IG)

    def state(self) -> State:
        """Popularity of each item, and its share in each genre."""
        shares = {} if self.genre_shares_IG is None else pack("genre_shares", self.genre_shares_IG)
        return {"popularity": self.popularity_I, **shares}

    def load_state(self, state: State) -> Self:
        """Take over a state."""
        self.popularity_I = state["popularity"]
        self.genre_shares_IG = unpack("genre_shares", state) if self.config.by_genre else None
        return self
