"""What top-k lists are like beside being right: new, varied, surprising, true to a taste, spread over the catalogue.

Each function takes the first K slots that it is given and returns one value per query, NaN where it is not defined, or
one figure for all lists. Empty slots (-1) hold no item. `genres_IG` says which genres, categories or tags an item has;
its rows may be empty.
"""

import numba
import numpy as np
import numpy.typing as npt
from scipy import sparse

from foretaste.arrays import EMPTY_SLOT, DoubleArray, IntArray, LongArray
from foretaste.models.read_only import read_only
from foretaste.models.sparse_rows import Rows, rows_of

_ALPHA = 0.01
"""How much of the taste is mixed into the genres of a list, so that a missing genre costs much and not infinitely."""


def novelty(item_BK: IntArray, num_users_I: LongArray, num_users: int) -> DoubleArray:
    """How little known the items of a list are: their mean self-information, in bits.

    −log2(users who met the item / users), averaged over the filled slots (Zhou et al. 2010; Vargas & Castells 2011).
    An item that nobody has met counts as met by one. Users are those with a history. Not defined for an empty list.

    Args:
        item_BK: the lists.
        num_users_I: users who have met each item.
        num_users: users who have met any.
    """
    information_I = -np.log2(np.maximum(num_users_I, 1) / max(num_users, 1))
    return _mean_over_slots(information_I, item_BK)


def popularity_lift(item_BK: IntArray, history_BI: sparse.csr_array, num_users_I: LongArray) -> DoubleArray:
    """How much more popular the items of a list are than those that the user chose: their ratio, less 1.

    Mean popularity of the filled slots over mean popularity of the user's history, minus 1 (Abdollahpouri et al. 2020,
    there over groups of users); popularity is the number of users who have met the item. 0: as popular as the history.
    Not defined for an empty list or history.

    Args:
        item_BK: the lists.
        history_BI: what each user has met.
        num_users_I: users who have met each item.
    """
    popularity_I = num_users_I.astype(np.float64)
    is_met_BI = sparse.csr_array((np.ones(history_BI.nnz), history_BI.indices, history_BI.indptr), history_BI.shape)
    length_B, met_B = np.diff(history_BI.indptr), is_met_BI @ popularity_I
    mean_B = np.divide(met_B, length_B, out=np.full(len(length_B), np.nan), where=length_B > 0)
    return np.asarray(_mean_over_slots(popularity_I, item_BK) / mean_B - 1)


def _mean_over_slots(value_I: DoubleArray, item_BK: IntArray) -> DoubleArray:
    """The mean of the values of the filled slots; NaN without any."""
    is_filled_BK = item_BK != EMPTY_SLOT
    filled_B = is_filled_BK.sum(axis=1)
    total_B = np.where(is_filled_BK, value_I[item_BK], 0.0).sum(axis=1)
    mean_B: DoubleArray = np.divide(total_B, filled_B, out=np.full(len(item_BK), np.nan), where=filled_B > 0)
    return mean_B


def popularity_rank(num_users_I: LongArray) -> IntArray:
    """rank_I: 0 for the most popular item; of equals the lower index first."""
    rank_I = np.empty(len(num_users_I), dtype=np.int32)
    rank_I[np.argsort(-num_users_I, kind="stable")] = np.arange(len(num_users_I), dtype=np.int32)
    return rank_I


@numba.njit(cache=True, nogil=True)
def _count_unexpected(
    item_BK: IntArray,
    hit_BK: DoubleArray,
    rank_I: IntArray,
    exclude: Rows,
    candidates: Rows,
    ranks_all: bool,
    unexpected_B: DoubleArray,
) -> None:  # pragma: no cover
    num_queries, depth = item_BK.shape
    for b in range(num_queries):
        seen = exclude.indices[exclude.indptr[b] : exclude.indptr[b + 1]]
        ranked = candidates.indices[candidates.indptr[b] : candidates.indptr[b + 1]]
        count = 0
        for k in range(depth):
            if hit_BK[b, k] == 0.0:
                continue
            own = rank_I[item_BK[b, k]]
            if own < depth:
                continue  # whatever is left out, the popular list of as many slots has it
            before = 0
            if ranks_all:
                if own - len(seen) >= depth:
                    before = depth
                else:
                    before = own
                    for item in seen:
                        before -= rank_I[item] < own
            else:
                for item in ranked:
                    before += rank_I[item] < own
            count += before >= depth
        unexpected_B[b] = count / depth


