import runpy
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "preparation.py"
SCRIPT = runpy.run_path(str(PATH))


def test_a_small_file_is_as_dense_as_the_large_one(tmp_path):
    SCRIPT["make_csv"](tmp_path / "events.csv", 10_000)
    kept = SCRIPT["plain_polars"](tmp_path / "events.csv")
    assert 5000 < kept <= 10_000


def test_too_few_rows_are_refused(tmp_path):
    with pytest.raises(SystemExit, match="--rows 200: expected 10,000 or more"):
        SCRIPT["make_csv"](tmp_path / "events.csv", 200)


def test_a_contestant_that_fails_says_why_in_one_line(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("user_id,item_id,rating,timestamp\n1,2,3.0,4\n")
    with pytest.raises(SystemExit) as stopped:
        SCRIPT["measured"](PATH, "foretaste", path)
    told = str(stopped.value)
    assert told.startswith("foretaste failed on events.csv: foretaste.errors.")
    assert "\n" not in told
