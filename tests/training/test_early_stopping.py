import pytest
import torch
from torch import nn

from foretaste.errors import ConfigError, ModelError
from foretaste.training.config import EarlyStoppingConfig
from foretaste.training.early_stopping import EarlyStopping


def noted(values, **config):
    stopping, module = EarlyStopping(EarlyStoppingConfig(metric="m", **config)), nn.Linear(1, 1, bias=False)
    for epoch, value in enumerate(values, start=1):
        nn.init.constant_(module.weight, epoch)
        stopping.note(epoch, {"m": value}, module)
    return stopping


def test_patience_counts_from_the_best_whose_weights_are_kept():
    stopping = noted([0.1, 0.3, 0.3, 0.2], patience=3)
    assert (stopping.best_epoch, stopping.best_value, stopping.has_run_out) == (2, 0.3, False)
    assert stopping.best_weights["weight"].item() == 2
    assert noted([0.1, 0.3, 0.3, 0.2], patience=2).has_run_out


def test_less_than_min_delta_is_no_improvement():
    assert noted([0.1, 0.14, 0.19], min_delta=0.05).best_epoch == 3
    assert noted([0.1, 0.14, 0.15], min_delta=0.06).best_epoch == 1


def test_validations_are_due_every_few_epochs_and_at_the_end():
    stopping = EarlyStopping(EarlyStoppingConfig(every_epochs=3))
    assert [epoch for epoch in range(1, 9) if stopping.is_due(epoch, 8)] == [3, 6, 8]


def test_a_metric_that_does_not_exist_is_named_with_those_that_do():
    with pytest.raises(ConfigError, match=r"expected one of hr@10, recall@20; found 'ndcg@10'"):
        EarlyStopping(EarlyStoppingConfig()).note(1, {"recall@20": 0.1, "hr@10": 0.2}, nn.Linear(1, 1))


def test_state_comes_back():
    stopping, other = noted([0.1, 0.3, 0.2]), noted([])
    other.load_state(stopping.state())
    assert (other.best_epoch, other.best_value, other.validations_since) == (2, 0.3, 1)
    assert torch.equal(other.best_weights["weight"], stopping.best_weights["weight"])


def test_a_validation_that_is_no_number_is_refused():
    # Nothing exceeds NaN: taken as the best, it would keep the first weights for ever.
    with pytest.raises(ModelError, match="epoch 2 gave no number for 'm'"):
        noted([0.1, float("nan")])
