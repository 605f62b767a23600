import itertools
import math
import signal

import numpy as np
import pytest
import torch
from torch import nn

from foretaste.errors import ArtifactError, ConfigError, ModelError
from foretaste.training.batches import dot_scores
from foretaste.training.checkpoint import checkpoint_path
from foretaste.training.config import TrainingConfig
from foretaste.training.context import TrainingContext, seeded
from foretaste.training.distributed import World
from foretaste.training.loop import train
from foretaste.training.losses import bpr_loss
from foretaste.training.task import Task


class Tables(nn.Module):
    def __init__(self, sparse=True, dropout=0.0):
        super().__init__()
        self.user, self.item = nn.Embedding(40, 4, sparse=sparse), nn.Embedding(30, 4)
        self.dropout = nn.Dropout(dropout)

    def loss(self, batch):
        user_VD = self.dropout(self.user(batch.users))
        items = (self.item(batch.positive_B), self.item(batch.negatives))
        return bpr_loss(*dot_scores(user_VD, *items, batch.place_B), batch.is_negative_VC, batch.place_B)

    def score(self, user_B, item_BS):
        return torch.matmul(self.item(item_BS), self.user(user_B)[:, :, None])[:, :, 0]


@pytest.fixture
def fit(random_interactions):
    """Trains fresh tables: (module, result)."""

    def run(
        device="cpu", module=None, interactions=random_interactions, context=None, loss=None, settings=None, **config
    ):
        device = torch.device(device)
        with seeded(0, device):
            module = module or Tables()
        task = Task(module, loss or module.loss, score=module.score, settings=settings or {})
        context = {"seed": 1, "world": World(device), **(context or {})}
        config = TrainingConfig.model_validate({"epochs": 3, "batch_size": 64, "learning_rate": 0.05, **config})
        return module, train(task, interactions, config, TrainingContext(**context))

    return run


def assert_equal_weights(first, second):
    for (name, one), other in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


@pytest.mark.parametrize("kind", ["uniform", "popularity", "in_batch", "hard"])
def test_the_loss_falls_and_every_epoch_is_reported(kind, fit, device):
    epochs, steps = [], []
    context = {
        "on_epoch": lambda epoch, figures: epochs.append((epoch, figures)),
        "progress": lambda done, total, figures: steps.append((done, total)),
    }
    _, result = fit(device, context=context, sampler={"kind": kind}, epochs=8)
    losses = [figures["loss"] for figures in result.history]
    assert losses[-1] < 0.8 * losses[0]
    assert epochs == list(enumerate(result.history, start=1))
    assert all(figures["samples_per_second"] > 0 for figures in result.history)
    assert steps[-1] == (40, 40)
    assert (result.best_epoch, result.stopped_early) == (None, False)


TOGETHER = {"sampler": {"num_negatives": 20, "shared": True}, "users_together": True}


@pytest.mark.parametrize("config", [{}, TOGETHER], ids=["events", "users"])
def test_every_positive_comes_once_an_epoch_in_another_order(config, fit, random_interactions):
    rows = []

    def loss(batch):
        rows.append(list(zip(batch.user_B.tolist(), batch.positive_B.tolist(), strict=True)))
        return module.item(batch.positive_B).sum(1)

    module = Tables(sparse=False)
    fit(module=module, loss=loss, epochs=2, **config)
    first, second = ([pair for batch in epoch for pair in batch] for epoch in (rows[:5], rows[5:]))
    expected = sorted(zip(random_interactions.user_N.tolist(), random_interactions.item_N.tolist(), strict=True))
    assert sorted(first) == sorted(second) == expected
    assert first != second
    assert [len(batch) for batch in rows[:5]] == [64, 64, 64, 64, 44]
    for epoch in (first, second):
        turns = [user for user, _ in itertools.groupby(user for user, _ in epoch)]
        assert (len(turns) == len(set(turns))) == bool(config)
        assert turns != sorted(turns)


def test_users_together_learn_what_they_learn_apart(fit):
    # All events in one batch: one step has no order, and the negatives of a seed are the same.
    apart, together = (
        fit(epochs=1, batch_size=1000, sampler=TOGETHER["sampler"], users_together=chosen)[0]
        for chosen in (False, True)
    )
    for (name, one), other in zip(apart.state_dict().items(), together.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, msg=name)


