import json

import numpy as np
import polars as pl
import pytest

from foretaste.errors import ArtifactError, ConfigError
from foretaste.pipelines.compare import compare_runs


@pytest.fixture
def values():
    # Users differ far more than models do: only a paired comparison can tell `good` from `floor`.
    rng = np.random.default_rng(0)
    floor = rng.random(300)
    return {
        "floor": floor,
        "good": floor + 0.02 + 0.01 * rng.standard_normal(300),
        "alike": floor + 0.02 + 0.05 * rng.standard_normal(300),
    }


def test_the_best_is_the_reference_and_the_rest_is_told_apart_user_by_user(recorded_run, values):
    table = compare_runs([recorded_run("r", values)], all_pairs=True)
    best = max(values, key=lambda name: values[name].mean())
    assert table.reference == best == table.models[0].candidate.name
    by_name = {row.candidate.name: row.comparison for row in table.models}
    assert by_name[best] is None
    assert by_name["floor"].is_real
    assert by_name["floor"].difference.mean == pytest.approx(values["floor"].mean() - values[best].mean())
    other = "alike" if best == "good" else "good"
    assert not by_name[other].is_real
    assert table.summary()[0] == f"Really worse than {best}: floor."
    assert table.summary()[1].startswith(f"Not shown to differ from {best}: {other}.")
    assert table.summary()[2] == "Of all 3 pairs, 2 differ really."


def test_the_json_has_metric_objects(recorded_run, values):
    told = json.loads(
        json.dumps(compare_runs([recorded_run("r", values)], reference="floor").to_json(), allow_nan=False)
    )
    assert (told["reference"], told["users"], told["metric"]) == ("floor", 300, "ndcg@10")
    good = next(model for model in told["models"] if model["model"] == "good")
    assert set(good["against_reference"]["difference"]) == {"mean", "low", "high"}
    assert good["against_reference"]["verdict"] == "real"
    assert good["metrics"]["ndcg@10"]["mean"] == pytest.approx(values["good"].mean())


def test_models_of_several_runs_stand_side_by_side(recorded_run, values):
    first = recorded_run("one", {"floor": values["floor"], "good": values["good"]})
    second = recorded_run("two", {"floor": values["floor"], "alike": values["alike"]})
    table = compare_runs([first, second], reference="one/floor")
    assert {row.candidate.name for row in table.models} == {"one/floor", "two/floor", "good", "alike"}
    same = next(row for row in table.models if row.candidate.name == "two/floor")
    assert (same.comparison.difference.mean, same.comparison.corrected_p) == (0, 1)
    with pytest.raises(ConfigError, match="'floor' is in several runs: one/floor, two/floor"):
        compare_runs([first, second], reference="floor")


def test_users_are_matched_by_id_not_by_row(recorded_run):
    first = recorded_run("one", {"a": [0.1, 0.2, 0.3]}, users=["x", "y", "z"])
    second = recorded_run("two", {"b": [0.3, 0.2, 0.1]}, users=["z", "y", "x"])
    assert compare_runs([first, second]).models[1].comparison.difference.mean == 0


def test_what_does_not_compare_is_refused_with_the_reason(recorded_run):
    first = recorded_run("one", {"a": [0.1, 0.2]})
    with pytest.raises(ArtifactError, match=r"different held-out events \(100 and 90\)"):
        compare_runs([first, recorded_run("two", {"a": [0.1]}, fingerprint="other", split_events=90)])
    with pytest.raises(ArtifactError, match=r"different protocols \(candidates: all and given\)"):
        compare_runs([first, recorded_run("three", {"a": [0.1, 0.2]}, protocol={"candidates": "given"})])
    with pytest.raises(ArtifactError, match="not judged on the same users"):
        compare_runs([first, recorded_run("four", {"b": [0.1, 0.2]}, users=["u0", "u9"])])


def test_a_wrong_metric_or_reference_names_what_there_is(recorded_run):
    run = recorded_run("one", {"a": [0.1, 0.2]})
    with pytest.raises(ConfigError, match=r"no 'ndcg@7' for each user; it has ndcg@10"):
        compare_runs([run], metric="ndcg@7")
    with pytest.raises(ConfigError, match="no model 'b'; expected one of a"):
        compare_runs([run], reference="b")
    assert compare_runs([run]).summary() == ["a is the only model; there is nothing to compare."]


