"""The same metrics for some of the users, or for some of the items that were to be found."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse

from foretaste.arrays import EMPTY_SLOT, BoolArray, DoubleArray, IntArray, LongArray
from foretaste.evaluation.metrics import HIT_METRICS
from foretaste.evaluation.significance import Estimate, estimates_of
from foretaste.models.hits import hits

NEW_USER_EVENTS = 5
"""A user with a history of at most so many items is new."""


@dataclass(frozen=True, eq=False)
class Slice:
    """What a group came to."""

    of: Literal["users", "items"]
    """`users`: the figures of the judged users of a group. `items`: only the relevant items of a group count, over the
    users that have any."""
    definition: str
    """Who belongs to the group, in numbers."""
    user_B: IntArray
    """The users that the figures are over."""
    num_relevant: int
    """Held-out pairs of the group."""
    values: dict[str, DoubleArray]
    """Metric, as in `ndcg@10`, → a value for each of `user_B`; NaN where it is not defined. Groups of items have the
    metrics of hits alone."""

    def mean(self, metric: str) -> float:
        """Mean over the users of the slice, without the cost of its interval."""
        return float(np.nanmean(self.values[metric]))

    def estimate(self, metric: str) -> Estimate:
        """Mean and 95 % interval over the users of the slice."""
        return estimates_of({metric: self.values[metric]})[metric]


def user_slices(
    user_B: IntArray, history_length_B: LongArray, num_relevant_B: IntArray, values: Mapping[str, DoubleArray]
) -> dict[str, Slice]:
    """`cold users`, `new users`, `light users` and `heavy users`, those that are not empty."""
    slices = {}
    for name, definition, is_member_B in _user_groups(history_length_B):
        if is_member_B.any():
            kept = {metric: value_B[is_member_B] for metric, value_B in values.items()}
            defined = {metric: value_B for metric, value_B in kept.items() if not np.isnan(value_B).all()}
            slices[name] = Slice(
                "users", definition, user_B[is_member_B], int(num_relevant_B[is_member_B].sum()), defined
            )
    return slices


def _user_groups(length_B: LongArray) -> Iterator[tuple[str, str, BoolArray]]:
    yield "cold users", "users without a history", length_B == 0
    yield "new users", f"users with 1 to {NEW_USER_EVENTS} items before", (length_B > 0) & (length_B <= NEW_USER_EVENTS)
    is_settled_B = length_B > NEW_USER_EVENTS
    if is_settled_B.any():
        middle = int(np.median(length_B[is_settled_B]))
        light = f"users with {NEW_USER_EVENTS + 1} to {middle} items before, the lighter half of the others"
        yield "light users", light, is_settled_B & (length_B <= middle)
        yield "heavy users", f"users with more than {middle} items before", length_B > middle


def item_groups(num_events_I: LongArray) -> tuple[IntArray, dict[str, str]]:
    """Which of the groups each item is in: a third of the events each, most popular items first; and the cold items.

    Args:
        num_events_I: events of each item in the history.

    Returns:
        group_I, an index into the second; name → definition.
    """
    order_I = np.argsort(-num_events_I, kind="stable")
    before_I = np.empty(len(num_events_I), dtype=np.int64)
    before_I[order_I] = np.cumsum(num_events_I[order_I]) - num_events_I[order_I]
    group_I = np.minimum(3 * before_I // max(int(num_events_I.sum()), 1), 2).astype(np.int32)
    group_I[num_events_I == 0] = 3
    count_G = np.bincount(group_I, minlength=4)
    thirds = ("the most popular items, with the first third of the events before", "the next third", "the last third")
    names = ("head items", "mid items", "tail items")
    definitions = {
        name: f"{third}: {count:,} items" for name, third, count in zip(names, thirds, count_G[:3], strict=True)
    }
    return group_I, definitions | {"cold items": f"items without events before: {count_G[3]:,}"}


def item_slices(
    user_B: IntArray,
    item_BK: IntArray,
    relevant_BI: sparse.csr_array,
    num_events_I: LongArray,
    cutoffs: Iterable[int],
    names: Iterable[str],
) -> dict[str, Slice]:
    """`head items`, `mid items`, `tail items` and `cold items`, those that anybody was to find.

    Args:
        user_B: the judged users.
        item_BK: their lists.
        relevant_BI: what they were to find.
        num_events_I: events of each item in the history.
        cutoffs: lengths of the lists that are judged.
        names: metrics, as in `ndcg`; those of hits are taken.
    """
    group_I, definitions = item_groups(num_events_I)
    hit_BK, judged = hits(item_BK, relevant_BI), [name for name in names if name in HIT_METRICS]
    slot_group_KB = np.where(item_BK == EMPTY_SLOT, EMPTY_SLOT, group_I[item_BK]).T.copy()
    row_N = np.repeat(np.arange(len(user_B)), np.diff(relevant_BI.indptr))
    place_N, shape = (
        len(user_B) * group_I[relevant_BI.indices].astype(np.int64) + row_N,
        (len(definitions), len(user_B)),
    )
    num_relevant_GB = np.bincount(place_N, minlength=shape[0] * shape[1]).reshape(shape)
    slices = {}
    for group, ((name, definition), num_relevant_B) in enumerate(
        zip(definitions.items(), num_relevant_GB, strict=True)
    ):
        is_member_B = num_relevant_B > 0
        if is_member_B.any():
            own_hit_BK = (hit_BK.T * (slot_group_KB == group)).compress(is_member_B, axis=1).T
            values = {
                f"{name}@{cutoff}": HIT_METRICS[name](own_hit_BK[:, :cutoff], num_relevant_B[is_member_B])
                for cutoff in cutoffs
                for name in judged
            }
            slices[name] = Slice("items", definition, user_B[is_member_B], int(num_relevant_B.sum()), values)
    return slices
