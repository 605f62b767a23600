"""From a ranking to the slots of an answer: boosts, pins, caps, variety and the policy, in this order of the flow.

A boost changes the ranking; the policy then works on the best candidates of it, to which pinned items are added. Where
a cap leaves a slot without any candidate, the next best items become candidates, until all that are eligible are.
"""

import difflib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy import sparse

from foretaste.arrays import UNKNOWN, BoolArray, DoubleArray, FloatArray, IntArray, LongArray
from foretaste.artifacts.bundle import Bundle
from foretaste.data.schemas import ITEM_ID
from foretaste.errors import ConfigError
from foretaste.serving.filters import CatalogueFilters
from foretaste.serving.policies import GreedyPolicy, Policy
from foretaste.serving.rankings import ByScores, Ranking
from foretaste.serving.slate import Slate
from foretaste.serving.slate_settings import SlateConfig
from foretaste.serving.slots import Choice, Memberships, chances_of_slots, fill_slots

_GROWTH = 4


class Arranged(NamedTuple):
    """The items of an answer."""

    item_K: IntArray
    score_K: FloatArray
    """Of the ranking as it was given, without lifts; counts of events where that has none."""
    is_scored_K: BoolArray
    """False for items that the ranking has no score for."""
    propensity_K: DoubleArray
    """Probability of each item in its slot, given those above."""