def test_part_of_an_epoch_is_another_draw_each_time(fit, random_interactions):
    rows, told = [], []

    def loss(batch):
        rows.append(list(zip(batch.user_B.tolist(), batch.positive_B.tolist(), strict=True)))
        return 1 + 0 * module.item(batch.positive_B).sum(1)

    module = Tables(sparse=False)
    listening = {"progress": lambda done, total, figures: told.append((done, total))}
    _, result = fit(module=module, loss=loss, epochs=2, epoch_share=0.25, context=listening)
    # A quarter of 300 rows is a batch of 64 and one of 11.
    assert [len(batch) for batch in rows] == [64, 11, 64, 11]
    first, second = rows[0] + rows[1], rows[2] + rows[3]
    every = set(zip(random_interactions.user_N.tolist(), random_interactions.item_N.tolist(), strict=True))
    assert set(first) <= every
    assert set(second) <= every
    assert set(first) != set(second)
    assert told[-1] == (4, 4)
    assert [figures["loss"] for figures in result.history] == [1.0, 1.0]


def test_the_step_is_that_of_the_mean_of_weighted_losses(make_interactions):
    # One batch of two rows with weights 1 and 3, a loss whose gradient is 1 a row: (1 + 3)/2 = 2, times the rate 0.1.
    module = nn.Embedding(2, 1)
    nn.init.zeros_(module.weight)
    config = TrainingConfig.model_validate(
        {"epochs": 1, "batch_size": 8, "learning_rate": 0.1, "optimizer": {"dense": "sgd"}}
    )
    interactions = make_interactions([(0, 0), (1, 0)], num_items=2, weights=[1.0, 3.0])
    train(Task(module, lambda batch: module(batch.positive_B)[:, 0]), interactions, config)
    assert module.weight.flatten().tolist() == pytest.approx([-0.2, 0.0])


def test_same_seed_same_weights_and_the_callers_generator_is_left_alone(fit):
    before = torch.get_rng_state()
    first, _ = fit(module=None)
    assert torch.equal(torch.get_rng_state(), before)
    second, _ = fit()
    assert_equal_weights(first, second)
    other, _ = fit(context={"seed": 2})
    assert not torch.equal(first.user.weight, other.user.weight)


@pytest.mark.parametrize(
    "config",
    [{"sampler": {"kind": "popularity"}}, {"sampler": {"kind": "in_batch"}}, {"sampler": {"kind": "hard"}}, TOGETHER],
    ids=["popularity", "in_batch", "hard", "together"],
)
def test_three_epochs_and_three_resumed_are_six(config, fit, tmp_path, device):
    def fresh():
        with seeded(5, torch.device("cpu")):
            return Tables(dropout=0.3)

    config = {**config, "device": "cpu", "gradient_clip_norm": 1.0}
    straight, _ = fit(module=fresh(), epochs=6, **config)
    fit(module=fresh(), epochs=3, checkpoint_dir=tmp_path, **config)
    resumed, result = fit(epochs=6, checkpoint_dir=tmp_path, context={"resume": True}, module=fresh(), **config)
    assert_equal_weights(straight, resumed)
    assert len(result.history) == 6


def test_resuming_continues_in_the_middle_of_an_epoch_and_of_a_schedule(fit, tmp_path):
    config = {"epochs": 4, "schedule": {"kind": "cosine", "warmup_fraction": 0.2}, "early_stopping": {"metric": "m"}}
    values = iter([0.5, 0.4, 0.3, 0.2] * 3)
    context = {"validate": lambda: {"m": next(values)}}
    straight, expected = fit(context=context, **config)

    values = iter([0.5, 0.4, 0.3, 0.2])
    steps_done = 0
    module = Tables()

    def interrupted_loss(batch):
        nonlocal steps_done
        steps_done += 1
        if steps_done == 8:
            signal.raise_signal(signal.SIGINT)
        return module.loss(batch)

    with seeded(0, torch.device("cpu")):
        module.load_state_dict(Tables().state_dict())
    with pytest.raises(KeyboardInterrupt):
        fit(module=module, loss=interrupted_loss, context=context, checkpoint_dir=tmp_path, **config)
    assert steps_done == 8
    resumed, result = fit(context={**context, "resume": True}, checkpoint_dir=tmp_path, **config)
    assert_equal_weights(straight, resumed)
    assert result.best_epoch == expected.best_epoch == 1
    assert [e["loss"] for e in result.history] == [e["loss"] for e in expected.history]
    assert [e["learning_rate"] for e in result.history] == [e["learning_rate"] for e in expected.history]