def test_a_user_for_whom_a_metric_is_undefined_leaves_the_pair(recorded_run):
    run = recorded_run("one", {"a": [0.1, 0.2, np.nan], "b": [0.3, 0.4, 0.9]})
    table = compare_runs([run])
    assert table.num_users == 2
    assert table.models[1].comparison.difference.mean == pytest.approx(-0.2)


def test_which_way_is_better_is_that_of_the_metric(recorded_run, tmp_path):
    run = recorded_run("one", {"far": [0.9] * 50, "near": [0.1] * 50})
    for label, value in (("far", 0.9), ("near", 0.1)):
        path = run.folder / f"per_user.{label}.parquet"
        columns = [pl.lit(value).alias("calibration@10"), pl.lit(value).alias("novelty@10")]
        pl.read_parquet(path).with_columns(columns).write_parquet(path)
    calibration = compare_runs([run], metric="calibration@10")
    assert calibration.reference == "near"
    assert calibration.summary() == ["Really worse than near: far."]
    assert compare_runs([run], metric="novelty@10").summary() == ["Really lower than far: near."]
    assert compare_runs([run]).summary() == ["Really worse than far: near."]


@pytest.fixture
def rolling_run(recorded_run):
    """`better` gains .4 and then .2 for user u0, .3 for u1 in the first window and for u2 in the second."""

    def _write(run_id="rolling", *, first_window="first"):
        first = {"other": {"u0": 0.1, "u1": 0.2}, "better": {"u0": 0.5, "u1": 0.5}}
        newest = {"other": {"u0": 0.5, "u2": 0.5}, "better": {"u0": 0.7, "u2": 0.8}}
        ids = {label: list(values.values()) for label, values in newest.items()}
        return recorded_run(run_id, ids, users=["u0", "u2"], earlier=[(first, first_window)])

    return _write


def test_all_windows_of_a_rolling_split_are_pooled_and_a_user_of_several_counts_once(rolling_run):
    table = compare_runs([rolling_run()])
    better, other = table.models
    assert (table.num_users, table.windows, table.num_windows) == (3, (1, 2), 2)
    assert better.estimate.mean == pytest.approx((0.6 + 0.5 + 0.8) / 3)
    assert other.comparison.difference.mean == pytest.approx(-0.3)
    assert other.comparison.permutation_p == pytest.approx(2 / 8)
    told = table.to_json()
    assert (told["windows"], told["num_windows"]) == ([1, 2], 2)
    assert told["models"][0]["metrics"] == {"ndcg@10": pytest.approx(vars(better.estimate))}


def test_one_window_is_compared_where_that_is_asked_for(rolling_run):
    run = rolling_run()
    for asked, place, means in ((1, 1, (0.5, 0.15)), (2, 2, (0.75, 0.5)), ("newest", 2, (0.75, 0.5))):
        table = compare_runs([run], window=asked)
        assert (table.num_users, table.windows, table.num_windows) == (2, (place,), 2)
        assert [model.estimate.mean for model in table.models] == pytest.approx(list(means))
        told = [model["metrics"]["ndcg@10"]["mean"] for model in table.to_json()["models"]]
        assert told == pytest.approx(list(means))
    with pytest.raises(ConfigError, match=r"--window 3: run rolling has 2 test windows; expected 1 to 2, or newest"):
        compare_runs([run], window=3)


def test_runs_of_other_windows_compare_by_the_newest_alone(rolling_run, recorded_run):
    rolling = rolling_run()
    alone = recorded_run("alone", {"third": [0.9, 0.8]}, users=["u0", "u2"])
    with pytest.raises(ArtifactError, match=r"have 2 and 1 test windows.*--window newest"):
        compare_runs([rolling, alone])
    assert compare_runs([rolling, alone], window="newest").models[0].candidate.name == "third"
    with pytest.raises(ArtifactError, match=r"differ in the events of window 1.*--window newest"):
        compare_runs([rolling, rolling_run("moved", first_window="another")])


def test_a_metric_that_is_undefined_for_a_user_in_one_window_counts_in_the_others(recorded_run):
    first = {"a": {"u0": np.nan, "u1": 0.2}, "b": {"u0": 0.4, "u1": 0.4}}
    run = recorded_run("one", {"a": [0.5, 0.1], "b": [0.1, 0.1]}, earlier=[(first, "first")])
    table = compare_runs([run])
    # u0 counts in the second window only, u1 in both.
    assert {row.candidate.name: row.estimate.mean for row in table.models} == pytest.approx(
        {"a": (0.5 + 0.15) / 2, "b": (0.1 + 0.25) / 2}
    )
