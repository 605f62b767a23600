import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.prepare import Audit, Prepared
from foretaste.data.raw import SourceInfo
from foretaste.data.splits import (
    GivenSplit,
    GlobalTimeSplit,
    LeaveLastOutSplit,
    RandomSplit,
    SplitConfig,
    known_to,
    num_windows,
    split,
)
from foretaste.data.vocabulary import Vocabulary
from foretaste.errors import SplitError


def prepared_of(user, item, timestamp=None, part=None):
    user, item = np.array(user, dtype=np.int32), np.array(item, dtype=np.int32)
    users, items = (Vocabulary.of([str(i) for i in range(max(ids) + 1)]) for ids in (user, item))
    timestamp = None if timestamp is None else np.array(timestamp, dtype=np.int64)
    interactions = Interactions(user, item, np.ones(len(user), np.float32), timestamp, users, items)
    catalogue = pl.DataFrame({"item_id": items.ids})
    part = None if part is None else np.array(part, dtype=np.int32)
    audit = Audit(len(user), (), len(user), len(users), len(items))
    return Prepared(Dataset(interactions, catalogue, SourceInfo("test")), audit, part)


def pairs(part):
    return [] if part is None else list(zip(part.user_N.tolist(), part.item_N.tolist(), strict=True))


def test_global_time_puts_the_newest_last_and_never_parts_a_moment():
    # Ten events; the last two shares begin inside the tie at 7, which then belongs to test as a whole.
    times = [1, 2, 3, 4, 5, 6, 7, 7, 7, 8]
    result = split(prepared_of([0] * 10, range(10), times), GlobalTimeSplit(valid=0.2, test=0.2))
    assert result.valid is None  # its share falls into the same tie
    assert (len(result.train), len(result.test)) == (6, 4)
    assert result.train.timestamp_N.max() < result.test.timestamp_N.min()


def test_global_time_by_dates():
    day = 86_400
    config = GlobalTimeSplit(valid_from="1970-01-03", test_from="1970-01-05")
    result = split(prepared_of([0] * 6, range(6), [n * day for n in range(6)]), config)
    assert [part.item_N.tolist() for part in (result.train, result.valid, result.test)] == [[0, 1], [2, 3], [4, 5]]


def test_windows_roll_back_from_the_newest_and_none_sees_what_is_later():
    config = GlobalTimeSplit(valid=0.1, test=0.2, windows=3)
    prepared = prepared_of([0] * 20, range(20), range(20))
    windows = [split(prepared, config, window) for window in reversed(range(num_windows(config)))]
    times = [[part.timestamp_N.tolist() for part in (one.train, one.valid, one.test)] for one in windows]
    assert [[len(part) for part in window] for window in times] == [[6, 2, 4], [10, 2, 4], [14, 2, 4]]
    assert [test for _, _, test in times] == [[8, 9, 10, 11], [12, 13, 14, 15], [16, 17, 18, 19]]
    for train, valid, test in times:
        assert train + valid + test == list(range(test[-1] + 1))
    alone = split(prepared, GlobalTimeSplit(valid=0.1, test=0.2))
    assert alone.test.timestamp_N.tolist() == times[-1][-1]


def test_leave_last_out_takes_each_users_newest():
    result = split(prepared_of([0, 1, 0, 0, 1], [0, 0, 1, 2, 1], [1, 2, 3, 4, 5]), LeaveLastOutSplit())
    assert pairs(result.test) == [(0, 2)]
    assert pairs(result.valid) == [(0, 1)]
    assert pairs(result.train) == [(0, 0), (1, 0), (1, 1)]  # user 1 has too few to hold out any


def test_random_takes_the_share_of_each_user():
    user = np.repeat([0, 1], [20, 40])
    result = split(prepared_of(user, np.arange(60)), RandomSplit(valid=0.25, test=0.25))
    assert result.test.user_counts().tolist() == [5, 10]
    assert result.valid.user_counts().tolist() == [5, 10]
    again = split(prepared_of(user, np.arange(60)), RandomSplit(valid=0.25, test=0.25))
    other = split(prepared_of(user, np.arange(60)), RandomSplit(valid=0.25, test=0.25, seed=1))
    assert pairs(again.test) == pairs(result.test) != pairs(other.test)


def test_given_follows_the_files_and_cuts_validation_from_train_only():
    prepared = prepared_of([0] * 8, range(8), part=[0, 0, 0, 0, 0, 0, 2, 2])
    assert split(prepared, GivenSplit()).valid is None
    cut = split(prepared, GivenSplit(valid=0.5))
    assert (len(cut.train), len(cut.valid)) == (3, 3)
    assert pairs(cut.test) == [(0, 6), (0, 7)]


def test_unknown_users_and_items_are_kept_unless_asked():
    prepared = prepared_of([0, 0, 1, 0, 0], [0, 1, 0, 2, 1], [1, 2, 3, 4, 5])
    config = {"valid": 0.0, "test": 0.5}
    kept = split(prepared, GlobalTimeSplit(**config))
    assert known_to(kept.train, kept.test).tolist() == [False, False, True]
    dropped = split(prepared, GlobalTimeSplit(**config, drop_unknown=True))
    assert pairs(dropped.test) == [(0, 1)]
    assert dropped.dropped == {"unknown to train": 2}


@pytest.mark.parametrize("config", [GlobalTimeSplit(), LeaveLastOutSplit()])
def test_without_timestamps_the_error_names_the_splits_that_work(config):
    with pytest.raises(SplitError, match=r"needs timestamps.*'random'.*'given'"):
        split(prepared_of([0, 0], [0, 1]), config)


def test_given_without_a_given_split_is_refused():
    with pytest.raises(SplitError, match="lightgcn or ncf"):
        split(prepared_of([0, 0], [0, 1]), GivenSplit())


def test_an_empty_part_is_refused():
    with pytest.raises(SplitError, match="train is empty"):
        split(prepared_of([0, 0], [0, 1], [5, 5]), GlobalTimeSplit())


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "global_time", "valid": 0.5, "test": 0.5},
        {"method": "global_time", "valid_from": "2000-01-01"},
        {"method": "global_time", "valid": 0.1, "test": 0.3, "windows": 3},
        {"method": "global_time", "test_from": "2000-01-01", "windows": 2},
        {"method": "global_time", "seed": 1},
        {"method": "random", "valid": 0.5, "test": 0.5},
    ],
)
def test_a_config_that_cannot_work_is_refused_before_any_data(wrong):
    with pytest.raises(ValidationError):
        TypeAdapter(SplitConfig).validate_python(wrong)


configs = st.sampled_from(
    [GlobalTimeSplit(valid=0.2, test=0.3), LeaveLastOutSplit(), RandomSplit(valid=0.2, test=0.3), GivenSplit(valid=0.4)]
)
rows = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(0, 20)), min_size=1, max_size=50)


@given(rows, configs)
@settings(max_examples=100, deadline=None)
def test_every_event_lands_in_exactly_one_part(events, config):
    events = sorted(events, key=lambda event: event[2])
    user, item, time = zip(*events, strict=True)
    prepared = prepared_of(user, item, time, part=[2 if t == time[-1] else 0 for t in time])
    try:
        result = split(prepared, config)
    except SplitError:
        return
    together = pairs(result.train) + pairs(result.valid) + pairs(result.test)
    assert sorted(together) == sorted(zip(user, item, strict=True))
    if isinstance(config, GlobalTimeSplit):
        assert result.train.timestamp_N.max() < result.test.timestamp_N.min()
