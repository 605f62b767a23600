import numpy as np
import pytest
import torch
from scipy import sparse

from foretaste.config import ExperimentConfig, check
from foretaste.errors import ConfigError
from foretaste.evaluation.protocol import EvaluationConfig, evaluate
from foretaste.models.item_knn import ItemKNN
from foretaste.models.protocol import FitContext
from foretaste.models.validation import refit_training, training_context, validation_metric
from foretaste.training.config import EarlyStoppingConfig, TrainingConfig
from foretaste.training.distributed import World
from foretaste.training.task import TrainingResult


def parts_of(dataset, share=0.2):
    is_valid_N = np.random.default_rng(0).random(len(dataset.interactions)) < share
    return dataset.interactions.select(~is_valid_N), dataset.interactions.select(is_valid_N)


@pytest.fixture
def dataset(dataset_of):
    return dataset_of(np.random.default_rng(1).random((50, 40)) < 0.2)


def test_the_figures_are_those_of_the_evaluation(dataset):
    train, valid = parts_of(dataset)
    model = ItemKNN().fit(dataset.with_interactions(train), FitContext())
    figures = training_context(FitContext(valid=valid), train, World(), lambda: model.score).validate()
    config = EvaluationConfig(cutoffs=(10,), metrics=("ndcg", "recall"))
    judged = evaluate(model, train, valid, config)
    assert not judged.is_cold_B.any()
    assert figures == pytest.approx({name: judged.mean(name) for name in figures})
    assert "ndcg@10" in figures


def test_two_processes_give_the_figures_of_one_to_the_last_digit(dataset, monkeypatch):
    train, valid = parts_of(dataset)
    model = ItemKNN().fit(dataset.with_interactions(train), FitContext())
    given = (model.score, train.to_csr(), valid.to_csr())
    alone = validation_metric(*given, World())
    gathered = []

    def gather_rows(world, rows_X):
        gathered.append(rows_X)
        return torch.cat(gathered)

    monkeypatch.setattr(World, "gather_rows", gather_rows)
    validation_metric(*given, World(rank=0, size=2))
    assert validation_metric(*given, World(rank=1, size=2)) == alone
    assert min(map(len, gathered)) > 10


def test_a_user_without_history_is_not_judged():
    history_UI = sparse.csr_array(np.array([[1, 0, 0], [0, 0, 0]], dtype=np.float32))
    valid_UI = sparse.csr_array(np.array([[0, 0, 1], [1, 0, 0]], dtype=np.float32))

    def last_item_first(query):
        assert query.user_B.tolist() == [0]
        return np.array([[9, 1, 2]], dtype=np.float32)

    # Item 0 is history, so that the held-out item 2 comes first.
    assert set(validation_metric(last_item_first, history_UI, valid_UI, World()).values()) == {1.0}


def test_nobody_to_judge_is_zero():
    none_UI = sparse.csr_array((2, 3), dtype=np.float32)
    assert set(validation_metric(lambda query: None, none_UI, none_UI, World()).values()) == {0.0}


def test_without_held_out_events_there_is_no_validation(dataset):
    context = training_context(FitContext(seed=4), dataset.interactions, World(), lambda: None)
    assert context.validate is None
    assert context.seed == 4


@pytest.mark.parametrize(("best_epoch", "epochs"), [(2, 2), (None, 3)])
def test_a_refit_takes_the_epochs_of_the_kept_weights(best_epoch, epochs):
    config = TrainingConfig(epochs=9, batch_size=7, early_stopping=EarlyStoppingConfig())
    refit = refit_training(config, TrainingResult([{}, {}, {}], best_epoch, stopped_early=False))
    assert refit == TrainingConfig(epochs=epochs, batch_size=7)


@pytest.mark.parametrize("model", ["bpr_mf", "ncf", "two_tower"])
def test_early_stopping_by_what_is_not_measured_is_refused_with_the_config(model):
    values = {
        "data": {"source": "synthetic"},
        "models": {model: {"training": {"early_stopping": {"metric": "ndcg@20"}}}},
    }
    told = f"models.{model}.training: early_stopping.metric is 'ndcg@20'; expected ndcg@10 or recall@10"
    with pytest.raises(ConfigError, match=told):
        check(values, ExperimentConfig, where="a.yaml")
