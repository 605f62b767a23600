"""Which items of a history a recommendation comes from."""

import numpy as np
from scipy import sparse

from foretaste.arrays import FloatArray, IntArray
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


def contributions(model: Recommender, query: Query, item: int) -> tuple[float, FloatArray]:
    """The score of an item, and how much of it each item of the history brings.

    An item brings what the score loses without it: exact for item-item models, where a score is the sum of its parts,
    and for the others the difference that the item makes to the vector of the user.

    Args:
        model: fitted.
        query: one user, known by the history, at least one item.
        item: whose score.

    Returns:
        The score, and contribution_H in the order of the history's items; negative where an item lowers the score.
    """
    history = query.history_BI
    item_H, weight_H, num_left = history.indices, history.data, history.nnz - 1
    others_HL = (np.arange(num_left) + (np.arange(num_left) >= np.arange(history.nnz)[:, None])).ravel()
    without_HI = sparse.csr_array(
        (weight_H[others_HL], item_H[others_HL], np.arange(history.nnz + 1) * num_left),
        shape=(history.nnz, history.shape[1]),
    )
    score = float(model.score(query)[0, item])
    contribution_H: FloatArray = np.float32(score) - model.score(Query.of_history(without_HI))[:, item]
    return score, contribution_H
