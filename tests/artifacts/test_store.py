import errno
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from foretaste.artifacts.manifest import MANIFEST_FILE
from foretaste.artifacts.store import BundleStore
from foretaste.errors import ArtifactError


@pytest.fixture
def store(tmp_path):
    minutes = count()
    return BundleStore(
        tmp_path / "bundles", clock=lambda: datetime(2026, 11, 20, tzinfo=UTC) + timedelta(minutes=next(minutes))
    )


def test_an_empty_store_says_what_to_run_first(store):
    assert store.list() == []
    assert store.prune(1) == []
    for ask in (store.open, store.rollback, lambda: store.open("x"), lambda: store.promote("x")):
        with pytest.raises(ArtifactError, match="no bundle yet; run `foretaste demo`"):
            ask()


def test_publishing_makes_a_bundle_live(store, contents):
    first = store.publish(contents)
    second = store.publish(contents)
    assert store.open().id == second.id
    assert store.open(first.id).id == first.id
    assert [(each.bundle_id, each.is_production) for each in store.list()] == [(first.id, False), (second.id, True)]


def test_publishing_without_promotion_changes_nothing_live(store, contents):
    first = store.publish(contents)
    store.publish(contents, promote=False)
    assert store.open().id == first.id


def test_a_store_without_a_live_bundle_says_how_to_promote_one(store, contents):
    bundle = store.publish(contents, promote=False)
    with pytest.raises(ArtifactError, match=f"foretaste bundles promote {bundle.id}"):
        store.open()


@pytest.mark.parametrize("name", ["nothing", "../bundles", "", "."])
def test_an_unknown_bundle_is_refused_and_the_known_ones_named(store, contents, name):
    bundle = store.publish(contents)
    with pytest.raises(ArtifactError, match=f"no bundle '{name}'; there are {bundle.id}"):
        store.open(name)


def test_every_move_is_logged_with_its_reason(store, contents):
    first, second = store.publish(contents), store.publish(contents)
    store.promote(first.id, "the new one is slow")
    store.promote(first.id, "nothing moves, so nothing is logged")
    moves = [(move.action, move.before, move.after, move.reason) for move in store.history()]
    assert moves == [
        ("promote", None, first.id, "published"),
        ("promote", first.id, second.id, "published"),
        ("promote", second.id, first.id, "the new one is slow"),
    ]
    line = (store.root / "promotions.jsonl").read_text().splitlines()[-1]
    assert json.loads(line).keys() == {"timestamp", "action", "from", "to", "reason"}


def test_rollback_goes_back_step_by_step(store, contents):
    a, b, c = (store.publish(contents).id for _ in range(3))
    assert store.rollback("bad") == b
    assert store.rollback() == a
    with pytest.raises(ArtifactError, match="nothing to roll back to"):
        store.rollback()
    assert store.production_id() == a
    store.promote(c)
    assert store.rollback() == a


def test_rollback_leaves_alone_what_somebody_promoted_meanwhile(store, contents):
    a, b = (store.publish(contents).id for _ in range(2))
    with pytest.raises(ArtifactError, match=f"'{a}' is not live any more, '{b}' is; nothing was rolled back"):
        store.rollback("bad", of=a)
    assert store.production_id() == b
    assert store.rollback("bad", of=b) == a


def test_rollback_works_though_the_live_bundle_is_gone(store, contents):
    a, b = (store.publish(contents).id for _ in range(2))
    shutil.rmtree(store.root / b)
    assert store.predecessor() == a
    assert store.rollback("gone") == a


@pytest.mark.parametrize("is_promoted_since", [False, True])
def test_a_rollback_whose_line_was_lost_is_not_taken_back_by_the_next(store, contents, is_promoted_since):
    """The bundle that was rolled back is bad: no rollback may ever go to it."""
    _, b, bad = (store.publish(contents).id for _ in range(3))
    log = store.root / "promotions.jsonl"
    told = log.read_text()
    assert store.rollback("bad") == b
    log.write_text(told)  # killed between the move and its line
    if is_promoted_since:
        store.publish(contents)
    assert store.predecessor() != bad
    assert store.rollback() != bad


