"""Two stages: retrievers propose, trees rank.

Covington, Adams and Sargin, "Deep neural networks for YouTube recommendations", RecSys 2016, with LambdaMART as the
ranker. What a retriever puts among its best is a candidate. The candidates come first, in the order of the ranker
(`learning.py`), and all other items follow in the order of the first retriever, so that a list of any length is filled
under any filter.
"""

from typing import Self

import numba
import numpy as np

from foretaste.arrays import FloatArray, IntArray, LongArray
from foretaste.data.interactions import Dataset
from foretaste.models.protocol import FitContext, Query, Recommender, State
from foretaste.models.read_only import read_only
from foretaste.models.registry import build, restore
from foretaste.models.topk import queries_per_block
from foretaste.models.two_stage.candidates import Candidates, propose
from foretaste.models.two_stage.config import TwoStageConfig
from foretaste.models.two_stage.facts import Facts, fit_facts
from foretaste.models.two_stage.features import BASE_RANK, describe
from foretaste.models.two_stage.learning import learn
from foretaste.models.two_stage.trees import Trees

_TIE = 1e-4
"""What the last rank of the first retriever costs: less than trees differ by, enough to part what they call equal."""


@numba.njit(cache=True, nogil=True)
def _compose_row(
    item_C: IntArray, score_C: FloatArray, base_I: FloatArray, scores_I: FloatArray
) -> None:  # pragma: no cover
    highest, lowest = base_I[0], base_I[0]
    for score in base_I:
        highest, lowest = max(highest, score), min(lowest, score)
    scale = np.float32(1.0) / (highest - lowest) if highest > lowest else np.float32(0.0)
    for i in range(len(base_I)):
        scores_I[i] = (base_I[i] - highest) * scale
    for c in range(len(item_C)):
        scores_I[item_C[c]] = score_C[c]


@numba.njit(cache=True, nogil=True)
def _compose(
    row_B: IntArray,
    indptr_X: LongArray,
    item_N: IntArray,
    score_N: FloatArray,
    base_BI: FloatArray,
    scores_BI: FloatArray,
) -> None:  # pragma: no cover
    for b, row in enumerate(row_B):
        of_row = slice(indptr_X[row], indptr_X[row + 1])
        _compose_row(item_N[of_row], score_N[of_row], base_BI[b], scores_BI[b])


class Ranked:
    """Candidates with their scores, all above 0."""

    def __init__(self, candidates: Candidates, score_N: FloatArray) -> None:
        self.candidates = candidates
        self.score_N = score_N

    def state(self) -> State:
        """All as arrays."""
        indptr_X, item_N = self.candidates
        return {"candidate_indptr": indptr_X, "candidate_items": item_N, "candidate_scores": self.score_N}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """What `state` was taken from."""
        return cls(Candidates(state["candidate_indptr"], state["candidate_items"]), state["candidate_scores"])

    def scores(self, row_B: IntArray, base_BI: FloatArray) -> FloatArray:
        """scores_BI: of candidates as they are; of all others, by what the first retriever says, from -1 to 0.

        Args:
            row_B: which row of the candidates each query is.
            base_BI: float32, of the first retriever for all items.
        """
        scores_BI = np.empty(base_BI.shape, dtype=np.float32)
        indptr_X, item_N = self.candidates
        _compose(
            read_only(row_B),
            read_only(indptr_X),
            read_only(item_N),
            read_only(self.score_N),
            read_only(base_BI),
            scores_BI,
        )
        return scores_BI


