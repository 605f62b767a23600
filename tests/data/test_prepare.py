import narwhals as nw
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste.data.engines import LazyEngine, PolarsEngine
from foretaste.data.prepare import PrepareConfig, decay, prepare
from foretaste.data.raw import Note, RawTables, SourceInfo
from foretaste.errors import DataError


def raw_tables(rows, columns=("user_id", "item_id", "rating", "timestamp"), **kwargs):
    types = {"user_id": pl.String, "item_id": pl.String, "rating": pl.Float32, "timestamp": pl.Int64, "part": pl.String}
    frame = pl.DataFrame(rows, schema={column: types[column] for column in columns}, orient="row")
    return RawTables(nw.from_native(frame.lazy()), SourceInfo("test"), **kwargs)


def events(prepared):
    interactions = prepared.dataset.interactions
    return [
        (interactions.users.id(user), interactions.items.id(item))
        for user, item in zip(interactions.user_N, interactions.item_N, strict=True)
    ]


ENGINES = (PolarsEngine(), LazyEngine())
BOTH = pytest.mark.parametrize("engine", ENGINES, ids=["polars", "lazy"])


@BOTH
def test_the_last_event_of_a_pair_counts_and_the_others_are_audited(engine):
    rows = [("b", "x", 5, 30), ("a", "x", 1, 10), ("a", "x", 4, 20), ("a", "y", 2, 5)]
    prepared = prepare(raw_tables(rows), PrepareConfig(weight="rating"), engine)
    assert events(prepared) == [("a", "y"), ("a", "x"), ("b", "x")]
    assert prepared.dataset.interactions.weight_N.tolist() == [2, 4, 5]
    assert [(note.reason, note.count) for note in prepared.audit.dropped] == [
        ("repeated pair, a later event counts", 1)
    ]
    assert prepared.audit.dropped[0].examples == ("user a, item x",)
    assert (prepared.audit.rows_read, prepared.audit.rows_kept) == (4, 3)


@BOTH
def test_a_last_word_below_the_threshold_takes_the_pair_away(engine):
    rows = [("a", "x", 5, 10), ("a", "x", 2, 20), ("a", "y", 4, 1), ("a", "z", None, 1)]
    prepared = prepare(raw_tables(rows), PrepareConfig(min_rating=4), engine)
    assert events(prepared) == [("a", "y")]
    assert [(note.reason, note.count) for note in prepared.audit.dropped][1:] == [("rating below 4 (min_rating)", 2)]


@BOTH
def test_the_core_is_iterated(engine):
    # c has one event; without it z has one; without that b has one; without that nothing but a's pair of twos is left.
    rows = [("a", "x"), ("a", "y"), ("d", "x"), ("d", "y"), ("b", "x"), ("b", "z"), ("c", "z")]
    config = PrepareConfig(min_user_interactions=2, min_item_interactions=2)
    prepared = prepare(raw_tables(rows, ("user_id", "item_id")), config, engine)
    assert sorted(events(prepared)) == [("a", "x"), ("a", "y"), ("d", "x"), ("d", "y")]
    assert prepared.audit.dropped[0].count == 3


def test_repeats_can_be_counted_as_weight():
    rows = [("a", "x", None, 1), ("a", "x", None, 2), ("a", "y", None, 3)]
    prepared = prepare(raw_tables(rows), PrepareConfig(weight="events"))
    assert prepared.dataset.interactions.weight_N.tolist() == [2, 1]


def test_decay_halves_each_half_life():
    days = np.array([0, 10, 20], dtype=np.int64) * 86_400
    assert decay(days, half_life_days=10).tolist() == [0.25, 0.5, 1.0]


def test_ids_keep_their_zeros_and_indices_follow_the_ids_not_the_rows():
    rows = [("10", "b"), ("9", "a"), ("10", "a")]
    first = prepare(raw_tables(rows, ("user_id", "item_id")), PrepareConfig()).dataset.interactions
    second = prepare(raw_tables(rows[::-1], ("user_id", "item_id")), PrepareConfig()).dataset.interactions
    assert first.users.ids.to_list() == second.users.ids.to_list() == ["9", "10"]
    zeros = prepare(raw_tables([("007", "a"), ("7", "a")], ("user_id", "item_id")), PrepareConfig())
    assert zeros.dataset.interactions.users.ids.to_list() == ["007", "7"]


