import gzip

import pytest

from foretaste.data.sources.recommendations import read_recommendations
from foretaste.data.validate import BadRows
from foretaste.errors import DataError

DROP = BadRows(on_bad_rows="drop", max_bad_share=1)


def written(tmp_path, text, name="lists.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def rows(found):
    return found.rows.rows()


@pytest.mark.parametrize("header", ["user,item,rank", "user_id:token,Movie ID,position", "uid,asin,place"])
def test_columns_are_found_by_the_names_that_tools_use(tmp_path, header):
    found = read_recommendations(written(tmp_path, f"{header}\nu,a,1\nu,007,2\n"), DROP)
    assert found.ordered_by == "rank"
    assert rows(found) == [("u", "a", 1.0), ("u", "007", 2.0)]


def test_the_highest_score_comes_first_and_keeps_its_digits(tmp_path):
    # Two scores that single precision cannot tell apart.
    found = read_recommendations(
        written(tmp_path, "user\titem\tscore\nu\ta\t0.1\nu\tb\t0.1000000000001\n", "l.tsv"), DROP
    )
    assert found.ordered_by == "score"
    (_, _, first), (_, _, second) = rows(found)
    assert second < first


def test_where_there_are_both_the_rank_counts(tmp_path):
    found = read_recommendations(written(tmp_path, "user,item,score,rank\nu,a,0.1,1\nu,b,0.9,2\n"), DROP)
    assert (found.ordered_by, rows(found)) == ("rank", [("u", "a", 1.0), ("u", "b", 2.0)])


def test_a_packed_file_is_unpacked(tmp_path):
    path = tmp_path / "lists.csv.gz"
    path.write_bytes(gzip.compress(b"user,item,rank\nu,a,1\n"))
    assert rows(read_recommendations(path, DROP)) == [("u", "a", 1.0)]


def test_rows_that_cannot_be_read_are_told(tmp_path):
    path = written(tmp_path, "user,item,score\nu,a,0.5\nu,b,high\n,c,0.1\nu,d,nan\n")
    found = read_recommendations(path, DROP)
    assert rows(found) == [("u", "a", -0.5)]
    assert sum(note.count for note in found.notes) == 3
    with pytest.raises(DataError, match=r"no score, or one that is not a number \(lines 3, 5\)"):
        read_recommendations(path, BadRows(on_bad_rows="fail"))


def test_without_an_order_or_rows_it_says_what_is_missing(tmp_path):
    with pytest.raises(DataError, match=r"no column rank or score; its columns are user, item"):
        read_recommendations(written(tmp_path, "user,item\nu,a\n"), DROP)
    with pytest.raises(DataError, match="no rows"):
        read_recommendations(written(tmp_path, "user,item,rank\n"), DROP)
