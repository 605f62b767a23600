"""Which variant a user gets: the same one each time, for as long as the experiment keeps its name."""

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate

DEFAULT_VARIANT = "default"


def position(experiment: str, user_id: str) -> float:
    """Where a user stands in an experiment: uniform in [0, 1), and unrelated between experiments of two names."""
    digest = blake2b(user_id.encode(), digest_size=8, key=experiment.encode()).digest()
    return (int.from_bytes(digest) >> 11) / 2**53


class Arms:
    """The parts of [0, 1) that belong to each variant, in the order of the config; the rest is the default's."""

    def __init__(self, experiment: str, shares: Sequence[float]) -> None:
        self._experiment = experiment
        self._ends = list(accumulate(shares))

    def arm(self, user_id: str) -> int:
        """Index of the user's variant; as many as there are variants stands for the default."""
        return bisect_right(self._ends, position(self._experiment, user_id))