class TwoStage:
    """Remembers its retrievers, what is known of items, the trees, and the ranked candidates of every user."""

    def __init__(self, config: TwoStageConfig | None = None) -> None:
        self.config = config or TwoStageConfig()
        self._models: list[Recommender] = []

    def fit(self, dataset: Dataset, context: FitContext) -> Self:
        """Teach the ranker on what is held out, train the retrievers on everything, and rank for every user.

        Raises:
            ModelError: there is nothing to learn from, or a retriever cannot be trained.
        """
        specs = self.config.retrievers
        done, num_fits = 0, len(specs) * (self.config.holdout.windows + 1)

        def fit_retrievers(known: Dataset) -> list[Recommender]:
            nonlocal done
            models = []
            for spec in specs.values():
                models.append(build(spec.type, spec.hyperparameters).fit(known, FitContext(seed=context.seed)))
                done += 1
                context.progress(done, num_fits, {})
            return models

        trees = learn(dataset, self.config, fit_retrievers, context.seed)
        models = fit_retrievers(dataset)
        facts = fit_facts(dataset, self.config.features, self.config.half_lives_days)
        self._models, self._facts, self._trees = models, facts, trees
        self._stored = self._ranked_for_all(dataset)
        return self

    def _ranked_for_all(self, dataset: Dataset) -> Ranked:
        history_UI = dataset.interactions.to_csr()
        num_users, num_items = history_UI.shape
        user_U = np.arange(num_users, dtype=np.int32)
        blocks = np.split(user_U, range(size := queries_per_block(num_items), num_users, size))
        found = [self._rank(Query(user_B, history_UI[user_B]))[0] for user_B in blocks]
        size_U = np.concatenate([np.diff(ranked.candidates.indptr_B) for ranked in found])
        return Ranked(
            Candidates(
                np.concatenate([[0], np.cumsum(size_U)]),
                np.concatenate([ranked.candidates.item_N for ranked in found]),
            ),
            np.concatenate([ranked.score_N for ranked in found]),
        )

    def _rank(self, query: Query) -> tuple[Ranked, FloatArray]:
        """The ranked candidates of each query, and base_BI: what the first retriever says of all items."""
        candidates, scores_RBI = propose(self._models, query, self.config.candidates)
        feature_NF = describe(candidates, scores_RBI, query, self._facts)
        raw_N = self._trees.evaluate(feature_NF, alone=len(query) == 1) - self._trees.lowest
        rank_N = feature_NF[:, BASE_RANK] / (len(self._models) * self.config.candidates)
        return Ranked(candidates, (1 + raw_N - _TIE * rank_N).astype(np.float32)), scores_RBI[0]

    def score(self, query: Query) -> FloatArray:
        """scores_BI: above 0 for candidates; from -1 to 0 for all others.

        A known user's candidates were ranked at the end of the fit; those of an unknown one are ranked by the history.
        """
        is_known_B = query.user_B >= 0
        if is_known_B.all():
            return self._stored.scores(query.user_B, self._models[0].score(query))
        if not is_known_B.any():
            ranked, base_BI = self._rank(query)
            return ranked.scores(np.arange(len(query), dtype=np.int32), base_BI)
        scores_BI = np.empty(query.history_BI.shape, dtype=np.float32)
        for chosen_B in (is_known_B, ~is_known_B):
            scores_BI[chosen_B] = self.score(Query(query.user_B[chosen_B], query.history_BI[chosen_B]))
        return scores_BI

    def best(self, query: Query) -> tuple[IntArray, FloatArray]:
        """item_C and score_C of the candidates of one user, of whom `score` says the same, and less of all others."""
        user = int(query.user_B[0])
        ranked = self._stored if user >= 0 else self._rank(query)[0]
        row = max(user, 0)
        of_row = slice(ranked.candidates.indptr_B[row], ranked.candidates.indptr_B[row + 1])
        return ranked.candidates.item_N[of_row], ranked.score_N[of_row]

    def state(self) -> State:
        """The states of the retrievers, the facts, the trees and the ranked candidates."""
        retrievers = {
            f"{label}.{name}": array
            for label, model in zip(self.config.retrievers, self._models, strict=True)
            for name, array in model.state().items()
        }
        return {**retrievers, **self._facts.state(), **self._trees.state(), **self._stored.state()}

    def load_state(self, state: State) -> Self:
        """Take over a state."""
        self._models = [
            restore(
                spec.type,
                spec.hyperparameters.resolved(),
                {name.removeprefix(f"{label}."): state[name] for name in state if name.startswith(f"{label}.")},
            )
            for label, spec in self.config.retrievers.items()
        ]
        self._facts, self._trees = Facts.from_state(state), Trees.from_state(state)
        self._stored = Ranked.from_state(state)
        return self
