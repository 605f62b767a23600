import io
import zipfile

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from foretaste.data.sources.synthetic_world import SyntheticConfig, make_world
from foretaste.errors import EstimationError
from foretaste.monitoring.off_policy import (
    ESTIMATORS,
    LoggedRows,
    OffPolicyConfig,
    estimate_value,
    on_policy_value,
)

EASY = OffPolicyConfig(min_effective_rows=1, max_weight=100)


def logged(items, propensities, rewards, clusters=None, slots=None):
    return LoggedRows(
        np.array(items, dtype=np.int32),
        np.array(propensities, dtype=np.float64),
        np.array(rewards, dtype=np.float64),
        np.arange(len(items)) if clusters is None else np.array(clusters),
        None if slots is None else np.array(slots, dtype=np.int32),
    )


def always(target_I, rows):
    """A target that gives every slot to each item with the same probability."""
    return sparse.csr_array(np.tile(np.array(target_I, dtype=np.float64), (len(rows), 1)))


def test_weights_by_hand():
    # Item 0 was shown with probability 1/4 and the target shows it with 1/2: weight 2. Item 1: (1/2) / (3/4) = 2/3.
    rows = logged([0, 1, 1, 1], [0.25, 0.75, 0.75, 0.75], [1, 0, 1, 0])
    target_NI = always([0.5, 0.5], rows)
    weights = [2, 2 / 3, 2 / 3, 2 / 3]
    assert estimate_value(rows, target_NI, "ips", EASY).mean == pytest.approx((2 * 1 + 2 / 3) / 4)
    snips = estimate_value(rows, target_NI, "snips", EASY)
    assert snips.mean == pytest.approx((2 * 1 + 2 / 3) / sum(weights))
    assert snips.effective_rows == pytest.approx(sum(weights) ** 2 / sum(weight**2 for weight in weights))
    assert on_policy_value(rows).mean == 0.5


def test_a_large_weight_is_cut_and_the_interval_tells_what_that_may_hide():
    rows = logged([0, 1, 1, 1], [0.25, 0.75, 0.75, 0.75], [1, 0, 1, 0])
    target_NI = always([0.5, 0.5], rows)
    free, cut = (estimate_value(rows, target_NI, "ips", EASY.model_copy(update={"max_weight": at})) for at in (2, 1.5))
    assert cut.mean == pytest.approx((1.5 + 2 / 3) / 4)
    assert (free.clipped_share, cut.clipped_share) == (0.0, 0.25)
    plain = estimate_value(rows, target_NI, "snips", EASY.model_copy(update={"max_weight": 1.5}))
    assert plain.mean == pytest.approx((1.5 + 2 / 3) / 3.5)
    # Weights that average to 3.5 / 4 after the cut hide an eighth of the target, which might have earned a full reward.
    many = logged([0, 1, 1, 1] * 500, [0.25, 0.75, 0.75, 0.75] * 500, [1, 0, 1, 0] * 500)
    wide = estimate_value(many, always([0.5, 0.5], many), "ips", OffPolicyConfig(max_weight=1.5))
    assert wide.high - wide.mean == pytest.approx(wide.mean - wide.low + 1 / 8)


def test_the_target_that_served_has_the_value_of_the_log():
    rows = logged([0, 1, 1, 0] * 30, [0.5] * 120, [1, 0, 1, 0] * 30)
    for estimator in ESTIMATORS:
        estimate = estimate_value(rows, always([0.5, 0.5], rows), estimator)
        assert estimate.mean == pytest.approx(on_policy_value(rows).mean)
        assert estimate.effective_rows == 120


def test_replay_keeps_the_rows_that_a_greedy_target_would_have_served():
    rows = logged([0, 1, 2] * 80, [1 / 3] * 240, [0, 1, 0, 1, 0, 1] * 40)
    estimate = estimate_value(rows, always([0, 1, 0], rows), "replay")
    assert (estimate.mean, estimate.effective_rows) == (0.5, 80)


def test_replay_is_refused_where_it_would_keep_too_little():
    rows = logged(np.r_[0, np.ones(99, dtype=int)].tolist() * 4, [0.01, *[0.99] * 99] * 4, [0] * 400)
    target_NI = always([0.1, 0.9], rows)
    with pytest.raises(EstimationError, match=r"replay keeps \d+ of 400 rows, fewer than 50; use snips"):
        estimate_value(rows, target_NI, "replay", OffPolicyConfig(min_effective_rows=50))


