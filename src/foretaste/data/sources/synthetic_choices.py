"""How the people of the synthetic world choose: the kernel that turns tastes into events.

Each user draws from a random stream of its own (SplitMix64, Steele et al. 2014), so that a user's events do not depend
on how many users are made at a time or on how many threads make them.
"""

from typing import TypeAlias

import numba
import numpy as np
import numpy.typing as npt

from foretaste.arrays import FloatArray, IntArray, LongArray

EVENTS_PER_SESSION = 5
"""Mean number of events that follow each other within minutes."""
_PAUSE_SECONDS = 3_600
"""The longest pause between two events of a session."""
_TRIES = 64
"""Draws for one place of the slate, before an item that the user has met already is shown again."""
_USERS_PER_TASK = 256
_Stream: TypeAlias = npt.NDArray[np.uint64]
"""One number: where the random stream of a user stands."""


@numba.njit(cache=True, nogil=True, inline="always")
def _uniform(stream: _Stream) -> float:  # pragma: no cover
    """The next number of the stream, in [0, 1)."""
    stream[0] += np.uint64(0x9E3779B97F4A7C15)
    z = stream[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.float64((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@numba.njit(cache=True, nogil=True)
def _draw_times(arrival: int, end: int, stream: _Stream, timestamp_N: LongArray) -> None:  # pragma: no cover
    """Fill timestamp_N with sessions spread evenly over the user's time, in order."""
    now = 0
    for n in range(len(timestamp_N)):
        if n == 0 or _uniform(stream) * EVENTS_PER_SESSION < 1.0:
            now = arrival + int(_uniform(stream) * (end - arrival))
        else:
            now = min(now + 30 + int(_uniform(stream) * _PAUSE_SECONDS), end - 1)
        timestamp_N[n] = now
    timestamp_N.sort()


@numba.njit(cache=True, parallel=True)
def choose(
    taste_start_UD: FloatArray,
    taste_end_UD: FloatArray,
    item_ID: FloatArray,
    quality_I: FloatArray,
    shelf: IntArray,
    arrival_U: LongArray,
    release_I: LongArray,
    begin: int,
    end: int,
    slate_size: int,
    seed: int,
    first_user: int,
    offset_U: LongArray,
    item_N: IntArray,
    rating_N: FloatArray,
    timestamp_N: LongArray,
) -> None:  # pragma: no cover
    """Fill item_N, rating_N and timestamp_N with the events of a run of users, each user's in order of time.

    For each event a slate is drawn from `shelf`, where an item stands as often as it is exposed, without items that are
    not yet released or that the user has met. The user takes item i of the slate with probability proportional to
    exp(affinity_i), and rates it 1 + Binomial(4, sigmoid(affinity_i)).

    Args:
        taste_start_UD, taste_end_UD: tastes of these users at `begin` and at `end`; between, they move in a line.
        item_ID, quality_I: affinity of a user and an item is taste_D · item_D + quality.
        shelf: item indices, repeated in proportion to exposure.
        arrival_U, release_I, begin, end: UTC seconds.
        slate_size: items shown for each event.
        seed: of the world.
        first_user: index of the first of these users in the world.
        offset_U: users + 1 positions; user u's events are offset_U[u]:offset_U[u + 1].
        item_N, rating_N, timestamp_N: are filled.
    """
    num_users, dim = taste_start_UD.shape
    for task in numba.prange((num_users + _USERS_PER_TASK - 1) // _USERS_PER_TASK):
        met_by_I = np.full(len(quality_I), -1, dtype=np.int32)
        stream = np.empty(1, dtype=np.uint64)
        taste_D = np.empty(dim, dtype=np.float32)
        slate = np.empty(slate_size, dtype=np.int32)
        affinity = np.empty(slate_size, dtype=np.float64)
        upto = np.empty(slate_size, dtype=np.float64)
        for user in range(task * _USERS_PER_TASK, min((task + 1) * _USERS_PER_TASK, num_users)):
            stream[0] = np.uint64(seed) * np.uint64(0xD1342543DE82EF95) + np.uint64(first_user + user)
            stream[0] = np.uint64(_uniform(stream) * 2.0**53)
            _draw_times(arrival_U[user], end, stream, timestamp_N[offset_U[user] : offset_U[user + 1]])
            for n in range(offset_U[user], offset_U[user + 1]):
                now = timestamp_N[n]
                moved = np.float32((now - begin) / (end - begin))
                for d in range(dim):
                    taste_D[d] = taste_start_UD[user, d] + moved * (taste_end_UD[user, d] - taste_start_UD[user, d])
                total = 0.0
                for place in range(slate_size):
                    item = 0
                    for _ in range(_TRIES):
                        item = shelf[int(_uniform(stream) * len(shelf))]
                        if release_I[item] <= now and met_by_I[item] != user:
                            break
                    value = quality_I[item]
                    for d in range(dim):
                        value += taste_D[d] * item_ID[item, d]
                    slate[place] = item
                    affinity[place] = value
                    total += np.exp(value) * (release_I[item] <= now)
                    upto[place] = total
                threshold = _uniform(stream) * total
                place = 0
                while place < slate_size - 1 and upto[place] <= threshold:
                    place += 1
                liking = 1.0 / (1.0 + np.exp(-affinity[place]))
                stars = 1
                for _ in range(4):
                    stars += _uniform(stream) < liking
                item_N[n] = slate[place]
                rating_N[n] = stars
                met_by_I[slate[place]] = user
