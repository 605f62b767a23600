"""Each warning of a run, from data in which its cause was planted."""

import numpy as np
import pytest

from foretaste.pipelines.run import run

COMMAND = ["foretaste", "run", "x.yaml"]
EVERYBODY_KNOWN = {
    "data": {
        "source": "synthetic",
        "num_users": 200,
        "num_items": 100,
        "num_interactions": 5000,
        "late_user_share": 0,
        "late_item_share": 0,
    },
    "split": {"method": "global_time", "drop_unknown": True},
}


def kinds(result):
    return [warning.kind for warning in result.warnings]


def test_a_clean_split_raises_none(small_config, tmp_path):
    result = run(small_config(**EVERYBODY_KNOWN), tmp_path, COMMAND)
    assert result.warnings == []
    assert result.to_json()["warnings"] == []
    assert "Warning:" not in result.report.read_text()


def test_a_leak_of_time_is_told_in_the_result_and_at_the_top_of_the_report(small_config, tmp_path):
    result = run(small_config(split={"method": "leave_last_out"}), tmp_path, COMMAND)
    assert kinds(result) == ["time_leakage"]
    assert result.to_json()["warnings"][0]["kind"] == "time_leakage"
    text = result.report.read_text()
    assert text.index(result.warnings[0].text.split(":")[0]) < text.index("## ")


def test_a_pair_planted_in_both_parts_of_a_given_split_is_told(small_config, tmp_path):
    rng = np.random.default_rng(0)
    pairs = {user: rng.permutation(30)[:12].tolist() for user in range(40)}
    train = {user: items[:9] for user, items in pairs.items()}
    test = {user: items[9:] for user, items in pairs.items()}
    test[7].append(train[7][0])
    for name, part in (("train", train), ("test", test)):
        lines = (" ".join(map(str, [user, *items])) for user, items in part.items())
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n")
    config = small_config(data={"source": "lightgcn", "path": str(tmp_path)}, split={"method": "given"})
    result = run(config, tmp_path, COMMAND)
    assert "repeated_pairs" in kinds(result)
    assert f"user 7 with item {train[7][0]}" in result.warnings[0].text


def test_a_model_worse_than_popularity_is_told(small_config, tmp_path):
    # Next to no weight on what was not chosen: the vectors fit what was, and rank the rest at random.
    hopeless = {"embedding_dim": 1, "iterations": 1, "regularization": 1e-6, "unobserved_weight": 1e-6}
    models = {"popularity": {}, "item_knn": {}, "als": hopeless}
    data = {**EVERYBODY_KNOWN["data"], "exposure_bias": 1.5}
    result = run(small_config(**{**EVERYBODY_KNOWN, "data": data, "models": models}), tmp_path, COMMAND)
    assert "below_baseline" in kinds(result)
    assert any(warning.text.startswith("als is worse than popularity: ndcg@10") for warning in result.warnings)


@pytest.mark.real_data
def test_the_global_time_split_of_movielens_leaks_nothing(real_data, small_config, tmp_path):
    config = small_config(
        data={"source": "movielens", "path": str(real_data / "ml-100k.zip")}, models={"popularity": {}, "item_knn": {}}
    )
    assert kinds(run(config, tmp_path, COMMAND)) == ["cold_users"]
    by_user = config.model_copy(update={"split": small_config(split={"method": "leave_last_out"}).split})
    assert kinds(run(by_user, tmp_path, COMMAND)) == ["time_leakage"]
