import numpy as np
import pytest

from foretaste.errors import DataError
from foretaste.pipelines.retraining.records import iso, retrainings
from foretaste.pipelines.retraining.schedule import Asked, due, keep_training, tick
from foretaste.pipelines.retraining.settings import ScheduleConfig
from foretaste.serving.engine import Engine

HOUR = 3600.0


def never():
    raise AssertionError("not to be asked")


def asked(config, hours, new=never, drifted=never):
    return due(config, None if hours is None else 0.0, (hours or 0) * HOUR, new, drifted)


def test_a_period_asks_when_it_is_over_and_tells_what_was_missed():
    daily = ScheduleConfig(every_hours=24)
    assert asked(daily, None) == Asked("nothing was trained yet")
    assert asked(daily, 23.9) is None
    assert asked(daily, 24) == Asked("every 24 hours")
    assert asked(daily, 3 * 24 + 1) == Asked("every 24 hours", missed=2)


def test_volume_and_drift_ask_after_a_rest():
    config = ScheduleConfig(every_hours=None, new_events=100, drift=True, rest_hours=2)
    assert asked(config, 1.9) is None
    assert asked(config, 2, new=lambda: 100) == Asked("100 new events")
    assert asked(config, 2, new=lambda: 99, drifted=lambda: ["scores", "users"]) == Asked("drift of scores, users")
    assert asked(config, 2, new=lambda: 99, drifted=list) is None


def test_a_training_of_the_future_is_no_reason_to_wait_for_it():
    daily = ScheduleConfig(every_hours=24)
    assert asked(daily, -0.9) is None, "clocks of two machines"
    assert asked(daily, -2) == Asked("the last training is said to have started in the future")


def test_a_schedule_without_anything_never_asks():
    assert asked(ScheduleConfig(every_hours=None), 1e6) is None


class Clock:
    """Sleeping is what makes its time go by."""

    def __init__(self, now, ticks):
        self.now, self._left = now, ticks

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self._left -= 1
        if not self._left:
            raise KeyboardInterrupt


class Listener:
    def __init__(self):
        self.said = []

    def say(self, stage, text):
        self.said.append((stage, text))

    def progress(self, description):
        from foretaste.pipelines.narration import Silence

        return Silence().progress(description)


@pytest.fixture
def created_at(loop):
    from datetime import datetime

    return datetime.fromisoformat(loop.store.open().manifest.created_at).timestamp()


def test_the_loop_trains_when_enough_was_done_and_rests(loop, created_at):
    settings = ("schedule.every_hours=null", "schedule.new_events=300", "schedule.check_seconds=600")
    ended, clock = [], Clock(created_at, ticks=12)
    with pytest.raises(KeyboardInterrupt):
        keep_training(
            loop.config(*settings), loop.artifacts, Listener(), on_end=ended.append, clock=clock, sleep=clock.sleep
        )
    assert [(record.outcome, record.asked_by) for record in ended] == [("promoted", "300 new events")]
    assert ended[0].started_seconds == pytest.approx(created_at + HOUR)
    assert retrainings(loop.artifacts) == ended


def test_a_restart_tells_what_was_missed_and_makes_up_for_it_once(loop, created_at):
    listener, clock = Listener(), Clock(created_at + 73 * HOUR, ticks=3)
    with pytest.raises(KeyboardInterrupt):
        keep_training(loop.config(), loop.artifacts, listener, clock=clock, sleep=clock.sleep)
    said = dict(listener.said)
    assert said["missed"] == "2 trainings were due and not done; this one makes up for them"
    assert said["due"] == "every 24 hours"
    assert len(retrainings(loop.artifacts)) == 1


def test_what_fails_is_said_once_and_the_loop_goes_on(loop, created_at, monkeypatch):
    def fails(*_, **__):
        raise DataError("the log is away.")

    monkeypatch.setattr("foretaste.pipelines.retraining.schedule.new_events", fails)
    settings = ("schedule.every_hours=null", "schedule.new_events=1", "schedule.check_seconds=60")
    listener, clock = Listener(), Clock(created_at + 2 * HOUR, ticks=5)
    with pytest.raises(KeyboardInterrupt):
        keep_training(loop.config(*settings), loop.artifacts, listener, clock=clock, sleep=clock.sleep)
    assert [text for stage, text in listener.said if stage == "failed"] == ["the log is away. The loop goes on."]


