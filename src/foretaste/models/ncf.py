"""Neural collaborative filtering (NCF).

He et al., "Neural collaborative filtering", WWW 2017. GMF weighs the dimensions of a product of vectors, the MLP learns
a function of two vectors side by side, and NeuMF adds the two:

    score(u, i) = h·(x_u ∘ y_i) + g·MLP([p_u; q_i])

Torch is needed by `fit` alone. Served are the vectors, the user's and the item's part of the MLP's first layer, and its
small further layers (`ncf_scoring.py`). A user known by a history alone takes a few gradient steps (`ncf_fold_in.py`).
"""

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from foretaste.arrays import FloatArray
from foretaste.data.interactions import Dataset
from foretaste.models.dot_product import dot_scores
from foretaste.models.fold_in import stored_or_folded_in
from foretaste.models.ncf_fold_in import Items, Steps, fold_in
from foretaste.models.ncf_scoring import add_mlp_scores, layers_of
from foretaste.models.protocol import FitContext, Query, State
from foretaste.models.read_only import read_only
from foretaste.models.validation import ModelTraining, Score, refit_training, training_context
from foretaste.models.warm_start import Continued, refuse_obstacle
from foretaste.settings import Settings
from foretaste.training.config import SamplerConfig, TrainingConfig

_BACKGROUND_ITEMS = 128


