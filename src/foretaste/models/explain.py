"""Which item of a history a recommendation comes from."""

import numpy as np
from scipy import sparse

from foretaste.arrays import IntArray
from foretaste.models.protocol import Query, Recommender


def closest_in_history(model: Recommender, history_H: IntArray, item_K: IntArray, num_items: int) -> IntArray:
    """For each recommended item, the item of the history that alone would have scored it highest.

    It asks every model the same question, so it holds for each that can score a history: exact for item-item models,
    where a score is the sum of its parts, and the nearest reason for the others.

    Args:
        model: fitted.
        history_H: items of one user, at least one.
        item_K: recommended items.
        num_items: size of the catalogue.

    Returns:
        item_K: for each recommendation, an element of `history_H`.
    """
    one_each_HI = sparse.csr_array(
        (np.ones(len(history_H), dtype=np.float32), history_H, np.arange(len(history_H) + 1)),
        shape=(len(history_H), num_items),
    )
    scores_HK = model.score(Query.of_history(one_each_HI))[:, item_K]
    closest_K: IntArray = history_H[scores_HK.argmax(axis=0)]
    return closest_K
