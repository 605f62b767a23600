"""What items are about: their genres or categories and their authors, and which of those a user likes."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse

from foretaste.arrays import BoolArray
from foretaste.data.interactions import Dataset
from foretaste.data.schemas import AUTHOR, GENRES

CATEGORY_COLUMNS = (GENRES, AUTHOR)
"""Columns of the catalogue that say what an item is about, or by whom."""


@dataclass(frozen=True, eq=False)
class Categories:
    """The values of one column: which item has which."""

    column: str
    names: list[str]
    """Of the C values, in order of text."""
    has_IC: sparse.csr_array
    """1.0 where an item has a value, float32."""

    @property
    def is_known_I(self) -> BoolArray:
        """True for an item that has any value."""
        return np.asarray(np.diff(self.has_IC.indptr) > 0)


def categories_of(dataset: Dataset) -> list[Categories]:
    """Those of `CATEGORY_COLUMNS` that the catalogue has, and in which at least one item has a value."""
    found = (_categories(dataset.catalogue, column) for column in CATEGORY_COLUMNS)
    return [one for one in found if one is not None]


def _categories(catalogue: pl.DataFrame, column: str) -> Categories | None:
    if column not in catalogue.columns:
        return None
    values = catalogue[column]
    lists = values if isinstance(values.dtype, pl.List) else values.cast(pl.String).reshape((-1, 1)).arr.to_list()
    pairs = (
        pl.DataFrame({"item": np.arange(len(catalogue)), "name": lists.cast(pl.List(pl.String))})
        .explode("name")
        .filter(pl.col("name").str.strip_chars() != "")
        .unique()
    )
    names = pairs["name"].unique().sort().to_list()
    if not names:
        return None
    value_N = pairs["name"].cast(pl.Enum(names)).to_physical().to_numpy().astype(np.int64)
    ones_N = np.ones(len(pairs), dtype=np.float32)
    shape = (len(catalogue), len(names))
    return Categories(column, names, sparse.coo_array((ones_N, (pairs["item"].to_numpy(), value_N)), shape).tocsr())


def liked(history_BI: sparse.csr_array, all_UI: sparse.csr_array, categories: Categories) -> sparse.csr_array:
    """liked_BC: how much a user likes a value, above 1; no entry for what the user does not like.

    A user likes a value when its share of the user's events is above its share of everybody's; how much is told by the
    ratio of the two. An event with an item of several values counts as one with each of them.

    Args:
        history_BI: the events of B users.
        all_UI: the events of everybody.
        categories: of the items.
    """
    ones_N = np.ones(history_BI.nnz)
    met_BI = sparse.csr_array((ones_N, history_BI.indices, history_BI.indptr), shape=history_BI.shape)
    own_BC = (met_BI @ categories.has_IC).tocsr()
    everybody_C = np.bincount(all_UI.indices, minlength=all_UI.shape[1]) @ categories.has_IC
    share_C = everybody_C / max(everybody_C.sum(), 1)
    own_B = np.repeat(np.asarray(own_BC.sum(axis=1)).ravel(), np.diff(own_BC.indptr))
    ratio_N = own_BC.data / own_B / share_C[own_BC.indices]
    ratio_N[ratio_N <= 1] = 0
    liked_BC = sparse.csr_array((ratio_N.astype(np.float32), own_BC.indices, own_BC.indptr), shape=own_BC.shape)
    liked_BC.eliminate_zeros()
    return liked_BC
