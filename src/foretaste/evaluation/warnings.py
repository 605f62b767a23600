"""What makes a figure less than it seems, each in words with its numbers and what to do about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from foretaste.arrays import BoolArray, DoubleArray, IntArray, LongArray
from foretaste.data.interactions import Interactions
from foretaste.evaluation.significance import compare

FLOORS = ("popularity", "item_knn")
"""Types of model that any other has to beat, the weakest first."""

_COLD_SHARE = 0.1
"""Share of cold users, or of events with cold items, from which on it is told: below, differences between models lose
less than a tenth of their size to users and items of which no model knows anything."""
_MIN_USERS, _MIN_USERS_WITH_HIT = 30, 10
"""Fewest users for an interval. In a simulation (400 data sets each, metrics with 5 % to 60 % of users above zero) the
95 % bootstrap interval held the true mean in 92 % to 95 % of the cases from 30 users and 10 with a hit on; with five
that have a hit in 90 % to 93 %, with three in 83 %, with one in 67 %."""


@dataclass(frozen=True)
class EvaluationWarning:
    """Something that a reader of the figures has to know."""

    kind: str
    """time_leakage, repeated_pairs, cold_users, cold_items, below_baseline, too_few_users or sampled."""
    found: str
    """What it is, with its numbers."""
    remedy: str = ""
    """What to do about it in the config; empty where no config divided the events."""

    @property
    def text(self) -> str:
        """Both, as people read it."""
        return f"{self.found} {self.remedy}".rstrip()

    def to_json(self) -> dict[str, str]:
        """`kind` and `text`."""
        return {"kind": self.kind, "text": self.text}


def time_leakage(train: Interactions, test: Interactions) -> EvaluationWarning | None:
    """Test events older than an event that train holds of the same user or item.

    A model that learnt from them knows the future of what it is tested on: what the user did next, or that the item
    was about to become popular (Ji et al. 2023). None where there are none, or no timestamps to tell.
    """
    if train.timestamp_N is None or test.timestamp_N is None:
        return None
    of_user_N = test.timestamp_N < _latest(train.user_N, train.timestamp_N, train.num_users)[test.user_N]
    of_item_N = test.timestamp_N < _latest(train.item_N, train.timestamp_N, train.num_items)[test.item_N]
    leaking_N: BoolArray = of_user_N | of_item_N
    if not leaking_N.any():
        return None
    return EvaluationWarning(
        "time_leakage",
        f"{_share(leaking_N)} test events are older than train events of the same item ({int(of_item_N.sum()):,}) or "
        f"user ({int(of_user_N.sum()):,}): the models have learnt from the future of what they are tested on, and "
        "their figures are optimistic.",
        "Split by time: --set split.method=global_time",
    )


def repeated_pairs(train: Interactions, test: Interactions) -> EvaluationWarning | None:
    """Test events whose user and item are a pair of train, too."""
    is_repeated_N: BoolArray = np.isin(_keys(test), _keys(train))
    if not is_repeated_N.any():
        return None
    row = int(np.flatnonzero(is_repeated_N)[0])
    user, item = test.users.id(int(test.user_N[row])), test.items.id(int(test.item_N[row]))
    return EvaluationWarning(
        "repeated_pairs",
        f"{_share(is_repeated_N)} test events repeat a pair of train, as user {user} with item {item}: where items "
        "already met are left out they cannot be found, and elsewhere they need not be foretold, only remembered.",
        "Take them out of one part of the given split, or choose another split.",
    )


def cold_users(train: Interactions, test: Interactions) -> EvaluationWarning | None:
    """Judged users without any event in train, where they are many."""
    judged_U = np.unique(test.user_N)
    is_cold_U: BoolArray = train.user_counts()[judged_U] == 0
    if is_cold_U.mean() < _COLD_SHARE:
        return None
    return EvaluationWarning(
        "cold_users",
        f"{_share(is_cold_U)} judged users have no history: nothing is known of them, and our models give them all "
        "the same popular list, which hides how far apart the models are.",
        "Look at the users with a history by themselves in the report, or leave the others out: "
        "--set split.drop_unknown=true",
    )


def cold_items(train: Interactions, test: Interactions) -> EvaluationWarning | None:
    """Test events with items without any event in train, where they are many."""
    is_cold_N: BoolArray = train.item_counts()[test.item_N] == 0
    if is_cold_N.mean() < _COLD_SHARE:
        return None
    num_items = len(np.unique(test.item_N[is_cold_N]))
    return EvaluationWarning(
        "cold_items",
        f"{_share(is_cold_N)} test events are with items that train does not know ({num_items:,} of them): "
        "a model that learns from events alone cannot find them, and no figure can reach 1.",
        "Try a model that knows items by their features, such as two_tower, or leave those events out: "
        "--set split.drop_unknown=true",
    )


def below_baseline(values: Mapping[str, DoubleArray], types: Mapping[str, str], metric: str) -> list[EvaluationWarning]:
    """Models that are really worse than popularity or item-item: by the paired test with Holm's correction.

    Args:
        values: label → the metric's value for each of the same users.
        types: label → type of the model.
        metric: what the values are, as in ndcg@10.
    """
    pairs = [
        (label, floor)
        for floor, floor_type in types.items()
        if floor_type in FLOORS
        for label, model_type in types.items()
        if FLOORS.index(floor_type) < (FLOORS.index(model_type) if model_type in FLOORS else len(FLOORS))
    ]
    told = []
    for one in compare(pairs, dict(values)):
        if one.is_real and one.difference.mean < 0:
            own, against = float(values[one.model].mean()), float(values[one.reference].mean())
            told.append(
                EvaluationWarning(
                    "below_baseline",
                    f"{one.model} is worse than {one.reference}: {metric} {own:.4f} against {against:.4f}, difference "
                    f"{one.difference.mean:+.4f} [{one.difference.low:+.4f} {one.difference.high:+.4f}], corrected p "
                    f"{one.corrected_p:.4f}.",
                    "Tune its hyperparameters on valid, or do without it.",
                )
            )
    return told


def too_few_users(values_B: DoubleArray, metric: str) -> EvaluationWarning | None:
    """Fewer users than an interval needs: 30, of whom 10 have a value other than zero.

    Args:
        values_B: of the model that is reported, a value a judged user.
        metric: what the values are, as in ndcg@10.
    """
    with_hit = int(np.count_nonzero(values_B))
    if len(values_B) >= _MIN_USERS and with_hit >= _MIN_USERS_WITH_HIT:
        return None
    return EvaluationWarning(
        "too_few_users",
        f"{len(values_B):,} users were judged, {with_hit:,} of them with a {metric} above 0; an interval needs "
        f"{_MIN_USERS} users and {_MIN_USERS_WITH_HIT} with a hit, else it is too narrow.",
        "Hold out more events (--set split.test=0.2), or judge longer lists.",
    )


def sampled(candidates: str) -> EvaluationWarning | None:
    """Metrics that were measured on a part of the catalogue.

    Sampled metrics can order models differently from full ranking (Krichene and Rendle 2020).

    Args:
        candidates: as the protocol names them; `all` is full ranking.
    """
    if candidates == "all":
        return None
    return EvaluationWarning(
        "sampled",
        f"the metrics are sampled: test items were ranked among '{candidates}' candidates, not among all items. They "
        "are far higher than those of full ranking, compare only with figures by the same candidates, and may order "
        "the models differently.",
        "Rank all items: --set evaluation.candidates=all",
    )


def of_split(train: Interactions, test: Interactions) -> list[EvaluationWarning]:
    """What is to be said of the data before any model is looked at; a clean split gives nothing."""
    checks = (time_leakage, repeated_pairs, cold_users, cold_items)
    return [warning for check in checks if (warning := check(train, test)) is not None]


def of_figures(
    values: Mapping[str, DoubleArray], types: Mapping[str, str], reported: str, metric: str, candidates: str
) -> list[EvaluationWarning]:
    """What is to be said of the figures.

    Args:
        values, types, metric: as in `below_baseline`.
        reported: label of the model whose figure people will quote.
        candidates: as in `sampled`.
    """
    single: Sequence[EvaluationWarning | None] = (too_few_users(values[reported], metric), sampled(candidates))
    return [*(warning for warning in single if warning is not None), *below_baseline(values, types, metric)]


def _latest(key_N: IntArray, timestamp_N: LongArray, size: int) -> LongArray:
    """The newest time of each key; the smallest number for one without events."""
    latest = np.full(size, np.iinfo(np.int64).min)
    np.maximum.at(latest, key_N, timestamp_N)
    return latest


def _keys(events: Interactions) -> LongArray:
    keys_N: LongArray = events.user_N.astype(np.int64) * events.num_items + events.item_N
    return keys_N


def _share(mask: BoolArray) -> str:
    return f"{int(mask.sum()):,} of {len(mask):,} ({mask.mean():.1%})"