def test_in_a_slate_the_slots_above_count_too():
    # Two requests of two slots. The weight of a second slot is the product of both ratios.
    rows = logged([0, 1, 1, 0], [0.5, 0.5, 0.5, 0.5], [0, 1, 0, 1], clusters=[0, 0, 1, 1], slots=[0, 1, 0, 1])
    target_NI = sparse.csr_array(np.array([[0.8, 0.2], [0.0, 1.0], [0.8, 0.2], [1.0, 0.0]]))
    first, second = 0.8 / 0.5, 0.2 / 0.5
    estimate = estimate_value(rows, target_NI, "ips", EASY)
    assert estimate.mean == pytest.approx((first * 2 * 1 + second * 2 * 1) / 4)
    shuffled = logged([0, 1, 0, 1], [0.5] * 4, [1, 0, 0, 1], clusters=[1, 1, 0, 0], slots=[1, 0, 0, 1])
    again = estimate_value(shuffled, target_NI[[3, 2, 0, 1]], "ips", EASY)
    assert again.mean == pytest.approx(estimate.mean)


def test_rows_of_one_request_are_one_draw():
    alone = logged([0, 1] * 100, [0.5] * 200, [1, 0] * 100)
    together = logged([0, 1] * 100, [0.5] * 200, [1, 0] * 100, clusters=np.arange(200) // 2)
    wide, none = on_policy_value(alone), on_policy_value(together)
    assert wide.high - wide.low > 0.1
    assert none.high == none.low == 0.5


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (logged([], [], []), "holds no rows"),
        (logged([0, 1], [0.5, 0.0], [0, 0]), r"1 of 2 rows have no propensity in \(0, 1\], row 1 has 0.0"),
        (logged([0, 1], [np.nan, 0.5], [0, 0]), "1 of 2 rows have no propensity"),
        (logged([0, 1], [0.5, 0.5], [0, 5]), r"1 of 2 rewards are not in \[0, 1\], row 1 has 5.0"),
    ],
)
def test_a_log_that_cannot_be_true_is_refused(rows, message):
    with pytest.raises(EstimationError, match=message):
        estimate_value(rows, always([0.5, 0.5], rows), "ips", EASY)


def test_a_greedy_log_cannot_judge_another_policy():
    rows = logged([0, 1] * 100, [1.0] * 200, [1, 0] * 100)
    for estimator in ESTIMATORS:
        with pytest.raises(EstimationError, match=r"only about 50% .* \(the log is greedy: every propensity is 1\)"):
            estimate_value(rows, always([0.5, 0.5], rows), estimator)


def test_a_log_that_never_shows_what_the_target_shows_is_refused():
    rng = np.random.default_rng(0)
    rows = logged(rng.integers(2, size=2000), [0.5] * 2000, np.zeros(2000))
    with pytest.raises(EstimationError, match=r"could have shown only about 20% .*epsilon_greedy"):
        estimate_value(rows, always([0.1, 0.1, 0.8], rows), "snips")


def test_propensities_that_are_not_the_chances_are_refused():
    rng = np.random.default_rng(0)
    rows = logged(rng.integers(2, size=2000), [0.25] * 2000, np.zeros(2000))
    with pytest.raises(EstimationError, match=r"weights average to 2\.00 where they must average to 1"):
        estimate_value(rows, always([0.5, 0.5], rows), "snips")


def test_too_few_rows_like_those_of_the_target_are_refused():
    rows = logged([0, 1, 1, 1] * 10, [0.25, 0.75, 0.75, 0.75] * 10, [1, 0, 1, 0] * 10)
    with pytest.raises(EstimationError, match="40 rows say as much about this policy as 10 of its own, fewer than 50"):
        estimate_value(rows, always([1.0, 0.0], rows), "snips")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(ESTIMATORS))
