"""Who asks: what is known of a user from the training and from the request."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from foretaste.arrays import UNKNOWN, FloatArray, IntArray
from foretaste.artifacts.bundle import Bundle
from foretaste.models.protocol import Query
from foretaste.serving.answers import RecommendRequest


@dataclass(frozen=True, eq=False)
class Asker:
    """A user, as a model and the filters need to know them."""

    user: int
    """Index of a user whose history is the stored one; -1 for any other, who is known by the history."""
    item_H: IntArray
    """The history, sorted; the seeds of a user without one."""
    weight_H: FloatArray
    num_seeds: int
    """How many seeds stand for a history; 0 where there is a history."""
    dismissed_H: IntArray
    """Never to be shown."""

    def query(self, num_items: int) -> Query:
        """What a model is asked. A user with nothing new is asked for by index, as in evaluation."""
        return Query(np.array([self.user], dtype=np.int32), history_row(self.item_H, self.weight_H, num_items))


class Audience:
    """The users of a bundle."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        weights_UI = bundle.history.weights_UI
        self._indptr, self._item_N, self._weight_N = weights_UI.indptr, weights_UI.indices, weights_UI.data

    def asker(self, request: RecommendRequest) -> Asker:
        """Who asks. A known user with news is known by the whole history, as a stranger would be."""
        user = UNKNOWN if request.user_id is None else self._bundle.users.index(request.user_id)
        start, stop = self.span(user)
        stored_H, weight_H = self._item_N[start:stop], self._weight_N[start:stop]
        if not (request.history or request.dismissed) and stop > start:
            return Asker(user, stored_H, weight_H, 0, _NOBODY)
        dismissed_H = self.known(request.dismissed)
        new_H = np.setdiff1d(self.known(request.history), np.concatenate([stored_H, dismissed_H]))
        item_H = np.concatenate([stored_H, new_H])
        weight_H = np.concatenate([weight_H, np.ones(len(new_H), dtype=np.float32)])
        is_met_H = ~np.isin(item_H, dismissed_H)
        if not len(new_H) and is_met_H.all() and len(item_H):
            return Asker(user, stored_H, weight_H, 0, dismissed_H)
        order_H = np.flatnonzero(is_met_H)[np.argsort(item_H[is_met_H])]
        if len(order_H):
            return Asker(UNKNOWN, item_H[order_H], weight_H[order_H], 0, dismissed_H)
        seed_H = np.setdiff1d(self.known(request.seeds), dismissed_H)
        return Asker(UNKNOWN, seed_H, np.ones(len(seed_H), dtype=np.float32), len(seed_H), dismissed_H)

    def known(self, item_ids: Sequence[str]) -> IntArray:
        """The indices of the ids that the bundle holds."""
        indices = (self._bundle.items.index(item_id) for item_id in item_ids)
        return np.array([index for index in indices if index != UNKNOWN], dtype=np.int32)

    def span(self, user: int) -> tuple[int, int]:
        """Where the stored history of a user begins and ends; empty for a user who is unknown."""
        return (0, 0) if user == UNKNOWN else (int(self._indptr[user]), int(self._indptr[user + 1]))


_NOBODY = np.zeros(0, dtype=np.int32)


def history_row(item_H: IntArray, weight_H: FloatArray, num_items: int) -> sparse.csr_array:
    """history_1I of sorted items."""
    indptr = np.array([0, len(item_H)], dtype=item_H.dtype)
    return sparse.csr_array((weight_H, item_H, indptr), shape=(1, num_items))
