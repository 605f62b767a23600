import json
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from foretaste.errors import ArtifactError, ConfigError
from foretaste.pipelines.compare import compare_runs
from foretaste.pipelines.run import run
from foretaste.pipelines.run_record import LATEST, RunRecord, claimed_run_id, find_runs


@pytest.fixture
def root(tmp_path, recorded_run):
    for run_id in ("20260101-000000-one", "20260102-000000-two", "20260102-111111-three"):
        recorded_run(run_id, {"popularity": [0.0, 1.0]})
    return tmp_path / "runs"


def test_a_run_is_found_by_id_beginning_path_or_latest_and_counts_once(root):
    def found(*names):
        return [record.run_id for record in find_runs(names, root)]

    assert found("20260101-000000-one") == ["20260101-000000-one"]
    assert found("20260101") == ["20260101-000000-one"]
    assert found(LATEST) == ["20260102-111111-three"]
    assert found(str(root / "20260102-000000-two"), "20260102-0") == ["20260102-000000-two"]


def test_a_name_that_fits_none_or_several_says_what_there_is(root, tmp_path):
    with pytest.raises(ConfigError, match=r"'20260102' fits 2 runs: 20260102-111111-three, 20260102-000000-two"):
        find_runs(["20260102"], root)
    with pytest.raises(ConfigError, match=r"no run 'nine' .*the newest are 20260102-111111-three"):
        find_runs(["nine"], root)
    with pytest.raises(ConfigError, match="holds no runs"):
        find_runs([LATEST], tmp_path / "nowhere")
    (root / "20260103-empty").mkdir()
    with pytest.raises(ArtifactError, match=r"is no run: it has no result\.json"):
        find_runs([LATEST], root)


def test_a_run_that_did_not_record_its_protocol_is_read_and_not_compared(root):
    path = root / "20260101-000000-one" / "result.json"
    told = json.loads(path.read_text())
    del told["protocol"]
    path.write_text(json.dumps(told))
    record = RunRecord.read(path.parent)
    assert record.labels == ["popularity"]
    with pytest.raises(ArtifactError, match=r"did not record protocol.*foretaste run .*config\.yaml"):
        compare_runs([record])


def test_the_lists_of_a_run_are_those_that_were_judged(small_config, tmp_path):
    result = run(small_config(), tmp_path, ["foretaste"])
    record = RunRecord.read(result.folder)
    assert record.labels == ["popularity", "item_knn", "als"]
    als = next(one for one in result.judged if one.label == "als").test
    lists = pl.read_parquet(result.folder / "top.als.parquet")
    vocabulary = result.divided.split.test
    assert lists["rank"].min() == 1
    assert len(lists) == np.sum(als.top.item_BK >= 0)
    for row in (0, len(als.user_B) - 1):
        own = lists.filter(user_id=vocabulary.users.id(als.user_B[row])).sort("rank")
        filled = als.top.item_BK[row] >= 0
        assert own["item_id"].to_list() == vocabulary.items.ids_at(als.top.item_BK[row][filled])
        assert own["score"].to_list() == als.top.score_BK[row][filled].tolist()


def test_runs_of_one_second_have_ids_of_their_own(tmp_path):
    second = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    with claimed_run_id(tmp_path / "runs", second, "demo") as first:
        with claimed_run_id(tmp_path / "runs", second, "demo") as other:
            (tmp_path / "runs" / other).mkdir()
        (tmp_path / "runs" / first).mkdir()
    with claimed_run_id(tmp_path / "runs", second, "demo") as third:
        pass
    assert [first, other, third] == ["20260131-235959-demo", "20260201-000000-demo", "20260201-000001-demo"]
    assert not list((tmp_path / "runs").glob(".*"))
