"""A tower without ids, in NumPy: where a server places users that the training never saw.

The same maths as `towers.py` in evaluation mode. Products are summed in an order that does not depend on the batch.
"""

import numpy as np
from scipy.special import expit

from foretaste.arrays import FloatArray
from foretaste.data.features import FeatureTable
from foretaste.models.dot_product import dot_scores
from foretaste.models.protocol import State
from foretaste.models.two_tower.config import Fusion, Similarity

BY_ROW = ("ids.", "augmented.", "join.")
"""How the names of weights begin that only rows with an id need."""
TOWERS = "towers."
"""How the names of weights begin in a state that are kept for a warm start alone."""


class FeatureTower:
    """Places rows by their features alone."""

    def __init__(self, weights: State, fusion: Fusion, similarity: Similarity) -> None:
        self.weights = weights
        self.fusion = fusion
        self.similarity = similarity

    def place(self, features: FeatureTable) -> FloatArray:
        """vectors_BD; a row does not depend on the other rows."""
        absent_D = self.weights["absent_D"]
        own_BD = np.broadcast_to(absent_D, (len(features), len(absent_D)))
        vector_BD = self._fuse(own_BD, self._encode(features)) if features.columns or features.bags else own_BD
        return normalised(vector_BD) if self.similarity == "cosine" else vector_BD

    def _encode(self, features: FeatureTable) -> FloatArray:
        bags = (bag @ self.weights[f"encoder.bags.{n}.table.weight"] for n, bag in enumerate(features.bags.values()))
        x_BH = np.hstack([features.dense_XF, *bags])
        depth = sum(name.startswith("encoder.layers.") and name.endswith(".bias") for name in self.weights)
        for layer in range(depth - 1):
            x_BH = np.maximum(self._linear(f"encoder.layers.{layer}", x_BH), 0)
        return self._linear(f"encoder.layers.{depth - 1}", x_BH)

    def _fuse(self, own_BD: FloatArray, features_BD: FloatArray) -> FloatArray:
        if self.fusion == "sum":
            return own_BD + features_BD
        if self.fusion == "concat":
            return self._linear("fuse.project", np.hstack([own_BD, features_BD]))
        told_BX = np.hstack([own_BD, features_BD, np.zeros((len(own_BD), 1), dtype=np.float32)])
        hidden_BD = np.maximum(self._linear("fuse.gate.hidden", told_BX), 0)
        share_B1: FloatArray = expit(self._linear("fuse.gate.out", hidden_BD))
        return own_BD + share_B1 * (features_BD - own_BD)

    def _linear(self, name: str, x_BH: FloatArray) -> FloatArray:
        weight_HO = np.ascontiguousarray(self.weights[f"{name}.weight"].T)
        bias_O: FloatArray = self.weights[f"{name}.bias"]
        return dot_scores(np.ascontiguousarray(x_BH, dtype=np.float32), weight_HO) + bias_O


def normalised(vector_BD: FloatArray) -> FloatArray:
    """Rows scaled to length 1; a row of zeros stays."""
    length_B1 = np.sqrt(np.square(vector_BD).sum(axis=1, keepdims=True))
    return np.asarray(vector_BD / np.maximum(length_B1, np.float32(1e-12)))
