"""Filling the slots of an answer one by one, each given those above it, with the probability of what came.

Of the candidates that are left and break no cap, the merit is

    λ · relevance − (1 − λ) · similarity to the most similar item of the slots above

and the policy picks by merit: the best; with probability ε any; or each in proportion to exp(merit / temperature). The
draws of a slot depend on the slots above alone, so that the product of the propensities is the probability of the whole
answer, and those of all answers sum to 1.
"""

import math
from typing import NamedTuple, TypeAlias

import numba
import numpy as np
import numpy.typing as npt

from foretaste.arrays import DoubleArray, IntArray, LongArray
from foretaste.serving.policies import EpsilonGreedyPolicy, PlackettLucePolicy, Policy

_ByteArray: TypeAlias = npt.NDArray[np.uint8]
_FREE, _TAKEN = 0, 1


class Choice(NamedTuple):
    """A policy as the kernel takes it."""

    epsilon: float
    """Chance of any item; 0 for none."""
    temperature: float
    """Of the softmax; 0 for the best item."""

    @classmethod
    def of(cls, policy: Policy) -> "Choice":
        """The numbers of a policy."""
        if isinstance(policy, EpsilonGreedyPolicy):
            return cls(policy.epsilon, 0.0)
        return cls(0.0, policy.temperature if isinstance(policy, PlackettLucePolicy) else 0.0)


class Memberships(NamedTuple):
    """The values that each candidate has: `value[indptr[c]:indptr[c + 1]]`, in order."""

    indptr: LongArray
    value: IntArray


@numba.njit(cache=True, nogil=True)
def _similarity(c: int, other: int, traits: Memberships) -> float:  # pragma: no cover
    """Jaccard: shared values over all values; 0 where neither has any."""
    i, i_stop = traits.indptr[c], traits.indptr[c + 1]
    j, j_stop = traits.indptr[other], traits.indptr[other + 1]
    either, shared = (i_stop - i) + (j_stop - j), 0
    while i < i_stop and j < j_stop:
        if traits.value[i] == traits.value[j]:
            shared += 1
            i += 1
            j += 1
        elif traits.value[i] < traits.value[j]:
            i += 1
        else:
            j += 1
    return shared / (either - shared) if either else 0.0


@numba.njit(cache=True, nogil=True)
def _keeps_caps(c: int, capped: Memberships, room_V: IntArray) -> bool:  # pragma: no cover
    for n in range(capped.indptr[c], capped.indptr[c + 1]):  # noqa: SIM110 - loops are what is compiled
        if room_V[capped.value[n]] <= 0:
            return False
    return True


@numba.njit(cache=True, nogil=True)
def _pick(
    merit_C: DoubleArray, allowed_C: _ByteArray, choice: Choice, first: float, second: float
) -> tuple[int, float]:  # pragma: no cover
    """A candidate that is allowed, and its probability; -1 where none is."""
    best, num_allowed = -1, 0
    for c in range(len(merit_C)):
        if allowed_C[c]:
            num_allowed += 1
            if best < 0 or merit_C[c] > merit_C[best]:
                best = c
    if best < 0 or (choice.epsilon == 0.0 and choice.temperature == 0.0):
        return best, 1.0
    picked = best
    if choice.temperature > 0.0:
        total = 0.0
        for c in range(len(merit_C)):
            if allowed_C[c]:
                total += math.exp((merit_C[c] - merit_C[best]) / choice.temperature)
        reach = first * total
        for c in range(len(merit_C)):
            if allowed_C[c]:
                mass = math.exp((merit_C[c] - merit_C[best]) / choice.temperature)
                if mass > 0.0:
                    picked = c
                    if reach < mass:
                        break
                reach -= mass
        return picked, math.exp((merit_C[picked] - merit_C[best]) / choice.temperature) / total
    if first < choice.epsilon:
        left = min(int(second * num_allowed), num_allowed - 1)
        for c in range(len(merit_C)):
            if allowed_C[c]:
                picked = c
                if left == 0:
                    break
                left -= 1
    share = choice.epsilon / num_allowed
    return picked, (1.0 - choice.epsilon) + share if picked == best else share


