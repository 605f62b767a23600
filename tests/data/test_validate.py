import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.data.validate import FAULT, LINE, TEXT, BadRows, event_checks, first_fault, is_doubtful, reject
from foretaste.errors import DataError

COLUMNS = ("user_id", "item_id", "rating", "timestamp")
HEADER = dict.fromkeys(COLUMNS[:2], "id")

odd_ids = st.sampled_from([None, "", " ", "x", " x", "x\n", "a\nb", "nan", "-INF", "Infinity", "nano", "id", "007"])
odd_ratings = st.sampled_from([None, float("nan"), float("inf"), -1.0, 5.0])
odd_times = st.sampled_from([None, -1, 0, 10**12])


@given(st.lists(st.tuples(odd_ids, odd_ids, odd_ratings, odd_times), min_size=1, max_size=30))
def test_what_is_not_doubtful_passes_every_check(rows):
    schema = dict(zip(COLUMNS, (pl.String, pl.String, pl.Float32, pl.Int64), strict=True))
    frame = pl.DataFrame(rows, schema, orient="row").select(
        doubtful=is_doubtful(COLUMNS, HEADER), fault=first_fault(event_checks(COLUMNS, HEADER))
    )
    assert frame.filter(~pl.col("doubtful"))["fault"].null_count() == (~frame["doubtful"]).sum()


def test_an_event_without_a_rating_or_a_time_needs_its_ids_alone():
    frame = pl.DataFrame({"user_id": ["u", "nan"], "item_id": ["i", "i"]})
    assert frame.select(is_doubtful(COLUMNS[:2], {})).to_series().to_list() == [False, True]


def judged(*faults: str | None) -> pl.LazyFrame:
    rows = [(line, f"row {line}", fault) for line, fault in enumerate(faults, 1)]
    return pl.LazyFrame(rows, {LINE: pl.Int64, TEXT: pl.String, FAULT: pl.String}, orient="row")


def test_nothing_is_written_where_nothing_is_wrong(tmp_path):
    assert reject(judged(None, None), "t.csv", BadRows(quarantine_dir=tmp_path / "q")) == ()
    assert not (tmp_path / "q").exists()


def test_reasons_are_counted_the_most_frequent_first(tmp_path):
    policy = BadRows(on_bad_rows="drop", max_bad_share=1)
    notes = reject(judged("b", "a", None, "b", "b", "b", "a"), "t.csv", policy, are_events=False)
    assert [(note.reason, note.count, note.examples) for note in notes] == [
        ("b", 4, ("line 1", "line 4", "line 5")),
        ("a", 2, ("line 2", "line 7")),
    ]
    assert not any(note.drops_events for note in notes)


@pytest.mark.parametrize(("share", "stops"), [(0.5, False), (0.49, True)])
def test_the_share_that_is_allowed(tmp_path, share, stops):
    policy = BadRows(on_bad_rows="drop", max_bad_share=share)
    if stops:
        with pytest.raises(DataError, match=r"1 of 2 rows have a.*50.00% .* allows 49.00%.*max_bad_share: 0.5$"):
            reject(judged("a", None), "t.csv", policy)
    else:
        assert len(reject(judged("a", None), "t.csv", policy)) == 1
