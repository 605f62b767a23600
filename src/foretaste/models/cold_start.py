"""What a user without any history gets: popularity, said to be so.

Evaluation and serving share this, so that a cold user is judged by the list that it would be shown.
"""

import numpy as np

from foretaste.arrays import BoolArray, FloatArray
from foretaste.models.protocol import Query, Scorer


def score_or_popularity(model: Scorer, query: Query, popularity_I: FloatArray) -> tuple[FloatArray, BoolArray]:
    """scores_BI of the model, with the rows of cold users replaced by popularity.

    Returns:
        scores_BI, and is_fallback_B: True for the rows that popularity answered.
    """
    scores_BI = model.score(query)
    is_fallback_B = query.is_cold_B
    if is_fallback_B.any():
        scores_BI = np.where(is_fallback_B[:, None], popularity_I.astype(np.float32), scores_BI)
    return scores_BI, is_fallback_B
