import pytest

from foretaste.monitoring.baseline import arm_of, falling
from foretaste.monitoring.windows import SECONDS_PER_HOUR

START = 500_000 * SECONDS_PER_HOUR
NOON = START + 12 * SECONDS_PER_HOUR
DAY = 24 * SECONDS_PER_HOUR


@pytest.fixture
def days(write, a_request, an_event):
    """Lets a model show ten items to each of 40 users at noon of a day; the first so many are clicked by all."""

    def live(day, clicks, version="old"):
        requests = [
            a_request(
                hour=24 * day + 12,
                user_id=f"u{user}",
                model_version=version,
                recommendations=[f"m{item}" for item in range(10)],
            )
            for user in range(40)
        ]
        write(requests, [an_event(one, f"m{item}") for one in requests for item in range(clicks)])

    return live


def test_a_fall_from_half_to_half_goes_on(days, database):
    for day, clicks in enumerate((6, 6, 4, 4)):
        days(day, clicks)
    days(1, 9, version="another")
    promoted = NOON + 4 * DAY
    # Halves are two days apart; a day after the promotion the middle of the new model's time is a day and a half
    # behind that of the later half.
    found = falling(database, "old", START, promoted + DAY, promoted)
    assert found.rate == pytest.approx(0.4 - 0.75 * 0.2)
    assert found.deviation == pytest.approx(0, abs=1e-6), "all users do alike"


@pytest.mark.parametrize(("clicks", "lasted"), [((4, 4, 4, 4), 4), ((3, 3, 5, 5), 4), ((9, 4), 1.9)])
def test_what_does_not_fall_or_has_not_lasted_two_days_tells_nothing(days, database, clicks, lasted):
    for day, number in enumerate(clicks):
        days(day, number)
    promoted = NOON + lasted * DAY
    assert falling(database, "old", START, promoted + DAY, promoted) is None
    assert falling(database, "unheard of", START, promoted + DAY, promoted) is None


def test_a_rate_does_not_fall_below_nothing(days, database):
    for day, clicks in enumerate((9, 9, 1, 1)):
        days(day, clicks)
    promoted = NOON + 4 * DAY
    assert falling(database, "old", START, promoted + 10 * DAY, promoted).rate == 0


def test_users_who_differ_make_the_halves_uncertain(days, database, write, a_request, an_event):
    for day, clicks in enumerate((6, 6, 4, 4)):
        days(day, clicks)
    shown = [
        a_request(hour=24 * 3 + 13, user_id=f"v{n}", model_version="old", recommendations=["m1"]) for n in range(9)
    ]
    write(shown)
    promoted = NOON + 4 * DAY
    later = arm_of(database, "old", NOON + 2 * DAY, promoted)
    assert later.num_shown == 809
    found = falling(database, "old", START, promoted + DAY, promoted)
    assert found.deviation == pytest.approx(1.75 * later.rate_variance**0.5)


def test_an_arm_has_the_seconds_that_it_is_asked_for(days, database):
    days(0, 5)
    assert arm_of(database, "old", NOON, NOON + 1).num_shown == 400
    assert arm_of(database, "old", NOON + 1, NOON + DAY) is None
    assert arm_of(database, "old", NOON - DAY, NOON) is None
