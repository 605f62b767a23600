"""Every metric beside an independent implementation, on random scores with ties: ir-measures and ranx where they define
it alike, otherwise the definition written out in loops."""

import math
from collections import Counter
from itertools import combinations

import ir_measures
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, Success, nDCG
from scipy import sparse

from foretaste.data.interactions import Interactions
from foretaste.data.vocabulary import Vocabulary
from foretaste.evaluation.metrics import METRICS
from foretaste.evaluation.protocol import EvaluationConfig, evaluate

CUTOFFS = (1, 3, 10)
CONFIG = EvaluationConfig(cutoffs=CUTOFFS, select_by="ndcg@10")


class Fixed:
    def __init__(self, scores_UI):
        self.scores_UI = scores_UI

    def score(self, query):
        return self.scores_UI[query.user_B]


def interactions(is_met_UI):
    user_N, item_N = (index.astype(np.int32) for index in np.nonzero(is_met_UI))
    users, items = (Vocabulary.of([f"{place:03}" for place in range(size)]) for size in is_met_UI.shape)
    return Interactions(user_N, item_N, np.ones(len(user_N), np.float32), None, users, items)


@st.composite
def worlds(draw):
    """Scores with many ties, what was seen, what is relevant, and the genres of the items."""
    num_users, num_items = draw(st.integers(1, 5)), draw(st.integers(2, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([1, 3, 1000]))
    scores_UI = rng.integers(levels, size=(num_users, num_items)).astype(np.float32)
    seen_UI = rng.random((num_users, num_items)) < draw(st.sampled_from([0.0, 0.1, 0.5]))
    relevant_UI = rng.random((num_users, num_items)) < draw(st.sampled_from([0.05, 0.4]))
    relevant_UI[0, 0] = True
    return scores_UI, seen_UI, relevant_UI, rng.random((num_items, 4)) < 0.4


class World:
    """One random world, judged, and the rankings that a careful person would write down."""

    def __init__(self, world, config=CONFIG):
        self.scores_UI, self.seen_UI, self.relevant_UI, self.genres_IG = world
        history = interactions(self.seen_UI)
        self.known_I = self.seen_UI.sum(axis=0)
        self.num_items = len(self.known_I)
        genres = sparse.csr_array(self.genres_IG.astype(np.float32))
        self.judged = evaluate(
            Fixed(self.scores_UI), history, interactions(self.relevant_UI), config, None, genres_IG=genres
        )

    def users(self):
        """Place among the judged, ranking, scores, seen and relevant items of each."""
        for place, user in enumerate(self.judged.user_B):
            seen, relevant = self.seen_UI[user], self.relevant_UI[user]
            score_I = self.scores_UI[user] if seen.any() else self.known_I
            unseen = [item for item in range(self.num_items) if not seen[item]]
            ranked = sorted(unseen, key=lambda item, s=score_I, r=relevant: (-s[item], bool(r[item]), item))
            yield place, ranked, score_I, set(np.flatnonzero(seen)), set(np.flatnonzero(relevant))

    def check(self, name, expected, atol=1e-9):
        """`expected(list of k items, scores, seen, relevant)` for each user, NaN where it is not defined."""
        for cutoff in CUTOFFS:
            wanted_B = np.array(
                [expected(ranked[:cutoff], cutoff, s, seen, rel) for _, ranked, s, seen, rel in self.users()]
            )
            metric = f"{name}@{cutoff}"
            if np.isnan(wanted_B).all():
                assert {metric, name} & set(self.judged.omitted)
            else:
                np.testing.assert_allclose(self.judged.values[metric], wanted_B, rtol=1e-5, atol=atol, err_msg=metric)

    def as_run(self):
        """What other tools take: judgements, and scores that fall along each ranking, so that no tie is left."""
        judgements, run = {}, {}
        for place, ranked, _, _, relevant in self.users():
            judgements[str(place)] = {str(item): 1 for item in relevant}
            run[str(place)] = {str(item): float(-rank) for rank, item in enumerate(ranked)} or {"none": 0.0}
        return judgements, run

    def average_precision_over_all_relevant(self, cutoff):
        """As trec_eval and ranx divide: by all relevant items, also where they are more than the slots."""
        ours, relevant = self.judged.values[f"map@{cutoff}"], self.judged.num_relevant_B
        return ours * np.minimum(relevant, cutoff) / relevant


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_ir_measures_agrees_on_the_metrics_of_hits(world):
    world = World(world)
    judgements, run = world.as_run()
    for cutoff in CUTOFFS:
        expected = {
            nDCG @ cutoff: world.judged.values[f"ndcg@{cutoff}"],
            R @ cutoff: world.judged.values[f"recall@{cutoff}"],
            P @ cutoff: world.judged.values[f"precision@{cutoff}"],
            RR @ cutoff: world.judged.values[f"mrr@{cutoff}"],
            Success @ cutoff: world.judged.values[f"hit_rate@{cutoff}"],
            AP @ cutoff: world.average_precision_over_all_relevant(cutoff),
        }
        found = list(ir_measures.iter_calc(list(expected), judgements, run))
        assert len(found) == len(expected) * len(world.judged.user_B)
        for one in found:
            assert one.value == pytest.approx(expected[one.measure][int(one.query_id)], abs=1e-6), one.measure


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_ranx_agrees_on_the_metrics_of_hits(world):
    import ranx

    world = World(world)
    judgements, run = world.as_run()
    names = {
        "ndcg": "ndcg",
        "recall": "recall",
        "precision": "precision",
        "mrr": "mrr",
        "hit_rate": "hit_rate",
        "map": "",
    }
    wanted = [f"{name}@{cutoff}" for cutoff in CUTOFFS for name in names]
    found = ranx.evaluate(ranx.Qrels(judgements), ranx.Run(run), wanted, return_mean=False, make_comparable=True)
    for metric in wanted:
        name, _, cutoff = metric.partition("@")
        ours = world.average_precision_over_all_relevant(int(cutoff)) if name == "map" else world.judged.values[metric]
        in_order = [found[metric][sorted(judgements).index(str(place))] for place in range(len(ours))]
        assert ours == pytest.approx(in_order, abs=1e-6), metric


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_average_precision_is_over_what_the_list_could_hold(world):
    def expected(items, k, scores, seen, relevant):
        precisions = [len(relevant & set(items[: n + 1])) / (n + 1) for n, item in enumerate(items) if item in relevant]
        return sum(precisions) / min(k, len(relevant))

    World(world).check("map", expected)


@settings(max_examples=100, deadline=None)
@given(worlds(), st.booleans())
def test_auc_counts_pairs_and_halves_ties(world, exclude_seen):
    world = World(world, CONFIG.model_copy(update={"exclude_seen": exclude_seen}))
    wanted = []
    for _, _, score_I, seen, relevant in world.users():
        out = seen if exclude_seen else set()
        rivals = set(range(world.num_items)) - out - relevant
        pairs = [(score_I[item], score_I[rival]) for item in relevant - out for rival in rivals]
        wins = sum(1.0 if own > other else 0.5 if own == other else 0.0 for own, other in pairs)
        wanted.append(wins / (len(relevant) * len(rivals)) if rivals else np.nan)
    if np.isnan(wanted).all():
        assert "auc" in world.judged.omitted
    else:
        np.testing.assert_allclose(world.judged.values["auc"], wanted)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_novelty_is_mean_self_information(world):
    world = World(world)
    num_users = np.count_nonzero(world.seen_UI.any(axis=1)) or 1

    def expected(items, k, scores, seen, relevant):
        bits = [-math.log2(max(world.known_I[item], 1) / num_users) for item in items]
        return sum(bits) / len(bits) if bits else math.nan

    world.check("novelty", expected)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_popularity_lift_is_a_ratio_of_means(world):
    world = World(world)

    def expected(items, k, scores, seen, relevant):
        if not items or not seen:
            return math.nan
        return np.mean(world.known_I[items]) / np.mean(world.known_I[list(seen)]) - 1

    world.check("popularity_lift", expected)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_serendipity_is_what_the_popular_list_lacks(world):
    world = World(world)

    def expected(items, k, scores, seen, relevant):
        unseen = [item for item in range(world.num_items) if item not in seen]
        popular = sorted(unseen, key=lambda item: (-world.known_I[item], item))[:k]
        return len((set(items) & relevant) - set(popular)) / k

    world.check("serendipity", expected)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_diversity_is_the_mean_distance_of_pairs(world):
    world = World(world)

    def expected(items, k, scores, seen, relevant):
        genres = [set(np.flatnonzero(world.genres_IG[item])) for item in items]
        pairs = list(combinations([each for each in genres if each], 2))
        distances = [1 - len(a & b) / math.sqrt(len(a) * len(b)) for a, b in pairs]
        return sum(distances) / len(distances) if distances else math.nan

    world.check("diversity", expected)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_calibration_is_the_divergence_of_steck(world):
    world = World(world)

    def shares(items):
        total = Counter()
        described = [item for item in items if world.genres_IG[item].any()]
        for item in described:
            for genre in np.flatnonzero(world.genres_IG[item]):
                total[genre] += 1 / world.genres_IG[item].sum() / len(described)
        return total

    def expected(items, k, scores, seen, relevant):
        p, q = shares(seen), shares(items)
        if not p or not q:
            return math.nan
        return sum(p[genre] * math.log(p[genre] / (0.99 * q[genre] + 0.01 * p[genre])) for genre in p)

    # Shares of genres are kept in single precision, and near 0 their rounding is all there is.
    world.check("calibration", expected, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_coverage_and_gini_count_what_is_shown(world):
    world = World(world)
    for cutoff in CUTOFFS:
        shown = Counter(item for _, ranked, *_ in world.users() for item in ranked[:cutoff])
        times = [shown[item] for item in range(world.num_items)]
        differences = sum(abs(one - other) for one in times for other in times)
        gini = differences / (2 * len(times) * sum(times)) if sum(times) else 0.0
        assert world.judged.catalogue[f"coverage@{cutoff}"] == len(shown) / world.num_items
        assert world.judged.catalogue[f"gini@{cutoff}"] == pytest.approx(gini, abs=1e-12)


def test_no_metric_is_without_a_test_here():
    tested = {"ndcg", "recall", "precision", "mrr", "hit_rate", "map", "auc", "novelty", "popularity_lift"}
    tested |= {"serendipity", "diversity", "calibration", "coverage", "gini"}
    assert tested == set(METRICS)