class Arrangement:
    """A SlateConfig over one catalogue."""

    def __init__(self, config: SlateConfig, bundle: Bundle, filters: CatalogueFilters) -> None:
        self.config = config
        self._popularity_I = bundle.popularity_I
        self._withheld_H = _known(bundle, config.withheld)
        self._pins = {pin.slot - 1: bundle.items.index(pin.item_id) for pin in config.pins}
        self._traits = _memberships(bundle.catalogue, config.diversity.attributes if config.diversity else ())[0]
        self._capped, limit_V = _memberships(bundle.catalogue, tuple(config.caps))
        self._room_V = np.array([config.caps[name] for name in limit_V], dtype=np.int32)
        self._lift_I = self._lifts(filters)

    def _lifts(self, filters: CatalogueFilters) -> FloatArray | None:
        if not self.config.boosts:
            return None
        lift_I = np.zeros(len(self._popularity_I), dtype=np.float32)
        for boost in self.config.boosts:
            lift_I[filters.eligible(boost.filters)] += np.float32(boost.lift)
        return lift_I

    def arrange(
        self, ranking: Ranking, k: int, eligible_I: BoolArray, policy: Policy | None = None, seed: int | None = None
    ) -> Arranged:
        """The answer's items.

        Args:
            ranking: of one user.
            k: slots, ≥ 1.
            eligible_I: True for the items that may come; overwritten.
            policy: instead of the config's.
            seed: of the draws.
        """
        config, policy = self.config, policy or self.config.policy
        k = self._slots(k, eligible_I)
        if k == 0:
            nothing = np.zeros(0, dtype=np.int32)
            return Arranged(nothing, nothing.astype(np.float32), nothing.astype(bool), nothing.astype(np.float64))
        is_plain = isinstance(policy, GreedyPolicy) and not (config.caps or config.diversity)
        if is_plain and not self._pins and self._lift_I is None:
            slate = ranking.top(k, eligible_I)
            return Arranged(slate.item_K, slate.score_K, np.arange(len(slate.item_K)) < slate.num_scored, np.ones(k))
        lifted, pins, num_candidates = self._competition(ranking, k, eligible_I, policy)
        item_K, propensity_K = self._filled(lifted, k, num_candidates, eligible_I, pins, Choice.of(policy), seed)
        score_K = ranking.at(item_K)
        is_scored_K = score_K > -np.inf
        return Arranged(item_K, np.where(is_scored_K, score_K, self._popularity_I[item_K]), is_scored_K, propensity_K)

    def chances(
        self, ranking: Ranking, shown_K: IntArray, eligible_I: BoolArray, policy: Policy | None = None
    ) -> sparse.csr_array:
        """chance_KI: the probability with which each slot would have come to each item, given the slots above.

        Args:
            ranking: of one user.
            shown_K: the items that were shown, best first.
            eligible_I: as for `arrange`.
            policy: instead of the config's.
        """
        policy, num_shown = policy or self.config.policy, len(shown_K)
        k = self._slots(num_shown, eligible_I)
        lifted, pins, num_candidates = self._competition(ranking, k, eligible_I, policy)
        num_eligible = int(np.count_nonzero(eligible_I))
        while True:
            item_C, relevance_C, pinned_K = self._candidates(lifted, k, num_candidates, eligible_I, pins)
            place_I = np.full(len(eligible_I), -1, dtype=np.int64)
            place_I[item_C] = np.arange(len(item_C))
            chance_KC = np.zeros((k, len(item_C)))
            reached = chances_of_slots(
                relevance_C,
                _rows(self._traits, item_C),
                self._relevance_weight,
                _rows(self._capped, item_C),
                self._room_V,
                Choice.of(policy),
                pinned_K,
                np.where(shown_K[:k] == UNKNOWN, -1, place_I[shown_K[:k]]),
                chance_KC,
            )
            if reached == k or num_candidates >= num_eligible:
                break
            num_candidates *= _GROWTH
        slot_N, c_N = np.nonzero(chance_KC)
        return sparse.csr_array((chance_KC[slot_N, c_N], (slot_N, item_C[c_N])), shape=(num_shown, len(eligible_I)))

    @property
    def _relevance_weight(self) -> float:
        return self.config.diversity.relevance_weight if self.config.diversity else 1.0

    def _slots(self, k: int, eligible_I: BoolArray) -> int:
        """How many slots can be filled; takes what is withheld out of the eligible items."""
        if len(self._withheld_H):
            eligible_I[self._withheld_H] = False
        return min(k, int(np.count_nonzero(eligible_I)))

    def _competition(
        self, ranking: Ranking, k: int, eligible_I: BoolArray, policy: Policy
    ) -> tuple[Ranking, dict[int, int], int]:
        """The ranking with its lifts, the item of each pinned slot, and how many candidates there are to be.

        Pinned items are taken out of the eligible ones.
        """
        lifted = ranking if self._lift_I is None else _lifted(ranking, self._lift_I, self._popularity_I)
        pins = {slot: item for slot, item in self._pins.items() if slot < k and item != UNKNOWN and eligible_I[item]}
        eligible_I[list(pins.values())] = False
        of_variety = self.config.diversity.candidates if self.config.diversity else 0
        of_policy = 0 if isinstance(policy, GreedyPolicy) else policy.candidates
        return lifted, pins, max(k, of_variety, of_policy)

    def _candidates(
        self, ranking: Ranking, k: int, num_candidates: int, eligible_I: BoolArray, pins: dict[int, int]
    ) -> tuple[IntArray, DoubleArray, LongArray]:
        """item_C, relevance_C, and the candidate that is pinned to each slot, or -1.

        The candidates of a longer list begin with those of a shorter one, so that picks stay what they are.
        """
        num_eligible = int(np.count_nonzero(eligible_I))
        top = ranking.top(min(num_candidates, num_eligible), eligible_I) if num_eligible else _NOTHING
        pinned = np.array(list(pins.values()), dtype=np.int32)
        item_C = np.concatenate([pinned, top.item_K])
        relevance_C = np.concatenate([np.zeros(len(pinned)), _relevance(top)])
        pinned_K = np.full(k, -1, dtype=np.int64)
        pinned_K[list(pins)] = np.arange(len(pins))
        return item_C, relevance_C, pinned_K

    def _filled(
        self,
        ranking: Ranking,
        k: int,
        num_candidates: int,
        eligible_I: BoolArray,
        pins: dict[int, int],
        choice: Choice,
        seed: int | None,
    ) -> tuple[IntArray, DoubleArray]:
        """item_K and propensity_K, shorter where the caps leave nothing."""
        uniform_K2 = np.random.default_rng(seed).random((k, 2))
        picked_K, propensity_K = np.full(k, -1, dtype=np.int64), np.ones(k)
        num_filled, num_eligible = 0, int(np.count_nonzero(eligible_I))
        while True:
            item_C, relevance_C, pinned_K = self._candidates(ranking, k, num_candidates, eligible_I, pins)
            num_filled = fill_slots(
                relevance_C,
                _rows(self._traits, item_C),
                self._relevance_weight,
                _rows(self._capped, item_C),
                self._room_V,
                choice,
                uniform_K2,
                pinned_K,
                picked_K,
                propensity_K,
                num_filled,
            )
            if num_filled == k or num_candidates >= num_eligible:
                break
            num_candidates *= _GROWTH
        left = [index for index, slot in enumerate(pins) if slot >= num_filled]
        picked = np.concatenate([picked_K[:num_filled], np.array(left, dtype=np.int64)])
        return item_C[picked].astype(np.int32), np.concatenate([propensity_K[:num_filled], np.ones(len(left))])


