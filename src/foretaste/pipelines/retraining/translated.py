"""A bundle that answers for users and items of other data, as it would if these users asked it now."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from foretaste.arrays import UNKNOWN, BoolArray, FloatArray, IntArray
from foretaste.artifacts.bundle import Bundle
from foretaste.data.vocabulary import Vocabulary
from foretaste.models.protocol import Query, Recommender


class _Own(NamedTuple):
    """Indices of the bundle, -1 for what it does not know."""

    user_U: IntArray
    item_I: IntArray


class Translated:
    """A model over the vocabularies of other data. Ids join the two.

    A user is asked for as the service asks: one whose stored history says all that is known, by index; one with news by
    the whole history, stored and new, which is folded in. An item that the bundle does not know gets -inf: it cannot be
    shown. Items that only the bundle knows are left out, since nobody could be found to want them: whatever they take
    from its lists in service is not held against it.
    """

    def __init__(self, bundle: Bundle, users: Vocabulary, items: Vocabulary) -> None:
        """Find the ids of the data in the bundle.

        Raises:
            ArtifactError: this foretaste cannot restore the bundle's model.
        """
        self.model: Recommender = bundle.model()
        self._bundle = bundle
        self._own = _Own(bundle.users.indices(users.ids), bundle.items.indices(items.ids))
        self._is_same = np.array_equal(self._own.item_I, np.arange(len(bundle.items)))

    @property
    def is_known_I(self) -> BoolArray:
        """True for the items that the bundle can show."""
        return np.asarray(self._own.item_I != UNKNOWN)

    @property
    def popularity_I(self) -> FloatArray:
        """What the bundle shows to users without a history: its own counts, -inf for an item that it does not know."""
        own_I = self._own.item_I
        return np.where(own_I == UNKNOWN, -np.inf, self._bundle.popularity_I[own_I]).astype(np.float32)

    def score(self, query: Query) -> FloatArray:
        """scores_BI over the items of the data."""
        own_user_B = np.where(query.user_B == UNKNOWN, UNKNOWN, self._own.user_U[query.user_B]).astype(np.int32)
        own = self._as_known(own_user_B, query.history_BI)
        scores_BJ = self.model.score(own)
        if self._is_same:
            return scores_BJ
        scores_BI = np.full((len(query), len(self._own.item_I)), -np.inf, dtype=np.float32)
        scores_BI[:, self.is_known_I] = scores_BJ[:, self._own.item_I[self.is_known_I]]
        return scores_BI

    def _as_known(self, own_user_B: IntArray, history_BI: sparse.csr_array) -> Query:
        stored_UJ = self._bundle.history.weights_UI
        is_known_B = own_user_B != UNKNOWN
        stored_BJ = sparse.csr_array(stored_UJ[np.where(is_known_B, own_user_B, 0)])
        if not is_known_B.all():
            stored_BJ = sparse.csr_array(sparse.diags_array(is_known_B.astype(np.float32)) @ stored_BJ)
            stored_BJ.eliminate_zeros()
        now_BJ = self._in_own_items(history_BI)
        is_stored_BJ = _ones(stored_BJ)
        news_BJ = sparse.csr_array(now_BJ - now_BJ.multiply(is_stored_BJ))
        news_BJ.eliminate_zeros()
        has_news_B = np.diff(news_BJ.indptr) > 0
        whole_BJ = sparse.csr_array(stored_BJ + news_BJ, dtype=np.float32)
        whole_BJ.sort_indices()
        return Query(np.where(has_news_B, UNKNOWN, own_user_B).astype(np.int32), whole_BJ)

    def _in_own_items(self, history_BI: sparse.csr_array) -> sparse.csr_array:
        row_N = np.repeat(np.arange(history_BI.shape[0]), np.diff(history_BI.indptr))
        own_N = self._own.item_I[history_BI.indices]
        known_N = own_N != UNKNOWN
        shape = (history_BI.shape[0], len(self._bundle.items))
        place = (row_N[known_N], own_N[known_N])
        return sparse.coo_array((history_BI.data[known_N], place), shape=shape, dtype=np.float32).tocsr()


def _ones(matrix: sparse.csr_array) -> sparse.csr_array:
    return sparse.csr_array((np.ones_like(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)