def test_a_continued_training_tells_the_epochs_before(fit, tmp_path):
    told = []
    fit(epochs=2, checkpoint_dir=tmp_path)
    listening = {"resume": True, "on_epoch": lambda epoch, figures: told.append((epoch, figures))}
    _, result = fit(epochs=3, checkpoint_dir=tmp_path, context=listening)
    assert told == list(enumerate(result.history, start=1))
    assert [epoch for epoch, _ in told] == [1, 2, 3]
    assert all(figures["seconds"] > 0 for _, figures in told)


def test_the_folder_of_the_context_goes_before_that_of_the_config(fit, tmp_path):
    fit(checkpoint_dir=tmp_path / "config", context={"checkpoint_dir": tmp_path / "context"})
    assert [path.name for path in tmp_path.iterdir()] == ["context"]
    assert checkpoint_path(tmp_path / "context").exists()


def test_a_finished_training_resumed_is_finished(fit, tmp_path):
    first, _ = fit(checkpoint_dir=tmp_path)
    again, result = fit(checkpoint_dir=tmp_path, context={"resume": True})
    assert_equal_weights(first, again)
    assert len(result.history) == 3


def test_a_checkpoint_of_other_settings_or_shapes_is_refused(fit, tmp_path, random_interactions):
    fit(checkpoint_dir=tmp_path)
    resume = {"resume": True}
    with pytest.raises(ConfigError, match=r"batch_size was 64 and is now 32; sampler.num_negatives was 1 and is now 2"):
        fit(checkpoint_dir=tmp_path, context=resume, batch_size=32, sampler={"num_negatives": 2})
    with pytest.raises(ConfigError, match="data was"):
        fit(checkpoint_dir=tmp_path, context=resume, interactions=random_interactions.select(slice(0, 200)))
    with pytest.raises(ConfigError, match="another shape"):
        fit(checkpoint_dir=tmp_path, context=resume, module=Tables(sparse=False))
    with pytest.raises(ConfigError, match=r"model.margin was None and is now 0.2"):
        fit(checkpoint_dir=tmp_path, context=resume, settings={"margin": 0.2})
    larger = Tables()
    larger.item = nn.Embedding(30, 8)
    with pytest.raises(ConfigError, match="another shape"):
        fit(checkpoint_dir=tmp_path, context=resume, module=larger)


def test_early_stopping_stops_and_gives_back_the_best_weights(fit):
    values, kept = iter([0.1, 0.3, 0.2, 0.2, 0.9]), []
    module = Tables()

    def validate():
        assert not module.training
        assert not torch.is_grad_enabled()
        kept.append(module.user.weight.clone())
        return {"m": next(values)}

    early_stopping = {"metric": "m", "patience": 2}
    module, result = fit(module=module, epochs=9, context={"validate": validate}, early_stopping=early_stopping)
    assert (len(result.history), result.best_epoch, result.stopped_early) == (4, 2, True)
    assert [epoch["m"] for epoch in result.history] == [0.1, 0.3, 0.2, 0.2]
    assert torch.equal(module.user.weight, kept[1])


def test_a_loss_that_is_not_finite_stops_with_the_rows_and_the_last_good_checkpoint_stands(fit, tmp_path, device):
    broken_epoch, calls = 3, 0
    module = Tables()

    def loss(batch):
        nonlocal calls
        calls += 1
        loss_B = module.loss(batch)
        return loss_B.masked_fill(batch.user_B == 7, math.nan) if calls > (broken_epoch - 1) * 5 else loss_B

    with pytest.raises(ModelError) as error:
        fit(device, module=module, loss=loss, checkpoint_dir=tmp_path, epochs=5)
    message = str(error.value)
    assert "after 2 epochs and" in message
    assert "rows have no finite loss: user u7 with item i" in message
    assert "user.weight" in message
    assert str(checkpoint_path(tmp_path)) in message
    _, result = fit(device, checkpoint_dir=tmp_path, epochs=5, context={"resume": True})
    assert len(result.history) == 5