def test_an_estimate_lies_within_its_interval_and_that_within_what_is_possible(seed, estimator):
    rng = np.random.default_rng(seed)
    logging_I, target_I = (rng.dirichlet(np.full(4, 5.0)) for _ in range(2))
    item_N = rng.choice(4, size=500, p=logging_I)
    rows = logged(item_N, logging_I[item_N], rng.random(500) < 0.3)
    try:
        estimate = estimate_value(rows, always(target_I, rows), estimator)
    except EstimationError:
        return
    assert 0 <= estimate.low <= estimate.mean <= estimate.high <= 1


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("target", ["near", "far"])
def test_intervals_cover_the_truth_of_the_synthetic_world(estimator, target):
    num_users, num_items, num_rows, num_logs = 400, 40, 2000, 200
    world = make_world(SyntheticConfig(num_users=num_users, num_items=num_items, num_interactions=4000))
    preference_UI = world.preference(np.arange(num_users), world.config.end_seconds - 1).astype(np.float64)
    rng = np.random.default_rng(1)
    guess_UI = preference_UI + rng.normal(0, 0.2, preference_UI.shape)
    popular_UI = np.tile(np.log(world.attention_I.astype(np.float64)), (num_users, 1))
    logging_UI = explored(softmax(popular_UI), 0.3)
    target_UI = explored(softmax(popular_UI + 2 * guess_UI if target == "near" else 3 * guess_UI), 0.15)
    truth = float((target_UI * preference_UI).sum(axis=1).mean())

    covered = []
    for _ in range(num_logs):
        user_N = rng.integers(num_users, size=num_rows)
        item_N = (logging_UI[user_N].cumsum(axis=1) < rng.random((num_rows, 1))).sum(axis=1).clip(max=num_items - 1)
        reward_N = rng.random(num_rows) < preference_UI[user_N, item_N]
        rows = logged(item_N, logging_UI[user_N, item_N], reward_N)
        try:
            estimate = estimate_value(rows, sparse.csr_array(target_UI[user_N]), estimator)
        except EstimationError:  # one log in a hundred looks as if it lacked support
            continue
        covered.append(estimate.low <= truth <= estimate.high)
    assert len(covered) >= 0.95 * num_logs
    assert 0.90 <= np.mean(covered) <= 0.99


def softmax(scores_UI):
    share_UI = np.exp(scores_UI - scores_UI.max(axis=1, keepdims=True))
    return share_UI / share_UI.sum(axis=1, keepdims=True)


def explored(share_UI, epsilon):
    return (1 - epsilon) * share_UI + epsilon / share_UI.shape[1]


@pytest.mark.real_data
@pytest.mark.parametrize("campaign", ["men", "women"])
@pytest.mark.parametrize("estimator", ["ips", "snips", "dr"])
def test_two_real_policies_judge_each_other(real_data, campaign, estimator):
    """The Open Bandit sample: a uniform and a Thompson policy, each estimated from the log of the other."""
    uniform, thompson = (bandit_log(real_data, policy, campaign) for policy in ("random", "bts"))
    num_items = int(uniform["item_id"].max()) + 1
    # The Thompson policy knows nothing of its users: how often its log shows an item in a position is its chance there.
    shown_PI = np.zeros((4, num_items))
    np.add.at(shown_PI, (thompson["position"].to_numpy(), thompson["item_id"].to_numpy()), 1)
    chance_PI = shown_PI / shown_PI.sum(axis=1, keepdims=True).clip(min=1)

    as_thompson = sparse.csr_array(chance_PI[uniform["position"].to_numpy()])
    estimate = estimate_value(bandit_rows(uniform), as_thompson, estimator)
    assert estimate.low <= on_policy_value(bandit_rows(thompson)).mean <= estimate.high
    as_uniform = sparse.csr_array(np.full((len(thompson), num_items), 1 / num_items))
    estimate = estimate_value(bandit_rows(thompson), as_uniform, estimator)
    assert estimate.low <= on_policy_value(bandit_rows(uniform)).mean <= estimate.high


def bandit_log(folder, policy, campaign):
    with zipfile.ZipFile(folder / "open-bandit-small.zip") as archive:
        content = archive.read(f"open-bandit-small/{policy}/{campaign}/{campaign}.csv")
    return pl.read_csv(io.BytesIO(content), columns=["item_id", "position", "click", "propensity_score"])


def bandit_rows(log):
    return logged(log["item_id"], log["propensity_score"], log["click"])


@pytest.mark.real_data
@pytest.mark.parametrize("estimator", ["replay", "snips", "dr"])
def test_ratings_that_people_chose_to_give_are_corrected(real_data, estimator):
    """Coat: what a coat at random is worth, from ratings that their authors chose, beside ratings of random coats."""
    with zipfile.ZipFile(real_data / "coat.zip") as archive:
        chosen_UI, random_UI, chance_UI = (
            np.loadtxt(io.BytesIO(archive.read(f"coat/{name}.ascii"))) for name in ("train", "test", "propensities")
        )
    user_N, item_N = np.nonzero(chosen_UI)
    # A user rates 24 coats: the chance that a rating of theirs is of this coat.
    share_N = chance_UI[user_N, item_N] / chance_UI[user_N].sum(axis=1)
    rows = logged(item_N, share_N, chosen_UI[user_N, item_N] / 5, clusters=user_N)
    estimate = estimate_value(rows, always(np.full(chosen_UI.shape[1], 1 / chosen_UI.shape[1]), rows), estimator)
    truth = random_UI[random_UI > 0].mean() / 5
    assert on_policy_value(rows).low > truth + 0.05
    assert estimate.low <= truth <= estimate.high
