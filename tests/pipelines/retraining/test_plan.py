"""By which of the newest events two models are judged."""

import narwhals as nw
import polars as pl
import pytest

from foretaste.config import ExperimentConfig, check
from foretaste.data.prepare import PrepareConfig, prepare
from foretaste.data.raw import RawTables, SourceInfo
from foretaste.pipelines.retraining.plan import hold_out

EXPERIMENT = check({"data": {"source": "synthetic"}, "models": {"popularity": {}}}, ExperimentConfig, where="small")
ROWS = [
    # user, item, time, whether it answers a list
    ("u1", "a", 1, None),
    ("u2", "b", 2, None),
    ("u1", "c", 11, True),
    ("u2", "c", 12, True),
    ("u1", "b", 13, False),
    ("u2", "d", 14, False),
    ("u1", "e", 15, True),
    ("u3", "a", 16, False),
]


@pytest.fixture
def prepared():
    frame = pl.LazyFrame(ROWS, schema=["user_id", "item_id", "timestamp", "prompted"], orient="row")
    return prepare(RawTables(nw.from_native(frame), SourceInfo("small")), PrepareConfig())


@pytest.fixture
def champion(monkeypatch):
    """A live bundle that learnt from the first two events."""
    monkeypatch.setattr("foretaste.pipelines.retraining.plan.last_learnt", lambda bundle: 2)
    return object()


def judged(held_out):
    events = held_out.judged
    return sorted(zip(events.users.ids.gather(events.user_N), events.items.ids.gather(events.item_N), strict=True))


def test_a_click_on_what_the_live_model_showed_does_not_speak_for_it(prepared, champion):
    held_out = hold_out(prepared, EXPERIMENT, "popularity", champion, share=0.6, min_users=2)
    assert len(held_out.divided.split.test) == 4, "the newest of six fresh events"
    assert held_out.is_unprompted
    assert judged(held_out) == [("u1", "b"), ("u2", "d"), ("u3", "a")]


def test_where_too_few_people_found_anything_by_themselves_all_events_count(prepared, champion):
    held_out = hold_out(prepared, EXPERIMENT, "popularity", champion, share=0.6, min_users=4)
    assert not held_out.is_unprompted
    assert judged(held_out) == [("u1", "b"), ("u1", "e"), ("u2", "d"), ("u3", "a")]
