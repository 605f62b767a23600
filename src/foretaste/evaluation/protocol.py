"""How a model is judged: every user of the held-out events, ranked against all items, ties against us."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field, field_validator, model_validator
from scipy import sparse

from foretaste.arrays import BoolArray, DoubleArray, FloatArray, IntArray, LongArray
from foretaste.data.interactions import Interactions
from foretaste.errors import DataError
from foretaste.evaluation.auc import auc
from foretaste.evaluation.candidates import Candidates, given_candidates, sampled_candidates
from foretaste.evaluation.lists import Lists
from foretaste.evaluation.metrics import HIT_METRICS, METRICS, keys
from foretaste.evaluation.significance import Estimate, estimates_of
from foretaste.evaluation.slices import Slice, item_slices, user_slices
from foretaste.models.cold_start import score_or_popularity
from foretaste.models.protocol import Query, Scorer, TopK
from foretaste.models.topk import queries_per_block, rank
from foretaste.settings import Settings

_USERS_A_BLOCK = 8192
"""Users whose lists are judged at a time, which bounds the memory for their candidates."""


class EvaluationConfig(Settings):
    """What is measured, and against which candidates."""

    cutoffs: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = (5, 10, 20)
    """Lengths of the lists that are judged."""
    metrics: tuple[str, ...] = tuple(METRICS)
    """Any of those that `foretaste evaluate --explain` defines."""
    candidates: Literal["all", "given", "sampled"] = "all"
    """`all`: rank every item. `given`: rank the test items against the negatives of the source or of `candidate_file`.
    `sampled`: against a few drawn ones; such figures are not those of full ranking and are labelled."""
    candidate_samples: int = Field(default=500, ge=1)
    """Rivals drawn for each user, with `candidates: sampled`."""
    candidate_distribution: Literal["uniform", "popularity"] = "uniform"
    """How they are drawn: each item alike, or in proportion to its events in the history."""
    candidate_seed: int = Field(default=0, ge=0)
    """Equal seeds give every model the same rivals."""
    candidate_file: Path | None = None
    """A table of `user_id` and `item_id`, with `candidates: given`, for a source that brings no negatives."""
    exclude_seen: bool = True
    """Leave out of the ranking what the user had met before; not used with given candidates."""
    truth_min_rating: float = 4.0
    """Rating from which on a randomly drawn item counts as liked, where the source brings such ratings (`truth`)."""
    select_by: str = "ndcg@10"
    """The metric of hits, on valid where there is one, by which the best model is chosen."""

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
        measured = keys([name for name in self.metrics if name in HIT_METRICS], self.cutoffs)
        if not measured:
            hits = ", ".join(HIT_METRICS)
            raise ValueError(f"metrics holds none of hits, and the best model is chosen by one; add any of {hits}")
        if self.select_by not in measured:
            raise ValueError(f"select_by '{self.select_by}' is not measured; expected one of {', '.join(measured)}")
        if self.candidate_file is not None and self.candidates != "given":
            raise ValueError("candidate_file is read with 'candidates: given' alone; set that, or leave the file out")
        return self


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The outcome for each user, and its means."""

    user_B: IntArray
    """The users that were judged: those with at least one held-out event."""
    values: dict[str, DoubleArray]
    """Metric, as in `ndcg@10` (`auc` has no cut-off), → a value per user; NaN where it is not defined for the user, as
    with the calibration of a user without a history. Every metric is defined for somebody."""
    num_relevant_B: IntArray
    is_cold_B: BoolArray
    """True for a user without any history, for whom popularity answered."""
    top: TopK
    """The lists that were judged, as long as the largest cut-off."""
    candidates: str
    """`all`, `given` or `sampled`: to be said wherever a figure stands, unless it is `all`."""
    catalogue: dict[str, float] = field(default_factory=dict)
    """Metric of all lists together, as in `coverage@10`, → its figure."""
    slices: dict[str, Slice] = field(default_factory=dict)
    """Group of users or of relevant items, as in `tail items`, → what it came to; empty groups are left out."""
    omitted: dict[str, str] = field(default_factory=dict)
    """Metric that was asked for and is missing, by name or as in `diversity@5`, → why."""

    @cached_property
    def estimates(self) -> dict[str, Estimate]:
        """Mean and 95 % interval of each metric over the users for whom it is defined."""
        return estimates_of(self.values)

    def mean(self, metric: str) -> float:
        """Mean of one metric over the users for whom it is defined, without the cost of its interval."""
        return float(np.nanmean(self.values[metric]))