def test_the_catalogue_is_aligned_with_the_items():
    items = pl.DataFrame({"item_id": ["y", "x", "x", "unused"], "title": ["Why", "Ex", "Ex again", "Never"]})
    raw = raw_tables([("a", "x"), ("a", "y"), ("a", "w")], ("user_id", "item_id"), items=nw.from_native(items.lazy()))
    catalogue = prepare(raw, PrepareConfig()).dataset.catalogue
    assert catalogue.rows() == [("w", None), ("x", "Ex"), ("y", "Why")]


def test_a_given_split_keeps_a_pair_in_each_of_its_parts():
    rows = [("a", "x", "train"), ("a", "x", "test"), ("a", "x", "train"), ("a", "y", "train")]
    prepared = prepare(raw_tables(rows, ("user_id", "item_id", "part")), PrepareConfig())
    assert sorted(zip(events(prepared), prepared.part_N.tolist(), strict=True)) == [
        (("a", "x"), 0),
        (("a", "x"), 2),
        (("a", "y"), 0),
    ]


def test_rows_rejected_while_reading_are_part_of_the_audit():
    notes = (Note("no user_id", 2), Note("milliseconds taken as seconds", 1, drops_events=False))
    audit = prepare(raw_tables([("a", "x", 1, 1)], notes=notes), PrepareConfig()).audit
    assert audit.rows_read == audit.rows_kept + sum(note.count for note in audit.dropped) == 3
    assert [note.reason for note in audit.remarks] == ["milliseconds taken as seconds"]


def test_the_row_limit_is_counted():
    raw = raw_tables([("a", "x", 1, 1), ("a", "y", 1, 2), ("a", "z", 1, 3)], rows_read=3)
    audit = prepare(raw, PrepareConfig(max_interactions=2)).audit
    assert (audit.rows_read, audit.rows_kept, audit.dropped[0].count) == (3, 2, 1)


def test_when_nothing_is_left_the_message_names_the_filter():
    with pytest.raises(DataError, match=r"0 of 2 events are left.*rating below 6 \(min_rating\): 2"):
        prepare(raw_tables([("a", "x", 1, 1), ("a", "y", 5, 2)]), PrepareConfig(min_rating=6))


@pytest.mark.parametrize(
    ("option", "column"),
    [({"min_rating": 3}, "rating"), ({"weight": "rating"}, "rating"), ({"half_life_days": 9}, "timestamp")],
)
def test_an_option_that_needs_a_missing_column_is_refused(option, column):
    with pytest.raises(DataError, match=f"needs a column '{column}'"):
        prepare(raw_tables([("a", "x")], ("user_id", "item_id")), PrepareConfig(**option))


def test_a_core_over_a_given_split_is_refused():
    with pytest.raises(DataError, match="would change a given split"):
        prepare(
            raw_tables([("a", "x", "train")], ("user_id", "item_id", "part")), PrepareConfig(min_user_interactions=5)
        )


@BOTH
def test_of_events_at_the_same_moment_the_later_row_counts(engine):
    rows = [("b", "y", 1, 7), ("a", "x", 5, 7), ("a", "x", 4, 7), ("a", "x", 3, 6)]
    interactions = prepare(raw_tables(rows), PrepareConfig(weight="rating"), engine).dataset.interactions
    assert interactions.weight_N.tolist() == [1, 4]


@BOTH
def test_a_rating_is_compared_as_it_is_stored(engine):
    # 3.3 in 32 bits is 3.29999995.
    rows = [("a", "x", 3.3, 1), ("a", "y", 3.2, 1)]
    assert events(prepare(raw_tables(rows), PrepareConfig(min_rating=3.3), engine)) == [("a", "x")]


pairs = st.tuples(st.sampled_from("abcde"), st.sampled_from("vwxyz"), st.integers(1, 5), st.integers(0, 9))


@given(st.lists(pairs, min_size=1, max_size=40), st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=60)
def test_both_engines_agree_and_every_row_is_accounted_for(rows, per_user, per_item):
    config = PrepareConfig(
        min_rating=2, min_user_interactions=per_user, min_item_interactions=per_item, weight="rating"
    )
    outcomes = []
    for engine in ENGINES:
        try:
            prepared = prepare(raw_tables(rows), config, engine)
        except DataError as error:
            outcomes.append(str(error))
            continue
        audit = prepared.audit
        assert audit.rows_read == audit.rows_kept + sum(note.count for note in audit.dropped)
        interactions = prepared.dataset.interactions
        assert interactions.user_counts().min() >= per_user
        assert interactions.item_counts().min() >= per_item
        assert np.all(np.diff(interactions.timestamp_N) >= 0)
        outcomes.append((audit, events(prepared), interactions.weight_N.tolist(), interactions.timestamp_N.tolist()))
    assert outcomes[0] == outcomes[1]