def serendipity(
    item_BK: IntArray,
    hit_BK: DoubleArray,
    rank_I: IntArray,
    exclude_BI: sparse.csr_array | None = None,
    candidate_BI: sparse.csr_array | None = None,
) -> DoubleArray:
    """The share of the list that is relevant and that the popular list would not have shown.

    Hits that are not among the K most popular items which the user may get (the same exclusions and candidates, equal
    popularity by item index), over K (after Murakami et al. 2008 and Ge et al. 2010, the popular list as the primitive
    model). Popularity itself has 0.

    Args:
        item_BK: the lists.
        hit_BK: 1 where a slot holds a relevant item.
        rank_I: from `popularity_rank`.
        exclude_BI: items that a user may not get, with every item ranked.
        candidate_BI: the only items that a user may get, those of `exclude_BI` left out; None for all.
    """
    nothing = sparse.csr_array((len(item_BK), len(rank_I)), dtype=np.float32)
    value_B = np.empty(len(item_BK), dtype=np.float64)
    _count_unexpected(
        read_only(np.ascontiguousarray(item_BK)),
        read_only(np.ascontiguousarray(hit_BK, dtype=np.float64)),
        read_only(rank_I),
        rows_of(nothing if exclude_BI is None else exclude_BI),
        rows_of(nothing if candidate_BI is None else candidate_BI),
        candidate_BI is None,
        value_B,
    )
    return value_B


def genre_shares(genres_IG: sparse.csr_array) -> sparse.csr_array:
    """p(g | i): 1 / the number of genres of the item, for each that it has."""
    count_I = np.diff(genres_IG.indptr)
    return sparse.csr_array(
        (np.repeat(1 / np.maximum(count_I, 1), count_I).astype(np.float32), genres_IG.indices, genres_IG.indptr),
        shape=genres_IG.shape,
    )


@numba.njit(cache=True, nogil=True)
def _mean_distance(item_BK: IntArray, genres: Rows, num_genres: int, value_B: DoubleArray) -> None:  # pragma: no cover
    """The cosine with all items before is one dot product with the sum of their unit vectors."""
    sum_G = np.zeros(num_genres, dtype=np.float64)
    for b in range(len(item_BK)):
        described, similarity = 0, 0.0
        for item in item_BK[b]:
            if item < 0:
                continue
            start, stop = genres.indptr[item], genres.indptr[item + 1]
            if start == stop:
                continue
            unit = 1.0 / np.sqrt(stop - start)
            for n in range(start, stop):
                similarity += unit * sum_G[genres.indices[n]]
                sum_G[genres.indices[n]] += unit
            described += 1
        for item in item_BK[b]:
            if item >= 0:
                for n in range(genres.indptr[item], genres.indptr[item + 1]):
                    sum_G[genres.indices[n]] = 0.0
        pairs = described * (described - 1) / 2
        value_B[b] = 1.0 - similarity / pairs if pairs > 0 else np.nan


def diversity(item_BK: IntArray, genres_IG: sparse.csr_array) -> DoubleArray:
    """How unlike each other the items of a list are: the mean distance of its pairs by genre.

    Distance is 1 − cosine of the genre sets, |A ∩ B| / √(|A| |B|) (intra-list diversity, after Ziegler et al. 2005).
    Items without genres are left out. 0: all have the same genres; 1: no two share one. Not defined for fewer than two
    items with genres.

    Args:
        item_BK: the lists.
        genres_IG: a stored entry for each genre of each item.
    """
    value_B = np.empty(len(item_BK), dtype=np.float64)
    _mean_distance(read_only(np.ascontiguousarray(item_BK)), rows_of(genres_IG), genres_IG.shape[1], value_B)
    return value_B


