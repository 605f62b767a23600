"""Items whose vectors point the same way, by comparing with all of them."""

import numpy as np

from foretaste.arrays import FloatArray
from foretaste.models.dot_product import dot_scores


def unit_rows(vectors_ID: FloatArray) -> FloatArray:
    """Each row divided by its length; a row of zeros stays one."""
    norm_I1 = np.linalg.norm(vectors_ID, axis=1, keepdims=True)
    units_ID: FloatArray = np.divide(vectors_ID, norm_I1, out=np.zeros_like(vectors_ID), where=norm_I1 > 0)
    return units_ID


class ExactCosine:
    """The cosine of any item with all items; 0 with an item whose vector is zero."""

    def __init__(self, vectors_ID: FloatArray) -> None:
        self._unit_DI = np.ascontiguousarray(unit_rows(np.asarray(vectors_ID, dtype=np.float32)).T)

    def scores(self, item_B: list[int]) -> FloatArray:
        """cosine_BI of each item of `item_B` with all items."""
        return dot_scores(np.ascontiguousarray(self._unit_DI[:, item_B].T), self._unit_DI)