@numba.njit(cache=True, nogil=True)
def fill_slots(
    relevance_C: DoubleArray,
    traits: Memberships,
    relevance_weight: float,
    capped: Memberships,
    room_V: IntArray,
    choice: Choice,
    uniform_K2: DoubleArray,
    pinned_K: LongArray,
    picked_K: LongArray,
    propensity_K: DoubleArray,
    num_filled: int,
) -> int:  # pragma: no cover
    """Fill slots from `num_filled` on; picked_K and propensity_K tell what came.

    Args:
        relevance_C: of each candidate; among equal merits the first candidate comes.
        traits: what similarity compares.
        relevance_weight: λ; with 1 similarity is not looked at.
        capped: values of the candidates whose number is limited.
        room_V: how many items with each value may come; what pinned items take is taken at the start.
        choice: the policy.
        uniform_K2: two draws from [0, 1) a slot.
        pinned_K: the candidate whose slot this is, or -1.
        picked_K: candidates of the slots that are filled already.
        propensity_K: their probabilities.
        num_filled: how many those are.

    Returns:
        The number of slots that are filled; fewer than K where no candidate that is left keeps the caps.
    """
    num_candidates, k = len(relevance_C), len(picked_K)
    state_C = np.zeros(num_candidates, dtype=np.uint8)
    nearest_C = np.zeros(num_candidates)
    room_V = room_V.copy()
    for slot in range(k):
        placed = picked_K[slot] if slot < num_filled else pinned_K[slot]
        if placed >= 0 and state_C[placed] == _FREE:
            state_C[placed] = _TAKEN
            for n in range(capped.indptr[placed], capped.indptr[placed + 1]):
                room_V[capped.value[n]] -= 1
    for slot in range(k):
        if slot >= num_filled:
            chosen, propensity = pinned_K[slot], 1.0
            if chosen < 0:
                allowed_C = np.zeros(num_candidates, dtype=np.uint8)
                merit_C = np.empty(num_candidates)
                for c in range(num_candidates):
                    merit_C[c] = relevance_weight * relevance_C[c] - (1.0 - relevance_weight) * nearest_C[c]
                    allowed_C[c] = state_C[c] == _FREE and _keeps_caps(c, capped, room_V)
                chosen, propensity = _pick(merit_C, allowed_C, choice, uniform_K2[slot, 0], uniform_K2[slot, 1])
                if chosen < 0:
                    return slot
                state_C[chosen] = _TAKEN
                for n in range(capped.indptr[chosen], capped.indptr[chosen + 1]):
                    room_V[capped.value[n]] -= 1
            picked_K[slot] = chosen
            propensity_K[slot] = propensity
        if relevance_weight < 1.0:
            for c in range(num_candidates):
                nearest_C[c] = max(nearest_C[c], _similarity(c, picked_K[slot], traits))
    return k


@numba.njit(cache=True, nogil=True)
def chances_of_slots(
    relevance_C: DoubleArray,
    traits: Memberships,
    relevance_weight: float,
    capped: Memberships,
    room_V: IntArray,
    choice: Choice,
    pinned_K: LongArray,
    shown_K: LongArray,
    chance_KC: DoubleArray,
) -> int:  # pragma: no cover
    """The probability with which `fill_slots` would give each slot to each candidate, given the items shown above it.

    Args:
        relevance_C, traits, relevance_weight, capped, room_V, choice, pinned_K: as for `fill_slots`.
        shown_K: the candidate that each slot showed; -1 for an item that is no candidate, which could not have come.
        chance_KC: zeros; a row sums to 1, or stays zero where no candidate is left or the slots above were impossible.

    Returns:
        The first slot for which no candidate is left that keeps the caps, or K.
    """
    num_candidates, k = len(relevance_C), len(shown_K)
    state_C = np.zeros(num_candidates, dtype=np.uint8)
    nearest_C = np.zeros(num_candidates)
    room_V = room_V.copy()
    for slot in range(k):
        placed = pinned_K[slot]
        if placed >= 0:
            state_C[placed] = _TAKEN
            for n in range(capped.indptr[placed], capped.indptr[placed + 1]):
                room_V[capped.value[n]] -= 1
    for slot in range(k):
        if pinned_K[slot] >= 0:
            chance_KC[slot, pinned_K[slot]] = 1.0
        else:
            best, num_allowed, total = -1, 0, 0.0
            merit_C = np.full(num_candidates, -np.inf)
            for c in range(num_candidates):
                if state_C[c] == _FREE and _keeps_caps(c, capped, room_V):
                    merit_C[c] = relevance_weight * relevance_C[c] - (1.0 - relevance_weight) * nearest_C[c]
                    num_allowed += 1
                    if best < 0 or merit_C[c] > merit_C[best]:
                        best = c
            if best < 0:
                return slot
            for c in range(num_candidates):
                if merit_C[c] > -np.inf:
                    if choice.temperature > 0.0:
                        chance_KC[slot, c] = math.exp((merit_C[c] - merit_C[best]) / choice.temperature)
                        total += chance_KC[slot, c]
                    else:
                        chance_KC[slot, c] = choice.epsilon / num_allowed
            if choice.temperature > 0.0:
                chance_KC[slot] /= total
            else:
                chance_KC[slot, best] += 1.0 - choice.epsilon
        shown = shown_K[slot]
        if shown < 0 or chance_KC[slot, shown] == 0.0:
            return k
        if state_C[shown] == _FREE:
            state_C[shown] = _TAKEN
            for n in range(capped.indptr[shown], capped.indptr[shown + 1]):
                room_V[capped.value[n]] -= 1
        if relevance_weight < 1.0:
            for c in range(num_candidates):
                nearest_C[c] = max(nearest_C[c], _similarity(c, shown, traits))
    return k
