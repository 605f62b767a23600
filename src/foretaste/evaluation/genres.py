"""How the genres of top-k lists are: varied, and true to a taste.

As in `beyond_accuracy.py`, all cut-offs are judged in one pass, and value_XB has a row for each. `genres_IG` says which
genres, categories or tags an item has; its rows may be empty.
"""

from collections.abc import Sequence

import numba
import numpy as np
from scipy import sparse

from foretaste.arrays import DoubleArray, IntArray, LongArray
from foretaste.models.read_only import read_only
from foretaste.models.sparse_product import dense_product
from foretaste.models.sparse_rows import Rows, rows_of

_ALPHA = 0.01
"""How much of the taste is mixed into the genres of a list, so that a missing genre costs much and not infinitely."""
_FEW_GENRES = 64
"""Up to so many, whole rows of them are added up quicker than the few that an item has."""


def genre_shares(genres_IG: sparse.csr_array) -> sparse.csr_array:
    """p(g | i): 1 / the number of genres of the item, for each that it has."""
    count_I = np.diff(genres_IG.indptr)
    return sparse.csr_array(
        (np.repeat(1 / np.maximum(count_I, 1), count_I).astype(np.float32), genres_IG.indices, genres_IG.indptr),
        shape=genres_IG.shape,
    )


@numba.njit(cache=True, nogil=True)
def _fill_distances(
    item_BK: IntArray, genres: Rows, num_genres: int, cutoff_X: LongArray, distance_XB: DoubleArray
) -> None:  # pragma: no cover
    """The cosine with all items before is one dot product with the sum of their unit vectors."""
    sum_G = np.zeros(num_genres, dtype=np.float64)
    for b in range(len(item_BK)):
        described, similarity, first = 0, 0.0, 0
        for x, cutoff in enumerate(cutoff_X):
            for item in item_BK[b, first:cutoff]:
                if item < 0 or genres.indptr[item] == genres.indptr[item + 1]:
                    continue
                start, stop = genres.indptr[item], genres.indptr[item + 1]
                unit = 1.0 / np.sqrt(stop - start)
                for n in range(start, stop):
                    similarity += unit * sum_G[genres.indices[n]]
                    sum_G[genres.indices[n]] += unit
                described += 1
            pairs = described * (described - 1) / 2
            distance_XB[x, b] = 1.0 - similarity / pairs if pairs > 0 else np.nan
            first = cutoff
        for item in item_BK[b, :first]:
            if item >= 0:
                for n in range(genres.indptr[item], genres.indptr[item + 1]):
                    sum_G[genres.indices[n]] = 0.0


def diversity(item_BK: IntArray, cutoffs: Sequence[int], genres_IG: sparse.csr_array) -> DoubleArray:
    """How unlike each other the items of a list are: the mean distance of its pairs by genre.

    Distance is 1 − cosine of the genre sets, |A ∩ B| / √(|A| |B|) (intra-list diversity, after Ziegler et al. 2005).
    Items without genres are left out. 0: all have the same genres; 1: no two share one. Not defined for fewer than two
    items with genres.

    Args:
        item_BK: the lists.
        cutoffs: the lengths that are judged.
        genres_IG: a stored entry for each genre of each item.
    """
    distance_XB = np.empty((len(cutoffs), len(item_BK)), dtype=np.float64)
    item_BK = read_only(np.ascontiguousarray(item_BK))
    _fill_distances(item_BK, rows_of(genres_IG), genres_IG.shape[1], np.array(cutoffs, dtype=np.int64), distance_XB)
    return distance_XB


def tastes(history_BI: sparse.csr_array, shares_IG: sparse.csr_array) -> sparse.csr_array:
    """taste_BG = history_BI @ shares_IG: how much of each genre a history holds, events by their weight."""
    num_users, num_genres = history_BI.shape[0], shares_IG.shape[1]
    if num_genres > _FEW_GENRES:
        return (history_BI @ shares_IG).tocsr()
    taste_BG = dense_product(history_BI, shares_IG.toarray())
    genre_BG, start_B = np.tile(np.arange(num_genres, dtype=np.int32), num_users), np.arange(num_users + 1) * num_genres
    return sparse.csr_array((taste_BG.ravel(), genre_BG, start_B), shape=taste_BG.shape)


@numba.njit(cache=True, nogil=True)
def _fill_divergences(
    item_BK: IntArray, taste: Rows, shares: Rows, num_genres: int, cutoff_X: LongArray, divergence_XB: DoubleArray
) -> None:  # pragma: no cover
    shown_G = np.zeros(num_genres, dtype=np.float64)
    for b in range(len(item_BK)):
        start, stop = taste.indptr[b], taste.indptr[b + 1]
        weight, described, first = 0.0, 0, 0
        for n in range(start, stop):
            weight += taste.data[n]
        for x, cutoff in enumerate(cutoff_X):
            for item in item_BK[b, first:cutoff]:
                if item >= 0 and shares.indptr[item] < shares.indptr[item + 1]:
                    described += 1
                    for n in range(shares.indptr[item], shares.indptr[item + 1]):
                        shown_G[shares.indices[n]] += shares.data[n]
            first = cutoff
            if weight > 0.0 and described > 0:
                divergence = 0.0
                for n in range(start, stop):
                    if taste.data[n] > 0.0:
                        p, q = taste.data[n] / weight, shown_G[taste.indices[n]] / described
                        divergence += p * np.log(p / ((1.0 - _ALPHA) * q + _ALPHA * p))
                # Shares are rounded, so that those of equals may differ a little.
                divergence_XB[x, b] = max(divergence, 0.0)
            else:
                divergence_XB[x, b] = np.nan
        for item in item_BK[b, :first]:
            if item >= 0:
                for n in range(shares.indptr[item], shares.indptr[item + 1]):
                    shown_G[shares.indices[n]] = 0.0


def calibration(
    item_BK: IntArray, cutoffs: Sequence[int], taste_BG: sparse.csr_array, shares_IG: sparse.csr_array
) -> DoubleArray:
    """How far the genres of a list are from those of the user's history: a Kullback-Leibler divergence, in nats.

    Σ over genres of p log(p / q̃), q̃ = 0.99 q + 0.01 p (Steck 2018). p: genres of the history, events by their weight,
    the genres of an item in equal shares; q: the same of the filled slots, each slot alike. Items without genres are
    left out. 0: the list has the genres of the history, in proportion; lower is better. Not defined where the history
    or the list has no item with a genre.

    Args:
        item_BK: the lists.
        cutoffs: the lengths that are judged.
        taste_BG: from `tastes`; rows need not sum to 1.
        shares_IG: from `genre_shares`.
    """
    divergence_XB = np.empty((len(cutoffs), len(item_BK)), dtype=np.float64)
    _fill_divergences(
        read_only(np.ascontiguousarray(item_BK)),
        rows_of(taste_BG),
        rows_of(shares_IG),
        shares_IG.shape[1],
        np.array(cutoffs, dtype=np.int64),
        divergence_XB,
    )
    return divergence_XB
