import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from foretaste.data.interactions import Interactions
from foretaste.data.vocabulary import Vocabulary
from foretaste.errors import DataError
from foretaste.evaluation.metrics import HIT_METRICS
from foretaste.evaluation.protocol import EvaluationConfig, evaluate

NUM_USERS, NUM_ITEMS = 4, 6
USERS = Vocabulary.of([str(user) for user in range(NUM_USERS)])
ITEMS = Vocabulary.of([str(item) for item in range(NUM_ITEMS)])


class Fixed:
    """Scores that a test chose, one row a user."""

    def __init__(self, scores_UI):
        self.scores_UI = np.asarray(scores_UI, dtype=np.float32)

    def score(self, query):
        return self.scores_UI[query.user_B]


def events(*pairs):
    user, item = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    return Interactions(user, item, np.ones(len(user), np.float32), None, USERS, ITEMS)


def scores(row=(6, 5, 4, 3, 2, 1)):
    return np.tile(np.array(row, dtype=np.float32), (NUM_USERS, 1))


CONFIG = EvaluationConfig(cutoffs=(2, 3), select_by="ndcg@2")


def test_seen_items_make_room_for_the_next():
    history, held_out = events((0, 0), (0, 1)), events((0, 3))
    evaluation = evaluate(Fixed(scores()), history, held_out, CONFIG)
    assert evaluation.top.item_BK.tolist() == [[2, 3, 4]]
    assert evaluation.values["recall@2"].tolist() == [1]
    assert evaluation.values["ndcg@2"] == pytest.approx([1 / np.log2(3)])
    kept = evaluate(Fixed(scores()), history, held_out, CONFIG.model_copy(update={"exclude_seen": False}))
    assert kept.values["recall@3"].tolist() == [0]


def test_ties_do_not_count_in_our_favour():
    evaluation = evaluate(Fixed(scores(np.ones(6))), events((0, 5)), events((0, 0)), CONFIG)
    assert evaluation.values["hit_rate@3"].tolist() == [0]


def test_a_cold_user_is_answered_by_popularity_and_counted():
    history, held_out = events((0, 4), (1, 4), (1, 5)), events((3, 4), (0, 0))
    evaluation = evaluate(Fixed(scores()), history, held_out, CONFIG)
    assert evaluation.user_B.tolist() == [0, 3]
    assert evaluation.is_cold_B.tolist() == [False, True]
    assert evaluation.top.item_BK[1, :2].tolist() == [4, 5]


def test_given_negatives_are_the_only_rivals_and_a_negative_that_is_relevant_is_no_rival():
    held_out, negatives = events((0, 2)), events((0, 4), (0, 5), (0, 2))
    config = EvaluationConfig(cutoffs=(1,), select_by="ndcg@1", candidates="given")
    evaluation = evaluate(Fixed(scores()), events((0, 1)), held_out, config, negatives)
    assert evaluation.top.item_BK.tolist() == [[2]]
    assert evaluation.values["hit_rate@1"].tolist() == [1]


def test_given_candidates_need_negatives():
    with pytest.raises(DataError, match="needs a source with negatives"):
        evaluate(Fixed(scores()), events((0, 1)), events((0, 2)), EvaluationConfig(candidates="given"))


def test_sampled_rivals_are_few_seeded_and_labelled():
    config = EvaluationConfig(cutoffs=(3,), select_by="ndcg@3", candidates="sampled", candidate_samples=2)
    evaluation = evaluate(Fixed(scores()), events((0, 0)), events((0, 5)), config)
    (items,) = evaluation.top.item_BK.tolist()
    assert items[2] == 5  # the worst score of all, behind the two that were drawn
    assert set(items[:2]) <= {1, 2, 3, 4}
    assert evaluation.values["auc"].tolist() == [0]
    assert evaluation.candidates == "sampled"
    again = evaluate(Fixed(scores()), events((0, 0)), events((0, 5)), config)
    assert again.top.item_BK.tolist() == [items]
    others = {
        tuple(
            evaluate(
                Fixed(scores()), events((0, 0)), events((0, 5)), config.model_copy(update={"candidate_seed": seed})
            ).top.item_BK[0]
        )
        for seed in range(8)
    }
    assert len(others) > 1