class NCFConfig(Settings):
    """Hyperparameters of NCF."""

    kind: Literal["gmf", "mlp", "neumf"] = "neumf"
    """One of the halves, or both."""
    embedding_dim: int = Field(default=64, ge=1)
    """Dimensions of the vectors of GMF."""
    mlp_embedding_dim: int = Field(default=64, ge=1)
    """Dimensions of the vectors of the MLP; its first layer sees twice as many."""
    hidden_dims: tuple[int, ...] = Field(default=(64, 32), min_length=1)
    """Units of the MLP's layers."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the MLP's units that a training step leaves out."""
    loss: Literal["bce", "bpr"] = "bce"
    """What the scores of a positive and its negatives are punished by; `training.sampler` draws the negatives."""
    regularization: float = Field(default=0.0, ge=0)
    """λ: λ (|user|² + |item|²) is added to the loss of a row, for the vectors that it uses; the mean over its items."""
    init_stdev: float = Field(default=0.05, gt=0)
    """Standard deviation of the first vectors."""
    sparse: bool = True
    """Step only the vectors that a batch uses (lazy Adam), which is fast for large tables; else all of them."""
    pretraining_epochs: int = Field(default=0, ge=0)
    """Epochs that each half of `neumf` is trained alone before they are joined; 0 trains both together."""
    fold_in_steps: int = Field(default=30, ge=1)
    """Gradient steps for a user who is known by a history alone."""
    fold_in_learning_rate: float = Field(default=0.05, gt=0)
    """Length of those steps (Adam)."""
    fold_in_regularization: float = Field(default=0.1, ge=0)
    """Pull of such a user to the mean user."""
    training: ModelTraining = TrainingConfig(
        epochs=20, batch_size=2048, learning_rate=0.002, sampler=SamplerConfig(num_negatives=4)
    )
    """The run."""

    continued: ClassVar[Continued] = Continued(
        same=("kind", "embedding_dim", "mlp_embedding_dim", "hidden_dims"),
        arrays=("user_vectors", "item_vectors", "bias"),
    )

    @property
    def has_gmf(self) -> bool:
        """True where GMF is part of it."""
        return self.kind != "mlp"

    @property
    def has_mlp(self) -> bool:
        """True where the MLP is part of it."""
        return self.kind != "gmf"

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each layer of the MLP; one layer without units where there is none."""
        return self.hidden_dims if self.has_mlp else (0,)

    @model_validator(mode="after")
    def _sparse_tables_do_not_decay(self) -> Self:
        self.training.refuse_decay_of_sparse(sparse=self.sparse)
        return self

    @model_validator(mode="after")
    def _negatives_of_its_own(self) -> Self:
        if self.training.sampler.shared or self.training.sampler.kind == "in_batch":
            raise ValueError(
                "NCF walks its network for every pair, so that negatives which all rows share cost as much as each "
                "row's own; set `training.sampler.kind` to uniform, popularity or hard, and leave `shared` out"
            )
        if self.pretraining_epochs and self.kind != "neumf":
            raise ValueError(f"`pretraining_epochs` is for the halves of `neumf`; `kind: {self.kind}` is one of them")
        return self


class NCF:
    """Remembers what users and items bring, and the layers in which they meet."""

    def __init__(self, config: NCFConfig | None = None) -> None:
        self.config = config or NCFConfig()
        widths = self.config.widths
        num_layers, width = len(widths) - 1, max(widths)
        dim = self.config.embedding_dim if self.config.has_gmf else 0
        shapes = {
            "user_vectors": (0, dim + widths[0]),
            "item_vectors": (0, dim + widths[0]),
            "mean_user": (dim + widths[0],),
            "layer_weights": (num_layers, width, width),
            "layer_biases": (num_layers, width),
            "output_weights": (widths[-1],),
        }
        nothing: State = {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items()}
        self.load_state({**nothing, "background_items": np.zeros(0, dtype=np.int32)})
        self._refit_config = self.config

    def fit(self, dataset: Dataset, context: FitContext) -> Self:
        """Train the network, with early stopping where the config asks for it and the context holds events out.

        A warm start begins at the network of the earlier model, users whom it did not know at its mean
        user.

        Raises:
            ConfigError: the earlier model has another shape.
            ModelError: a user has met every item, or the loss is no longer finite.
        """
        from foretaste.models.ncf_network import Network, begin_at, train_network
        from foretaste.training.context import seeded
        from foretaste.training.distributed import join_world

        config, interactions = self.config, dataset.interactions
        earlier = refuse_obstacle("ncf", config, context.warm_start)
        is_active_U = interactions.user_counts() > 0
        order_I = np.random.default_rng(context.seed).permutation(interactions.num_items)
        background_M = order_I[:_BACKGROUND_ITEMS].astype(np.int32)
        with join_world(config.training.device) as world, seeded(context.seed, world.device):
            network = Network(interactions.num_users, interactions.num_items, config)
            if earlier is not None:
                begin_at(network, earlier, interactions)

            def snapshot() -> Score:
                served = network.served()
                mean_Z = served.user_UZ[is_active_U].mean(axis=0)
                self.load_state(
                    {
                        # A user without events has a random vector, which would say something personal.
                        "user_vectors": np.where(is_active_U[:, None], served.user_UZ, mean_Z),
                        "item_vectors": served.item_IZ,
                        "mean_user": mean_Z,
                        "layer_weights": served.weight_LHH,
                        "layer_biases": served.bias_LH,
                        "output_weights": served.out_H,
                        "background_items": background_M,
                        **network.unserved(),
                    }
                )
                return self.score

            told = training_context(context, interactions, world, snapshot)
            result = train_network(network, interactions, told, earlier)
            snapshot()
        if earlier is None:
            self._refit_config = config.model_copy(update={"training": refit_training(config.training, result)})
        return self

    def refit_config(self) -> NCFConfig:
        """The config that trains once more as long as the weights that `fit` kept; the model's own before a fit."""
        return self._refit_config

    def _user_vectors(self, query: Query) -> FloatArray:
        """user_BZ: the stored vector of a known user; of an unknown one that of its history."""
        config = self.config
        steps = Steps(
            config.fold_in_steps, np.float32(config.fold_in_learning_rate), np.float32(config.fold_in_regularization)
        )
        return stored_or_folded_in(
            query,
            self._state["user_vectors"],
            lambda history_BI: fold_in(history_BI, self._state["mean_user"], self._items, self._layers, steps),
        )

    def score(self, query: Query) -> FloatArray:
        """scores_BI: the logits of all pairs, up to the bias of the output, which is alike for all."""
        user_BZ = self._user_vectors(query)
        scores_BI = dot_scores(np.ascontiguousarray(user_BZ[:, : self._dim]), self._product_DI)
        if self.config.has_mlp:
            add_mlp_scores(user_BZ[:, self._dim :], self._first_HI, self._layers, scores_BI)
        return scores_BI

    def state(self) -> State:
        """The vectors, the layers, what folding in needs beside them (the mean user and the background items), and the
        parameters from which a warm start makes the network again."""
        return dict(self._state)

    def load_state(self, state: State) -> Self:
        """Take over a state."""
        self._state = dict(state)
        self._dim = self.config.embedding_dim if self.config.has_gmf else 0
        item_IZ = state["item_vectors"]
        product_ID, first_IH = (np.ascontiguousarray(part) for part in np.split(item_IZ, [self._dim], axis=1))
        self._product_DI, self._first_HI = np.ascontiguousarray(product_ID.T), np.ascontiguousarray(first_IH.T)
        self._layers = layers_of(
            np.array(self.config.widths, dtype=np.int64),
            state["layer_weights"],
            state["layer_biases"],
            state["output_weights"],
        )
        self._items = Items(read_only(product_ID), read_only(first_IH), read_only(state["background_items"]))
        return self
