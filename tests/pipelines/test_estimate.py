import multiprocessing
import os
import time

import pytest

from foretaste.errors import ConfigError
from foretaste.models import ease
from foretaste.pipelines import estimate as module
from foretaste.pipelines.estimate import Estimate, _followed, _Pace, _pilot, _TimeIsUp, estimate
from foretaste.pipelines.narration import Silence


class Told(list):
    """The pilot's end of a pipe that only remembers."""

    send = list.append


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until a test moves it."""
    now = [100.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    return now


@pytest.fixture
def started():
    """Starts a function in a process of its own; gives the process and a pipe to say what it would tell."""
    processes, running = multiprocessing.get_context("spawn"), []

    def start(function, *args):
        reader, writer = processes.Pipe(duplex=False)
        process = processes.Process(target=function, args=args, daemon=True)
        process.start()
        running.append((process, reader, writer))
        return process, reader, writer

    yield start
    for process, reader, writer in running:
        process.kill()
        process.join()
        reader.close()
        writer.close()


def test_the_rest_of_a_fit_goes_on_at_the_pace_of_the_later_half(clock):
    pace = _Pace(seconds=8.0)
    for at, done in ((4.0, 1), (6.0, 5), (8.0, 9)):
        clock[0] = 100.0 + at
        pace(done, 100, {})
    clock[0] = 110.0
    with pytest.raises(_TimeIsUp):
        pace(13, 100, {})
    # 12 steps between 4 s and 10 s are two a second; 87 are left.
    assert pace.seconds_in_all() == 10.0 + 87 / 2


def test_a_single_slow_step_is_taken_for_all(clock):
    pace = _Pace(seconds=1.0)
    clock[0] = 103.0
    with pytest.raises(_TimeIsUp):
        pace(1, 4, {})
    assert pace.seconds_in_all() == 12.0


def test_the_last_step_is_never_stopped(clock):
    pace = _Pace(seconds=1.0)
    clock[0] = 103.0
    pace(4, 4, {})
    assert pace.seconds_in_all() == 3.0


def test_a_fit_that_ends_is_measured_and_judged(small_config):
    told = Told()
    _pilot(small_config(), "als", 60.0, told)
    begun, fitted, judged = told
    assert begun == {}
    assert fitted["is_measured"]
    assert fitted["fit_seconds"] > 0
    assert judged["judge_seconds"] > 0


def test_a_fit_that_does_not_end_is_estimated(small_config):
    config, told = small_config(models={"als": {"iterations": 1_000_000}}), Told()
    _pilot(config, "als", 0.05, told)
    _, fitted = told
    assert set(fitted) == {"fit_seconds"}
    assert fitted["fit_seconds"] > 1.0


def test_a_model_that_refuses_the_data_says_why(small_config, monkeypatch):
    monkeypatch.setattr(ease, "_BYTES_PER_ENTRY", 10**12)
    told = Told()
    _pilot(small_config(models={"ease": {}}), "ease", 60.0, told)
    assert "take item_knn or als" in told[-1]["refusal"]


def test_a_pilot_that_says_nothing_for_too_long_is_given_up(started):
    pilot, reader, writer = started(time.sleep, 60)
    writer.send({})
    found = _followed(pilot, reader, Estimate("slow"), patience_seconds=0.2)
    assert found.fit_seconds is None
    assert found.total_seconds is None
    assert found.peak_bytes > 0


def test_a_pilot_that_is_killed_is_told(started):
    pilot, reader, writer = started(os._exit, 9)
    writer.close()
    assert "ended with exit code 9" in _followed(pilot, reader, Estimate("large"), patience_seconds=60).refusal


@pytest.mark.slow
def test_a_run_fits_each_model_twice_and_nothing_is_written(small_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = estimate(small_config(models={"popularity": {}, "als": {"iterations": 2}}), 60.0, Silence())
    assert [(one.label, one.num_fits, one.is_measured) for one in found] == [("popularity", 2, True), ("als", 2, True)]
    assert all(one.total_seconds == 2 * (one.fit_seconds + one.judge_seconds) for one in found)
    assert not list(tmp_path.iterdir())


def test_no_time_at_all_is_refused(small_config):
    with pytest.raises(ConfigError, match="expected more than 0, as in --seconds 10"):
        estimate(small_config(), 0.0, Silence())