def test_verdicts_are_kept_with_reasons_and_figures_whether_anything_moves_or_not(store, contents):
    live, other = store.publish(contents).id, store.publish(contents, promote=False).id
    assert store.verdicts() == []
    figures = {"ndcg@10": {"mean": 0.1}}
    record = store.record("guard", "refuse", other, against=live, reasons=["worse."], evidence=figures)
    store.record("watch", "stay", live, against=None, reasons=[], evidence={})
    assert store.production_id() == live
    assert [(one.by, one.decision, one.bundle_id) for one in store.verdicts()] == [
        ("guard", "refuse", other),
        ("watch", "stay", live),
    ]
    assert store.verdicts()[0] == record
    assert record.evidence == figures
    log = store.root / "verdicts.jsonl"
    log.write_bytes(log.read_bytes()[:-20])
    assert [one.by for one in store.verdicts()] == ["guard"]
    assert store.prune(5) == []


def test_rollback_works_though_the_last_line_of_the_log_was_cut_short(store, contents):
    a, b = (store.publish(contents).id for _ in range(2))
    log = store.root / "promotions.jsonl"
    log.write_bytes(log.read_bytes()[:-20])
    assert store.production_id() == b
    assert store.rollback() == a
    assert [move.action for move in store.history()] == ["promote", "rollback"]


def test_a_damaged_bundle_is_never_promoted(store, contents):
    live, damaged = store.publish(contents), store.publish(contents, promote=False)
    with (damaged.folder / "history_indices.npy").open("ab") as file:
        file.write(b"!")
    with pytest.raises(ArtifactError, match=r"history_indices\.npy"):
        store.promote(damaged.id)
    assert store.production_id() == live.id


def test_a_bundle_whose_model_cannot_be_restored_is_never_promoted(store, contents):
    live = store.publish(contents)
    foreign = store.publish(replace(contents, state={}), promote=False)
    with pytest.raises(ArtifactError, match="cannot restore"):
        store.promote(foreign.id)
    assert store.production_id() == live.id


def test_figures_that_come_later_are_sealed_in_and_nothing_else_changes(store, contents):
    store.publish(contents)
    bundle = store.publish(contents, promote=False)
    files = {path: path.read_bytes() for path in bundle.folder.iterdir()}
    store.add_metrics(bundle.id, {"ndcg@10": {"mean": 0.25, "low": 0.2, "high": 0.3}})
    assert store.check(bundle.id) == bundle.id
    manifest = store.open(bundle.id).manifest
    assert manifest.metrics == {"ndcg@10": {"mean": 0.25, "low": 0.2, "high": 0.3}}
    changed = {path.name for path in bundle.folder.iterdir() if files.get(path) != path.read_bytes()}
    assert changed == {MANIFEST_FILE}
    assert not list(store.root.rglob(".unfinished-*"))


def test_what_is_live_takes_no_figures(store, contents):
    live = store.publish(contents)
    with pytest.raises(ArtifactError, match="what is live never changes"):
        store.add_metrics(live.id, {"ndcg@10": {"mean": 1.0}})
    assert store.open().manifest == live.manifest


def test_a_store_that_is_mounted_read_only_says_where_to_go(store, contents, monkeypatch):
    first = store.publish(contents)
    second = store.publish(contents)

    def refuses(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.symlink_to", refuses)
    for move, action in ((store.rollback, "rollback"), (lambda: store.promote(first.id), "promote")):
        with pytest.raises(ArtifactError, match=r"cannot be written from here .Read-only file system") as told:
            move()
        assert f"`foretaste bundles {action}` where trainings write" in str(told.value)
    assert store.production_id() == second.id
    assert len(store.history()) == 2


def test_a_damaged_manifest_is_listed_with_its_problem_and_never_pruned(store, contents):
    damaged, *others = (store.publish(contents).id for _ in range(4))
    (store.root / damaged / MANIFEST_FILE).write_text("{")
    listing = store.list()
    assert [each.bundle_id for each in listing] == [damaged, *others]
    assert listing[0].manifest is None
    assert "damaged" in listing[0].problem
    assert store.prune(0) == [others[0]]


def test_prune_spares_the_newest_the_live_one_and_the_one_before(store, contents):
    ids = [store.publish(contents, promote=False).id for _ in range(6)]
    store.promote(ids[1])
    store.promote(ids[0])
    (store.root / ".unfinished-dead").mkdir()
    assert store.prune(2) == ids[2:4]
    assert {each.bundle_id for each in store.list()} == {*ids[:2], *ids[4:]}
    assert not (store.root / ".unfinished-dead").exists()
    assert store.prune(2) == []
    assert store.rollback() == ids[1]


def test_the_store_can_be_moved_as_a_whole(store, contents, tmp_path):
    bundle = store.publish(contents)
    moved = BundleStore(store.root.rename(tmp_path / "elsewhere"))
    assert moved.open().id == bundle.id