@numba.njit(cache=True, nogil=True)
def _divergence(
    item_BK: IntArray, taste: Rows, shares: Rows, num_genres: int, value_B: DoubleArray
) -> None:  # pragma: no cover
    shown_G = np.zeros(num_genres, dtype=np.float64)
    for b in range(len(item_BK)):
        start, stop = taste.indptr[b], taste.indptr[b + 1]
        weight = 0.0
        for n in range(start, stop):
            weight += taste.data[n]
        described = 0
        for item in item_BK[b]:
            if item >= 0 and shares.indptr[item] < shares.indptr[item + 1]:
                described += 1
                for n in range(shares.indptr[item], shares.indptr[item + 1]):
                    shown_G[shares.indices[n]] += shares.data[n]
        if weight > 0.0 and described > 0:
            divergence = 0.0
            for n in range(start, stop):
                p = taste.data[n] / weight
                q = shown_G[taste.indices[n]] / described
                if p > 0.0:
                    divergence += p * np.log(p / ((1.0 - _ALPHA) * q + _ALPHA * p))
            value_B[b] = max(divergence, 0.0)  # shares are rounded, so that those of equals may differ a little
        else:
            value_B[b] = np.nan
        for item in item_BK[b]:
            if item >= 0:
                for n in range(shares.indptr[item], shares.indptr[item + 1]):
                    shown_G[shares.indices[n]] = 0.0


def calibration(item_BK: IntArray, taste_BG: sparse.csr_array, shares_IG: sparse.csr_array) -> DoubleArray:
    """How far the genres of a list are from those of the user's history: a Kullback-Leibler divergence, in nats.

    Σ over genres of p log(p / q̃), q̃ = 0.99 q + 0.01 p (Steck 2018). p: genres of the history, events by their weight,
    the genres of an item in equal shares; q: the same of the filled slots, each slot alike. Items without genres are
    left out. 0: the list has the genres of the history, in proportion; lower is better. Not defined where the history
    or the list has no item with a genre.

    Args:
        item_BK: the lists.
        taste_BG: history_BI @ shares_IG; rows need not sum to 1.
        shares_IG: from `genre_shares`.
    """
    value_B = np.empty(len(item_BK), dtype=np.float64)
    _divergence(
        read_only(np.ascontiguousarray(item_BK)), rows_of(taste_BG), rows_of(shares_IG), shares_IG.shape[1], value_B
    )
    return value_B


def coverage(item_BK: IntArray, num_items: int) -> float:
    """The share of the catalogue's items that stand in any user's list.

    Args:
        item_BK: the lists of all users.
        num_items: items of the catalogue, those without events included.
    """
    return float(np.count_nonzero(_times_shown(item_BK, num_items)) / num_items)


def gini(item_BK: IntArray, num_items: int) -> float:
    """How unequally the lists show the items of the catalogue: the Gini index of how often each one is shown.

    Over all items of the catalogue, those never shown included. 0: each equally often; near 1: all lists show the same
    few. 0 where nothing is shown.

    Args:
        item_BK: the lists of all users.
        num_items: items of the catalogue, those without events included.
    """
    return gini_index(_times_shown(item_BK, num_items))


def gini_index(counts_I: npt.ArrayLike) -> float:
    """Gini index of n counts: Σ_j (2j − n − 1) x_j / (n Σ x), x ascending; 0 where they sum to 0."""
    ascending_I = np.sort(np.asarray(counts_I, dtype=np.float64))
    num_counts, total = len(ascending_I), ascending_I.sum()
    return (
        float((2 * np.arange(1, num_counts + 1) - num_counts - 1) @ ascending_I / (num_counts * total))
        if total
        else 0.0
    )


def _times_shown(item_BK: IntArray, num_items: int) -> LongArray:
    return np.bincount(item_BK[item_BK != EMPTY_SLOT], minlength=num_items)
