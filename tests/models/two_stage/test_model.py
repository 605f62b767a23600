import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.writing import write_bundle
from foretaste.errors import ModelError
from foretaste.evaluation.protocol import EvaluationConfig, evaluate
from foretaste.models import registry
from foretaste.models.protocol import FitContext, Query
from foretaste.models.registry import build
from foretaste.models.topk import rank
from foretaste.models.two_stage.config import TwoStageConfig
from foretaste.serving.engine import Engine, RecommendRequest

CONFIG = {
    "retrievers": {"als": {"embedding_dim": 4}, "item_knn": {}, "recent": {"type": "popularity", "half_life_days": 2}},
    "candidates": 5,
    "holdout": {"share": 0.2, "windows": 2},
    "ranker": {"trees": 15, "min_leaf_rows": 5},
}


@pytest.fixture
def model(tastes):
    return build("two_stage", CONFIG).fit(tastes, FitContext(seed=3))


def query_of(dataset, users):
    user_B = np.asarray(users, dtype=np.int32)
    return Query(user_B, dataset.interactions.to_csr()[user_B])


def test_candidates_come_first_and_all_others_in_the_order_of_the_first_retriever(model, tastes):
    query = query_of(tastes, range(10))
    als = build("als", CONFIG["retrievers"]["als"]).fit(tastes, FitContext(seed=3))
    base_BI, scores_BI = als.score(query), model.score(query)
    for scores_I, base_I in zip(scores_BI, base_BI, strict=True):
        others = np.flatnonzero(scores_I <= 0)
        assert 5 <= (scores_I > 0).sum() <= 15
        assert (scores_I[scores_I > 0] >= 0.999).all()
        np.testing.assert_array_equal(
            others[np.argsort(-scores_I[others], kind="stable")], others[np.argsort(-base_I[others], kind="stable")]
        )
        assert scores_I[others].min() >= -1


def test_what_the_history_holds_is_no_candidate(model, tastes):
    query = query_of(tastes, range(80))
    assert (model.score(query)[query.history_BI.toarray() > 0] <= 0).all()


def test_a_known_user_has_the_candidates_that_the_history_alone_would_give(model, tastes):
    # Each of these retrievers says the same of a user and of the user's history.
    query = query_of(tastes, range(80))
    np.testing.assert_array_equal(model.score(query), model.score(Query.of_history(query.history_BI)))


def test_the_seed_is_that_of_every_part(tastes):
    one, again, other = (build("two_stage", CONFIG).fit(tastes, FitContext(seed=seed)) for seed in (3, 3, 4))
    query = query_of(tastes, range(80))
    np.testing.assert_array_equal(one.score(query), again.score(query))
    assert (one.score(query) != other.score(query)).any()


def test_progress_counts_the_trainings_of_retrievers(tastes):
    told = []
    build("two_stage", CONFIG).fit(tastes, FitContext(progress=lambda done, total, _: told.append((done, total))))
    assert told == [(done, 9) for done in range(1, 10)]


@pytest.mark.slow
def test_a_retriever_may_learn_by_gradient(tastes):
    towers = {"embedding_dim": 4, "training": {"epochs": 1, "batch_size": 64, "sampler": {"kind": "in_batch"}}}
    config = {**CONFIG, "retrievers": {"two_tower": towers, "item_knn": {}}}
    model = build("two_stage", config).fit(tastes, FitContext())
    assert np.isfinite(model.score(query_of(tastes, range(80)))).all()


def test_the_engine_serves_the_scores_that_were_evaluated(model, tastes, tmp_path):
    bundle = write_bundle(tmp_path, BundleContents.of("two_stage", model, tastes, seed=3))
    engine = Engine(bundle)
    query = query_of(tastes, range(80))
    top = rank(model.score(query), 10, exclude_BI=query.history_BI)
    for user in range(80):
        user_id = tastes.interactions.users.id(user)
        shown = engine.recommend(RecommendRequest(user_id)).items
        assert shown.item_ids == [tastes.interactions.items.id(item) for item in top.item_BK[user].tolist()]
        np.testing.assert_array_equal(shown.scores, top.score_BK[user])


def test_k_is_filled_under_any_filter(model, tastes, tmp_path):
    engine = Engine(write_bundle(tmp_path, BundleContents.of("two_stage", model, tastes, seed=3)))
    odd = RecommendRequest("u000", k=20, exclude_seen=False, filters={"genres": ["odd"]})
    assert len(set(engine.recommend(odd).items.item_ids)) == 20


def test_serving_needs_no_lightgbm_and_no_torch(model, tastes, tmp_path):
    bundle = write_bundle(tmp_path, BundleContents.of("two_stage", model, tastes, seed=3))
    code = (
        "import sys; from pathlib import Path\n"
        "from foretaste.artifacts.bundle import Bundle\n"
        "from foretaste.serving.engine import Engine, RecommendRequest\n"
        f"engine = Engine(Bundle.open(Path({str(bundle.folder)!r})))\n"
        "engine.recommend(RecommendRequest('u001')); engine.recommend(RecommendRequest(history=['i001']))\n"
        "print('lightgbm' in sys.modules, 'torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "False"]


def test_the_ranker_learns_what_no_retriever_says(tastes):
    # Popularity knows no tastes; the genres of the history do.
    events = tastes.interactions
    early, late = events.select(slice(0, 700)), events.select(slice(700, len(events)))
    known = tastes.with_interactions(early)
    popularity = build("popularity", {}).fit(known, FitContext())
    config = {**CONFIG, "retrievers": {"popularity": {}}, "candidates": 40}
    model = build("two_stage", config).fit(known, FitContext())
    judged = EvaluationConfig(cutoffs=(10,), metrics=("ndcg",))
    alone, ranked = (evaluate(each, early, late, judged).mean("ndcg@10") for each in (popularity, model))
    assert ranked > 1.3 * alone


@pytest.mark.parametrize(("missing", "extra"), [("lightgbm", "ranking"), ("torch", "neural")])
def test_a_missing_library_is_refused_before_any_data_is_read(monkeypatch, missing, extra):
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == missing else object())
    config = TwoStageConfig(retrievers={"als": {}, "two_tower": {}})
    with pytest.raises(ModelError, match=rf"pip install 'foretaste\[{extra}\]'"):
        registry.check_trainable("two_stage", config)


def test_an_empty_history_has_finite_scores(model, tastes):
    nobody = Query.of_history(sparse.csr_array((1, 40), dtype=np.float32))
    assert np.isfinite(model.score(nobody)).all()
