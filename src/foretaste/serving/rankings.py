"""What an answer is ranked by: the best items of one user, and the score of any."""

import logging
from collections.abc import Callable
from typing import Protocol

import numpy as np

from foretaste.arrays import BoolArray, FloatArray, IntArray
from foretaste.artifacts.bundle import Bundle
from foretaste.artifacts.manifest import REMEDY
from foretaste.errors import ArtifactError
from foretaste.retrieval.ann import INSTALL, NearestItems, is_installed
from foretaste.retrieval.inner_product import InnerProduct
from foretaste.serving.slate import Slate, best_items, by_merit

_log = logging.getLogger(__name__)

_SORTED_AT_ONCE = 256


class Ranking(Protocol):
    """The scores of one user, computed as far as they are asked for."""

    def top(self, k: int, eligible_I: BoolArray) -> Slate:
        """The best k eligible items; where fewer have a score, the most popular of the others follow."""
        ...

    def scores_I(self) -> FloatArray:
        """The scores of all items."""
        ...

    def at(self, item_K: IntArray) -> FloatArray:
        """The scores of some items."""
        ...


class ByScores:
    """A ranking by scores that are there."""

    def __init__(self, scores_I: FloatArray, popularity_I: FloatArray) -> None:
        self._scores_I = scores_I
        self._popularity_I = popularity_I

    def top(self, k: int, eligible_I: BoolArray) -> Slate:
        """The best k eligible items; where fewer have a score, the most popular of the others follow."""
        return best_items(self._scores_I, self._popularity_I, min(k, len(self._scores_I)), eligible_I=eligible_I)

    def scores_I(self) -> FloatArray:
        """The scores of all items."""
        return self._scores_I

    def at(self, item_K: IntArray) -> FloatArray:
        """The scores of some items."""
        return np.asarray(self._scores_I[item_K])


class ByBest:
    """A ranking whose best items are there; all scores are computed only where those do not suffice."""

    def __init__(
        self, item_C: IntArray, score_C: FloatArray, popularity_I: FloatArray, all_scores: Callable[[], FloatArray]
    ) -> None:
        """A ranking that begins with some items.

        Args:
            item_C: items that score above all others.
            score_C: float32.
            popularity_I: decides among equal scores.
            all_scores: of all items, those included.
        """
        self._item_C = item_C
        self._score_C = score_C
        self._popularity_I = popularity_I
        self._all_scores = all_scores

    def top(self, k: int, eligible_I: BoolArray) -> Slate:
        """The best k eligible items; every item has a score."""
        is_eligible_C = eligible_I[self._item_C]
        if np.count_nonzero(is_eligible_C) >= k:
            item_K, score_K = by_merit(self._item_C[is_eligible_C], self._score_C[is_eligible_C], self._popularity_I)
            return Slate(item_K[:k], score_K[:k], k)
        return ByScores(self._all_scores(), self._popularity_I).top(k, eligible_I)

    def scores_I(self) -> FloatArray:
        """The scores of all items."""
        return self._all_scores()

    def at(self, item_K: IntArray) -> FloatArray:
        """The scores of some items."""
        return np.asarray(self._all_scores()[item_K])


class ByVector:
    """A ranking by dot products, of which only as many are computed as it takes."""

    def __init__(
        self,
        user_D: FloatArray,
        items: InnerProduct,
        popularity_I: FloatArray,
        all_scores: Callable[[], FloatArray] | None = None,
    ) -> None:
        """A ranking of `items` for one vector.

        Args:
            user_D: float32.
            items: what is ranked.
            popularity_I: decides among equal scores.
            all_scores: the same scores, at once for all items, where there is a quicker way than one by one.
        """
        self._user_D = user_D
        self._items = items
        self._popularity_I = popularity_I
        self._all_scores = all_scores

    def top(self, k: int, eligible_I: BoolArray) -> Slate:
        """The best k eligible items; every item has a score."""
        item_C, score_C = self._items.contenders(self._user_D, k, eligible_I)
        if len(item_C) > _SORTED_AT_ONCE:
            best = best_items(score_C, self._popularity_I[item_C], min(k, len(item_C)))
            return Slate(item_C[best.item_K], best.score_K, best.num_scored)
        item_K, score_K = by_merit(item_C, score_C, self._popularity_I)
        return Slate(item_K[:k], score_K[:k], min(k, len(item_C)))

    def at(self, item_K: IntArray) -> FloatArray:
        """The scores of some items."""
        return self._items.at(self._user_D, item_K)

    def scores_I(self) -> FloatArray:
        """The scores of all items."""
        if self._all_scores is not None:
            return self._all_scores()
        return self.at(np.arange(len(self._popularity_I), dtype=np.int32))


class ByNeighbours:
    """A ranking by nearness whose best items an index finds; under a selective filter, and for more, it is exact."""

    def __init__(self, unit_D: FloatArray, index: NearestItems, exact: ByVector, popularity_I: FloatArray) -> None:
        self._unit_D = unit_D
        self._index = index
        self._exact = exact
        self._popularity_I = popularity_I
        self.at = exact.at
        self.scores_I = exact.scores_I

    def top(self, k: int, eligible_I: BoolArray) -> Slate:
        """The best k eligible items that the index finds, with their full scores; where it finds fewer, exactly."""
        if 2 * np.count_nonzero(eligible_I) >= len(eligible_I):
            found_C = self._index.search(self._unit_D, 2 * (k + 1))
            item_C = found_C[eligible_I[found_C]]
            if len(item_C) >= k:
                item_K, score_K = by_merit(item_C, self.at(item_C), self._popularity_I)
                return Slate(item_K[:k], score_K[:k], k)
        return self._exact.top(k, eligible_I)


def nearest_items(bundle: Bundle) -> NearestItems | None:
    """The index of a bundle; None where it has none, or where FAISS is not installed, which the log says.

    Raises:
        ArtifactError: the index cannot be read.
    """
    if bundle.manifest.item_index is None or not bundle.manifest.item_index.is_served:
        return None
    if not is_installed():
        _log.warning("%s has an index, but faiss is not installed: exact search answers. `%s`", bundle.id, INSTALL)
        return None
    try:
        return NearestItems(bundle.folder, len(bundle.items))
    except ValueError as error:
        raise ArtifactError(f"{bundle.folder}: {error}. {REMEDY}") from error
