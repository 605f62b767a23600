"""Item-item nearest neighbours: an item scores by its similarity to what the user has met.

The similarity of two items is the cosine of their columns of users, shrunk where few users met both (Sarwar et al.,
"Item-based collaborative filtering recommendation algorithms", WWW 2001; shrinkage as in Bell and Koren, 2007). Each
item keeps its `neighbors` nearest (Deshpande and Karypis, TOIS 2004).
"""

from typing import Literal, Self

import numpy as np
from pydantic import Field
from scipy import sparse

from foretaste.arrays import FloatArray
from foretaste.data.interactions import Dataset
from foretaste.models.cooccurrence import nearest_items
from foretaste.models.protocol import FitContext, Query, State
from foretaste.models.sparse_product import sparse_product
from foretaste.models.sparse_rows import with_short_indices
from foretaste.models.sparse_state import pack, unpack
from foretaste.settings import Settings


class ItemKNNConfig(Settings):
    """Hyperparameters of ItemKNN."""

    neighbors: int = Field(default=100, ge=1)
    """Most similar items kept of each item."""
    shrinkage: float = Field(default=100.0, ge=0)
    """Added to the denominator of the cosine: the larger, the less a similarity that rests on few users counts.
    It is on the scale of the summed squared weights of a column, so `idf` asks for more of it than `none`."""
    user_weighting: Literal["none", "idf"] = "idf"
    """`idf`: what a user of few events met says more than what a user of many met; `none`: all users alike."""


def inverse_user_frequency(weights_UI: sparse.csr_array) -> sparse.csr_array:
    """weights_UI, each row times log(1 + I / |S_u|), S_u the items of user u."""
    num_items = weights_UI.shape[1]
    factor_U = np.log1p(num_items / np.maximum(np.diff(weights_UI.indptr), 1)).astype(np.float32)
    return sparse.csr_array(sparse.diags_array(factor_U) @ weights_UI)


class ItemKNN:
    """Remembers the nearest items of every item."""

    def __init__(self, config: ItemKNNConfig | None = None) -> None:
        self.config = config or ItemKNNConfig()
        self.similarity_II = sparse.csr_array((0, 0), dtype=np.float32)

    def fit(self, dataset: Dataset, context: FitContext) -> Self:  # noqa: ARG002
        """Compare all pairs of items that share a user."""
        weights_UI = dataset.interactions.to_csr()
        if self.config.user_weighting == "idf":
            weights_UI = inverse_user_frequency(weights_UI)
        nearest_II = nearest_items(weights_UI, self.config.neighbors, self.config.shrinkage)
        # Row j: the items that have item j among their nearest, in the order of a history's product.
        self.similarity_II = with_short_indices(nearest_II.T.tocsr())
        return self

    def score(self, query: Query) -> FloatArray:
        """scores_BI = history_BI @ similarity_II; 0 for an empty history."""
        return sparse_product(query.history_BI, self.similarity_II)

    def state(self) -> State:
        """The similarities that were kept."""
        return pack("similarity", self.similarity_II)

    def load_state(self, state: State) -> Self:
        """Take over a state."""
        self.similarity_II = with_short_indices(unpack("similarity", state))
        return self
