import json

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from foretaste.cli import create_app
from foretaste.config import ExperimentConfig, check, load_config
from foretaste.errors import ArtifactError, ConfigError, DataError
from foretaste.pipelines.experiment import divide
from foretaste.pipelines.narration import Silence
from foretaste.pipelines.retraining.records import attempt, retrainings
from foretaste.pipelines.retraining.retrain import retrain
from foretaste.pipelines.retraining.settings import RetrainConfig
from foretaste.pipelines.train import train
from foretaste.serving.slate_settings import SlateConfig

REFUSES_EVERYTHING = "guard.budgets.size_mib=0.000001"
KEEPS_WHAT_IS_LIVE = "guard.min_users=100000"


def the_record(loop):
    (record,) = retrainings(loop.artifacts)
    return record


def test_what_people_did_is_learnt_and_served(loop):
    before = loop.store.production_id()
    record = retrain(loop.config(), loop.artifacts)
    assert (record.outcome, record.champion) == ("promoted", before)
    live = loop.store.open()
    assert (live.id, live.manifest.data_fingerprint) == (record.challenger, record.fingerprint)
    assert {user for user in live.users.ids if user.startswith("n")}, "users who were new are known"
    assert (record.after, record.up_to, record.new_events) == (0, 300, 300)
    assert record.rows_read == 4300
    assert the_record(loop) == record
    assert [verdict.decision for verdict in loop.store.verdicts()] == ["promote"]
    assert any("better" in reason for reason in record.reasons)


def test_the_config_in_the_bundle_makes_the_same_challenger_again(loop):
    record = retrain(loop.config(), loop.artifacts)
    loop.people_click(seed=1)  # what comes later changes nothing
    told = loop.store.open(record.challenger).manifest.experiment
    assert told["feedback"]["up_to"] == 300
    config = check(json.loads(json.dumps(told)), ExperimentConfig, where="bundle")
    again = train(config, loop.artifacts, Silence(), label="als")["als"]
    assert again.manifest.data_fingerprint == record.fingerprint
    ours, theirs = again.state, loop.store.open(record.challenger).state
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_nobody_learns_from_what_both_are_judged_by(loop):
    champion = loop.store.open()
    record = retrain(loop.config("holdout=0.3"), loop.artifacts)
    challenger = loop.store.open(record.challenger)
    divided = divide(check(challenger.manifest.experiment, ExperimentConfig, where="bundle"), Silence())
    events, holdout = divided.prepared.dataset.interactions, divided.split.test
    fresh = int((events.timestamp_N > _last(champion)).sum())
    assert len(holdout) == pytest.approx(0.3 * fresh, abs=2)
    assert holdout.timestamp_N.min() > _last(challenger)
    assert len(divided.history) + len(holdout) == len(events)


def _last(bundle):
    return np.datetime64(bundle.manifest.training_window.last[:19]).astype(np.int64)


def test_too_little_is_no_reason_to_train(loop):
    record = retrain(loop.config("min_new_events=301"), loop.artifacts)
    assert (record.outcome, record.challenger, record.new_events) == ("skipped", None, 300)
    assert len(loop.store.list()) == 1


def test_the_next_turn_counts_from_the_last_verdict(loop):
    first = retrain(loop.config(KEEPS_WHAT_IS_LIVE), loop.artifacts)
    assert first.outcome == "kept"
    assert retrain(loop.config(), loop.artifacts).outcome == "skipped"
    loop.people_click(seed=1, days=(3, 4), num_events=60)
    third = retrain(loop.config(KEEPS_WHAT_IS_LIVE), loop.artifacts)
    assert (third.after, third.up_to, third.new_events) == (300, 360, 60)


def test_a_live_bundle_of_a_retraining_tells_how_far_it_had_read(loop):
    retrain(loop.config(), loop.artifacts)
    (loop.artifacts / "retraining" / "retrainings.jsonl").unlink()
    record = retrain(loop.config(), loop.artifacts)
    assert (record.outcome, record.after, record.new_events) == ("skipped", 300, 0)


@pytest.mark.parametrize(("override", "outcome"), [(REFUSES_EVERYTHING, "refused"), (KEEPS_WHAT_IS_LIVE, "kept")])
def test_what_the_guard_does_not_let_pass_is_published_and_not_served(loop, override, outcome):
    before = loop.store.production_id()
    record = retrain(loop.config(override), loop.artifacts)
    assert record.outcome == outcome
    assert record.reasons
    assert loop.store.production_id() == before
    told = loop.store.open(record.challenger).manifest.metrics
    assert told.get("ndcg@10") == record.verdict.get("challenger")
    assert bool(told) == (outcome == "kept"), "one that is too large is not ranked with"
    assert {each.bundle_id for each in loop.store.list()} == {before, record.challenger}


