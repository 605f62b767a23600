import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.data.schemas import INTERACTION_COLUMNS
from foretaste.data.sources.reading import open_table, read_events
from foretaste.data.sources.tabular import read_exactly
from foretaste.data.validate import FAULT, BadRows

NAMES = [column.name for column in INTERACTION_COLUMNS]

ids = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Z")), min_size=1, max_size=8).filter(
    lambda text: text.lower().lstrip("+-") not in ("nan", "inf", "infinity") and text not in NAMES
)
events = st.tuples(ids, ids, st.floats(-1e6, 1e6, width=32), st.integers(0, 10**11 - 1))
frames = st.lists(events, min_size=1, max_size=20).map(
    lambda rows: pl.DataFrame(rows, {column.name: column.dtype for column in INTERACTION_COLUMNS}, orient="row")
)


def exactly(table, scratch: Path) -> pl.DataFrame:
    """The frame by the line-by-line way, whatever the state of the file."""
    frame = read_exactly(table, NAMES, scratch).collect()
    assert frame[FAULT].null_count() == len(frame)
    return frame.select(pl.col(column.name).cast(column.dtype) for column in INTERACTION_COLUMNS)


@given(frames, st.sampled_from([",", ";", "|", "\t"]), st.booleans())
def test_a_csv_comes_back_equal_both_ways(frame, separator, quotes_everything):
    text = io.StringIO()
    quoting = csv.QUOTE_ALL if quotes_everything else csv.QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=separator, quoting=quoting, lineterminator="\n")
    writer.writerows([NAMES, *frame.rows()])
    check_both_ways(frame, "events.csv", text.getvalue().encode(), separator)


@given(frames)
def test_json_lines_come_back_equal_both_ways(frame):
    check_both_ways(frame, "events.jsonl", frame.write_ndjson().encode())


@given(frames)
def test_parquet_comes_back_equal_both_ways(frame):
    content = io.BytesIO()
    frame.write_parquet(content)
    check_both_ways(frame, "events.parquet", content.getvalue())


@given(frames)
def test_double_colons_come_back_equal_both_ways(frame):
    frame = frame.with_columns(pl.col("user_id", "item_id").str.replace_all("::|:$|^:", "_"))
    text = "".join("::".join(map(str, row)) + "\n" for row in frame.rows())
    check_both_ways(frame, "events.dat", text.encode(), "::", has_names=False, names=NAMES)


def check_both_ways(frame: pl.DataFrame, name: str, content: bytes, *args, **kwargs) -> None:
    with TemporaryDirectory() as folder:
        scratch = Path(folder)
        (scratch / name).write_bytes(content)
        table = open_table(scratch / name, scratch, *args, **kwargs)
        found = read_events(table, BadRows(on_bad_rows="fail"), scratch)
        assert (found.notes, found.rows_read) == ((), len(frame))
        assert found.frame.collect().equals(frame)
        assert exactly(table, scratch).equals(frame)


@pytest.mark.parametrize(
    ("text", "config"),
    [
        ("user_id,item_id,rating,timestamp\n007,i,4.5,1500000000\n", {}),
        ('"user_id";"item_id"\n"a b";"x;y"\n', {}),
        ("u1::i1::4::1500000000\n", {"separator": "::", "has_names": False, "names": NAMES}),
        ("userId\tmovieId\trating:float\tdate\n1\t2\t3\t2015-03-01\n", {}),
    ],
)
def test_a_sound_file_is_not_read_line_by_line(tmp_path, text, config):
    path = tmp_path / "events.csv"
    path.write_text(text)
    read_events(open_table(path, tmp_path, **config), BadRows(), tmp_path)
    assert not (tmp_path / "events.csv.rows").exists()


@pytest.mark.parametrize(
    "text",
    [
        "user_id,item_id,rating,timestamp\n 007 , i,4.5 ,1500000000\n",
        "user_id,item_id,rating,timestamp\r\n007,i,4.5,1500000000.9\r\n",
        "\ufeffUser ID,Item-ID,stars,ts\n007,i,4.5,2017-07-14T02:40:00Z\n",
        "item_id,extra,user_id,score,date\ni,,007,4.5,2017-07-14 02:40:00.000\n",
        "item_id|user_id|value|time\ni|007|4.5|2017-07-14T04:40:00+02:00\n",
    ],
)
def test_the_same_event_in_other_words(tmp_path, text):
    path = tmp_path / "events.csv"
    path.write_text(text, newline="")
    found = read_events(open_table(path, tmp_path), BadRows(), tmp_path).frame.collect()
    assert found.select(NAMES).rows() == [("007", "i", 4.5, 1_500_000_000)]
