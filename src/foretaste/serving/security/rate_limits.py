"""How often a caller may ask: token buckets, one number each, in memory that all workers share.

The generic cell rate algorithm (ITU-T I.371) stores of a bucket only when it will be full again. The buckets are a
table of fixed size; a keyed hash says which is whose, so memory is bounded whoever asks. Two callers that fall into one
bucket share its rate: with 65,536 buckets and 1,000 callers at once, about 15 in 1,000.
"""

import mmap
import secrets
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import numpy as np

_BUCKETS = 65_536
_BYTES = 8 * _BUCKETS
_SECRET_BYTES = 16


class RateLimits:
    """Counts requests of callers.

    Args:
        burst_seconds: how many seconds' worth of requests may come at once; always at least one request.
        shared: a file of `make_shared_buckets` for several workers; None to count in this process alone.
        clock: seconds, the same for all processes of the machine.
    """

    def __init__(
        self, burst_seconds: float, shared: Path | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst_seconds, self._clock = burst_seconds, clock
        if shared is None:
            self._secret = secrets.token_bytes(_SECRET_BYTES)
            self._full_at = np.zeros(_BUCKETS)
        else:
            with shared.open("r+b") as file:
                memory = mmap.mmap(file.fileno(), _BYTES + _SECRET_BYTES)
            self._secret = memory[_BYTES:]
            self._full_at = np.frombuffer(memory, dtype=np.float64, count=_BUCKETS)

    def wait(self, bucket: str, requests_per_second: float) -> float:
        """0 and the request is counted; or else the seconds after which it could be."""
        slot = int.from_bytes(blake2b(bucket.encode(), key=self._secret, digest_size=4).digest()) % _BUCKETS
        now, spacing = self._clock(), 1 / requests_per_second
        full_at = max(float(self._full_at[slot]), now)
        too_early = full_at - now - max(self._burst_seconds - spacing, 0.0)
        if too_early > 1e-9:
            return too_early
        self._full_at[slot] = full_at + spacing
        return 0.0


def make_shared_buckets(path: Path) -> None:
    """A file for the `shared` of all workers of a service."""
    path.write_bytes(bytes(_BYTES) + secrets.token_bytes(_SECRET_BYTES))
