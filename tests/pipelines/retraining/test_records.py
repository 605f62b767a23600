import pytest

from foretaste.pipelines.retraining.records import Retraining, append, attempt, retrainings


def test_a_line_is_read_as_it_was_written_and_half_a_line_is_passed_over(tmp_path):
    with attempt(tmp_path, "hand", lambda: 60.0):
        record = Retraining("1970-01-01T00:01:00+00:00", "kept", "hand", ("why",), 1.5, verdict={"users": 3})
        append(tmp_path, record)
    path = tmp_path / "retraining" / "retrainings.jsonl"
    with path.open("a") as file:
        file.write('{"started_at": "19')
    append(tmp_path, record)
    assert retrainings(tmp_path) == [record, record]
    assert record.started_seconds == 60


def test_none_were_made_where_nothing_is(tmp_path):
    assert retrainings(tmp_path) == []


def test_what_a_killed_one_left_gets_its_line_once(tmp_path):
    with attempt(tmp_path, "hand", lambda: 0.0) as (begun, killed):
        assert killed is None
        begun.at("read")
        begun.at("train")
        left = (tmp_path / "retraining" / "running.jsonl").read_bytes()
    (tmp_path / "retraining" / "running.jsonl").write_bytes(left + b'{"half a')
    for expected in (["interrupted"], ["interrupted"]):
        with attempt(tmp_path, "hand", lambda: 60.0) as (_, killed):
            pass
        assert [record.outcome for record in retrainings(tmp_path)] == expected
    assert killed is None
    assert retrainings(tmp_path)[0].reasons == ("its process was killed at the step 'train'.",)


def test_an_attempt_ends_with_its_error(tmp_path):
    def fails():
        with attempt(tmp_path, "hand", lambda: 0.0) as (begun, _):
            begun.at("read")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert not (tmp_path / "retraining" / "running.jsonl").exists()