def test_more_samples_than_items_is_full_ranking():
    sampled = EvaluationConfig(cutoffs=(2, 3), select_by="ndcg@2", candidates="sampled", candidate_samples=500)
    history, held_out = events((0, 0), (1, 3), (2, 2)), events((0, 4), (1, 0), (1, 5), (2, 1))
    rows = np.random.default_rng(0).integers(3, size=(NUM_USERS, NUM_ITEMS))
    whole, drawn = (evaluate(Fixed(rows), history, held_out, config) for config in (CONFIG, sampled))
    assert whole.top.item_BK.tolist() == drawn.top.item_BK.tolist()
    for metric, values in whole.values.items():
        np.testing.assert_array_equal(values, drawn.values[metric], err_msg=metric)


def test_without_genres_what_needs_them_is_left_out_and_said():
    evaluation = evaluate(Fixed(scores()), events((0, 0)), events((0, 1)), CONFIG)
    assert evaluation.omitted == {"diversity": "the data has no genres", "calibration": "the data has no genres"}
    assert not any(metric.startswith(("diversity", "calibration")) for metric in evaluation.values)


def test_what_is_not_defined_for_a_user_is_out_of_the_mean():
    # User 3 is cold: nothing to be more popular than.
    evaluation = evaluate(Fixed(scores()), events((0, 4), (1, 4)), events((0, 0), (3, 1)), CONFIG)
    lift = evaluation.values["popularity_lift@2"]
    assert np.isnan(lift).tolist() == [False, True]
    assert evaluation.mean("popularity_lift@2") == lift[0] == evaluation.estimates["popularity_lift@2"].mean


def test_what_is_defined_for_nobody_is_left_out_and_said():
    evaluation = evaluate(Fixed(scores()), events((0, 4)), events((3, 1)), CONFIG)
    assert evaluation.omitted["popularity_lift@2"] == "it is not defined for any user"
    assert "popularity_lift@2" not in evaluation.values


def test_only_the_metrics_that_are_asked_for_are_there():
    config = CONFIG.model_copy(update={"metrics": ("ndcg", "gini")})
    evaluation = evaluate(Fixed(scores()), events((0, 0)), events((0, 1)), config)
    assert list(evaluation.values) == ["ndcg@2", "ndcg@3"]
    assert list(evaluation.catalogue) == ["gini@2", "gini@3"]


def test_nothing_to_judge_by_is_refused():
    with pytest.raises(DataError, match="no held-out events"):
        evaluate(Fixed(scores()), events((0, 1)), events())


@pytest.mark.parametrize(
    "wrong",
    [
        {"cutoffs": []},
        {"cutoffs": [0]},
        {"metrics": ["ndgc"]},
        {"select_by": "ndcg"},
        {"select_by": "ndcg@7"},
        {"select_by": "novelty@10"},
        {"candidate_file": "x.csv"},
    ],
)
def test_a_config_that_cannot_be_measured_is_refused(wrong):
    with pytest.raises(ValidationError):
        EvaluationConfig(**wrong)


def by_brute_force(scores_I, seen, relevant, cutoff):
    """The list a careful person would write: unseen items, best first, relevant ones last among equals."""
    order = sorted(
        (item for item in range(NUM_ITEMS) if item not in seen), key=lambda i: (-scores_I[i], i in relevant, i)
    )
    hits = [[float(item in relevant) for item in order[:cutoff]] + [0.0] * (cutoff - len(order))]
    return {f"{name}@{cutoff}": HIT_METRICS[name](hits, [len(relevant)])[0] for name in HIT_METRICS}


pairs = st.sets(st.tuples(st.integers(0, NUM_USERS - 1), st.integers(0, NUM_ITEMS - 1)))
score_rows = st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=4, max_size=4)


@given(pairs, pairs.filter(bool), score_rows)
@settings(max_examples=80, deadline=None)
def test_it_agrees_with_brute_force(seen, relevant, rows):
    relevant = relevant - seen
    if not relevant:
        return
    evaluation = evaluate(Fixed(rows), events(*seen), events(*relevant), CONFIG)
    popularity = np.bincount([item for _, item in seen], minlength=NUM_ITEMS)
    for position, user in enumerate(evaluation.user_B):
        mine = {item for u, item in seen if u == user}
        row = rows[user] if mine else popularity
        for cutoff in CONFIG.cutoffs:
            expected = by_brute_force(row, mine, {item for u, item in relevant if u == user}, cutoff)
            for name, value in expected.items():
                assert evaluation.values[name][position] == pytest.approx(value), name
