import numpy as np
import pytest

from foretaste.pipelines.simulation.people import (
    Arrival,
    Choice,
    Visit,
    click_chances,
    clicked,
    examination,
    happenings,
    index_of,
)
from foretaste.pipelines.simulation.settings import PeopleConfig

PEOPLE = PeopleConfig(visits_per_week=150, slots=4)


@pytest.fixture(scope="module")
def stream(world, rows, start):
    return happenings(world, rows, start, 2, PEOPLE)


def test_who_looks_at_a_slot_and_likes_its_item_clicks():
    examination_K = examination(4, 0.5)
    assert examination_K == pytest.approx([1, 1 / np.sqrt(2), 1 / np.sqrt(3), 0.5])
    chance_K = click_chances(np.array([0.8, 0.5, 0.0]), examination_K)
    assert chance_K == pytest.approx([0.8, 0.5 / np.sqrt(2), 0])
    assert clicked(chance_K, np.array([0.81, 0.35, 0.0, 0.0])).tolist() == [False, True, False]


def test_without_the_bias_of_position_every_slot_is_looked_at():
    assert examination(3, 0).tolist() == [1, 1, 1]


def test_everything_happens_in_order_within_the_weeks(stream, world, start):
    times = [happening.at_seconds for happening in stream]
    assert times == sorted(times)
    assert start <= times[0]
    assert times[-1] < world.config.end_seconds
    assert sum(isinstance(happening, Visit) for happening in stream) == 300
    arrivals = {happening.user for happening in stream if isinstance(happening, Arrival)}
    assert arrivals == set(np.flatnonzero(world.arrival_seconds_U >= start).tolist())
    assert len(arrivals) == 15


def test_nobody_visits_or_chooses_before_they_arrive(stream, world):
    for happening in stream:
        assert happening.at_seconds >= world.arrival_seconds_U[happening.user]


def test_choices_are_the_events_of_the_world_that_are_not_history(stream, rows, start):
    told = [(one.user, one.item, one.rating) for one in stream if isinstance(one, Choice)]
    later = rows.filter(rows["timestamp"] >= start)
    wanted = later.select("user_id", "item_id", "rating").iter_rows()
    assert sorted(told) == sorted((index_of(user), index_of(item), rating) for user, item, rating in wanted)


def test_who_is_more_active_in_the_world_visits_more(stream, world):
    visits_U = np.bincount([one.user for one in stream if isinstance(one, Visit)], minlength=60)
    rate_U = world.num_events_U / (world.config.end_seconds - world.arrival_seconds_U)
    busy_U = rate_U > np.median(rate_U)
    assert visits_U[busy_U].sum() > 1.5 * visits_U[~busy_U].sum()


def test_the_same_world_has_the_same_visits_and_coins(stream, world, rows, start):
    for ours, theirs in zip(stream, happenings(world, rows, start, 2, PEOPLE), strict=True):
        assert (type(ours), ours.at_seconds, ours.user) == (type(theirs), theirs.at_seconds, theirs.user)
        if isinstance(ours, Visit):
            assert ours.uniform_K.tolist() == theirs.uniform_K.tolist()