def test_weights_that_are_not_finite_are_never_saved(fit, tmp_path):
    module, calls = Tables(), 0

    def loss(batch):
        # The loss of the last step is finite, its gradient is not.
        nonlocal calls
        calls += 1
        weight = module.item(batch.positive_B).sum(1)
        return module.loss(batch) + (torch.sqrt(weight * 0.0) if calls == 10 else 0.0)

    with pytest.raises(ModelError, match="The last step broke the weights"):
        fit(module=module, loss=loss, checkpoint_dir=tmp_path, epochs=2)
    _, result = fit(checkpoint_dir=tmp_path, epochs=2, context={"resume": True})
    assert len(result.history) == 2


def test_a_last_step_that_breaks_the_weights_is_told_without_a_checkpoint_too(fit):
    module = Tables()
    with pytest.raises(ModelError, match=r"after 0 epochs and 1 steps.*The last step broke the weights"):
        fit(
            module=module,
            loss=lambda batch: torch.sqrt(module.item(batch.positive_B).sum(1) * 0.0),
            batch_size=512,
            epochs=1,
        )


def test_a_training_ends_in_evaluation_mode(fit):
    module, _ = fit()
    assert not module.training


def test_a_tiny_problem_is_learnt(make_interactions, fit, device):
    # Even users like even items, odd users odd ones; each user's last item is held out.
    liked = [[item for item in range(30) if item % 2 == user % 2] for user in range(40)]
    held_out = [items.pop(user % 7) for user, items in enumerate(liked)]
    pairs = [(user, item) for user, items in enumerate(liked) for item in items]
    module, _ = fit(device, interactions=make_interactions(pairs, num_users=40, num_items=30), epochs=60)
    users = torch.arange(40, device=device)
    unliked = torch.tensor([[item for item in range(30) if item % 2 != user % 2] for user in range(40)], device=device)
    with torch.no_grad():
        held_out_U1 = module.score(users, torch.tensor(held_out, device=device)[:, None])
        assert (held_out_U1 > module.score(users, unliked)).float().mean() > 0.95


def test_numbers_of_numpy_come_back_from_a_checkpoint(fit, tmp_path):
    context = {"validate": lambda: {"m": np.float64(0.25)}}
    fit(checkpoint_dir=tmp_path, context=context, early_stopping={"metric": "m"})
    resume = {**context, "resume": True}
    _, result = fit(checkpoint_dir=tmp_path, context=resume, early_stopping={"metric": "m"})
    assert [epoch["m"] for epoch in result.history] == [0.25] * 3


def test_an_early_stop_writes_its_checkpoint_between_two_due_ones(fit, tmp_path):
    validations = []

    def validate():
        validations.append(0.5)
        return {"m": 0.5}

    config = {"epochs": 9, "checkpoint_every_epochs": 8, "early_stopping": {"metric": "m", "patience": 2}}
    first, _ = fit(checkpoint_dir=tmp_path, context={"validate": validate}, **config)
    again, result = fit(checkpoint_dir=tmp_path, context={"validate": validate, "resume": True}, **config)
    assert len(validations) == len(result.history) == 3
    assert_equal_weights(first, again)


def test_ctrl_c_in_the_last_validation_is_not_swallowed(fit, tmp_path):
    def validate():
        signal.raise_signal(signal.SIGINT)
        return {"m": 0.5}

    with pytest.raises(KeyboardInterrupt):
        fit(epochs=1, checkpoint_dir=tmp_path, context={"validate": validate})
    _, result = fit(epochs=1, checkpoint_dir=tmp_path, context={"resume": True})
    assert len(result.history) == 1


def test_nothing_to_train_on_is_refused(fit, random_interactions):
    with pytest.raises(ModelError, match="no interactions"):
        fit(interactions=random_interactions.select(slice(0, 0)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_mixed_precision_trains_on_a_gpu(fit):
    _, result = fit("cuda", mixed_precision=True, epochs=8)
    assert result.history[-1]["loss"] < 0.8 * result.history[0]["loss"]


def test_a_folder_that_cannot_be_made_is_refused_before_the_first_step(fit, tmp_path):
    (tmp_path / "file").write_text("")
    steps = []

    def loss(batch):
        steps.append(batch)
        raise AssertionError

    with pytest.raises(ArtifactError, match=r"file.*cannot be made.*checkpoint_dir"):
        fit(loss=loss, checkpoint_dir=tmp_path / "file" / "inside")
    assert not steps