def evaluate(
    model: Scorer,
    history: Interactions,
    held_out: Interactions,
    config: EvaluationConfig | None = None,
    negatives: Interactions | None = None,
    genres_IG: sparse.csr_array | None = None,
    popularity_I: FloatArray | None = None,
) -> Evaluation:
    """Rank for every user with held-out events, and compare with those events.

    Args:
        model: fitted.
        history: what is known of the users when they ask.
        held_out: the events to be foretold, over the same vocabularies.
        config: what to measure; the default is full ranking at 5, 10 and 20.
        negatives: user-item pairs to rank against, for `candidates: given`.
        genres_IG: an entry for each genre of each item, as `Dataset.genre_matrix` gives it; without it the metrics that
            need genres are left out.
        popularity_I: what cold users are shown by, -inf for what they cannot be shown; the counts of the history
            without.

    Raises:
        DataError: there is nothing to judge, or candidates were asked for that the data does not bring.
    """
    config = config or EvaluationConfig()
    check_events(config, held_out, negatives)
    relevant_UI, history_UI = held_out.to_csr(), history.to_csr()
    user_B = np.flatnonzero(np.diff(relevant_UI.indptr)).astype(np.int32)
    lists = Lists(config.metrics, config.cutoffs, history_UI, genres_IG)
    candidates = _candidates(config, lists.num_users_I, negatives)
    if popularity_I is None:
        popularity_I = history.item_counts().astype(np.float32)

    found = []
    for block in _blocks(len(user_B), _USERS_A_BLOCK):
        users = user_B[block]
        history_BI, relevant_BI = history_UI[users], relevant_UI[users]
        exclude_BI = history_BI if config.exclude_seen and config.candidates != "given" else None
        candidate_BI = None if candidates is None else candidates(users, relevant_BI, exclude_BI)
        query, is_seen_excluded = Query(users, history_BI), exclude_BI is not None
        ranked = _rank(model, query, popularity_I, relevant_BI, is_seen_excluded, candidate_BI, config)
        values = lists.values(ranked.top, relevant_BI, history_BI, exclude_BI, candidate_BI)
        found.append((ranked, values))
    top = TopK(
        np.concatenate([ranked.top.item_BK for ranked, _ in found]),
        np.concatenate([ranked.top.score_BK for ranked, _ in found]),
    )
    values = {metric: np.concatenate([each[metric] for _, each in found]) for metric in found[0][1]}
    if "auc" in config.metrics:
        values["auc"] = np.concatenate([ranked.auc_B for ranked, _ in found])
    return _evaluation(lists, config.candidates, top, values, user_B, relevant_UI[user_B])


def check_events(config: EvaluationConfig, held_out: Interactions, negatives: Interactions | None) -> None:
    """Refuse what `evaluate` could not judge any model by.

    Raises:
        DataError: there is nothing to judge, or candidates were asked for that the data does not bring.
    """
    if len(held_out) == 0:
        raise DataError("there are no held-out events to judge by; give the split a larger test part.")
    if config.candidates == "given" and negatives is None:
        raise DataError(
            "evaluation.candidates 'given' needs a source with negatives, such as ncf, or a candidate_file of user_id "
            "and item_id; use 'all'."
        )


class _Ranked(NamedTuple):
    top: TopK
    auc_B: DoubleArray
    """No entries where it was not asked for."""


def _rank(
    model: Scorer,
    query: Query,
    popularity_I: FloatArray,
    relevant_BI: sparse.csr_array,
    is_seen_excluded: bool,
    candidate_BI: sparse.csr_array | None,
    config: EvaluationConfig,
) -> _Ranked:
    """Score a few queries at a time and keep no more of their scores than the lists."""
    tops, aucs = [], []
    for part in _blocks(len(query), queries_per_block(relevant_BI.shape[1])):
        history, relevant = query.history_BI[part], relevant_BI[part]
        exclude, candidate = history if is_seen_excluded else None, None if candidate_BI is None else candidate_BI[part]
        scores_BI, _ = score_or_popularity(model, Query(query.user_B[part], history), popularity_I)
        ranked_BI = scores_BI if candidate is None else _only(scores_BI, candidate)
        tops.append(rank(ranked_BI, max(config.cutoffs), exclude_BI=exclude, disfavour_BI=relevant))
        if "auc" in config.metrics:
            aucs.append(auc(scores_BI, relevant, exclude, candidate))
    top = TopK(np.concatenate([each.item_BK for each in tops]), np.concatenate([each.score_BK for each in tops]))
    return _Ranked(top, np.concatenate(aucs) if aucs else np.zeros(0))


