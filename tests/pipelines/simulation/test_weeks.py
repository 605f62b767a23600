import numpy as np
import pytest

from foretaste.pipelines.simulation.arms import Oracle, Shown
from foretaste.pipelines.simulation.people import Arrival, Choice, Visit, happenings
from foretaste.pipelines.simulation.settings import PeopleConfig
from foretaste.pipelines.simulation.weeks import SimulatedClock, live

DAY = 86_400


class Scripted:
    """Shows the same two items to everybody, and remembers what it is told."""

    def __init__(self, items):
        self.items, self.told = np.array(items, dtype=np.int32), []

    def arrives(self, user):
        self.told.append(("arrives", user))

    def takes(self, choice):
        self.told.append(("takes", choice.user, choice.item))

    def shows(self, user, at_seconds, num_slots):
        return Shown(self.items[:num_slots], "r")

    def clicks(self, user, at_seconds, shown, item_C):
        self.told.append(("clicks", user, item_C.tolist()))

    def day_ends(self):
        self.told.append("night")


def test_figures_of_a_week_by_hand(world, start):
    new_user = int(np.flatnonzero(world.arrival_seconds_U >= start)[0])
    old_user = int(np.flatnonzero(world.arrival_seconds_U < start)[0])
    new_item = int(np.flatnonzero(world.release_seconds_I >= start)[0])
    old_item = int(np.flatnonzero(world.release_seconds_I < start)[0])
    arm, clock, days = Scripted([old_item, new_item]), SimulatedClock(start), []
    always, never, at = np.zeros(2), np.ones(2), start + 1.0
    stream = [
        Arrival(at, new_user),
        Visit(at, new_user, always),
        Choice(at, old_user, old_item, 5.0),
        Visit(at, old_user, never),
        Visit(start + 7 * DAY, old_user, always),  # the first moment of the second week
    ]
    examination_K = np.array([1.0, 0.5])
    first, second = live(arm, world, stream, 2, examination_K, clock, days.append)
    assert days == list(range(1, 15))
    assert clock.now_seconds == world.config.end_seconds
    assert (first.num_visits, first.num_shown, first.num_clicks, first.num_shown_new) == (2, 4, 2, 2)
    assert (first.click_through, first.new_item_share) == (0.5, 0.5)
    assert (first.num_visits_of_new_users, first.clicks_per_visit_of_new_users) == (1, 2)
    liking_BI = world.preference(np.array([new_user, old_user]), int(at))
    assert first.expected_clicks == pytest.approx(float((liking_BI[:, [old_item, new_item]] @ examination_K).sum()))
    released = int((world.release_seconds_I <= start + 7 * DAY).sum())
    assert first.coverage == pytest.approx(2 / released)
    assert (second.week, second.num_visits, second.num_clicks) == (2, 1, 2)
    assert second.clicks_per_visit_of_new_users is None
    assert arm.told[:4] == [
        ("arrives", new_user),
        ("clicks", new_user, [old_item, new_item]),
        ("takes", old_user, old_item),
        "night",
    ]
    assert arm.told.count("night") == 14


def test_no_arm_does_better_than_the_oracle_on_a_visit(world, start):
    oracle = Oracle(world, np.zeros((60, 40), dtype=bool))
    at = start + 3 * DAY
    liking_I = world.preference(np.array([7]), at)[0]
    is_out_I = world.release_seconds_I <= at
    best = oracle.shows(7, at, 5).item_K
    assert is_out_I[best].all()
    assert liking_I[best].tolist() == sorted(liking_I[is_out_I], reverse=True)[:5]
    oracle.clicks(7, at, Shown(best, ""), best[:2])
    oracle.takes(Choice(at, 7, int(best[2]), 4.0))
    assert oracle.shows(7, at, 2).item_K.tolist() == best[3:5].tolist()
    assert oracle.shows(8, at, 40).item_K.size == is_out_I.sum(), "fewer where fewer are out"


def test_two_arms_that_show_the_same_get_the_same_clicks(world, rows, start):
    stream = happenings(world, rows, start, 2, PeopleConfig(visits_per_week=100, slots=2))
    ours, theirs, others = (
        live(Scripted(items), world, stream, 2, np.ones(2), SimulatedClock(start), lambda day: None)
        for items in ([4, 9], [4, 9], [9, 4])
    )
    assert ours == theirs
    assert [week.num_clicks for week in others] != [week.num_clicks for week in ours]
    assert [week.expected_clicks for week in others] == pytest.approx([week.expected_clicks for week in ours])
