import json

import pytest

from foretaste.errors import ArtifactError


@pytest.fixture
def bundles(foretaste, store):
    return lambda *arguments: foretaste("bundles", *arguments, "--store", store.root)


@pytest.fixture
def damaged(store):
    """The older bundle, with a file cut short."""
    path = store.list()[0]
    (store.root / path.bundle_id / "history_indptr.npy").write_bytes(b"")
    return path.bundle_id


def test_list(bundles, store):
    older, live = (each.bundle_id for each in store.list())
    shown = bundles("list").stdout
    assert older in shown
    assert [line for line in shown.splitlines() if "production" in line] == [
        line for line in shown.splitlines() if live in line
    ]
    found = json.loads(bundles("list", "--json").stdout)
    assert [(each["bundle_id"], each["is_production"]) for each in found] == [(older, False), (live, True)]
    assert found[0]["model"] == "popularity"


def test_list_of_nothing_says_what_to_run(foretaste, tmp_path):
    assert "run `foretaste demo`" in foretaste("bundles", "list", "--store", tmp_path / "none").stdout
    assert json.loads(foretaste("bundles", "list", "--json", "--store", tmp_path / "none").stdout) == []


def test_list_marks_a_damaged_manifest(bundles, store):
    broken = store.list()[0].bundle_id
    (store.root / broken / "model_metadata.json").write_text("{")
    assert "damaged" in bundles("list").stdout
    assert "not readable as JSON" in json.loads(bundles("list", "--json").stdout)[0]["problem"]


def test_show(bundles, store):
    shown = bundles("show").stdout
    assert store.production_id() in shown
    assert "config.shrinkage" in shown
    found = json.loads(bundles("show", store.list()[0].bundle_id, "--json").stdout)
    assert found["model"] == "popularity"
    assert "item_features.parquet" in found["files"]


def test_list_and_show_tell_how_good_a_bundle_is(bundles, store):
    older = store.list()[0].bundle_id
    assert older in [line.split()[0] for line in bundles("list").stdout.splitlines() if "not judged" in line]
    figures = {"mean": 0.12514, "low": 0.1, "high": 0.15}
    store.add_metrics(older, {"recall@10": {"mean": 0.2}, "ndcg@10": {**figures, "candidates": "sampled"}})
    (line,) = (line for line in bundles("list").stdout.splitlines() if older in line)
    assert "ndcg@10 0.1251" in line
    shown = bundles("show", older).stdout
    assert "metrics.ndcg@10" in shown
    assert "0.1251 [0.1000 0.1500], sampled candidates" in shown
    found = {each["bundle_id"]: each["metrics"] for each in json.loads(bundles("list", "--json").stdout)}
    assert found[older]["ndcg@10"] == {**figures, "candidates": "sampled"}


def test_verify(bundles, store, damaged):
    live = store.production_id()
    assert bundles("verify", live).exit_code == 0
    result = bundles("verify")
    assert result.exit_code == 1
    assert f"{live}   intact" in result.stdout
    assert "history_indptr.npy" in result.stdout
    found = json.loads(bundles("verify", damaged, "--json").stdout)
    assert "history_indptr.npy" in found[0]["problem"]


def test_promote_and_rollback(bundles, store):
    older, live = (each.bundle_id for each in store.list())
    assert f"{live} → {older}" in bundles("promote", older, "--reason", "a test").stdout
    assert store.production_id() == older
    assert store.history()[-1].reason == "a test"
    assert json.loads(bundles("rollback", "--json").stdout) == {"from": older, "to": live}
    assert store.production_id() == live


def test_a_damaged_bundle_is_not_promoted(bundles, store, damaged):
    live = store.production_id()
    assert isinstance(bundles("promote", damaged).exception, ArtifactError)
    assert isinstance(bundles("rollback").exception, ArtifactError)
    assert store.production_id() == live


def test_prune(bundles, store):
    assert "nothing to delete" in bundles("prune", "--keep", 0).stdout, "two are live and before"
    live = store.production_id()
    (store.root / "promotions.jsonl").unlink()
    older = store.list()[0].bundle_id
    assert json.loads(bundles("prune", "--keep", 0, "--json").stdout) == {"deleted": [older]}
    assert [each.bundle_id for each in store.list()] == [live]


def test_history_tells_verdicts_and_moves_in_order(bundles, store):
    older, live = (each.bundle_id for each in store.list())
    assert "nothing was decided on nobody yet" in bundles("history", "nobody").stdout
    store.record("guard", "refuse", older, against=live, reasons=["worse.", "slow."], evidence={"users": 7})
    store.rollback("watch: clicks fell.")
    store.record("watch", "rollback", live, against=older, reasons=["clicks fell."], evidence={})
    lines = [line.strip() for line in bundles("history").stdout.splitlines()]
    told = [line.split("  ", 1)[1].strip() if line[:2] == "20" else line for line in lines]
    assert told[-6:] == [
        f"guard     refuse {older} against {live}",
        "worse.",
        "slow.",
        f"rollback  {live} → {older}",
        f"watch     rollback {live} against {older}",
        "clicks fell.",
    ]
    found = json.loads(bundles("history", "--json").stdout)
    assert [each["kind"] for each in found[-3:]] == ["verdict", "move", "verdict"]
    assert found[-3]["evidence"] == {"users": 7}
    assert found[-2]["reason"] == "watch: clicks fell."
