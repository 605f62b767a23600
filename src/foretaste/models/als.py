"""Implicit alternating least squares (iALS).

Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008, with the objective and the
frequency-scaled regularisation of Rendle et al., "Revisiting the Performance of iALS on Item Recommendation
Benchmarks", RecSys 2022:

    Σ_{(u,i)∈S} w_ui (1 − x_u·y_i)² + α₀ Σ_{u,i} (x_u·y_i)²
        + λ [ Σ_u (|S_u| + α₀ I)^ν |x_u|² + Σ_i (|S_i| + α₀ U)^ν |y_i|² ]

S are the pairs with an event and w_ui their summed weights. Users and items take turns: one side is fixed, the other is
improved row by row (`least_squares.py`).
"""

from typing import ClassVar, Self

import numpy as np
from pydantic import Field
from scipy import sparse

from foretaste.arrays import FloatArray
from foretaste.data.interactions import Dataset
from foretaste.models.dot_product import dot_scores
from foretaste.models.fold_in import Objective, solve_users, stored_or_folded_in
from foretaste.models.least_squares import principal_axes, solve_rows, turned
from foretaste.models.protocol import FitContext, Query, State
from foretaste.models.warm_start import Continued, carried_over, refuse_obstacle
from foretaste.settings import Settings

_BALANCE = 10.0


class ALSConfig(Settings):
    """Hyperparameters of ALS."""

    embedding_dim: int = Field(default=64, ge=1)
    """Dimensions of a vector."""
    iterations: int = Field(default=16, ge=1)
    """Passes over all users and then all items."""
    warm_iterations: int = Field(default=3, ge=0)
    """Passes where an earlier model is begun from; 0 keeps its items as they are and solves for the users alone."""
    regularization: float = Field(default=0.006, gt=0)
    """λ."""
    regularization_exponent: float = Field(default=1.0, ge=0)
    """ν: 0 pulls all users and items alike, 1 in proportion to their events."""
    unobserved_weight: float | None = Field(default=None, ge=0)
    """α₀: what a pair counts before any event, where an event counts its weight. Null: such that all pairs together
    count ten times what all events count, which suits dense data and sparse."""
    cg_steps: int = Field(default=2, ge=1)
    """Conjugate gradient steps a row and pass; each starts from the pass before."""
    init_stdev: float = Field(default=0.1, gt=0)
    """Standard deviation of the first item vectors, times √embedding_dim."""

    continued: ClassVar[Continued] = Continued(same=("embedding_dim",), arrays=("user_embeddings", "item_embeddings"))


def balanced_weight(events_UI: sparse.csr_array) -> float:
    """α₀ with which all U · I pairs together count ten times what all events count."""
    return float(_BALANCE * events_UI.sum(dtype=np.float64) / np.prod(events_UI.shape))


def improve(
    events_BN: sparse.csr_array, fixed_ND: FloatArray, x_BD: FloatArray, objective: Objective, cg_steps: int
) -> tuple[FloatArray, FloatArray]:
    """One side's turn: a few steps from x_BD towards the least squares of its events with the fixed side.

    Returns:
        fixed_ND and x_BD, both in the principal axes of the fixed side.
    """
    axes_DD, energy_D = principal_axes(fixed_ND)
    fixed_ND, x_BD = turned(fixed_ND, axes_DD), turned(x_BD, axes_DD)
    variance_D = objective.unobserved_weight * energy_D
    solve_rows(events_BN, fixed_ND, variance_D, objective.ridges(events_BN), x_BD, steps=cg_steps)
    return fixed_ND, x_BD


class ALS:
    """Remembers a vector for every user and item, in the principal axes of the items."""

    def __init__(self, config: ALSConfig | None = None) -> None:
        self.config = config or ALSConfig()
        nothing_0D = np.zeros((0, self.config.embedding_dim), dtype=np.float32)
        self._remember(nothing_0D, nothing_0D, energy_D=nothing_0D.sum(axis=0), unobserved_weight=0.0)

    def _remember(
        self, user_UD: FloatArray, item_ID: FloatArray, energy_D: FloatArray, unobserved_weight: float
    ) -> None:
        self.user_embeddings_UD = user_UD
        self._item_ID = item_ID
        self._item_DI = np.ascontiguousarray(item_ID.T)
        self._energy_D = energy_D
        self._unobserved_weight = unobserved_weight

    def _objective(self, unobserved_weight: float) -> Objective:
        return Objective(unobserved_weight, self.config.regularization, self.config.regularization_exponent)

    def fit(self, dataset: Dataset, context: FitContext) -> Self:
        """Take turns, then solve all users to the end, as `embed_users` does for users that are not known.

        A warm start begins at the vectors of the earlier model. Users whom it did not know are reached from their
        items in the first turn, and items that it did not know from their users.
        """
        config = self.config
        earlier = refuse_obstacle("als", config, context.warm_start)
        events_UI = dataset.interactions.to_csr()
        events_IU = events_UI.T.tocsr()
        given = config.unobserved_weight
        objective = self._objective(balanced_weight(events_UI) if given is None else given)
        num_users, num_items = events_UI.shape
        rng = np.random.default_rng(context.seed)
        item_ID = rng.standard_normal((num_items, config.embedding_dim), dtype=np.float32)
        item_ID *= np.float32(config.init_stdev / np.sqrt(config.embedding_dim))
        user_UD = np.zeros((num_users, config.embedding_dim), dtype=np.float32)
        if earlier is not None:
            item_ID = carried_over(item_ID, dataset.interactions.items, earlier.state["item_embeddings"], earlier.items)
            user_UD = carried_over(user_UD, dataset.interactions.users, earlier.state["user_embeddings"], earlier.users)
        iterations = config.iterations if earlier is None else config.warm_iterations
        for iteration in range(iterations):
            item_ID, user_UD = improve(events_UI, item_ID, user_UD, objective, config.cg_steps)
            user_UD, item_ID = improve(events_IU, user_UD, item_ID, objective, config.cg_steps)
            context.progress(iteration + 1, iterations, {})
        axes_DD, energy_D = principal_axes(item_ID)
        item_ID = turned(item_ID, axes_DD)
        user_UD = solve_users(events_UI, item_ID, energy_D, objective)
        self._remember(user_UD, item_ID, energy_D, objective.unobserved_weight)
        return self

    @property
    def item_embeddings_ID(self) -> FloatArray:
        """One vector an item, the axis of largest energy first; zero for an item without events."""
        return self._item_ID

    def embed_users(self, query: Query) -> FloatArray:
        """vectors_BD: the stored vector of a known user; of an unknown one that of its history, or zero."""
        objective = self._objective(self._unobserved_weight)
        return stored_or_folded_in(
            query,
            self.user_embeddings_UD,
            lambda history_BI: solve_users(history_BI, self._item_ID, self._energy_D, objective),
        )

    def score(self, query: Query) -> FloatArray:
        """scores_BI: the dot products of the user vectors with those of all items."""
        return dot_scores(self.embed_users(query), self._item_DI)

    def state(self) -> State:
        """The vectors, and what folding in needs beside them: the energy of each axis and α₀."""
        return {
            "user_embeddings": self.user_embeddings_UD,
            "item_embeddings": self._item_ID,
            "item_energy": self._energy_D,
            "unobserved_weight": np.array([self._unobserved_weight]),
        }

    def load_state(self, state: State) -> Self:
        """Take over a state."""
        self._remember(
            state["user_embeddings"],
            state["item_embeddings"],
            energy_D=state["item_energy"],
            unobserved_weight=float(state["unobserved_weight"][0]),
        )
        return self
