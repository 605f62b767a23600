"""A candidate as the ranker sees it: one row of numbers for a user and an item.

For each retriever, how far the item is behind its best candidate, in standard deviations of its candidates, and its
rank among them: both mean the same whatever the scale of a model's scores. For each number that is known of items, the
number and how far it is from the mean of the user's history. For each column of words, how much of the history lies in
the item's words. At last the size of the history.
"""

import numba
import numpy as np

from foretaste.arrays import FloatArray, IntArray, LongArray
from foretaste.models.protocol import Query
from foretaste.models.read_only import read_only
from foretaste.models.sparse_rows import Rows, rows_of
from foretaste.models.two_stage.candidates import Candidates
from foretaste.models.two_stage.facts import Facts

BASE_RANK = 1
"""The column with the rank that the first retriever gives, counted from 0."""


def praise(num_retrievers: int, num_features: int) -> list[int]:
    """For each column 1 where more of it is praise by a retriever, -1 where less of it is, and 0 for all others."""
    return [1, -1] * num_retrievers + [0] * (num_features - 2 * num_retrievers)


@numba.njit(cache=True, nogil=True)
def _standing(
    item_C: IntArray, scores_I: FloatArray, standing_C: FloatArray, rank_C: FloatArray
) -> None:  # pragma: no cover
    score_C = scores_I[item_C].astype(np.float64)
    stdev, best = score_C.std(), score_C.max()
    for c in range(len(item_C)):
        standing_C[c] = (score_C[c] - best) / stdev if stdev > 0.0 else 0.0
    # Of equal scores the lower item comes first, as everywhere.
    for place, c in enumerate(np.argsort(-score_C, kind="mergesort")):
        rank_C[c] = place


@numba.njit(cache=True, nogil=True)
def _numbers(
    item_C: IntArray, item_H: IntArray, weight_H: FloatArray, number_IF: FloatArray, feature_CF: FloatArray
) -> None:  # pragma: no cover
    """The numbers of each item, and then their distances from the weighted mean of the history's."""
    num_numbers = number_IF.shape[1]
    mean_F, total = np.zeros(num_numbers, dtype=np.float64), 0.0
    for h in range(len(item_H)):
        total += weight_H[h]
        for f in range(num_numbers):
            mean_F[f] += weight_H[h] * number_IF[item_H[h], f]
    for f in range(num_numbers):
        mean_F[f] = mean_F[f] / total if total > 0.0 else 0.0
    for c in range(len(item_C)):
        for f in range(num_numbers):
            number = number_IF[item_C[c], f]
            feature_CF[c, f] = number
            feature_CF[c, num_numbers + f] = number - mean_F[f]


@numba.njit(cache=True, nogil=True)
def _matches(
    item_C: IntArray,
    item_H: IntArray,
    weight_H: FloatArray,
    words: Rows,
    column_V: IntArray,
    profile_V: FloatArray,
    feature_CF: FloatArray,
) -> None:  # pragma: no cover
    """Σ over a column's words of the history's share in a word times the item's; profile_V is zero, and is so again."""
    total = np.float32(0.0)
    for h in range(len(item_H)):
        total += weight_H[h]
        for n in range(words.indptr[item_H[h]], words.indptr[item_H[h] + 1]):
            profile_V[words.indices[n]] += weight_H[h] * words.data[n]
    feature_CF[:] = 0.0
    for c in range(len(item_C)):
        for n in range(words.indptr[item_C[c]], words.indptr[item_C[c] + 1]):
            word = words.indices[n]
            feature_CF[c, column_V[word]] += words.data[n] * profile_V[word]
        if total > 0.0:
            feature_CF[c] /= total
    for h in range(len(item_H)):
        for n in range(words.indptr[item_H[h]], words.indptr[item_H[h] + 1]):
            profile_V[words.indices[n]] = 0.0


@numba.njit(cache=True, nogil=True)
def _describe_rows(
    start: int,
    stop: int,
    indptr_B: LongArray,
    item_N: IntArray,
    scores_RBI: FloatArray,
    history: Rows,
    number_IF: FloatArray,
    words: Rows,
    column_V: IntArray,
    num_columns: int,
    feature_NF: FloatArray,
) -> None:  # pragma: no cover
    profile_V = np.zeros(len(column_V), dtype=np.float32)
    num_scores = 2 * len(scores_RBI)
    num_numbers = 2 * number_IF.shape[1]
    for b in range(start, stop):
        item_C, feature_CF = item_N[indptr_B[b] : indptr_B[b + 1]], feature_NF[indptr_B[b] : indptr_B[b + 1]]
        if len(item_C) == 0:
            continue
        met = slice(history.indptr[b], history.indptr[b + 1])
        item_H, weight_H = history.indices[met], history.data[met]
        for r in range(len(scores_RBI)):
            _standing(item_C, scores_RBI[r, b], feature_CF[:, 2 * r], feature_CF[:, 2 * r + 1])
        after = num_scores + num_numbers
        _numbers(item_C, item_H, weight_H, number_IF, feature_CF[:, num_scores:after])
        _matches(item_C, item_H, weight_H, words, column_V, profile_V, feature_CF[:, after : after + num_columns])
        feature_CF[:, after + num_columns] = np.log1p(len(item_H))


@numba.njit(cache=True, parallel=True)
def _describe_parallel(
    num_queries: int,
    indptr_B: LongArray,
    item_N: IntArray,
    scores_RBI: FloatArray,
    history: Rows,
    number_IF: FloatArray,
    words: Rows,
    column_V: IntArray,
    num_columns: int,
    feature_NF: FloatArray,
) -> None:  # pragma: no cover
    for block in numba.prange((num_queries + 7) // 8):
        _describe_rows(
            8 * block,
            min(8 * block + 8, num_queries),
            indptr_B,
            item_N,
            scores_RBI,
            history,
            number_IF,
            words,
            column_V,
            num_columns,
            feature_NF,
        )


def describe(candidates: Candidates, scores_RBI: FloatArray, query: Query, facts: Facts) -> FloatArray:
    """feature_NF, float32: a row for each candidate of each query, which depends on nothing but that query.

    Args:
        candidates: of B queries, N in all.
        scores_RBI: of each retriever for all items.
        query: the histories.
        facts: of all items.
    """
    num_numbers, num_columns = facts.number_IF.shape[1], facts.num_columns
    num_features = 2 * len(scores_RBI) + 2 * num_numbers + num_columns + 1
    feature_NF = np.empty((len(candidates.item_N), num_features), dtype=np.float32)
    told = (
        read_only(candidates.indptr_B),
        read_only(candidates.item_N),
        read_only(scores_RBI),
        rows_of(query.history_BI),
        read_only(facts.number_IF),
        facts.words,
        read_only(facts.column_V),
        num_columns,
        feature_NF,
    )
    # A single query stays on the calling thread: servers call from many, and waking a pool costs more than it saves.
    if len(query) == 1:
        _describe_rows(0, 1, *told)
    else:
        _describe_parallel(len(query), *told)
    return feature_NF
