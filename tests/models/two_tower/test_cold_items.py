"""A fifth of MovieLens's items without training events: where metadata alone places them."""

import numpy as np
import pytest

from foretaste.data.features import fit_features
from foretaste.data.prepare import PrepareConfig, prepare
from foretaste.data.sources import read_source
from foretaste.data.sources.movielens import MovielensConfig
from foretaste.models.hits import ndcg
from foretaste.models.protocol import FitContext, Query
from foretaste.models.topk import rank
from foretaste.models.two_tower.config import TwoTowerConfig
from foretaste.models.two_tower.model import TwoTower

pytestmark = [pytest.mark.real_data, pytest.mark.slow]


def test_two_towers_beat_chance_threefold_and_content_cosine(real_data):
    dataset = prepare(read_source(MovielensConfig(path=real_data / "ml-100k.zip")), PrepareConfig()).dataset
    events = dataset.interactions
    is_cold_I = np.random.default_rng(0).random(events.num_items) < 0.2
    train = dataset.with_interactions(events.select(~is_cold_I[events.item_N]))
    history_UI, relevant_UI = train.interactions.to_csr(), events.select(is_cold_I[events.item_N]).to_csr()
    judged_B = np.flatnonzero((np.diff(history_UI.indptr) > 0) & (np.diff(relevant_UI.indptr) > 0)).astype(np.int32)
    is_relevant_BI = relevant_UI[judged_B].toarray() > 0

    def judge(scores_BI):
        top = rank(scores_BI.astype(np.float32), 10, eligible_I=is_cold_I, disfavour_BI=relevant_UI[judged_B])
        hit_BK = np.take_along_axis(is_relevant_BI, top.item_BK, axis=1)
        return ndcg(hit_BK, is_relevant_BI.sum(axis=1)).mean()

    config = TwoTowerConfig.model_validate(
        {
            "features": {"ngram_buckets": 0},
            "training": {"epochs": 2, "batch_size": 512, "sampler": {"kind": "in_batch"}},
        }
    )
    items = fit_features(train, config.features.model_copy(update={"popularity": False})).encode_items(train.catalogue)
    item_IF = items.dense_XF / np.maximum(np.linalg.norm(items.dense_XF, axis=1, keepdims=True), 1e-12)
    content = judge(history_UI[judged_B] @ (item_IF @ item_IF.T))
    chance = np.mean([judge(np.random.default_rng(seed).random(is_relevant_BI.shape)) for seed in range(5)])

    model = TwoTower(config).fit(train, FitContext())
    placed = judge(model.score(Query(judged_B, history_UI[judged_B])))
    assert placed > 3 * chance
    assert placed > 1.5 * content
    share_I, is_warm_I = model.item_feature_share_I, train.interactions.item_counts() > 0
    assert share_I[is_cold_I].mean() > share_I[is_warm_I].mean() + 0.05
