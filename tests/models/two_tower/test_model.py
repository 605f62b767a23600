import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from foretaste.data.interactions import Dataset
from foretaste.errors import DataError
from foretaste.models.protocol import FitContext, Query
from foretaste.models.two_tower.model import TwoTower

COLD = slice(24, 30)


@pytest.fixture(scope="module")
def fitted(tastes):
    from foretaste.models.two_tower.config import TwoTowerConfig

    small = {"hidden_dims": [16], "bag_dim": 4}
    training = {"epochs": 40, "batch_size": 256, "learning_rate": 0.03, "sampler": {"kind": "in_batch"}}
    told = {"embedding_dim": 8, "temperature": 0.3, "user": small, "item": small, "training": training}
    return TwoTower(TwoTowerConfig.model_validate(told)).fit(tastes, FitContext())


def known(dataset):
    history_UI = dataset.interactions.to_csr()
    return Query(np.arange(history_UI.shape[0], dtype=np.int32), history_UI)


def test_items_without_events_are_placed_by_their_metadata(fitted, tastes):
    cold_BI = fitted.score(known(tastes))[:-1, COLD]
    is_taste_BI = np.add.outer(np.arange(len(cold_BI)), np.arange(6)) % 2 == 0
    assert cold_BI[is_taste_BI].mean() > cold_BI[~is_taste_BI].mean() + 0.5
    # Nothing but the genre tells them apart.
    np.testing.assert_array_equal(fitted.item_embeddings_ID[24], fitted.item_embeddings_ID[28])


def test_the_gate_leans_on_metadata_for_cold_rows(fitted):
    share_I = fitted.item_feature_share_I
    assert share_I.shape == (30,)
    assert share_I[COLD].min() > share_I[:24].max()


def test_a_history_of_cold_items_finds_the_taste(fitted):
    history_BI = sparse.csr_array(([1.0, 1.0], ([0, 1], [24, 25])), shape=(2, 30), dtype=np.float32)
    scores_BI = fitted.score(Query.of_history(history_BI))[:, :24]
    is_even_I = np.arange(24) % 2 == 0
    assert scores_BI[0, is_even_I].mean() > scores_BI[0, ~is_even_I].mean()
    assert scores_BI[1, ~is_even_I].mean() > scores_BI[1, is_even_I].mean()


def test_vectors_have_length_one_for_the_cosine(fitted, tastes):
    for vectors_XD in (fitted.item_embeddings_ID, fitted.embed_users(Query.of_history(known(tastes).history_BI))):
        np.testing.assert_allclose(np.linalg.norm(vectors_XD, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    "told",
    [
        {"fusion": "sum"},
        {"fusion": "concat", "history_items": False},
        {"augmentation": {"mimic_weight": 0.5}},
        {"loss": "ccl", "training": {"epochs": 30, "sampler": {"kind": "popularity", "num_negatives": 4}}},
        {"loss": "bce", "training": {"epochs": 30, "sampler": {"kind": "popularity", "num_negatives": 4}}},
        {"loss": "bpr", "training": {"epochs": 30, "sampler": {"kind": "hard", "num_candidates": 2}}},
    ],
    ids=["sum", "concat", "augmented", "ccl", "bce", "hard bpr"],
)
def test_every_way_learns_the_tastes(told, tastes, config):
    scores_BI = TwoTower(config(**told)).fit(tastes, FitContext()).score(known(tastes))[:-1, :24]
    is_taste_BI = np.add.outer(np.arange(len(scores_BI)), np.arange(24)) % 2 == 0
    assert scores_BI[is_taste_BI].mean() > scores_BI[~is_taste_BI].mean()


@pytest.mark.parametrize("fusion", ["identity", "adaptive_mimic"])
def test_neither_metadata_nor_a_users_table_is_needed(fusion, tastes, config):
    bare = Dataset(tastes.interactions, tastes.catalogue.select("item_id"), tastes.info)
    training = {"epochs": 120, "learning_rate": 0.02}
    model = TwoTower(config(fusion=fusion, temperature=0.2, training=training)).fit(bare, FitContext())
    query = known(bare)
    for asked in (query, Query.of_history(query.history_BI)):
        scores_BI = model.score(asked)
        assert np.isfinite(scores_BI).all()
        is_taste_BI = np.add.outer(np.arange(39), np.arange(24)) % 2 == 0
        assert scores_BI[:-1, :24][is_taste_BI].mean() > scores_BI[:-1, :24][~is_taste_BI].mean() + 0.3


def test_without_any_feature_the_ids_are_left(tastes, config):
    bare = Dataset(tastes.interactions, tastes.catalogue.select("item_id"), tastes.info)
    features = {"popularity": False, "history_means": False}
    model = TwoTower(config(features=features, history_items=False, training={"epochs": 1})).fit(bare, FitContext())
    restored = TwoTower(model.config).load_state(model.state())
    query = Query.of_history(known(bare).history_BI)
    np.testing.assert_array_equal(restored.score(query), model.score(query))
    assert not len(model.item_feature_share_I)


def test_refit_takes_as_many_epochs_as_validation_found_best(tastes, config):
    is_valid_N = np.random.default_rng(1).random(len(tastes.interactions)) < 0.2
    train, valid = tastes.interactions.select(~is_valid_N), tastes.interactions.select(is_valid_N)
    model = TwoTower(config(training={"epochs": 3, "early_stopping": {"patience": 1}}))
    assert model.refit_config() == model.config
    model.fit(tastes.with_interactions(train), FitContext(valid=valid))
    refit = model.refit_config()
    assert refit.training.early_stopping is None
    assert 1 <= refit.training.epochs <= 3
    assert refit.embedding_dim == 8


def test_a_column_that_is_not_there_is_refused(tastes, config):
    with pytest.raises(DataError, match=r"item_columns names 'colour'.*genres"):
        TwoTower(config(features={"item_columns": ["colour"]})).fit(tastes, FitContext())


def test_serving_needs_no_torch(fitted, tastes, tmp_path):
    np.savez(tmp_path / "state.npz", **fitted.state())
    (tmp_path / "config.json").write_text(fitted.config.model_dump_json())
    program = """
import json, sys
import numpy as np
from scipy import sparse
from foretaste.models.protocol import Query
from foretaste.models.registry import restore
folder = sys.argv[1]
state = dict(np.load(folder + "/state.npz", allow_pickle=False))
model = restore("two_tower", json.load(open(folder + "/config.json")), state)
print(model.score(Query.of_history(sparse.eye_array(30, dtype=np.float32, format="csr"))).shape)
print("torch" in sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert told.stdout.split("\n")[:2] == ["(30, 30)", "False"]


def test_the_catalogue_may_hold_text(tastes, config):
    titled = tastes.catalogue.with_columns(title=pl.Series([f"Volume {item % 2}" for item in range(30)]))
    dataset = Dataset(tastes.interactions, titled, tastes.info)
    model = TwoTower(config(training={"epochs": 1})).fit(dataset, FitContext())
    restored = TwoTower(model.config).load_state(model.state())
    query = Query.of_history(known(dataset).history_BI)
    np.testing.assert_array_equal(restored.score(query), model.score(query))
