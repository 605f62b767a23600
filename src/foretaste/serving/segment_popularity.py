"""Popularity among users like one, for somebody of whom attributes are known and no history."""

from collections.abc import Sequence

import numpy as np

from foretaste.arrays import DoubleArray, FloatArray
from foretaste.artifacts.segments import Segment

_PRIOR_EVENTS = 10.0
"""Events that an item is taken to have beside its own, met by all kinds of users alike."""


def lift(segment: Segment, popularity_I: FloatArray) -> DoubleArray:
    """lift_I: how many times as often as others, by its events, the users of a segment meet each item.

    With n events of an item, c of them in the segment, and e the segment's share of all events, it is
    (c / e + 10) / (n + 10): 1 for an item that all kinds of users meet alike, and near 1 for one of few events.
    """
    total = float(popularity_I.sum(dtype=np.float64))
    share = segment.num_events / total if total > 0 else 1.0
    # An item that is not listed was not met, unless the list was cut: then nothing is known of it.
    expected_I = np.zeros(len(popularity_I)) if segment.is_complete else popularity_I.astype(np.float64)
    expected_I[segment.item_X] = segment.count_X / share if share > 0 else 0.0
    return np.asarray((expected_I + _PRIOR_EVENTS) / (popularity_I + _PRIOR_EVENTS))


def segment_popularity(segments: Sequence[Segment], popularity_I: FloatArray) -> FloatArray:
    """scores_I: the events of each item, times its lift in each of the segments, as if these were independent."""
    scores_I = popularity_I.astype(np.float64)
    for segment in segments:
        scores_I *= lift(segment, popularity_I)
    return scores_I.astype(np.float32)
