"""Two towers, served as dot products.

Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations", RecSys 2019, with a gate
that blends ids and features row by row, and the augmented vectors of Yu et al., "A Dual Augmented Two-tower Model for
Online Large-scale Recommendation", DLP-KDD 2021.

An item without training events is placed by its features alone, and so is a user known by a history alone. PyTorch
trains; a fitted model needs NumPy only. What the towers hold beside that is kept for a warm start, which also takes
over how features are encoded: the weights belong to these very columns.
"""

from typing import Self

import numpy as np
from scipy import sparse

from foretaste.arrays import FloatArray
from foretaste.data.features import FittedFeatures, fit_features
from foretaste.data.features.table import row_shares
from foretaste.data.interactions import Dataset
from foretaste.models.dot_product import dot_scores
from foretaste.models.fold_in import stored_or_folded_in
from foretaste.models.protocol import FitContext, Query, State
from foretaste.models.two_tower.config import TwoTowerConfig
from foretaste.models.two_tower.new_users import NewUsers
from foretaste.models.two_tower.placing import TOWERS, normalised
from foretaste.models.warm_start import refuse_obstacle


class TwoTower:
    """Remembers where the towers placed every user and item, and the tower of users without ids."""

    def __init__(self, config: TwoTowerConfig | None = None) -> None:
        self.config = config or TwoTowerConfig()
        nothing_0D = np.zeros((0, self.config.embedding_dim), dtype=np.float32)
        self._remember(nothing_0D, nothing_0D, nothing_0D.sum(axis=1), None, {})
        self._refit_config = self.config

    def _remember(
        self, user_UD: FloatArray, item_ID: FloatArray, share_I: FloatArray, new_users: NewUsers | None, towers: State
    ) -> None:
        self.user_embeddings_UD = user_UD
        self.item_feature_share_I = share_I
        """What share of each item's vector the gate gave to its features; empty where no gate decides."""
        self._item_ID = item_ID
        self._item_DI = np.ascontiguousarray(item_ID.T)
        self._new_users = new_users
        self._towers = towers

    def fit(self, dataset: Dataset, context: FitContext) -> Self:
        """Fit the features, train the towers, and place all users and items.

        A warm start begins at the towers of the earlier model, users and items that it did not know where their
        features place them.

        Raises:
            ConfigError: the earlier model has another shape.
            DataError: a column that the config names is not there.
            ModelError: an illegal optimiser, a user without a negative, or a loss that is no longer finite.
        """
        from foretaste.models.two_tower.fitting import Placement, train_towers
        from foretaste.models.validation import Score, refit_training

        is_of_ids = self.config.fusion == "identity"
        earlier = refuse_obstacle("two_tower", self.config, context.warm_start)
        if earlier is None or is_of_ids:
            features = fit_features(dataset, self.config.features)
        else:
            features = FittedFeatures.from_state(earlier.state)
        items = features.encode_items(dataset.catalogue, dataset.interactions.item_counts())

        def keep(placed: Placement) -> Score:
            new_users = None if is_of_ids else NewUsers(self.config, features, items, placed.user_tower)
            self._remember(placed.user_UD, placed.item_ID, placed.feature_share_I, new_users, placed.towers)
            return self.score

        result = train_towers(self.config, dataset, features, items, context, keep)
        if earlier is None:
            training = refit_training(self.config.training, result)
            self._refit_config = self.config.model_copy(update={"training": training})
        return self

    def refit_config(self) -> TwoTowerConfig:
        """The config that trains once more as long as the weights that `fit` kept; the model's own before a fit."""
        return self._refit_config

    @property
    def item_embeddings_ID(self) -> FloatArray:
        """One vector an item, of length 1 where the similarity is the cosine."""
        return self._item_ID

    def embed_users(self, query: Query) -> FloatArray:
        """vectors_BD: the stored vector of a known user; an unknown one is placed by the history, without an id."""
        return stored_or_folded_in(query, self.user_embeddings_UD, self._fold_in)

    def _fold_in(self, history_BI: sparse.csr_array) -> FloatArray:
        if self._new_users is not None:
            return self._new_users.place(history_BI)
        # Towers of ids alone know nothing but the items: a new user stands in the middle of theirs.
        vectors_BD = row_shares(history_BI) @ self._item_ID
        return normalised(vectors_BD) if self.config.similarity == "cosine" else vectors_BD

    def score(self, query: Query) -> FloatArray:
        """scores_BI: the dot products of the user vectors with those of all items."""
        return dot_scores(self.embed_users(query), self._item_DI)

    def state(self) -> State:
        """The vectors, the gate's shares, the tower that places users without an id, and what else the towers hold."""
        return {
            "user_embeddings": self.user_embeddings_UD,
            "item_embeddings": self._item_ID,
            "item_feature_share": self.item_feature_share_I,
            **(self._new_users.state() if self._new_users is not None else {}),
            **self._towers,
        }

    def load_state(self, state: State) -> Self:
        """Take over a state."""
        reads_features = self.config.fusion != "identity"
        new_users = NewUsers.from_state(self.config, state) if reads_features else None
        towers = {name: array for name, array in state.items() if name.startswith(TOWERS)}
        self._remember(
            state["user_embeddings"], state["item_embeddings"], state["item_feature_share"], new_users, towers
        )
        return self
