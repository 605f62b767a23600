"""All that is asked of the models of a run, on one draw of users and items."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from foretaste.arrays import FloatArray, IntArray
from foretaste.data.interactions import Dataset
from foretaste.evaluation.diagnostics.config import DiagnosticsConfig
from foretaste.evaluation.diagnostics.correlation import (
    FeatureCorrelation,
    ItemFeatures,
    correlations,
    item_features,
    mean_scores,
)
from foretaste.evaluation.diagnostics.matches import Matches, matches
from foretaste.evaluation.diagnostics.metadata import CATEGORY_COLUMNS, Categories, categories_of, liked
from foretaste.evaluation.diagnostics.vectors import Alignment, Cohesion, Norms, alignment, cohesion, norms
from foretaste.evaluation.protocol import Evaluation
from foretaste.models.protocol import Embedder, Query, Recommender
from foretaste.models.topk import queries_per_block


@dataclass(frozen=True)
class Diagnosis:
    """What one model was found to be like."""

    label: str
    user_norms: Norms | None = None
    item_norms: Norms | None = None
    cohesion: Sequence[Cohesion] = ()
    """One for each category column that the catalogue has."""
    alignment: Sequence[Alignment] = ()
    matches: Sequence[Matches] = ()
    correlations: Sequence[FeatureCorrelation] = ()
    """All features, the strongest first."""
    num_items: int = 0
    """Items over which features were correlated."""
    remarks: Sequence[str] = ()
    """What could not be asked, and why."""


class Examination:
    """What the models of a run are asked about: drawn once, so that they are asked alike."""

    def __init__(self, dataset: Dataset, config: DiagnosticsConfig) -> None:
        """Draw users among those with a history, and read the catalogue.

        Args:
            dataset: its events are what the models were trained on.
            config: how closely to look.
        """
        self.config, self.categories = config, categories_of(dataset)
        self._history_UI = dataset.interactions.to_csr()
        self._events_I, self._events_U = dataset.interactions.item_counts(), dataset.interactions.user_counts()
        rng = np.random.default_rng(config.seed)
        known = np.flatnonzero(self._events_U)
        self._user_B: IntArray = np.sort(rng.permutation(known)[: config.user_sample_size]).astype(np.int32)
        self._features: ItemFeatures = item_features(dataset)
        self._liked = [self.liked(self._user_B, one) for one in self.categories]

    def liked(self, user_B: IntArray, categories: Categories) -> sparse.csr_array:
        """liked_BC: what some users like, by their history."""
        return liked(self._history_UI[user_B], self._history_UI, categories)

    def diagnose(self, label: str, model: Recommender, test: Evaluation) -> Diagnosis:
        """Ask one model.

        Args:
            label: its name in the run.
            model: fitted on the dataset's events.
            test: its lists.
        """
        remarks = []
        if not self.categories:
            remarks.append(
                f"The catalogue has none of {', '.join(CATEGORY_COLUMNS)}: cohesion, alignment and the hit ratios of "
                "lists are left out."
            )
        found = Diagnosis(label)
        if isinstance(model, Embedder):
            found = self._of_vectors(label, model)
        else:
            remarks.append(f"{label} has no vectors: their lengths, cohesion and alignment are left out.")
        score_E = mean_scores(model, self._user_B, self._history_UI, self._features.is_in_I)
        return replace(
            found,
            matches=self._matches(test),
            correlations=correlations(score_E, self._features),
            num_items=len(score_E),
            remarks=remarks,
        )

    def _of_vectors(self, label: str, model: Embedder) -> Diagnosis:
        config, item_ID, events_I = self.config, model.item_embeddings_ID, self._events_I
        user_BD = self._user_vectors(model)
        near = [
            cohesion(item_ID, events_I, one, config.neighbor_k, config.item_sample_size, config.seed)
            for one in self.categories
        ]
        aligned = [
            alignment(user_BD, liked_BC, item_ID, events_I, one)
            for one, liked_BC in zip(self.categories, self._liked, strict=True)
        ]
        return Diagnosis(
            label,
            norms(user_BD, self._events_U[self._user_B]),
            norms(item_ID, events_I),
            [one for one in near if one is not None],
            [one for one in aligned if one is not None],
        )

    def _user_vectors(self, model: Embedder) -> FloatArray:
        size = queries_per_block(self._history_UI.shape[1])
        blocks = [self._user_B[start : start + size] for start in range(0, len(self._user_B), size)]
        return np.concatenate([model.embed_users(Query(users, self._history_UI[users])) for users in blocks])

    def _matches(self, test: Evaluation) -> list[Matches]:
        """Of the judged users with a history, as many as the config says."""
        rows = np.flatnonzero(~test.is_cold_B)
        rows = np.sort(np.random.default_rng(self.config.seed).permutation(rows)[: self.config.user_sample_size])
        item_BK, user_B = test.top.item_BK[rows, : self.config.example_depth], test.user_B[rows]
        found = (
            matches(item_BK, self.liked(user_B, one), self._history_UI[user_B], one, self._events_I > 0)
            for one in self.categories
        )
        return [one for one in found if one is not None]
