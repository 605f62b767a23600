"""Matrix factorisation learned by gradient: score(u, i) = x_u·y_i + b_u + b_i + b, each bias removable.

Rendle et al., "BPR: Bayesian personalized ranking from implicit feedback", UAI 2009. Its loss is one of
four: the binary cross-entropy of the NCF paper (He et al. 2017), the sampled softmax, and with cosines in place of dot
products the contrastive loss of SimpleX (Mao et al., CIKM 2021).

Torch is needed by `fit` alone. What is served is a vector for each user and item: the item's bias is one dimension
more, where every user has 1. The biases b_u and b move all scores of a user alike: they are trained and kept for a warm
start, and not served.
"""

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from scipy import sparse

from foretaste.arrays import FloatArray
from foretaste.data.interactions import Dataset
from foretaste.models.als import balanced_weight
from foretaste.models.dot_product import dot_scores
from foretaste.models.fold_in import Objective, solve_users, stored_or_folded_in
from foretaste.models.least_squares import principal_axes, turned
from foretaste.models.protocol import FitContext, Query, State
from foretaste.models.validation import ModelTraining, Score, refit_training, training_context
from foretaste.models.warm_start import Continued, checkpoint_settings, refuse_obstacle
from foretaste.settings import Settings
from foretaste.training.config import SamplerConfig, TrainingConfig

UNSERVED = ("user_bias", "global_bias")
"""What is trained and kept for a warm start, and takes no part in a score."""
_SMALLEST_RIDGE = 1e-30
"""For items that are all zero."""


class RegularizationConfig(Settings):
    """λ of each kind of parameter: λ |parameter|² is added to the loss of a row for what the row uses.

    The negatives of a row count together as much as its positive.
    """

    user: float = Field(default=0.0, ge=0)
    """λ of user vectors."""
    item: float = Field(default=0.0, ge=0)
    """λ of item vectors."""
    bias: float = Field(default=0.0, ge=0)
    """λ of user and item biases."""


class BPRMFConfig(Settings):
    """Hyperparameters of the factorisation."""

    embedding_dim: int = Field(default=64, ge=1)
    """Dimensions of a vector."""
    similarity: Literal["dot", "cosine"] = "dot"
    """`cosine` scales every vector to length 1."""
    user_bias: bool = False
    """Learn b_u. Only `bce` can: the other losses compare the scores of one user."""
    item_bias: bool = True
    """Learn b_i: how popular an item is with everyone. Not with `cosine`."""
    global_bias: bool = False
    """Learn b. Only `bce` can."""
    loss: Literal["bpr", "bce", "softmax", "ccl"] = "bpr"
    """What the scores of a positive and its negatives are punished by; `training.sampler` draws the negatives."""
    temperature: float = Field(default=1.0, gt=0)
    """Divides the scores in training, except for `ccl`. With `cosine` about 0.1 is the usual choice."""
    margin: float = Field(default=0.8, ge=-1, le=1)
    """Cosine up to which `ccl` lets a negative be."""
    negative_weight: float = Field(default=150.0, gt=0)
    """What all negatives of a row together count in `ccl`; its positive counts 1."""
    regularization: RegularizationConfig = RegularizationConfig(user=0.002, item=0.002)
    """The pull of parameters to zero."""
    negatives_stand_for_all: bool = False
    """For `softmax`: the negatives stand for all items that the user has not met, each for as many as it was drawn
    seldom. Else the positive has to win against as many items as there are negatives, which is soon done.
    """
    init_stdev: float = Field(default=0.1, gt=0)
    """Standard deviation of the first vectors."""
    sparse: bool = True
    """Step only the rows that a batch uses (lazy Adam), which is fast for large tables; else all rows."""
    fold_in_regularization: float = Field(default=0.3, gt=0)
    """Ridge of a user who is known by a history alone, in units of the mean |y|² of the items."""
    training: ModelTraining = TrainingConfig(
        epochs=30, batch_size=2048, learning_rate=0.002, sampler=SamplerConfig(num_negatives=4)
    )
    """The run."""

    continued: ClassVar[Continued] = Continued(
        same=("embedding_dim", "similarity", "item_bias"), arrays=("user_embeddings", "item_embeddings")
    )

    @model_validator(mode="after")
    def _sparse_tables_do_not_decay(self) -> Self:
        self.training.refuse_decay_of_sparse(sparse=self.sparse)
        return self

    @model_validator(mode="after")
    def _biases_fit_the_rest(self) -> Self:
        if self.similarity == "cosine" and (self.user_bias or self.item_bias or self.global_bias):
            raise ValueError(
                "a bias is beyond the scale of a cosine; with `similarity: cosine` set `item_bias: false` and leave "
                "`user_bias` and `global_bias` out"
            )
        if self.loss == "ccl" and self.similarity != "cosine":
            raise ValueError(
                "`loss: ccl` has its margin among cosines; set `similarity: cosine` and `item_bias: false`"
            )
        if self.negatives_stand_for_all and (self.loss != "softmax" or self.training.sampler.kind == "hard"):
            raise ValueError(
                f"`negatives_stand_for_all` estimates a softmax over all items from draws of known chances; here are "
                f"`loss: {self.loss}` and sampler kind `{self.training.sampler.kind}`. Set `loss: softmax` and kind "
                f"`uniform`, `popularity` or `in_batch`, or leave it out"
            )
        if self.loss != "bce" and (self.user_bias or self.global_bias):
            raise ValueError(
                f"`loss: {self.loss}` compares scores of one user, which `user_bias` and `global_bias` move alike: "
                f"they would learn nothing. Leave them out, or set `loss: bce`"
            )
        return self


