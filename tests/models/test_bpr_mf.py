import subprocess
import sys

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from foretaste.models.bpr_mf import BPRMF, BPRMFConfig
from foretaste.models.bpr_mf_tables import Tables
from foretaste.models.protocol import FitContext, Query
from foretaste.training.batches import Batch
from foretaste.training.config import EarlyStoppingConfig, SamplerConfig, TrainingConfig


def two_tastes(num_users=40, num_items=30, seed=0):
    rng = np.random.default_rng(seed)
    chance_UI = np.where(np.add.outer(np.arange(num_users), np.arange(num_items)) % 2 == 0, 0.6, 0.05)
    return rng.random((num_users, num_items)) < chance_UI


def small(**changes):
    training = TrainingConfig(epochs=15, batch_size=64, learning_rate=0.02)
    return BPRMFConfig(**{"embedding_dim": 6, "training": training, **changes})


def one_row_batch():
    return Batch(torch.tensor([0]), torch.tensor([1]), negative_BS=torch.tensor([[0, 2]]))


def tables_by_hand(config):
    """x_0 = (1, 2); y_0 = (1, 0), y_1 = (0, 1), y_2 = (1, 1); where they exist b_u = 0.5, b_i = 0.1 i, b = 0.25."""
    tables = Tables(1, 3, config)
    with torch.no_grad():
        tables.user.weight.copy_(torch.tensor([[1.0, 2.0]]))
        tables.item.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
        if tables.item_bias is not None:
            tables.item_bias.weight.copy_(torch.tensor([[0.0], [0.1], [0.2]]))
        if tables.user_bias is not None:
            tables.user_bias.weight.fill_(0.5)
        if tables.global_bias is not None:
            tables.global_bias.fill_(0.25)
    return tables


NO_PULL = {"regularization": {"user": 0, "item": 0, "bias": 0}}


def softplus(x):
    return np.log1p(np.exp(x))


def test_the_bpr_loss_by_hand():
    # Scores 2.1 against 1 and 3.2.
    loss_B = tables_by_hand(BPRMFConfig(embedding_dim=2, **NO_PULL)).loss(one_row_batch())
    assert loss_B.tolist() == pytest.approx([(softplus(-1.1) + softplus(1.1)) / 2])


def test_the_bce_loss_by_hand_with_every_bias():
    config = BPRMFConfig(embedding_dim=2, loss="bce", user_bias=True, global_bias=True, **NO_PULL)
    loss_B = tables_by_hand(config).loss(one_row_batch())
    assert loss_B.tolist() == pytest.approx([(softplus(-2.85) + softplus(1.75) + softplus(3.95)) / 3])


def test_the_contrastive_loss_by_hand():
    # Cosines 2/√5 against 1/√5 and 3/√10; only the last is above the margin.
    config = BPRMFConfig(
        embedding_dim=2, loss="ccl", similarity="cosine", item_bias=False, margin=0.8, negative_weight=10, **NO_PULL
    )
    loss_B = tables_by_hand(config).loss(one_row_batch())
    assert loss_B.tolist() == pytest.approx([1 - 2 / 5**0.5 + 10 * (3 / 10**0.5 - 0.8) / 2])


def test_the_softmax_over_all_items_by_hand():
    # Scores 2 against 1 and 3. Items 0 and 2 have 1/4 and 1/2: of two draws .5 and 1, so that 0 counts twice.
    log_q_I = torch.tensor([0.25, 0.25, 0.5]).log()
    shared = {"candidate_C": torch.tensor([0, 2]), "is_negative_VC": torch.tensor([[True, True]])}
    for negatives in ({"negative_BS": torch.tensor([[0, 2]])}, shared):
        batch = Batch(torch.tensor([0]), torch.tensor([1]), log_q_I=log_q_I, **negatives)
        for stand_for_all, weight in ((True, 2), (False, 1)):
            config = BPRMFConfig(
                embedding_dim=2, loss="softmax", item_bias=False, negatives_stand_for_all=stand_for_all, **NO_PULL
            )
            together = weight * np.exp(1) + np.exp(3)
            loss_B = tables_by_hand(config).loss(batch)
            assert loss_B.tolist() == pytest.approx([-np.log(np.exp(2) / (np.exp(2) + together))])


def test_rows_of_one_user_in_a_batch_by_hand():
    # Scores: positives 2.1 and 1, negative 3.2; |x|² = 5, items 1 + 2, biases .1² + .2² and 0² + .2².
    config = BPRMFConfig(embedding_dim=2, loss="softmax", regularization={"user": 0.5, "item": 0.1, "bias": 2})
    together = {"user_V": torch.tensor([0]), "place_B": torch.tensor([0, 0])}
    negatives = {"candidate_C": torch.tensor([2]), "is_negative_VC": torch.tensor([[True]])}
    batch = Batch(torch.tensor([0, 0]), torch.tensor([1, 0]), **negatives, **together)
    pulls = [2.5 + 0.3 + 0.1, 2.5 + 0.3 + 0.08]
    assert tables_by_hand(config).loss(batch).tolist() == pytest.approx(
        [softplus(1.1) + pulls[0], softplus(2.2) + pulls[1]]
    )