_NOTHING = Slate(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32), 0)


def _lifted(ranking: Ranking, lift_I: FloatArray, popularity_I: FloatArray) -> ByScores:
    scores_I = ranking.scores_I()
    deviation = scores_I[np.isfinite(scores_I)].std(dtype=np.float64) if np.isfinite(scores_I).any() else 0.0
    return ByScores((scores_I + np.float32(deviation) * lift_I).astype(np.float32), popularity_I)


def _relevance(top: Slate) -> DoubleArray:
    """Scores from 0 to 1; 0 for what has none."""
    relevance_C = np.zeros(len(top.item_K))
    score_C = top.score_K[: top.num_scored].astype(np.float64)
    if len(score_C):
        lowest, highest = score_C[-1], score_C[0]
        relevance_C[: len(score_C)] = (score_C - lowest) / (highest - lowest) if highest > lowest else 1.0
    return relevance_C


def _known(bundle: Bundle, item_ids: Sequence[str]) -> IntArray:
    indices = (bundle.items.index(item_id) for item_id in item_ids)
    return np.array([index for index in indices if index != UNKNOWN], dtype=np.int32)


def _memberships(catalogue: pl.DataFrame, names: Sequence[str]) -> tuple[Memberships, list[str]]:
    """The values that each item has of several attributes, as numbers in order, and of each value the attribute.

    Raises:
        ConfigError: the catalogue has no such attribute.
    """
    for name in names:
        if name not in catalogue.columns or name == ITEM_ID:
            known = [column for column in catalogue.columns if column != ITEM_ID]
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" – did you mean '{near[0]}'?" if near else "."
            raise ConfigError(f"slate: unknown attribute '{name}'{hint} The catalogue has {', '.join(known)}.")
    item_N, value_N = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    attribute_V: list[str] = []
    for name in names:
        pairs = catalogue.select(pl.int_range(pl.len()).alias("item"), pl.col(name).alias("value"))
        if isinstance(catalogue.schema[name], pl.List):
            pairs = pairs.explode("value")
        pairs = pairs.drop_nulls("value").unique()
        codes = pairs["value"].rank("dense").cast(pl.Int64).to_numpy() - 1
        item_N.append(pairs["item"].to_numpy())
        value_N.append(codes + len(attribute_V))
        attribute_V += [name] * (int(codes.max()) + 1 if len(codes) else 0)
    items, values = np.concatenate(item_N), np.concatenate(value_N)
    order = np.lexsort((values, items))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(items, minlength=len(catalogue)))]).astype(np.int64)
    return Memberships(indptr, values[order].astype(np.int32)), attribute_V


def _rows(memberships: Memberships, item_C: IntArray) -> Memberships:
    """The memberships of some items."""
    if not len(memberships.value):
        return Memberships(np.zeros(len(item_C) + 1, dtype=np.int64), memberships.value)
    start_C = memberships.indptr[item_C]
    size_C = memberships.indptr[item_C + 1] - start_C
    indptr = np.concatenate([[0], np.cumsum(size_C)])
    place_N = np.arange(indptr[-1]) + np.repeat(start_C - indptr[:-1], size_C)
    return Memberships(indptr, memberships.value[place_N])
