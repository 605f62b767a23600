import numpy as np
import polars as pl
import pytest

from foretaste.errors import ConfigError, DataError
from foretaste.evaluation.protocol import EvaluationConfig
from foretaste.pipelines.datasets import write_prepared
from foretaste.pipelines.judge import JudgeColumns, JudgeConfig, judge_lists
from foretaste.pipelines.run import run

TOP2 = JudgeConfig(evaluation=EvaluationConfig(cutoffs=(2,), select_by="ndcg@2"))


@pytest.fixture
def judged(tmp_path):
    """Judges lists that are given as text; the held-out events are u: a, v: b and c."""

    def _judge(lists, config=TOP2, test="user,item\nu,a\nv,b\nv,c\n", history=None, items=None):
        paths = {}
        for name, text in (("lists", lists), ("test", test), ("history", history), ("items", items)):
            if text is not None:
                paths[name] = tmp_path / f"{name}.csv"
                paths[name].write_text(text)
        return judge_lists(paths["lists"], paths["test"], config, paths.get("history"), paths.get("items"))

    return _judge


def test_by_hand(judged):
    found = judged("user,item,rank\nu,x,1\nu,a,2\nv,b,1\nv,c,2\n").evaluation
    assert found.values["ndcg@2"] == pytest.approx([1 / np.log2(3), 1])
    assert found.values["precision@2"].tolist() == [0.5, 1]


def test_users_without_a_list_count_as_zero_and_users_without_events_not_at_all(judged):
    found = judged("user,item,rank\nv,b,1\nv,c,2\nw,a,1\n")
    assert found.evaluation.values["recall@2"].tolist() == [0, 1]
    assert (found.audit.users_without_list, found.audit.users_not_held_out) == (1, 1)
    assert "1 of 2 judged users have no list and count as zero" in found.audit.remarks()


def test_equal_scores_count_against_the_lists(judged):
    # a and x share the first place: a comes second, whatever the order of the rows.
    for rows in ("u,a,5\nu,x,5\n", "u,x,5\nu,a,5\n"):
        found = judged(f"user,item,score\n{rows}u,y,4\n")
        assert found.evaluation.values["mrr@2"][0] == 0.5
        assert found.audit.tied_slots == 2


def test_a_repeated_item_wastes_its_slot(judged):
    found = judged("user,item,rank\nv,b,1\nv,b,2\nv,c,3\nu,a,1\nu,x,2\n")
    assert found.evaluation.values["recall@2"].tolist() == [1, 0.5]
    assert found.audit.duplicate_slots == 1


def test_seen_unknown_and_missing_slots_are_counted(judged):
    history = "user,item\nu,b\nv,a\n"
    found = judged("user,item,rank\nu,b,1\nu,nowhere,2\nv,c,1\n", history=history)
    audit = found.audit
    assert (audit.seen_slots, audit.unknown_slots, audit.lists_too_short) == (1, 1, 1)
    assert found.evaluation.values["recall@2"].tolist() == [0, 0.5]
    assert judged("user,item,rank\nu,b,1\n").audit.seen_slots is None


def test_a_pair_of_both_history_and_test_is_warned_of(judged):
    found = judged("user,item,rank\nu,a,1\n", history="user,item\nu,a\nu,b\nv,a\n")
    assert found.warnings[0].kind == "repeated_pairs"
    assert not any("--set" in warning.text for warning in found.warnings)


def test_beyond_accuracy_comes_with_history_and_items(judged):
    lists, history = "user,item,rank\nu,a,1\nu,c,2\nv,b,1\nv,c,2\n", "user,item\nu,b\nv,a\n"
    items = "item,genre\na,War\nb,War|Drama\nc,Comedy\n"
    plain = judged(lists).evaluation
    assert set(plain.values) == {f"{name}@2" for name in ("ndcg", "recall", "precision", "map", "mrr", "hit_rate")}
    with_history = judged(lists, history=history).evaluation
    assert with_history.catalogue["coverage@2"] == 1
    assert "diversity@2" not in with_history.values
    # u: War and Comedy share nothing; v: War|Drama and Comedy share nothing.
    assert judged(lists, history=history, items=items).evaluation.values["diversity@2"].tolist() == [1, 1]


def test_columns_of_any_name_can_be_said(judged):
    columns = {"user_id": "who", "item_id": "what", "rank": "slot"}
    config = JudgeConfig(evaluation=TOP2.evaluation, columns=JudgeColumns(**columns))
    found = judged("who,what,slot\nu,a,1\nv,x,1\n", config, test="who,item\nu,a\nv,b\n")
    assert found.evaluation.values["mrr@2"].tolist() == [1, 0]
    with pytest.raises(DataError, match="no column user_id; its columns are who, what, slot"):
        judged("who,what,slot\nu,a,1\n")


def test_only_what_was_liked_is_hoped_for(judged):
    test = "user,item,rating\nu,a,5\nv,b,2\nv,c,4\n"
    config = TOP2.model_copy(update={"min_rating": 4.0})
    found = judged("user,item,rank\nu,a,1\nv,b,1\nv,c,2\n", config, test)
    assert found.evaluation.num_relevant_B.tolist() == [1, 1]
    with pytest.raises(DataError, match="min_rating needs a column rating"):
        judged("user,item,rank\nu,a,1\n", config)
    with pytest.raises(DataError, match="no held-out event is left"):
        judged("user,item,rank\nu,a,1\n", config.model_copy(update={"min_rating": 6.0}), test)


def test_candidates_cannot_be_drawn_for_lists_that_are_there(judged):
    drawn = EvaluationConfig(candidates="sampled", cutoffs=(2,), select_by="ndcg@2")
    with pytest.raises(ConfigError, match="cannot be ranked among other candidates"):
        judged("user,item,rank\nu,a,1\n", JudgeConfig(evaluation=drawn))


def assert_same_figures(result, tmp_path, config):
    """What a run says of its models is what the judge says of their exported lists, by rank and by score alike."""
    folder = write_prepared(result.divided, tmp_path / "prepared", "same")
    events, items = folder / "interactions.parquet", folder / "items.parquet"
    for one in result.judged:
        lists = pl.read_parquet(result.folder / f"top.{one.label}.parquet").sample(fraction=1, shuffle=True, seed=0)
        for column in ("rank", "score"):
            lists.select("user_id", "item_id", column).write_csv(tmp_path / "lists.csv")
            found = judge_lists(
                tmp_path / "lists.csv", events, JudgeConfig(evaluation=config.evaluation), events, items
            )
            assert found.audit.seen_slots == found.audit.unknown_slots == 0
            ours = {metric: values for metric, values in one.test.values.items() if metric != "auc"}
            assert found.evaluation.values.keys() == ours.keys()
            for metric, values in ours.items():
                np.testing.assert_allclose(found.evaluation.values[metric], values, rtol=1e-12, err_msg=metric)
            assert found.evaluation.catalogue == one.test.catalogue


def test_our_own_lists_get_our_own_figures(small_config, tmp_path):
    assert_same_figures(run(small_config(), tmp_path, ["foretaste"]), tmp_path, small_config())


@pytest.mark.real_data
def test_our_own_lists_of_movielens_get_our_own_figures(real_data, small_config, tmp_path):
    config = small_config(
        data={"source": "movielens", "path": str(real_data / "ml-100k.zip")},
        models={"popularity": {}, "als": {"embedding_dim": 16, "iterations": 3}},
    )
    assert_same_figures(run(config, tmp_path, ["foretaste"]), tmp_path, config)