def evaluate_lists(
    top: TopK,
    user_B: IntArray,
    history: Interactions | None,
    held_out: Interactions,
    config: EvaluationConfig | None = None,
    genres_IG: sparse.csr_array | None = None,
) -> Evaluation:
    """Judge lists that are there already, whoever made them.

    AUC is left out, for it needs the scores of all items; without a history, so is what is not a matter of hits alone.

    Args:
        top: a list for each of `user_B`, at least as long as the largest cut-off.
        user_B: every user with held-out events, in order.
        history: what was known of the users when the lists were made; None where nobody can tell.
        held_out: the events to be foretold, over the same vocabularies.
        config: what to measure; its candidates are not used.
        genres_IG: as for `evaluate`.
    """
    config = config or EvaluationConfig()
    relevant_UI = held_out.to_csr()
    assert np.array_equal(user_B, np.flatnonzero(np.diff(relevant_UI.indptr)))
    known = [name for name in config.metrics if name != "auc" and (history is not None or name in HIT_METRICS)]
    config = config.model_copy(update={"candidates": "all", "metrics": tuple(known)})
    history_UI = (held_out.select(slice(0)) if history is None else history).to_csr()
    lists = Lists(config.metrics, config.cutoffs, history_UI, genres_IG)
    relevant_BI, history_BI = relevant_UI[user_B], history_UI[user_B]
    found = lists.values(top, relevant_BI, history_BI, history_BI if config.exclude_seen else None, None)
    return _evaluation(lists, config.candidates, top, found, user_B, relevant_BI)


def _evaluation(
    lists: Lists,
    candidates: str,
    top: TopK,
    values: dict[str, DoubleArray],
    user_B: IntArray,
    relevant_BI: sparse.csr_array,
) -> Evaluation:
    """What all blocks came to."""
    values = {metric: values[metric] for metric in keys(lists.names, lists.cutoffs) if metric in values}
    defined = {metric: value_B for metric, value_B in values.items() if not np.isnan(value_B).all()}
    undefined = {metric: "it is not defined for any user" for metric in values if metric not in defined}
    length_B = lists.history_length_U[user_B]
    return Evaluation(
        user_B=user_B,
        values=defined,
        num_relevant_B=np.diff(relevant_BI.indptr).astype(np.int32),
        is_cold_B=length_B == 0,
        top=top,
        candidates=candidates,
        catalogue=lists.catalogue(top),
        slices=user_slices(user_B, length_B, np.diff(relevant_BI.indptr), defined)
        | item_slices(user_B, top.item_BK, relevant_BI, lists.num_users_I, lists.cutoffs, lists.names),
        omitted=lists.omitted | undefined,
    )


def _candidates(config: EvaluationConfig, num_users_I: LongArray, negatives: Interactions | None) -> Candidates | None:
    """None where every item competes."""
    match config.candidates:
        case "given":
            assert negatives is not None
            return given_candidates(negatives)
        case "sampled":
            by_popularity = config.candidate_distribution == "popularity"
            weight_I = num_users_I if by_popularity else np.ones_like(num_users_I)
            return sampled_candidates(weight_I, config.candidate_samples, config.candidate_seed)
    return None


def _blocks(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def _only(scores_BI: FloatArray, candidate_BI: sparse.csr_array) -> FloatArray:
    """The scores of the candidates; -inf for every other item."""
    row_N = np.repeat(np.arange(len(scores_BI)), np.diff(candidate_BI.indptr))
    only_BI = np.full(scores_BI.shape, -np.inf, dtype=np.float32)
    only_BI[row_N, candidate_BI.indices] = scores_BI[row_N, candidate_BI.indices]
    return only_BI
