"""Implicit alternating least squares (iALS).

Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008, with the objective and the
frequency-scaled regularisation of Rendle et al., "Revisiting the Performance of iALS on Item Recommendation
Benchmarks", RecSys 2022:

    Σ_{(u,i)∈S} w_ui (1 − x_u·y_i)² + α₀ Σ_{u,i} (x_u·y_i)²
        + λ [ Σ_u (|S_u| + α₀ I)^ν |x_u|² + Σ_i (|S_i| + α₀ U)^ν |y_i|² ]

S are the pairs with an event and w_ui their summed weights. Users and items take turns: one side is fixed, the other is
improved row by row (`least_squares.py`).
"""

from typing import Self

import numpy as np
from pydantic import Field
from scipy import sparse

from foretaste.arrays import FloatArray
from foretaste.data.interactions import Dataset
from foretaste.models.dot_product import dot_scores
from foretaste.models.fold_in import ridges, solve_users, stored_or_folded_in
from foretaste.models.least_squares import principal_axes, solve_rows, turned
from foretaste.models.protocol import FitContext, Query, State
from foretaste.settings import Settings


class ALSConfig(Settings):
    """Hyperparameters of ALS."""

    embedding_dim: int = Field(default=64, ge=1)
    """Dimensions of a vector."""
    iterations: int = Field(default=16, ge=1)
    """Passes over all users and then all items."""
    regularization: float = Field(default=0.003, gt=0)
    """λ."""
    regularization_exponent: float = Field(default=1.0, ge=0)
    """ν: 0 pulls all users and items alike, 1 in proportion to their events."""
    unobserved_weight: float = Field(default=0.1, ge=0)
    """α₀: what a pair without an event counts, where an event counts its weight."""
    cg_steps: int = Field(default=3, ge=1)
    """Conjugate gradient steps a row and pass; each starts from the pass before."""
    init_stdev: float = Field(default=0.1, gt=0)
    """Standard deviation of the first item vectors, times √embedding_dim."""


def turn(
    events_BN: sparse.csr_array,
    fixed_ND: FloatArray,
    x_BD: FloatArray,
    ridge_B: FloatArray,
    unobserved_weight: float,
    cg_steps: int,
) -> tuple[FloatArray, FloatArray]:
    """One side's turn: x_BD improved for its events with the fixed side.

    Returns:
        fixed_ND and x_BD, both turned into the principal axes of the fixed side.
    """
    axes_DD, energy_D = principal_axes(fixed_ND)
    fixed_ND, x_BD = turned(fixed_ND, axes_DD), turned(x_BD, axes_DD)
    solve_rows(events_BN, fixed_ND, unobserved_weight * energy_D, ridge_B, x_BD, steps=cg_steps)
    return fixed_ND, x_BD


class ALS:
    """Remembers a vector for every user and item, in the principal axes of the items."""

    def __init__(self, config: ALSConfig | None = None) -> None:
        self.config = config or ALSConfig()
        nothing_0D = np.zeros((0, self.config.embedding_dim), dtype=np.float32)
        self._remember(nothing_0D, nothing_0D, nothing_0D.sum(axis=0))

    def _remember(self, user_UD: FloatArray, item_ID: FloatArray, variance_D: FloatArray) -> None:
        self.user_embeddings_UD = user_UD
        self._item_ID = item_ID
        self._item_DI = np.ascontiguousarray(item_ID.T)
        self._variance_D = variance_D

    def fit(self, dataset: Dataset, context: FitContext) -> Self:
        """Take turns, then solve all users to the end, as `embed_users` does for users that are not known."""
        config = self.config
        events_UI = dataset.interactions.to_csr()
        events_IU = events_UI.T.tocsr()
        strength = (config.regularization, config.regularization_exponent, config.unobserved_weight)
        ridge_U, ridge_I = ridges(events_UI, *strength), ridges(events_IU, *strength)
        num_users, num_items = events_UI.shape
        rng = np.random.default_rng(context.seed)
        item_ID = rng.standard_normal((num_items, config.embedding_dim), dtype=np.float32)
        item_ID *= np.float32(config.init_stdev / np.sqrt(config.embedding_dim))
        user_UD = np.zeros((num_users, config.embedding_dim), dtype=np.float32)
        for iteration in range(config.iterations):
            item_ID, user_UD = turn(events_UI, item_ID, user_UD, ridge_U, config.unobserved_weight, config.cg_steps)
            user_UD, item_ID = turn(events_IU, user_UD, item_ID, ridge_I, config.unobserved_weight, config.cg_steps)
            context.progress(iteration + 1, config.iterations, {})
        axes_DD, energy_D = principal_axes(item_ID)
        item_ID, variance_D = turned(item_ID, axes_DD), np.float32(config.unobserved_weight) * energy_D
        self._remember(self._fold_in(events_UI, item_ID, variance_D), item_ID, variance_D)
        return self

    def _fold_in(self, history_BI: sparse.csr_array, item_ID: FloatArray, variance_D: FloatArray) -> FloatArray:
        return solve_users(
            history_BI,
            item_ID,
            variance_D,
            regularization=self.config.regularization,
            regularization_exponent=self.config.regularization_exponent,
            unobserved_weight=self.config.unobserved_weight,
        )

    @property
    def item_embeddings_ID(self) -> FloatArray:
        """One vector an item, the axis of largest energy first; zero for an item without events."""
        return self._item_ID

    def embed_users(self, query: Query) -> FloatArray:
        """vectors_BD: the stored vector of a known user; of an unknown one that of its history, or zero."""
        return stored_or_folded_in(
            query,
            self.user_embeddings_UD,
            lambda history_BI: self._fold_in(history_BI, self._item_ID, self._variance_D),
        )

    def score(self, query: Query) -> FloatArray:
        """scores_BI: the dot products of the user vectors with those of all items."""
        return dot_scores(self.embed_users(query), self._item_DI)

    def state(self) -> State:
        """The vectors of users and items, and the weight of each axis among the items that were not met."""
        return {
            "user_embeddings": self.user_embeddings_UD,
            "item_embeddings": self._item_ID,
            "unobserved_variance": self._variance_D,
        }

    def load_state(self, state: State) -> Self:
        """Take over a state."""
        self._remember(state["user_embeddings"], state["item_embeddings"], state["unobserved_variance"])
        return self
