"""Who does what when, before any arm is known: every arm meets the same people, at the same times, in the same mood.

An item in slot k is clicked by a user who looks at the slot and likes the item, each by a coin of its own (the
position-based model: Craswell et al. 2008, "An Experimental Comparison of Click Position-Bias Models"):

    P(click on item i in slot k) = k^-η · preference(user, i)

The coins are drawn here, a number from [0, 1) for each slot of each visit, so that two arms that show the same item in
the same slot get the same click (common random numbers).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl

from foretaste.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from foretaste.data.schemas import ITEM_ID, RATING, TIMESTAMP, USER_ID
from foretaste.data.sources.synthetic import chunks
from foretaste.data.sources.synthetic_world import World
from foretaste.pipelines.simulation.settings import PeopleConfig

_VISIT_STREAM = 2
"""Sets the random numbers of the visits apart from those of the world."""


@dataclass(frozen=True, eq=False)
class Arrival:
    """A user comes for the first time."""

    at_seconds: float
    user: int


@dataclass(frozen=True, eq=False)
class Choice:
    """A user takes and rates an item without having been shown it: by search, or from a friend."""

    at_seconds: float
    user: int
    item: int
    rating: float


@dataclass(frozen=True, eq=False)
class Visit:
    """A user asks what there is for them."""

    at_seconds: float
    user: int
    uniform_K: DoubleArray
    """A coin for each slot: the click happens where it lies below the probability."""


Happening: TypeAlias = Arrival | Choice | Visit


def examination(num_slots: int, exponent: float) -> DoubleArray:
    """examination_K: probability that each slot is looked at, k^-exponent for k = 1 … K."""
    return np.arange(1, num_slots + 1, dtype=np.float64) ** -exponent


def click_chances(preference_K: FloatArray, examination_K: DoubleArray) -> DoubleArray:
    """chance_K: probability of a click in each slot, of as many slots as were filled."""
    return np.asarray(examination_K[: len(preference_K)] * preference_K, dtype=np.float64)


def clicked(chance_K: DoubleArray, uniform_K: DoubleArray) -> BoolArray:
    """True for each slot whose coin lies below its chance."""
    return np.asarray(uniform_K[: len(chance_K)] < chance_K)


def rows_of(world: World) -> pl.DataFrame:
    """All that people take by themselves over the world's days, in order of time: user_id, item_id, rating, timestamp.

    Of events of the same second a user's own order stays.
    """
    return pl.concat(chunks(world.config)).sort(TIMESTAMP, maintain_order=True)


def happenings(
    world: World, rows: pl.DataFrame, start_seconds: int, weeks: int, people: PeopleConfig
) -> list[Happening]:
    """All that happens in the simulated weeks, in order of time: arrivals first, then choices, then visits.

    Args:
        world: who and what.
        rows: as `rows_of` gives them; those from `start_seconds` on are the choices.
        start_seconds: when the first week begins, UTC.
        weeks: how many there are; the last ends with the world.
        people: how they use the service.
    """
    late = np.flatnonzero(world.arrival_seconds_U >= start_seconds)
    arrivals = [Arrival(float(world.arrival_seconds_U[user]), int(user)) for user in late]
    new = rows.filter(pl.col(TIMESTAMP) >= start_seconds)
    choices = [
        Choice(float(at), index_of(user_id), index_of(item_id), float(rating))
        for user_id, item_id, rating, at in new.select(USER_ID, ITEM_ID, RATING, TIMESTAMP).iter_rows()
    ]
    visits = _visits(world, start_seconds, people.visits_per_week * weeks, people.slots)
    return sorted([*arrivals, *choices, *visits], key=_time)


def index_of(world_id: str) -> int:
    """The index of a user or an item of the world: `u1` and `m1` are the first."""
    return int(world_id[1:]) - 1


def _time(happening: Happening) -> float:
    return happening.at_seconds


def _visits(world: World, start_seconds: int, count: int, num_slots: int) -> Sequence[Visit]:
    """Evenly spread over the time; who has more events a day in the world comes more often, once they have arrived."""
    rng = np.random.default_rng([world.config.seed, _VISIT_STREAM])
    end = world.config.end_seconds
    at_V = np.sort(rng.uniform(start_seconds, end, count))
    rate_U = world.num_events_U / (end - world.arrival_seconds_U)
    user_V = _drawn(rng, rate_U, count)
    while (early := np.flatnonzero(world.arrival_seconds_U[user_V] > at_V)).size:
        user_V[early] = _drawn(rng, rate_U, early.size)
    uniform_VK = rng.random((count, num_slots))
    return [
        Visit(float(at), int(user), uniform_K) for at, user, uniform_K in zip(at_V, user_V, uniform_VK, strict=True)
    ]


def _drawn(rng: np.random.Generator, rate_U: DoubleArray, count: int) -> IntArray:
    return rng.choice(len(rate_U), size=count, p=rate_U / rate_U.sum()).astype(np.int32)
