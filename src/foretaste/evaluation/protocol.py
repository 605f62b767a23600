"""How a model is judged: every user of the held-out events, ranked against all items, ties against us."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator
from scipy import sparse

from foretaste.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from foretaste.data.interactions import Interactions
from foretaste.errors import DataError
from foretaste.evaluation.metrics import METRICS
from foretaste.evaluation.significance import Estimate, bootstrap
from foretaste.models.cold_start import score_or_popularity
from foretaste.models.hits import hits
from foretaste.models.protocol import Query, Recommender, TopK
from foretaste.models.topk import queries_per_block, rank
from foretaste.settings import Settings


class EvaluationConfig(Settings):
    """What is measured, and against which candidates."""

    cutoffs: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = (5, 10, 20)
    """Lengths of the lists that are judged."""
    metrics: tuple[str, ...] = tuple(METRICS)
    """Any of ndcg, recall, precision, map, mrr, hit_rate."""
    candidates: Literal["all", "given"] = "all"
    """`all`: rank every item. `given`: rank each test item against the negatives that the source gives."""
    exclude_seen: bool = True
    """Leave out of the ranking what the user had met before; not used with given candidates."""
    select_by: str = "ndcg@10"
    """The metric, on valid where there is one, by which the best model is chosen."""

    @field_validator("metrics")
    @classmethod
    def _known(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in metrics if name not in METRICS]
        if unknown:
            raise ValueError(f"unknown metric {', '.join(unknown)}; expected any of {', '.join(METRICS)}")
        return metrics

    @field_validator("cutoffs")
    @classmethod
    def _in_order(cls, cutoffs: tuple[int, ...]) -> tuple[int, ...]:
        if not cutoffs:
            raise ValueError("expected at least one cut-off, as in [5, 10, 20]")
        return tuple(sorted(set(cutoffs)))

    @model_validator(mode="after")
    def _measured(self) -> "EvaluationConfig":
        measured = [f"{name}@{cutoff}" for cutoff in self.cutoffs for name in self.metrics]
        if self.select_by not in measured:
            raise ValueError(f"select_by '{self.select_by}' is not measured; expected one of {', '.join(measured)}")
        return self


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The outcome for each user, and its means."""

    user_B: IntArray
    """The users that were judged: those with at least one held-out event."""
    values: dict[str, DoubleArray]
    """Metric, as in `ndcg@10`, → a value per user."""
    num_relevant_B: IntArray
    is_cold_B: BoolArray
    """True for a user without any history, for whom popularity answered."""
    top: TopK
    """The lists that were judged, as long as the largest cut-off."""
    candidates: str
    """`all` or `given`."""

    @cached_property
    def estimates(self) -> dict[str, Estimate]:
        """Mean and 95 % interval over users of each metric."""
        return dict(zip(self.values, bootstrap(np.column_stack(list(self.values.values()))), strict=True))

    def mean(self, metric: str) -> float:
        """Mean of one metric over users, without the cost of its interval."""
        return float(self.values[metric].mean())


def evaluate(
    model: Recommender,
    history: Interactions,
    held_out: Interactions,
    config: EvaluationConfig | None = None,
    negatives: Interactions | None = None,
) -> Evaluation:
    """Rank for every user with held-out events, and compare with those events.

    Args:
        model: fitted.
        history: what is known of the users when they ask; it gives the popularity for cold users, too.
        held_out: the events to be foretold, over the same vocabularies.
        config: what to measure; the default is full ranking at 5, 10 and 20.
        negatives: user-item pairs to rank against, for `candidates: given`.

    Raises:
        DataError: there is nothing to judge, or candidates were asked for that the data does not bring.
    """
    config = config or EvaluationConfig()
    if len(held_out) == 0:
        raise DataError("there are no held-out events to judge by; give the split a test share.")
    if config.candidates == "given" and negatives is None:
        raise DataError("evaluation.candidates 'given' needs a source with negatives, such as ncf; use 'all'.")
    relevant_UI, history_UI = held_out.to_csr(), history.to_csr()
    popularity_I = history.item_counts().astype(np.float32)
    user_B = np.flatnonzero(np.diff(relevant_UI.indptr)).astype(np.int32)
    depth = max(config.cutoffs)

    lists, cold = [], []
    for users in _blocks(user_B, held_out.num_items):
        query = Query(users, history_UI[users])
        scores_BI, is_cold_B = score_or_popularity(model, query, popularity_I)
        relevant_BI = relevant_UI[users]
        if config.candidates == "given":
            assert negatives is not None
            lists.append(_rank_given(scores_BI, users, relevant_BI, negatives, depth))
        else:
            exclude_BI = query.history_BI if config.exclude_seen else None
            lists.append(rank(scores_BI, depth, exclude_BI=exclude_BI, disfavour_BI=relevant_BI))
        cold.append(is_cold_B)
    top = TopK(np.concatenate([one.item_BK for one in lists]), np.concatenate([one.score_BK for one in lists]))

    hit_BK = hits(top.item_BK, relevant_UI[user_B])
    num_relevant_B = np.diff(relevant_UI.indptr)[user_B].astype(np.int32)
    values = {
        f"{name}@{cutoff}": METRICS[name](hit_BK[:, :cutoff], num_relevant_B)
        for cutoff in config.cutoffs
        for name in config.metrics
    }
    return Evaluation(user_B, values, num_relevant_B, np.concatenate(cold), top, config.candidates)


def _blocks(user_B: IntArray, num_items: int) -> Iterator[IntArray]:
    """Users in blocks whose scores fit the memory that is set aside for them."""
    size = queries_per_block(num_items)
    for start in range(0, len(user_B), size):
        yield user_B[start : start + size]


def _rank_given(
    scores_BI: FloatArray, users: IntArray, relevant_BI: sparse.csr_array, negatives: Interactions, depth: int
) -> TopK:
    """Only the test items and the given negatives of a user compete.

    A given negative may be the test item itself (156 users of the NCF split); it is then one candidate, not two.
    """
    chosen = np.isin(negatives.user_N, users)
    row_N = np.searchsorted(users, negatives.user_N[chosen])
    candidate_BI = np.zeros(scores_BI.shape, dtype=bool)
    candidate_BI[row_N, negatives.item_N[chosen]] = True
    candidate_BI[np.repeat(np.arange(len(users)), np.diff(relevant_BI.indptr)), relevant_BI.indices] = True
    return rank(np.where(candidate_BI, scores_BI, -np.inf).astype(np.float32), depth, disfavour_BI=relevant_BI)
