"""The verdict on hand-made figures: 400 users, each worth .5 to the champion, give or take."""

import numpy as np
import pytest

from foretaste.evaluation.protocol import Evaluation
from foretaste.evaluation.significance import permutation_p
from foretaste.evaluation.slices import Slice
from foretaste.models.protocol import TopK
from foretaste.pipelines.retraining.accuracy import Trial, check_accuracy, check_lists, check_slices
from foretaste.pipelines.retraining.guard_settings import GuardConfig

USERS, METRIC = 400, "ndcg@10"
CONFIG = GuardConfig(min_slice_users=50)
NEWS = "3 users and 0 items are new"


def evaluation(value_B, slices=None, catalogue=None):
    nothing = np.zeros((USERS, 0))
    return Evaluation(
        user_B=np.arange(USERS, dtype=np.int32),
        values={METRIC: np.asarray(value_B)},
        num_relevant_B=np.ones(USERS, dtype=np.int32),
        is_cold_B=np.zeros(USERS, dtype=bool),
        top=TopK(nothing.astype(np.int32), nothing.astype(np.float32)),
        candidates="all",
        catalogue=catalogue or {},
        slices=slices or {},
    )


def trial(difference, spread=0.01, popularity=0.2):
    """The challenger's figures lie `difference` from the champion's, by `spread` from user to user."""
    rng = np.random.default_rng(0)
    champion_B = 0.5 + 0.1 * rng.standard_normal(USERS)
    noise_B = rng.standard_normal(USERS)
    change_B = difference + spread * (noise_B - noise_B.mean())
    popularity_B = popularity + 0.1 * rng.standard_normal(USERS)
    return Trial(evaluation(champion_B + change_B), evaluation(champion_B), evaluation(popularity_B))


def decided(trial, news=NEWS, **options):
    findings = check_accuracy(trial, CONFIG, news, **options)
    failed = [finding for finding in findings if not finding.passed]
    return (failed[0].leads_to if failed else "promote"), " ".join(finding.sentence for finding in failed or findings)


# The margin is 5 % of .5, so .025. With a spread of .01 the interval is ± .001, with one of .4 it is ± .04.
@pytest.mark.parametrize(
    ("difference", "spread", "news", "decision", "told"),
    [
        (+0.02, 0.01, "", "promote", "better"),
        (0.0, 0.01, NEWS, "promote", "no worse than the margin of 5% allows, and 3 users and 0 items are new"),
        (0.0, 0.01, "", "keep", "no gain, and no user or item is new"),
        (-0.01, 0.01, NEWS, "keep", "worse, though by less than the margin"),
        (-0.04, 0.01, NEWS, "refuse", "clearly worse"),
        (0.0, 0.4, NEWS, "keep", "too uncertain to be called no worse"),
        (-0.08, 0.4, NEWS, "refuse", "clearly worse"),
        (+0.08, 0.4, "", "promote", "better"),
    ],
)
def test_the_interval_and_the_margin_decide(difference, spread, news, decision, told):
    found, sentence = decided(trial(difference, spread), news)
    assert found == decision, sentence
    assert told in sentence


def test_below_popularity_is_refused_however_bad_the_champion_is():
    decision, told = decided(trial(0.0, popularity=0.6))
    assert decision == "refuse"
    assert "below what costs nothing" in told


def test_a_holdout_that_tells_no_model_from_popularity_decides_nothing_but_on_popularity_itself():
    level = trial(0.0)
    level = Trial(level.challenger, level.champion, evaluation(level.champion.values[METRIC]))
    decision, told = decided(level)
    assert decision == "keep"
    assert "tells no model from a popular list" in told
    assert decided(level, is_popularity=True)[0] == "promote"


def sliced(**differences):
    """A trial with one slice of so many users each: name → (users, difference)."""
    rng = np.random.default_rng(0)
    ours, theirs = {}, {}
    for name, (size, difference) in differences.items():
        users = np.arange(size, dtype=np.int32)
        theirs_B = 0.5 + 0.1 * rng.standard_normal(size)
        ours_B = theirs_B + difference + 0.05 * rng.standard_normal(size)
        ours[name] = Slice("users", "", users, size, {METRIC: ours_B})
        theirs[name] = Slice("users", "", users, size, {METRIC: theirs_B})
    whole = np.full(USERS, 0.5)
    return Trial(evaluation(whole, ours), evaluation(whole, theirs), evaluation(whole))


def test_a_group_for_whom_it_is_clearly_worse_is_named_and_small_ones_say_nothing():
    found = {
        finding.name: finding.passed
        for finding in check_slices(
            sliced(new=(100, -0.1), heavy=(100, 0.0), light=(100, -0.02), cold=(40, -0.4)), CONFIG
        )
    }
    # A tenth of .5 is .05: light users lose less than that, and 40 cold users are too few to be judged.
    assert found == {"new": False, "heavy": True, "light": True}


def test_many_groups_are_corrected_for_being_many():
    """Of 40 groups without any difference none is called worse, though the smallest p is below .05 by itself."""
    many = sliced(**{f"g{number}": (60, 0.0) for number in range(40)})
    differences = [
        group.values[METRIC] - many.champion.slices[name].values[METRIC]
        for name, group in many.challenger.slices.items()
    ]
    assert any(one.mean() < 0 and permutation_p(one) < 0.05 for one in differences)
    strict = CONFIG.model_copy(update={"slice_margin": 0.0})
    assert all(finding.passed for finding in check_slices(many, strict))


@pytest.mark.parametrize(
    ("coverage", "gini", "failed"),
    [(0.5, 0.6, []), (0.2, 0.6, ["coverage"]), (0.5, 0.9, ["evenness"]), (0.1, 0.99, ["coverage", "evenness"])],
)
def test_lists_may_narrow_to_half_and_no_further(coverage, gini, failed):
    whole = np.full(USERS, 0.5)
    ours, theirs = {"coverage@10": coverage, "gini@10": gini}, {"coverage@10": 0.5, "gini@10": 0.6}
    narrowed = Trial(evaluation(whole, catalogue=ours), evaluation(whole, catalogue=theirs), evaluation(whole))
    findings = check_lists(narrowed, CONFIG, CONFIG.lists)
    assert [finding.name for finding in findings if not finding.passed] == failed
    for finding in findings:
        assert ("the lists have narrowed" in finding.sentence) == (not finding.passed)