def test_the_guard_is_told_how_the_service_serves(loop, monkeypatch):
    from foretaste.pipelines.retraining import retrain as module

    real, slates = module.guard, []

    def listening(*arguments, slate, **options):
        slates.append(slate)
        return real(*arguments, slate=slate, **options)

    monkeypatch.setattr(module, "guard", listening)
    service = loop.folder / "serving.yaml"
    service.write_text(yaml.safe_dump({"slate": {"policy": {"kind": "epsilon_greedy", "epsilon": 0.3}}}))
    retrain(loop.config(f"serving={service}", KEEPS_WHAT_IS_LIVE), loop.artifacts)
    retrain(loop.config("min_new_events=0", KEEPS_WHAT_IS_LIVE), loop.artifacts)
    assert slates[0].policy.label.startswith("epsilon_greedy")
    assert slates[1] is None


@pytest.mark.slow
def test_what_mlflow_could_not_be_told_is_told_by_track(loop, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    record = retrain(loop.config(KEEPS_WHAT_IS_LIVE), loop.artifacts)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    uri = f"sqlite:///{loop.folder}/mlflow.db"

    def track():
        return CliRunner().invoke(create_app(), ["track", "--artifacts", str(loop.artifacts), "--tracking-uri", uri])

    assert f"{record.challenger} → small version 1" in track().stdout
    assert "all that was to be tracked has been sent" in track().stdout
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    (version,) = client.search_model_versions("name = 'small'")
    assert version.tags["foretaste.bundle_id"] == record.challenger
    assert version.tags["foretaste.guard"] == "keep"
    assert version.tags["foretaste.guard.reasons"] == " ".join(record.reasons)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("merge.max_lost_share=0.001", "name nobody or an unknown item"),
        ("merge.max_repeated_share=0.01", "said again later"),
        ("merge.max_new_user_share=0.001", "by new users"),
        ("guard.data.max_user_share=0.001", "busiest user"),
    ],
)
def test_bad_data_is_refused_before_anything_is_trained(loop, override, words):
    loop.write([("u1", "click", "no such item", loop_end(loop))] * 20)
    record = retrain(loop.config(override), loop.artifacts)
    assert (record.outcome, record.challenger) == ("refused", None)
    assert any(words in reason for reason in record.reasons), record.reasons
    assert override.partition("=")[0].removeprefix("guard.") in record.reasons[0], "the key that a person may change"
    assert len(loop.store.list()) == 1


def loop_end(loop):
    return loop.config().experiment.data.end_seconds


def test_half_of_the_data_is_gone(loop):
    retrain(loop.config(KEEPS_WHAT_IS_LIVE), loop.artifacts)
    loop.people_click(seed=1)
    experiment = yaml.safe_load((loop.folder / "experiment.yaml").read_text())
    experiment["data"]["num_interactions"] = 2000
    (loop.folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    record = retrain(loop.config(), loop.artifacts)
    assert record.outcome == "refused"
    assert "2,600 rows were read, after 4,300 by the last training" in record.reasons[0]
    again = retrain(loop.config("min_new_events=0"), loop.artifacts)
    assert "2,600 rows were read, after 4,300" in again.reasons[0], "what was refused is no measure"
    assert "(merge.min_rows_share)" in again.reasons[0]


def test_a_dry_run_says_what_would_be_and_writes_nothing(loop):
    there = sorted(path for path in loop.folder.rglob("*"))
    record = retrain(loop.config(), loop.artifacts, dry_run=True)
    assert (record.outcome, record.challenger, record.new_events) == ("planned", None, 300)
    assert sorted(path for path in loop.folder.rglob("*")) == there
    assert retrain(loop.config("min_new_events=301"), loop.artifacts, dry_run=True).outcome == "skipped"


def test_one_runs_at_a_time(loop):
    with attempt(loop.artifacts, "hand", lambda: 0.0) as (begun, _):
        begun.at("train")
        with pytest.raises(ArtifactError, match="another retraining is running, since 1970-01-01T00:00:00"):
            retrain(loop.config(), loop.artifacts)
    assert retrain(loop.config(), loop.artifacts).outcome == "promoted"


def test_an_error_is_written_down_and_frees_the_lock(loop, monkeypatch):
    def fails(*_, **__):
        raise DataError("the disk is on fire.")

    with monkeypatch.context() as patched:
        patched.setattr("foretaste.pipelines.retraining.retrain.guard", fails)
        with pytest.raises(DataError):
            retrain(loop.config(), loop.artifacts)
    record = the_record(loop)
    assert (record.outcome, record.reasons) == ("failed", ("the disk is on fire.",))
    assert retrain(loop.config(), loop.artifacts).outcome == "promoted"


def test_what_a_person_promoted_meanwhile_stays(loop, monkeypatch):
    from foretaste.pipelines.retraining import retrain as module

    real, other = module.guard, train(loop.config().experiment, loop.artifacts, Silence(), label="popularity")

    def promoting(*arguments, **options):
        loop.store.promote(other["popularity"].id, "by hand")
        return real(*arguments, **options)

    monkeypatch.setattr(module, "guard", promoting)
    record = retrain(loop.config(), loop.artifacts)
    assert record.outcome == "kept"
    assert "was made live meanwhile" in record.reasons[0]
    assert loop.store.production_id() == other["popularity"].id


def test_what_a_person_promoted_while_the_verdict_was_written_stays(loop):
    other = train(loop.config().experiment, loop.artifacts, Silence(), label="popularity")["popularity"].id

    class Person(Silence):
        def say(self, stage, text):
            if stage == "guard":
                loop.store.promote(other, "by hand")

    record = retrain(loop.config(), loop.artifacts, Person())
    assert record.outcome == "kept"
    assert record.reasons == (f"'{other}' was made live meanwhile, and the challenger was not judged beside it.",)
    assert loop.store.production_id() == other


def test_the_first_model_needs_a_name_and_no_minimum(loop, tmp_path):
    with pytest.raises(ConfigError, match="expected one of als, popularity, as in model: als; nothing is live"):
        retrain(loop.config(), tmp_path / "elsewhere")
    config = loop.config("model=popularity", "min_new_events=1000")
    record = retrain(config, tmp_path / "elsewhere")
    assert (record.outcome, record.champion) == ("promoted", None)
    # 20 % of everything is held out where nothing is live.
    assert len(loop.store.list()) == 1


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model=alz", "model: no 'alz' in the experiment; it has als, popularity"),
        ("experiment=3", "expected the path of an experiment"),
        ("experiment=none.yaml", "none.yaml: no such file"),
        ("guard.metric=fun", "expected one of"),
        ("serving=none.yaml", "none.yaml: no such file"),
        ("schedule.every=3", "unknown key 'schedule.every' – did you mean 'schedule.every_hours'"),
    ],
)
def test_a_wrong_config_is_refused_before_anything_is_read(loop, override, message):
    with pytest.raises(ConfigError) as refused:
        loop.config(override)
    assert message in str(refused.value)