def test_a_training_that_fails_is_tried_when_it_is_next_due(loop, created_at, monkeypatch):
    def fails(*_, **__):
        raise DataError("no room.")

    monkeypatch.setattr("foretaste.pipelines.retraining.retrain.train", fails)
    clock = Clock(created_at + 25 * HOUR, ticks=1)
    with pytest.raises(DataError):
        tick(loop.config(), loop.artifacts, Listener(), clock=clock)
    assert tick(loop.config(), loop.artifacts, Listener(), clock=clock) is None
    monkeypatch.undo()
    clock.now += 24 * HOUR
    assert tick(loop.config(), loop.artifacts, Listener(), clock=clock).outcome == "promoted"


def test_drift_is_asked_of_a_log_that_nobody_was_answered_in(loop, created_at):
    settings = ("schedule.every_hours=null", "schedule.drift=true")
    clock = Clock(created_at + 2 * HOUR, ticks=1)
    assert tick(loop.config(*settings), loop.artifacts, Listener(), clock=clock) is None


def test_a_live_model_that_no_longer_opens_is_rolled_back_by_the_next_look(loop, created_at):
    before = loop.store.production_id()
    record = tick(loop.config(), loop.artifacts, Listener(), clock=Clock(created_at + 25 * HOUR, ticks=1))
    assert loop.store.production_id() == record.challenger
    (loop.store.root / record.challenger / "item_mapping.parquet").write_bytes(b"damaged")
    listener = Listener()
    assert tick(loop.config(), loop.artifacts, listener, clock=Clock(created_at + 26 * HOUR, ticks=1)) is None
    assert loop.store.production_id() == before
    assert f"{record.challenger} rolled back to {before}" in [text for _, text in listener.said]
    assert loop.store.history()[-1].timestamp[:13] == iso(created_at + 26 * HOUR)[:13]


def test_strangers_in_the_log_ask_for_a_training(loop, created_at):
    """The visitors of the training come for a day, then others do, whom the live model does not know."""
    settings = ("schedule.every_hours=null", "schedule.drift=true", "schedule.drift_window=1d")
    live = loop.store.open()
    engine = Engine(live)
    known = [user for user in live.users.ids if engine.knows(user)]
    day, next_day = created_at + 24 * HOUR, created_at + 48 * HOUR
    loop.visit(np.random.default_rng(0).choice(known, 150).tolist(), day - 2 * HOUR)
    assert tick(loop.config(*settings), loop.artifacts, Listener(), clock=Clock(day, ticks=1)) is None
    loop.visit([f"stranger{number}" for number in range(150)], next_day - 2 * HOUR)
    listener = Listener()
    record = tick(loop.config(*settings), loop.artifacts, listener, clock=Clock(next_day, ticks=1))
    assert record.asked_by == "drift of users"
    assert dict(listener.said)["due"] == "drift of users"
    assert record.new_events == 300 + 150 + 150
    challenger = loop.store.open(record.challenger)
    assert sum(user.startswith("stranger") for user in challenger.users.ids) > 100, "whom the next one knows"
    # It rests, and does not ask again for what it has just answered.
    soon = Clock(next_day + 0.5 * HOUR, ticks=1)
    assert tick(loop.config(*settings), loop.artifacts, Listener(), clock=soon) is None


def test_what_has_drifted_is_asked_of_the_window_of_the_schedule(loop, created_at):
    loop.visit([f"stranger{number}" for number in range(150)], created_at - 30 * HOUR)
    settings = ("schedule.every_hours=null", "schedule.drift=true")
    clock = Clock(created_at + 2 * HOUR, ticks=1)
    quiet = loop.config(*settings, "schedule.drift_window=1d")
    assert tick(quiet, loop.artifacts, Listener(), clock=clock) is None
    assert tick(loop.config(*settings), loop.artifacts, Listener(), clock=clock).asked_by == "drift of users"