class BPRMF:
    """Remembers a vector for every user and item, in the principal axes of the items."""

    def __init__(self, config: BPRMFConfig | None = None) -> None:
        self.config = config or BPRMFConfig()
        dim = self.config.embedding_dim
        nothing_0D = np.zeros((0, dim + self.config.item_bias), dtype=np.float32)
        self._unserved: State = {}
        self._remember(nothing_0D, nothing_0D, np.zeros(dim, dtype=np.float32), unobserved_weight=0.0)
        self._refit_config = self.config

    def _remember(
        self, user_UD: FloatArray, item_ID: FloatArray, energy_D: FloatArray, unobserved_weight: float
    ) -> None:
        self.user_embeddings_UD = user_UD
        self._item_ID = item_ID
        self._item_DI = np.ascontiguousarray(item_ID.T)
        self._factor_ID = np.ascontiguousarray(item_ID[:, : self.config.embedding_dim])
        self._energy_D = energy_D
        self._unobserved_weight = unobserved_weight
        length_U = np.linalg.norm(user_UD[:, : self.config.embedding_dim], axis=1)
        self._user_length = np.float32(length_U[length_U > 0].mean() if length_U.any() else 1.0)

    def fit(self, dataset: Dataset, context: FitContext) -> Self:
        """Train the tables, with early stopping where the config asks for it and the context holds events out.

        A warm start begins at the vectors of the earlier model, users whom it did not know where it folds them in.

        Raises:
            ConfigError: the earlier model has another shape.
            ModelError: a user has met every item, or the loss is no longer finite.
        """
        from foretaste.models.bpr_mf_tables import Tables, begin_at
        from foretaste.training.context import seeded
        from foretaste.training.distributed import join_world
        from foretaste.training.loop import train
        from foretaste.training.task import Task

        config, interactions = self.config, dataset.interactions
        earlier = refuse_obstacle("bpr_mf", config, context.warm_start)
        training = config.training if earlier is None else config.training.continued()
        events_UI = interactions.to_csr()
        unobserved_weight = balanced_weight(events_UI)
        is_active_U = np.diff(events_UI.indptr) > 0
        with join_world(config.training.device) as world, seeded(context.seed, world.device):
            tables = Tables(interactions.num_users, interactions.num_items, config)
            if earlier is not None:
                begin_at(tables, earlier, interactions)

            def snapshot() -> Score:
                user_UD, item_ID, bias_I = tables.vectors()
                axes_DD, energy_D = principal_axes(item_ID)
                # A user without events has a random vector, which would say something personal.
                user_UD = turned(user_UD, axes_DD) * is_active_U[:, None]
                item_ID = turned(item_ID, axes_DD)
                if bias_I is not None:
                    user_UD, item_ID = with_column(user_UD, 1.0), with_column(item_ID, bias_I)
                self._unserved = tables.unserved()
                self._remember(user_UD, item_ID, energy_D, unobserved_weight)
                return self.score

            result = train(
                Task(
                    tables,
                    tables.loss,
                    score=tables.score,
                    settings=checkpoint_settings(config, earlier),
                ),
                interactions,
                training,
                training_context(context, interactions, world, snapshot),
            )
            snapshot()
        if earlier is None:
            self._refit_config = config.model_copy(update={"training": refit_training(config.training, result)})
        return self

    def refit_config(self) -> BPRMFConfig:
        """The config that trains once more as long as the weights that `fit` kept; the model's own before a fit."""
        return self._refit_config

    @property
    def item_embeddings_ID(self) -> FloatArray:
        """One vector an item, the bias its last dimension where there is one."""
        return self._item_ID

    def fold_in(self, history_BI: sparse.csr_array) -> FloatArray:
        """vectors_BD of users known by their history: the direction of a ridge regression, the length of a usual user.

        The ridge regression is that of ALS (`fold_in.Objective`, ν = 1): Σ_S w (1 − x·y)² + α₀ Σ_I (x·y)²
        + λ (|S| + α₀ I) |x|², with α₀ such that all pairs weigh ten times the events, and λ the
        `fold_in_regularization` times the mean |y|². Losses over negatives leave the length of a vector open where
        ridge regression does not, and the bias has to weigh as much as in training: so x is scaled to the mean length
        of the trained users, 1 for `cosine`. An empty history has the zero vector.
        """
        mean_square = float(self._energy_D.sum()) / max(len(self._factor_ID), 1)
        ridge = max(self.config.fold_in_regularization * mean_square, _SMALLEST_RIDGE)
        objective = Objective(self._unobserved_weight, ridge, regularization_exponent=1.0)
        x_BD = solve_users(history_BI, self._factor_ID, self._energy_D, objective)
        length_B1 = np.sqrt(np.square(x_BD).sum(axis=1, keepdims=True))
        x_BD *= np.divide(self._user_length, length_B1, out=np.zeros_like(length_B1), where=length_B1 > 0)
        return with_column(x_BD, 1.0) if self.config.item_bias else x_BD

    def embed_users(self, query: Query) -> FloatArray:
        """vectors_BD: the stored vector of a known user; of an unknown one that of its history."""
        return stored_or_folded_in(query, self.user_embeddings_UD, self.fold_in)

    def score(self, query: Query) -> FloatArray:
        """scores_BI: the dot products of the user vectors with those of all items."""
        return dot_scores(self.embed_users(query), self._item_DI)

    def state(self) -> State:
        """The vectors, what folding in needs beside them (the energy of each axis and α₀), and b_u and b if any."""
        return {
            **self._unserved,
            "user_embeddings": self.user_embeddings_UD,
            "item_embeddings": self._item_ID,
            "item_energy": self._energy_D,
            "unobserved_weight": np.array([self._unobserved_weight]),
        }

    def load_state(self, state: State) -> Self:
        """Take over a state."""
        self._unserved = {name: state[name] for name in UNSERVED if name in state}
        self._remember(
            state["user_embeddings"],
            state["item_embeddings"],
            state["item_energy"],
            unobserved_weight=float(state["unobserved_weight"][0]),
        )
        return self


def with_column(vectors_XD: FloatArray, last: FloatArray | float) -> FloatArray:
    """The vectors with one dimension more."""
    column_X1 = np.broadcast_to(np.asarray(last, dtype=np.float32), len(vectors_XD))[:, None]
    return np.concatenate([vectors_XD, column_X1], axis=1)