def test_data_that_comes_without_times_or_cut_short_is_refused(loop):
    values = yaml.safe_load(loop.config_path.read_text())
    values["experiment"] = yaml.safe_load((loop.folder / "experiment.yaml").read_text())
    values["experiment"]["prepare"] = {"max_interactions": 10}
    loop.config_path.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError, match="those of the log come last"):
        loop.config()


def test_old_bundles_go_where_the_config_says_so(loop):
    settings = ("keep_bundles=2", "min_new_events=0", KEEPS_WHAT_IS_LIVE)
    live = loop.store.production_id()
    made = []
    for number in range(3):
        loop.people_click(seed=number + 1, num_events=60)
        made.append(retrain(loop.config(*settings), loop.artifacts).challenger)
    assert {each.bundle_id for each in loop.store.list()} == {live, *made[1:]}


def test_what_is_promoted_is_said_to_be_so_though_nothing_could_be_deleted(loop, monkeypatch):
    def fails(*_):
        raise OSError("the disk is read-only")

    monkeypatch.setattr("foretaste.artifacts.store.BundleStore.prune", fails)
    record = retrain(loop.config("keep_bundles=2"), loop.artifacts)
    assert (record.outcome, loop.store.production_id()) == ("promoted", record.challenger)
    assert the_record(loop) == record


def test_a_warm_start_begins_at_the_live_model_until_it_is_time_for_a_cold_one(loop):
    settings = ("warm_start=true", "max_warm_starts=1", "guard.margin=0.9", "min_new_events=0")
    before = loop.store.production_id()
    first = retrain(loop.config(*settings), loop.artifacts)
    assert loop.store.open(first.challenger).manifest.warm_started_from == before
    loop.store.promote(first.challenger, "by hand, where the guard did not")
    second = retrain(loop.config(*settings), loop.artifacts)
    assert loop.store.open(second.challenger).manifest.warm_started_from is None


def test_where_a_warm_start_cannot_be_the_training_begins_cold(loop):
    experiment = yaml.safe_load((loop.folder / "experiment.yaml").read_text())
    experiment["models"]["als"]["embedding_dim"] = 6
    (loop.folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    record = retrain(loop.config("warm_start=true"), loop.artifacts)
    manifest = loop.store.open(record.challenger).manifest
    assert (manifest.warm_started_from, manifest.config["embedding_dim"]) == (None, 6)


def test_the_shipped_config_has_the_defaults(request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)
    shipped = load_config(request.config.rootpath / "configs/retrain.yaml", RetrainConfig)
    defaults = RetrainConfig(experiment=shipped.experiment)
    assert shipped.log == defaults.log
    assert shipped.serving.slate == SlateConfig()
    for name in set(RetrainConfig.model_fields) - {"experiment", "feedback", "serving"}:
        assert getattr(shipped, name) == getattr(defaults, name), name
