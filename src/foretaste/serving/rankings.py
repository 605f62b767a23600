"""What an answer is ranked by: the best items of one user, and the score of any."""

from typing import Protocol

import numpy as np

from foretaste.arrays import BoolArray, FloatArray, IntArray
from foretaste.serving.slate import Slate, best_items


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
