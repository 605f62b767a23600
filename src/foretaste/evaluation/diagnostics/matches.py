"""Whether lists hold what users like: the hit ratios of categories and authors."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from foretaste.arrays import EMPTY_SLOT, BoolArray, IntArray
from foretaste.evaluation.diagnostics.metadata import Categories
from foretaste.evaluation.significance import Estimate, bootstrap
from foretaste.models.topk import queries_per_block


@dataclass(frozen=True)
class Matches:
    """How many items of the lists have a value that the user likes."""

    column: str
    share: Estimate
    """Mean over users of the share of their list."""
    expected: float
    """Mean over users of the share of items with events that they have not met: what a random list would reach."""
    num_users: int


def is_match(item_BK: IntArray, liked_BC: sparse.csr_array, categories: Categories) -> BoolArray:
    """match_BK: True for a slot whose item has a value that the user likes."""
    is_liked_BI = (liked_BC @ categories.has_IC.T).toarray() > 0
    match_BK: BoolArray = np.take_along_axis(is_liked_BI, np.maximum(item_BK, 0), axis=1) & (item_BK != EMPTY_SLOT)
    return match_BK


def matches(
    item_BK: IntArray,
    liked_BC: sparse.csr_array,
    history_BI: sparse.csr_array,
    categories: Categories,
    is_in_I: BoolArray,
) -> Matches | None:
    """The hit ratio of the lists, beside that of lists drawn at random; None where nobody has a list.

    Args:
        item_BK: lists of B users.
        liked_BC: what they like, from `metadata.liked`.
        history_BI: what they have met, which is not drawn.
        categories: of the items.
        is_in_I: True for items with events, from which a random list would be drawn.
    """
    filled_B = (item_BK != EMPTY_SLOT).sum(axis=1)
    rows = np.flatnonzero(filled_B)
    if not len(rows):
        return None
    shares, expected = [], []
    size = queries_per_block(len(is_in_I))
    for start in range(0, len(rows), size):
        block = rows[start : start + size]
        shares.append(is_match(item_BK[block], liked_BC[block], categories).sum(axis=1) / filled_B[block])
        is_liked_BI = (liked_BC[block] @ categories.has_IC.T).toarray() > 0
        is_new_BI = is_in_I & (history_BI[block].toarray() == 0)
        expected.append((is_liked_BI & is_new_BI).sum(axis=1) / np.maximum(is_new_BI.sum(axis=1), 1))
    (share,) = bootstrap(np.concatenate(shares)[:, None])
    return Matches(categories.column, share, float(np.concatenate(expected).mean()), len(rows))
