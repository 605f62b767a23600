import subprocess
import sys

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from foretaste.models.ncf import NCF, NCFConfig
from foretaste.models.ncf_network import Network
from foretaste.models.protocol import FitContext, Query
from foretaste.training.batches import Batch
from foretaste.training.config import EarlyStoppingConfig, SamplerConfig, TrainingConfig

SMALL = {"embedding_dim": 5, "mlp_embedding_dim": 6, "hidden_dims": [9, 7, 5], "init_stdev": 0.3}


def two_tastes(num_users=40, num_items=30, seed=0):
    rng = np.random.default_rng(seed)
    chance_UI = np.where(np.add.outer(np.arange(num_users), np.arange(num_items)) % 2 == 0, 0.6, 0.05)
    return rng.random((num_users, num_items)) < chance_UI


def small(epochs=2, **changes):
    training = TrainingConfig(epochs=epochs, batch_size=64, learning_rate=0.01, sampler=SamplerConfig(num_negatives=4))
    return NCFConfig.model_validate({**SMALL, "training": training.resolved(), **changes})


def test_the_score_by_hand():
    # x ∘ y = (2, 0), weighed by (1, 3): 2. First layer 1·2 + 2·3 + 0.5 = 8.5, output 0.1: 0.85. Bias 0.25.
    config = NCFConfig(embedding_dim=2, mlp_embedding_dim=1, hidden_dims=(1,), regularization=0.5)
    network = Network(1, 2, config)
    values = {
        "gmf_user.weight": [[1.0, 2.0]],
        "gmf_item.weight": [[2.0, 0.0], [0.0, 0.0]],
        "gmf_out": [1.0, 3.0],
        "mlp_user.weight": [[1.0]],
        "mlp_item.weight": [[2.0], [0.0]],
        "first_user.weight": [[2.0]],
        "first_user.bias": [0.5],
        "first_item.weight": [[3.0]],
        "mlp_out": [0.1],
        "bias": 0.25,
    }
    network.load_state_dict({name: torch.tensor(value) for name, value in values.items()})
    assert network.score(torch.tensor([0]), torch.tensor([[0, 1]])).tolist() == [pytest.approx([3.1, 0.5])]
    # Squares: users 5 + 1; items: GMF (4 + 0) / 2, MLP (4 + 0) / 2.
    batch = Batch(torch.tensor([0]), torch.tensor([0]), negative_BS=torch.tensor([[1]]))
    expected = (np.log1p(np.exp(-3.1)) + np.log1p(np.exp(0.5))) / 2 + 0.5 * 10
    assert network.loss(batch).tolist() == pytest.approx([expected])


@pytest.mark.parametrize("kind", ["gmf", "mlp", "neumf"])
def test_what_is_served_is_what_was_trained(dataset_of, kind):
    events = dataset_of(two_tastes()).interactions
    config = small(kind=kind)
    torch.manual_seed(1)
    network = Network(events.num_users, events.num_items, config).eval()
    with torch.no_grad():
        for layer in network.layers if config.has_mlp else []:
            layer.bias.normal_()
        user_B = torch.arange(events.num_users)
        scores_BI = network.score(user_B, torch.arange(events.num_items).expand(len(user_B), -1)).numpy()
    served = network.served()
    model = NCF(config).load_state(
        {
            "user_vectors": served.user_UZ,
            "item_vectors": served.item_IZ,
            "mean_user": served.user_UZ.mean(axis=0),
            "layer_weights": served.weight_LHH,
            "layer_biases": served.bias_LH,
            "output_weights": served.out_H,
            "background_items": np.arange(3, dtype=np.int32),
        }
    )
    np.testing.assert_allclose(model.score(Query(user_B.int().numpy(), events.to_csr())), scores_BI, atol=1e-5)


def test_a_folded_in_user_gets_the_taste_of_the_history(dataset_of):
    dataset = dataset_of(two_tastes())
    model = NCF(small(epochs=30)).fit(dataset, FitContext())
    history_UI = dataset.interactions.to_csr()
    scores_UI = model.score(Query.of_history(history_UI))
    gap_U = scores_UI[:, ::2].mean(axis=1) - scores_UI[:, 1::2].mean(axis=1)
    assert (gap_U[::2] > 0).mean() > 0.9
    assert (gap_U[1::2] < 0).mean() > 0.9


def test_nobody_is_the_mean_user(dataset_of):
    weights_UI = two_tastes()
    weights_UI[5] = False
    dataset = dataset_of(weights_UI)
    model = NCF(small()).fit(dataset, FitContext())
    empty_BI = dataset.interactions.to_csr()[[5]]
    stored_BI = model.score(Query(np.array([5], dtype=np.int32), empty_BI))
    np.testing.assert_array_equal(model.score(Query.of_history(empty_BI)), stored_BI)


def test_pretrained_halves_give_half_of_the_score_each():
    config = small()
    halves = [Network(4, 6, config.model_copy(update={"kind": kind})) for kind in ("gmf", "mlp")]
    network = Network(4, 6, config)
    network.start_from(*halves)
    user_B, item_BS = torch.arange(4), torch.arange(6).expand(4, -1)
    scores = [one.score(user_B, item_BS).detach().numpy() for one in (network, *halves)]
    np.testing.assert_allclose(scores[0], (scores[1] + scores[2]) / 2, atol=1e-6)


def test_pretraining_changes_the_result(dataset_of):
    dataset = dataset_of(two_tastes())
    states = [
        NCF(small(pretraining_epochs=epochs)).fit(dataset, FitContext(seed=2)).state()["item_vectors"]
        for epochs in (1, 1, 0)
    ]
    np.testing.assert_array_equal(states[0], states[1])
    assert np.abs(states[0] - states[2]).max() > 0.01


def test_the_epochs_that_are_told_are_those_of_the_whole_network(dataset_of):
    told = []
    context = FitContext(on_epoch=lambda epoch, figures: told.append((epoch, figures["loss"])))
    model = NCF(small(pretraining_epochs=2)).fit(dataset_of(two_tastes()), context)
    assert [epoch for epoch, _ in told] == list(range(1, model.config.training.epochs + 1))


def test_early_stopping_tells_the_refit_how_long(dataset_of):
    weights_UI = two_tastes()
    is_valid_UI = weights_UI & (np.random.default_rng(1).random(weights_UI.shape) < 0.2)
    dataset, valid = dataset_of(weights_UI & ~is_valid_UI), dataset_of(is_valid_UI).interactions
    training = small().training.model_copy(update={"epochs": 40, "early_stopping": EarlyStoppingConfig(patience=2)})
    model = NCF(small(training=training.resolved())).fit(dataset, FitContext(seed=1, valid=valid))
    refit = model.refit_config()
    assert refit.training.epochs < 40
    assert refit.training.early_stopping is None
    again = NCF(refit).fit(dataset, FitContext(seed=1))
    np.testing.assert_array_equal(again.state()["item_vectors"], model.state()["item_vectors"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"training": {"sampler": {"kind": "in_batch"}}}, "uniform, popularity or hard"),
        ({"training": {"sampler": {"shared": True}}}, "leave `shared` out"),
        ({"kind": "mlp", "pretraining_epochs": 2}, "one of them"),
    ],
)
def test_what_does_not_fit_is_refused(changes, reason):
    with pytest.raises(ValidationError, match=reason):
        NCFConfig.model_validate(changes)


def test_it_is_built_without_torch():
    code = "import sys; from foretaste.models.registry import build; build('ncf', {}); print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False"]
