import pytest

from foretaste.pipelines.demo import recommendations_with_reasons, typical_user
from foretaste.pipelines.run import run


@pytest.fixture
def result(small_config, tmp_path):
    return run(small_config(), tmp_path, [])


def test_reasons_come_from_the_history_and_recommendations_do_not(result):
    user_id = typical_user(result)
    told = recommendations_with_reasons(result, user_id, k=10)
    events = result.divided.history
    mine = events.item_N[events.user_N == events.users.index(user_id)]
    titles = set(result.divided.prepared.dataset.titles(mine))
    assert len(told.rows) == 10
    assert {reason for _, reason in told.rows} <= titles
    assert not {title for title, _ in told.rows} & titles
    assert told.last_titles == result.divided.prepared.dataset.titles(mine[-5:])


def test_the_typical_user_has_a_history_and_is_judged(result):
    events, user = result.divided.history, result.divided.history.users.index(typical_user(result))
    assert user in result.judged[0].test.user_B
    assert events.user_counts()[user] > 0
