import numpy as np
import pytest

from foretaste.data.interactions import Interactions
from foretaste.data.vocabulary import Vocabulary
from foretaste.evaluation.protocol import EvaluationConfig
from foretaste.evaluation.truth import agreement, kendall_tau, truth_protocol, truth_test

USERS, ITEMS = Vocabulary.of(["u", "v"]), Vocabulary.of(["a", "b", "c"])


def pairs(*rows):
    user_N, item_N, weight_N = np.array(rows, dtype=float).T
    return Interactions(
        user_N.astype(np.int32), item_N.astype(np.int32), weight_N.astype(np.float32), None, USERS, ITEMS
    )


def test_the_truth_is_what_was_liked_of_what_was_drawn_and_not_met_before():
    truth = pairs((0, 0, 5), (0, 1, 2), (1, 0, 4), (1, 2, 3))
    liked, drawn = truth_test(truth, history=pairs((1, 0, 1)), min_rating=4)
    assert list(zip(liked.user_N, liked.item_N, strict=True)) == [(0, 0)]
    assert list(zip(drawn.user_N, drawn.item_N, strict=True)) == [(0, 0), (0, 1), (1, 2)]


def test_drawn_items_compete_among_themselves():
    config = truth_protocol(EvaluationConfig(candidates="sampled"))
    assert config.candidates == "given"
    assert "coverage" not in config.metrics
    assert "ndcg" in config.metrics


def test_tau_by_hand():
    # Orders abc and acb: pairs ab and ac agree, bc does not: (1 + 1 - 1) / 3.
    first, second = np.array([[3.0, 2.0, 1.0]]), np.array([[3.0, 1.0, 2.0]])
    assert kendall_tau(first, second) == pytest.approx([1 / 3])
    assert kendall_tau(first, first) == [1]
    assert kendall_tau(first, -first) == [-1]
    assert kendall_tau(first, np.array([[1.0, 1.0, 0.0]])) == pytest.approx([2 / 3])  # an equal pair counts 0


@pytest.fixture
def found():
    # On the biased test a > b > c; in truth b > a > c, for certain. The last ten users are in one of the tests only.
    rng = np.random.default_rng(0)
    noise = rng.random((100, 1)) * 0.1
    biased = np.hstack([noise + 0.3, noise + 0.2, noise])
    unbiased = np.hstack([noise + 0.5, noise + 0.7, noise])
    biased[90:95], unbiased[95:] = np.nan, np.nan
    return agreement("ndcg@10", ["a", "b", "c"], biased, unbiased)


def test_agreement_names_the_pairs_that_swap(found):
    assert found.kendall_tau.mean == pytest.approx(1 / 3)
    assert (found.kendall_tau.low, found.kendall_tau.high) == pytest.approx((1 / 3, 1 / 3))
    (swap,) = found.swaps
    assert (swap.better, swap.worse, swap.is_shown) == ("b", "a", True)
    assert (swap.biased.mean, swap.unbiased.mean) == pytest.approx((-0.1, 0.2))
    assert (found.num_biased_users, found.num_unbiased_users) == (95, 95)
    assert found.summary()[0] == (
        "The biased test puts 2 of 3 pairs of models in their true order: Kendall's tau 0.33 [0.33 0.33]."
    )
    assert found.summary()[1] == "The biased test finds a best; in truth b is."


def test_chance_makes_the_interval_wide_and_the_swap_uncertain():
    rng = np.random.default_rng(1)
    found = agreement("ndcg@10", ["a", "b", "c"], rng.random((60, 3)), rng.random((60, 3)))
    assert found.kendall_tau.high - found.kendall_tau.low > 1
    assert not any(swap.is_shown for swap in found.swaps)


def test_equal_tests_agree():
    values = np.random.default_rng(2).random((50, 3)) + np.arange(3)
    found = agreement("ndcg@10", ["a", "b", "c"], values, values)
    assert (found.kendall_tau.mean, found.kendall_tau.low, found.swaps) == (1, 1, [])
    assert "Both tests find c best." in found.summary()
