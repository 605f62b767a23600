"""One arm through the simulated weeks, and what came of each."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from foretaste.arrays import SECONDS_PER_DAY, BoolArray, DoubleArray
from foretaste.data.sources.synthetic_world import World
from foretaste.pipelines.simulation.arms import Arm
from foretaste.pipelines.simulation.people import Arrival, Choice, Happening, Visit, click_chances, clicked
from foretaste.pipelines.simulation.settings import DAYS_PER_WEEK


class SimulatedClock:
    """Seconds of the world, UTC. Called, it tells them; whoever leads through the weeks sets them."""

    def __init__(self, now_seconds: float) -> None:
        self.now_seconds = now_seconds

    def __call__(self) -> float:
        """The time."""
        return self.now_seconds


@dataclass(frozen=True)
class WeekFigures:
    """What an arm came to in a week."""

    week: int
    """From 1 on."""
    num_visits: int
    num_shown: int
    """Slots that were filled."""
    num_clicks: int
    expected_clicks: float
    """Sum over the slots of the probability of a click: the clicks without the luck of the coins."""
    num_items_shown: int
    """Different items that anybody was shown."""
    num_items_released: int
    """Items that are out when the week ends."""
    num_shown_new: int
    """Slots with an item that came out after the first week had begun."""
    num_visits_of_new_users: int
    """By users who came after the first week had begun."""
    num_clicks_of_new_users: int

    @property
    def click_through(self) -> float:
        """Clicks per slot shown; 0 where nothing was."""
        return self.num_clicks / self.num_shown if self.num_shown else 0.0

    @property
    def expected_clicks_per_visit(self) -> float:
        """0 where nobody came."""
        return self.expected_clicks / self.num_visits if self.num_visits else 0.0

    @property
    def coverage(self) -> float:
        """Share of the released items that anybody was shown."""
        return self.num_items_shown / self.num_items_released

    @property
    def new_item_share(self) -> float:
        """Share of the slots that new items had; 0 where nothing was shown."""
        return self.num_shown_new / self.num_shown if self.num_shown else 0.0

    @property
    def clicks_per_visit_of_new_users(self) -> float | None:
        """None where none came."""
        return self.num_clicks_of_new_users / self.num_visits_of_new_users if self.num_visits_of_new_users else None


class _Week:
    """A week while it lasts."""

    def __init__(self, number: int, world: World, start_seconds: float) -> None:
        self._number, self._world = number, world
        self._is_new_I: BoolArray = world.release_seconds_I >= start_seconds
        self._is_new_U: BoolArray = world.arrival_seconds_U >= start_seconds
        self._was_shown_I: BoolArray = np.zeros(len(world.quality_I), dtype=bool)
        self._visits = self._shown = self._clicks = self._shown_new = self._visits_new = self._clicks_new = 0
        self._expected = 0.0

    def lived(self, arm: Arm, visit: Visit, examination_K: DoubleArray) -> None:
        shown = arm.shows(visit.user, visit.at_seconds, len(examination_K))
        liking_K = self._world.preference(np.array([visit.user]), int(visit.at_seconds))[0, shown.item_K]
        chance_K = click_chances(liking_K, examination_K)
        is_clicked_K = clicked(chance_K, visit.uniform_K)
        if is_clicked_K.any():
            arm.clicks(visit.user, visit.at_seconds, shown, shown.item_K[is_clicked_K])
        num_clicks = int(is_clicked_K.sum())
        self._visits += 1
        self._shown += len(shown.item_K)
        self._clicks += num_clicks
        self._expected += float(chance_K.sum())
        self._shown_new += int(self._is_new_I[shown.item_K].sum())
        self._was_shown_I[shown.item_K] = True
        if self._is_new_U[visit.user]:
            self._visits_new += 1
            self._clicks_new += num_clicks

    def figures(self, end_seconds: float) -> WeekFigures:
        return WeekFigures(
            week=self._number,
            num_visits=self._visits,
            num_shown=self._shown,
            num_clicks=self._clicks,
            expected_clicks=self._expected,
            num_items_shown=int(self._was_shown_I.sum()),
            num_items_released=int((self._world.release_seconds_I <= end_seconds).sum()),
            num_shown_new=self._shown_new,
            num_visits_of_new_users=self._visits_new,
            num_clicks_of_new_users=self._clicks_new,
        )


def live(
    arm: Arm,
    world: World,
    happenings: Iterable[Happening],
    weeks: int,
    examination_K: DoubleArray,
    clock: SimulatedClock,
    after_day: Callable[[int], None],
) -> list[WeekFigures]:
    """Lead an arm through the weeks that the world ends with.

    Args:
        arm: who answers.
        world: who asks.
        happenings: in order of time.
        weeks: how many.
        examination_K: probability that each slot is looked at.
        clock: is set to the time of each happening, and to the end of each day.
        after_day: called with the number of each day, from 1 on, when it is over.
    """
    start = world.config.end_seconds - weeks * DAYS_PER_WEEK * SECONDS_PER_DAY
    told, week, day = list[WeekFigures](), _Week(1, world, start), 1

    def end_days(until: float) -> None:
        nonlocal week, day
        while start + day * SECONDS_PER_DAY <= until:
            clock.now_seconds = start + day * SECONDS_PER_DAY
            arm.day_ends()
            if day % DAYS_PER_WEEK == 0:
                told.append(week.figures(clock.now_seconds))
                week = _Week(day // DAYS_PER_WEEK + 1, world, start)
            after_day(day)
            day += 1

    for happening in happenings:
        end_days(happening.at_seconds)
        clock.now_seconds = happening.at_seconds
        match happening:
            case Arrival():
                arm.arrives(happening.user)
            case Choice():
                arm.takes(happening)
            case Visit():
                week.lived(arm, happening, examination_K)
    end_days(world.config.end_seconds)
    return told