def test_each_kind_of_parameter_has_its_own_regularization():
    # |x|² = 5; items 1 + mean(1, 2); biases .1² + mean(0, .2²).
    free = tables_by_hand(BPRMFConfig(embedding_dim=2, **NO_PULL)).loss(one_row_batch())
    for kind, square in (("user", 5.0), ("item", 2.5), ("bias", 0.03)):
        config = BPRMFConfig(embedding_dim=2, regularization={"user": 0, "item": 0, "bias": 0, kind: 0.5})
        pulled = tables_by_hand(config).loss(one_row_batch())
        assert (pulled - free).tolist() == pytest.approx([0.5 * square])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"similarity": "cosine"}, "item_bias: false"),
        ({"loss": "ccl"}, "similarity: cosine"),
        ({"user_bias": True}, "would learn nothing"),
        ({"negatives_stand_for_all": True}, "Set `loss: softmax`"),
        (
            {
                "negatives_stand_for_all": True,
                "loss": "softmax",
                "training": TrainingConfig(sampler=SamplerConfig(kind="hard")),
            },
            "`uniform`, `popularity` or `in_batch`",
        ),
    ],
)
def test_what_cannot_be_learnt_is_refused(changes, reason):
    with pytest.raises(ValidationError, match=reason):
        BPRMFConfig(**changes)


@pytest.mark.parametrize("item_bias", [True, False])
def test_what_is_served_is_what_was_trained(dataset_of, item_bias):
    dataset = dataset_of(two_tastes())
    config = small(item_bias=item_bias)
    model = BPRMF(config).fit(dataset, FitContext(seed=3))
    events = dataset.interactions
    tables = Tables(events.num_users, events.num_items, config)
    axes = model.item_embeddings_ID[:, :6].astype(np.float64)
    np.testing.assert_allclose(axes.T @ axes, np.diag(np.square(axes).sum(0)), atol=1e-3)
    with torch.no_grad():
        tables.user.weight.copy_(torch.from_numpy(model.user_embeddings_UD[:, :6]))
        tables.item.weight.copy_(torch.from_numpy(model.item_embeddings_ID[:, :6]))
        if item_bias:
            tables.item_bias.weight.copy_(torch.from_numpy(model.item_embeddings_ID[:, 6:]))
        user_B = torch.arange(events.num_users)
        scores_BI = tables.score(user_B, torch.arange(events.num_items).expand(len(user_B), -1)).numpy()
    np.testing.assert_allclose(model.score(Query(user_B.int().numpy(), events.to_csr())), scores_BI, atol=1e-5)


@pytest.mark.parametrize("changes", [{}, {"similarity": "cosine", "item_bias": False, "temperature": 0.2}])
def test_a_folded_in_user_is_close_to_the_trained_one(dataset_of, changes):
    dataset = dataset_of(two_tastes())
    model = BPRMF(small(**changes)).fit(dataset, FitContext())
    history_UI = dataset.interactions.to_csr()
    folded_UD, stored_UD = model.fold_in(history_UI)[:, :6], model.user_embeddings_UD[:, :6]
    lengths_U = np.linalg.norm(stored_UD, axis=1)
    np.testing.assert_allclose(np.linalg.norm(folded_UD, axis=1), lengths_U.mean(), rtol=1e-4)
    cosine_U = (folded_UD * stored_UD).sum(1) / lengths_U / lengths_U.mean()
    assert np.median(cosine_U) > 0.7


def test_early_stopping_keeps_the_best_and_the_refit_repeats_it(dataset_of):
    weights_UI = two_tastes()
    is_valid_UI = weights_UI & (np.random.default_rng(1).random(weights_UI.shape) < 0.2)
    dataset, valid = dataset_of(weights_UI & ~is_valid_UI), dataset_of(is_valid_UI).interactions
    stopping = EarlyStoppingConfig(patience=2)
    training = TrainingConfig(epochs=40, batch_size=64, learning_rate=0.05, early_stopping=stopping)
    model = BPRMF(small(training=training)).fit(dataset, FitContext(seed=1, valid=valid))
    refit = model.refit_config()
    assert refit.training.epochs < 40
    assert refit.training.early_stopping is None
    assert refit.model_copy(update={"training": training}) == model.config
    again = BPRMF(refit).fit(dataset, FitContext(seed=1))
    np.testing.assert_array_equal(again.item_embeddings_ID, model.item_embeddings_ID)


def test_a_user_without_events_has_nothing_personal(dataset_of):
    weights_UI = two_tastes()
    weights_UI[5] = False
    model = BPRMF(small()).fit(dataset_of(weights_UI), FitContext())
    assert not model.user_embeddings_UD[5, :6].any()


def test_it_is_served_without_torch():
    code = (
        "import sys, numpy as np; from foretaste.models.registry import build, restore\n"
        "from foretaste.models.protocol import Query; from scipy import sparse\n"
        "one = lambda *shape: np.ones(shape, dtype=np.float32)\n"
        "state = {'user_embeddings': one(2, 4), 'item_embeddings': one(5, 4), 'item_energy': one(3),\n"
        "         'unobserved_weight': np.ones(1)}\n"
        "model = restore('bpr_mf', {'embedding_dim': 3}, state)\n"
        "model.score(Query(np.array([0, -1], dtype=np.int32), sparse.csr_array(one(2, 5))))\n"
        "print('torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False"]
