"""What every model owes to evaluation, bundles and the engine. A new model adds its cases to `CASES`, no test."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.vocabulary import Vocabulary
from foretaste.models.protocol import Embedder, FitContext, Query, WarmStart
from foretaste.models.registry import MODELS, build, restore
from foretaste.models.topk import rank
from foretaste.models.warm_start import continues

CASES: dict[str, dict[str, dict[str, Any]]] = {
    "popularity": {"plain": {}, "recency": {"half_life_days": 2}, "genre": {"by_genre": True}},
    "item_knn": {"cosine": {"neighbors": 5, "user_weighting": "none"}, "idf": {"neighbors": 100, "shrinkage": 0}},
    "ease": {"plain": {"regularization": 10}},
    "als": {
        "small": {"embedding_dim": 4, "iterations": 5, "regularization": 0.03},
        "odd": {"embedding_dim": 5, "iterations": 2, "regularization_exponent": 0, "unobserved_weight": 0},
    },
    "bpr_mf": {
        "plain": {"embedding_dim": 8, "training": {"epochs": 20, "batch_size": 64, "learning_rate": 0.02}},
        "cosine": {
            "embedding_dim": 7,
            "similarity": "cosine",
            "item_bias": False,
            "loss": "softmax",
            "temperature": 0.2,
            "training": {"epochs": 3, "batch_size": 32, "sampler": {"kind": "in_batch"}},
        },
    },
    "ncf": {
        "neumf": {
            "embedding_dim": 8,
            "mlp_embedding_dim": 8,
            "hidden_dims": [8, 6],
            "regularization": 0.1,
            "training": {"epochs": 10, "batch_size": 64, "learning_rate": 0.02, "sampler": {"num_negatives": 4}},
        },
        "mlp": {"kind": "mlp", "mlp_embedding_dim": 5, "hidden_dims": [7], "training": {"epochs": 2}},
        "gmf": {"kind": "gmf", "embedding_dim": 5, "loss": "bpr", "training": {"epochs": 3, "batch_size": 64}},
    },
    "two_tower": {
        "gate": {
            "embedding_dim": 8,
            "features": {"ngram_buckets": 0},
            "user": {"hidden_dims": [16], "bag_dim": 4},
            "item": {"hidden_dims": [16], "bag_dim": 4},
            "temperature": 0.3,
            "training": {"epochs": 40, "batch_size": 256, "learning_rate": 0.03, "sampler": {"kind": "in_batch"}},
        },
        "augmented": {
            "embedding_dim": 5,
            "fusion": "concat",
            "augmentation": {},
            "similarity": "dot",
            "temperature": 1,
            "item": {"sparse": True, "hidden_dims": []},
            "training": {"epochs": 2, "batch_size": 64, "sampler": {"kind": "in_batch"}},
        },
        "ids alone": {
            "embedding_dim": 4,
            "fusion": "identity",
            "loss": "bpr",
            "training": {"epochs": 2, "batch_size": 64},
        },
    },
    "two_stage": {
        "linear": {
            "retrievers": {
                "als": {"embedding_dim": 4, "iterations": 5, "regularization": 0.03},
                "item_knn": {"neighbors": 5, "user_weighting": "none"},
                "recency": {"type": "popularity", "half_life_days": 2},
            },
            "candidates": 8,
            "ranker": {"trees": 20, "min_leaf_rows": 5},
        },
        "one retriever": {"retrievers": {"ease": {"regularization": 10}}, "candidates": 3, "half_lives_days": []},
    },
}
EMBEDDERS = ("als", "bpr_mf", "two_tower")
WORLDS = ("tall", "wide", "single user")


@dataclass
class Fitted:
    name: str
    config: dict[str, Any]
    dataset: Any
    model: Any

    def refit(self, seed):
        return build(self.name, self.config).fit(self.dataset, FitContext(seed=seed))

    def as_start(self):
        events = self.dataset.interactions
        config, state = self.model.config.resolved(), self.model.state()
        return WarmStart("earlier", self.name, config, state, events.users, events.items)

    def begun_again(self, dataset, **changes):
        training = (
            {"training": {**self.config.get("training", {}), **changes}} if "training" in self.config else changes
        )
        context = FitContext(seed=1, warm_start=self.as_start())
        return build(self.name, {**self.config, **training}).fit(dataset, context)

    @property
    def history_UI(self):
        return self.dataset.interactions.to_csr()

    @property
    def known(self):
        return Query(np.arange(self.history_UI.shape[0], dtype=np.int32), self.history_UI)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((name, case, world), id=f"{name}-{case}-{world}")
        for name, cases in CASES.items()
        for case in cases
        for world in WORLDS
    ],
)
def fitted(request, worlds):
    name, case, world = request.param
    config = CASES[name][case]
    return Fitted(name, config, worlds[world], build(name, config).fit(worlds[world], FitContext(seed=1)))


def rows_one_at_a_time(model, query):
    return np.concatenate([model.score(Query(query.user_B[[b]], query.history_BI[[b]])) for b in range(len(query))])


def assert_equal_states(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].dtype == other[name].dtype, name
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_every_model_has_a_case():
    assert CASES.keys() == MODELS.keys()


def test_fitting_twice_gives_the_same_state(fitted):
    assert_equal_states(fitted.refit(seed=1).state(), fitted.model.state())


def test_another_seed_gives_finite_scores(fitted):
    assert np.isfinite(fitted.refit(seed=2).score(fitted.known)).all()


def test_scores_are_float32_a_row_a_query_and_a_column_an_item(fitted):
    scores_BI = fitted.model.score(fitted.known)
    assert scores_BI.dtype == np.float32
    assert scores_BI.shape == fitted.history_UI.shape


def test_a_row_does_not_depend_on_the_batch(fitted):
    for query in (fitted.known, Query.of_history(fitted.history_UI)):
        np.testing.assert_array_equal(fitted.model.score(query), rows_one_at_a_time(fitted.model, query))


def test_known_and_unknown_users_may_share_a_batch(fitted):
    known = fitted.known
    user_B = np.where(np.arange(len(known)) % 2 == 0, known.user_B, -1).astype(np.int32)
    mixed_BI = fitted.model.score(Query(user_B, known.history_BI))
    np.testing.assert_array_equal(mixed_BI[::2], fitted.model.score(known)[::2])
    np.testing.assert_array_equal(mixed_BI[1::2], fitted.model.score(Query.of_history(known.history_BI))[1::2])


def test_an_unknown_user_is_scored_by_the_history(fitted):
    one_event_II = sparse.eye_array(fitted.history_UI.shape[1], dtype=np.float32, format="csr")
    scores_BI = fitted.model.score(Query.of_history(one_event_II))
    assert np.isfinite(scores_BI).all()
    if fitted.name != "popularity" and fitted.history_UI.shape[0] > 1:
        assert len(np.unique(scores_BI, axis=0)) > 1


def test_an_empty_history_is_finite(fitted):
    nobody = Query.of_history(sparse.csr_array((2, fitted.history_UI.shape[1]), dtype=np.float32))
    assert np.isfinite(fitted.model.score(nobody)).all()


def test_seen_items_never_come_back(fitted):
    num_items = fitted.history_UI.shape[1]
    top = rank(fitted.model.score(fitted.known), num_items, exclude_BI=fitted.history_UI)
    for b, item_K in enumerate(top.item_BK):
        seen = set(fitted.history_UI[[b]].indices.tolist())
        assert set(item_K[item_K >= 0].tolist()) == set(range(num_items)) - seen


def test_an_item_without_events_is_finite_and_beats_nobody(fitted):
    scores_BI = fitted.model.score(fitted.known)
    has_history_B = np.diff(fitted.history_UI.indptr) > 0
    assert np.isfinite(scores_BI[:, -1]).all()
    assert (scores_BI[has_history_B, -1] <= scores_BI[has_history_B].max(axis=1)).all()


def test_the_state_survives_a_file(fitted):
    file = io.BytesIO()
    np.savez(file, **fitted.model.state())
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        state = dict(archive)
    for array in state.values():
        array.flags.writeable = False  # a bundle is mapped read-only
    restored = restore(fitted.name, fitted.model.config.resolved(), state)
    assert_equal_states(restored.state(), fitted.model.state())
    for query in (fitted.known, Query.of_history(fitted.history_UI)):
        np.testing.assert_array_equal(restored.score(query), fitted.model.score(query))


def test_an_embedder_scores_by_its_vectors(fitted):
    assert isinstance(fitted.model, Embedder) == (fitted.name in EMBEDDERS)
    for query in (fitted.known, Query.of_history(fitted.history_UI)) if fitted.name in EMBEDDERS else ():
        product_BI = fitted.model.embed_users(query) @ fitted.model.item_embeddings_ID.T
        np.testing.assert_allclose(fitted.model.score(query), product_BI, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "popularity"])
def test_a_personal_model_tells_two_tastes_apart(name, worlds):
    dataset = worlds["tall"]
    model = build(name, next(iter(CASES[name].values()))).fit(dataset, FitContext())
    history_BI = sparse.csr_array(np.array([[1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1]], dtype=np.float32))
    history_BI.resize(2, 24)
    top = rank(model.score(Query.of_history(history_BI)), 5, exclude_BI=history_BI)
    assert (top.item_BK[0] % 2 == 0).sum() >= 4
    assert (top.item_BK[1] % 2 == 1).sum() >= 4


def with_newcomers(dataset, items_of_user=(), users_of_item=()):
    """A user and an item more, before all others; `items_of_user` and `users_of_item` are indices without them."""
    events = dataset.interactions
    user_N = np.concatenate([events.user_N + 1, np.zeros(len(items_of_user)), np.array(users_of_item) + 1])
    item_N = np.concatenate([events.item_N + 1, np.array(items_of_user) + 1, np.zeros(len(users_of_item))])
    num_added = len(user_N) - len(events)
    newcomer = pl.Series(["newcomer"])
    grown = Interactions(
        user_N.astype(np.int32),
        item_N.astype(np.int32),
        np.concatenate([events.weight_N, np.ones(num_added, dtype=np.float32)]),
        np.concatenate([events.timestamp_N, np.full(num_added, events.timestamp_N[-1])]),
        Vocabulary(pl.concat([newcomer, events.users.ids])),
        Vocabulary(pl.concat([newcomer, events.items.ids])),
    )
    row = pl.DataFrame({"item_id": newcomer, "title": "Newcomer", "genres": [["any"]]})
    return Dataset(grown, pl.concat([row, dataset.catalogue]), dataset.info)


def share_in_order(model, query):
    """Mean over users of the share of pairs of an item they met and one they did not that are scored in that order."""
    scores_BI, shares = model.score(query), []
    for b in range(len(query)):
        is_met_I = np.isin(np.arange(scores_BI.shape[1]), query.history_BI[[b]].indices)
        if is_met_I.any() and not is_met_I.all():
            shares.append((scores_BI[b, is_met_I][:, None] > scores_BI[b, ~is_met_I]).mean())
    return np.mean(shares)


def test_a_warm_start_begins_where_the_earlier_model_ended(fitted):
    if not continues(fitted.model.config):
        pytest.skip("has nothing to go on from")
    # An id comes to both vocabularies, before all others: every row moves by one place.
    grown = with_newcomers(fitted.dataset)
    changes = {"warm_start": {"epochs": 1, "learning_rate_factor": 1e-9}} if "training" in fitted.config else {}
    model = fitted.begun_again(grown, **changes or {"warm_iterations": 0})
    history_UI = grown.interactions.to_csr()
    assert np.isfinite(model.score(Query(np.zeros(1, dtype=np.int32), history_UI[[0]]))).all()
    if fitted.name == "als":  # solves for the users anew, with another item among those that they have not met
        item_ID, earlier_ID = model.item_embeddings_ID[1:], fitted.model.item_embeddings_ID
        np.testing.assert_allclose(item_ID @ item_ID.T, earlier_ID @ earlier_ID.T, rtol=2e-3, atol=2e-4)
        return
    has_events_U = np.diff(fitted.history_UI.indptr) > 0
    user_B = np.flatnonzero(has_events_U).astype(np.int32)
    scores_BI = model.score(Query(user_B + 1, history_UI[user_B + 1]))
    expected_BI = fitted.model.score(Query(user_B, fitted.history_UI[user_B]))
    np.testing.assert_allclose(scores_BI[:, 1:], expected_BI, rtol=2e-3, atol=2e-4)


def test_a_warm_start_from_itself_keeps_what_was_learnt(fitted):
    if not continues(fitted.model.config):
        pytest.skip("has nothing to go on from")
    again, once_more = fitted.begun_again(fitted.dataset), fitted.begun_again(fitted.dataset)
    assert share_in_order(again, fitted.known) >= share_in_order(fitted.model, fitted.known) - 0.02
    assert_equal_states(again.state(), once_more.state())


@pytest.mark.parametrize("name", [name for name in MODELS if continues(build(name, {}).config)])
def test_new_users_and_items_find_their_taste(name, worlds):
    config = next(iter(CASES[name].values()))
    earlier = Fitted(name, config, worlds["tall"], build(name, config).fit(worlds["tall"], FitContext(seed=1)))
    grown = with_newcomers(worlds["tall"], items_of_user=range(0, 12, 2), users_of_item=range(0, 40, 2))
    model = earlier.begun_again(grown)
    history_UI = grown.interactions.to_csr()
    scores_UI = model.score(Query(np.arange(history_UI.shape[0], dtype=np.int32), history_UI))
    # All known ids stand one place further: what was even is odd. The last user and item have no events.
    of_new_user_I, of_new_item_U = scores_UI[0, 13:-1], scores_UI[41:-1, 0]
    assert of_new_user_I[::2].mean() > of_new_user_I[1::2].mean()
    assert of_new_item_U[::2].mean() > of_new_item_U[1::2].mean()
