"""What the vectors of an embedding model are like: their lengths, their neighbourhoods, and where users stand."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from foretaste.arrays import DoubleArray, FloatArray, LongArray
from foretaste.evaluation.diagnostics.correlation import pearson
from foretaste.evaluation.diagnostics.metadata import Categories
from foretaste.evaluation.significance import Estimate, bootstrap
from foretaste.models.topk import queries_per_block, rank

_BINS = 20
_LEVELS = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_EQUAL = 1e-4
"""Relative spread of lengths below which they count as equal, as they are under a cosine."""


@dataclass(frozen=True)
class Norms:
    """Lengths of vectors."""

    num_vectors: int
    mean: float
    stdev: float
    quantiles: dict[str, float]
    """`min`, `5%`, `25%`, `50%`, `75%`, `95%`, `max`."""
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    """Vectors between two edges."""
    r_events: float | None
    """Pearson's r of the length with log(1 + events): how much of popularity the length holds. None where all lengths
    are equal."""


def norms(vector_XD: FloatArray, events_X: LongArray) -> Norms | None:
    """Lengths of the vectors of users or items with events; None where there are none.

    Args:
        vector_XD: one a row.
        events_X: events of each user or item.
    """
    length_X = np.linalg.norm(vector_XD[events_X > 0].astype(np.float64), axis=1)
    if not len(length_X):
        return None
    mean, stdev = float(length_X.mean()), float(length_X.std())
    are_equal = stdev <= _EQUAL * mean
    counts, edges = np.histogram(length_X, bins=1 if are_equal else _BINS)
    names = ("min", *(f"{level:.0%}" for level in _LEVELS[1:-1]), "max")
    quantiles = dict(zip(names, np.quantile(length_X, _LEVELS).tolist(), strict=True))
    r = None if are_equal else pearson(np.log1p(events_X[events_X > 0]), length_X[:, None])[0]
    return Norms(
        len(length_X),
        mean,
        stdev,
        quantiles,
        tuple(edges.tolist()),
        tuple(counts.tolist()),
        None if r is None or np.isnan(r) else float(r),
    )


@dataclass(frozen=True)
class Cohesion:
    """How much alike the neighbours of an item are."""

    column: str
    share: Estimate
    """Mean share of an item's nearest neighbours that have a value of the column in common with it."""
    expected: float
    """The same share among all other items: what neighbours drawn at random would reach."""
    neighbor_k: int
    num_items: int
    """Items whose neighbours were looked at."""


def cohesion(
    item_ID: FloatArray, events_I: LongArray, categories: Categories, neighbor_k: int, sample_size: int, seed: int
) -> Cohesion | None:
    """Whether items that are near have a category in common.

    Taken part have items with events, a category and a vector that is not zero. For each of a random sample of them the
    `neighbor_k` nearest others by cosine are found, and the share of those that have at least one category in common
    with it. What neighbours drawn at random would reach is counted exactly: the share of all others that have one in
    common. None where fewer than two items take part.
    """
    is_in_I = (events_I > 0) & categories.is_known_I & np.any(item_ID, axis=1)
    vector_ED, has_EC = _unit(item_ID[is_in_I]), categories.has_IC[is_in_I]
    num_items = len(vector_ED)
    if num_items < 2:
        return None
    k = min(neighbor_k, num_items - 1)
    drawn = np.sort(np.random.default_rng(seed).permutation(num_items)[:sample_size])
    shares, expected = [], []
    size = queries_per_block(num_items)
    for start in range(0, len(drawn), size):
        block = drawn[start : start + size]
        ones = np.ones(len(block), dtype=np.float32)
        itself_BE = sparse.csr_array((ones, (np.arange(len(block)), block)), shape=(len(block), num_items))
        nearest_BK = rank(vector_ED[block] @ vector_ED.T, k, exclude_BI=itself_BE).item_BK
        is_alike_BE = (has_EC[block] @ has_EC.T).toarray() > 0
        shares.append(np.take_along_axis(is_alike_BE, nearest_BK, axis=1).mean(axis=1))
        expected.append((is_alike_BE.sum(axis=1) - 1) / (num_items - 1))
    (share,) = bootstrap(np.concatenate(shares)[:, None])
    return Cohesion(categories.column, share, float(np.concatenate(expected).mean()), k, len(drawn))


@dataclass(frozen=True)
class Alignment:
    """Whether users stand near what they like."""

    column: str
    liked: Estimate
    """Mean cosine of a user's vector with the centres of the values that the user likes."""
    others: Estimate
    """The same with the centres of all other values."""
    difference: Estimate
    """The first minus the second, user by user."""
    num_users: int
    """Users who like some values and not all."""


def alignment(
    user_BD: FloatArray,
    liked_BC: sparse.csr_array,
    item_ID: FloatArray,
    events_I: LongArray,
    categories: Categories,
) -> Alignment | None:
    """Whether the vectors of users are nearer to the categories that they like than to the others.

    The centre of a category is the mean of the vectors of its items with events, each scaled to length 1. A user's
    figure is the mean cosine with the centres of the categories that `metadata.liked` names, and that with the centres
    of all others; the mean of both over users, and of their difference, are what is told. Users without a vector, who
    like nothing or like everything, take no part. None where nobody does.
    """
    is_in_I = (events_I > 0) & np.any(item_ID, axis=1)
    unit_ED, has_EC = _unit(item_ID[is_in_I]), categories.has_IC[is_in_I]
    count_C = np.asarray(has_EC.sum(axis=0)).ravel()
    is_in_C = count_C > 0
    centre_CD = _unit((has_EC.T @ unit_ED)[is_in_C] / count_C[is_in_C, None])
    liked_BC = liked_BC[:, is_in_C]
    liked_BC.data = np.ones_like(liked_BC.data)
    num_liked_B, num_values = np.diff(liked_BC.indptr), len(centre_CD)
    is_in_B = (num_liked_B > 0) & (num_liked_B < num_values) & np.any(user_BD, axis=1)
    if not is_in_B.any():
        return None
    user_BD, liked_BC, num_liked_B = _unit(user_BD[is_in_B]), liked_BC[is_in_B], num_liked_B[is_in_B]
    means: list[DoubleArray] = []
    size = queries_per_block(num_values)
    for start in range(0, len(user_BD), size):
        rows = slice(start, start + size)
        cosine_BC = (user_BD[rows] @ centre_CD.T).astype(np.float64)
        of_liked_B = np.asarray(liked_BC[rows].multiply(cosine_BC).sum(axis=1)).ravel()
        of_others_B = cosine_BC.sum(axis=1) - of_liked_B
        count_B = num_liked_B[rows]
        means.append(np.column_stack([of_liked_B / count_B, of_others_B / (num_values - count_B)]))
    mean_B2 = np.concatenate(means)
    of_liked, of_others, difference = bootstrap(np.column_stack([mean_B2, mean_B2[:, 0] - mean_B2[:, 1]]))
    return Alignment(categories.column, of_liked, of_others, difference, len(mean_B2))


def _unit(vector_XD: FloatArray) -> FloatArray:
    """Each row scaled to length 1; a zero row stays."""
    length_X1 = np.linalg.norm(vector_XD, axis=1, keepdims=True)
    scaled_XD: FloatArray = np.divide(vector_XD, length_X1, out=np.zeros_like(vector_XD), where=length_X1 > 0)
    return scaled_XD.astype(np.float32, copy=False)
