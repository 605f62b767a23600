import pytest
import torch
from torch import nn

from foretaste.errors import ModelError
from foretaste.training.config import OptimizerConfig, ScheduleConfig, TrainingConfig
from foretaste.training.optimizers import (
    LazyAdam,
    ParameterGroup,
    build_optimizers,
    clip_gradients,
    learning_rate_factor,
    set_learning_rate,
)


class Hybrid(nn.Module):
    def __init__(self, sparse=True, max_norm=None):
        super().__init__()
        self.table = nn.Embedding(6, 3, sparse=sparse, max_norm=max_norm)
        self.head = nn.Linear(3, 1)

    def forward(self, index):
        return self.head(self.table(index)).sum()


def trained(optimizer_of, sparse, batches, device):
    torch.manual_seed(0)
    table = nn.Embedding(2000, 3, sparse=sparse, device=device)
    optimizer = optimizer_of(table.parameters())
    for index in batches:
        optimizer.zero_grad()
        table(index).square().sum().backward()
        optimizer.step()
    return table.weight.detach()


def test_a_step_that_names_every_row_is_a_step_of_adam(device):
    # 2000 rows need two blocks on a CPU; row 0 comes twice, so that its gradients must be added up.
    index = torch.cat([torch.arange(2000), torch.tensor([0])]).to(device)
    lazy = trained(lambda p: LazyAdam([{"params": p, "lr": 0.1}]), True, [index] * 5, device)
    dense = trained(lambda p: torch.optim.Adam(p, lr=0.1), False, [index] * 5, device)
    torch.testing.assert_close(lazy, dense)


def test_rows_that_no_gradient_names_stay_as_they_are_as_in_sparse_adam(device):
    batches = [torch.tensor(rows, device=device) for rows in ([1, 2, 2], [2, 3], [1], [3, 3, 3])]
    lazy = trained(lambda p: LazyAdam([{"params": p, "lr": 0.1}]), True, batches, device)
    theirs = trained(lambda p: torch.optim.SparseAdam(list(p), lr=0.1), True, batches, device)
    torch.testing.assert_close(lazy, theirs, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        lazy[4:], trained(lambda p: LazyAdam([{"params": p}]), True, [], device)[4:], rtol=0, atol=0
    )


def test_tables_and_the_rest_are_trained_side_by_side(device):
    module = Hybrid().to(device)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    optimizers = build_optimizers(module, TrainingConfig(optimizer=OptimizerConfig(sparse_learning_rate=0.5)))
    assert [type(optimizer) for optimizer in optimizers] == [torch.optim.Adam, LazyAdam]
    assert [optimizer.param_groups[0]["lr"] for optimizer in optimizers] == [1e-3, 0.5]
    module(torch.tensor([1, 4], device=device)).backward()
    for optimizer in optimizers:
        optimizer.step()
    moved = (module.table.weight != before["table.weight"]).any(1)
    assert moved.tolist() == [False, True, False, False, True, False]
    # Adam's first step is the learning rate itself.
    assert (module.head.weight - before["head.weight"]).abs().max().item() == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize(
    ("dense", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)]
)
def test_dense_optimizers_take_the_settings(dense, kind):
    settings = OptimizerConfig(dense=dense, weight_decay=0.1, momentum=0.9 if dense == "sgd" else 0.0)
    (optimizer,) = build_optimizers(Hybrid(sparse=False), TrainingConfig(learning_rate=0.2, optimizer=settings))
    assert type(optimizer) is kind
    group = optimizer.param_groups[0]
    assert (group["lr"], group["weight_decay"], group.get("momentum", 0.0)) == (0.2, 0.1, settings.momentum)


def test_groups_have_learning_rates_and_decays_of_their_own():
    module = Hybrid()
    groups = [
        ParameterGroup([module.head.weight], weight_decay=0.3, learning_rate=0.01),
        ParameterGroup([module.head.bias]),
        ParameterGroup([module.table.weight], sparse=True),
    ]
    dense, sparse = build_optimizers(module, TrainingConfig(), groups)
    assert [(g["lr"], g["weight_decay"]) for g in dense.param_groups] == [(0.01, 0.3), (1e-3, 0.0)]
    set_learning_rate([dense, sparse], 0.5)
    assert [g["lr"] for g in dense.param_groups + sparse.param_groups] == [0.005, 5e-4, 5e-4]


@pytest.mark.parametrize(
    ("module", "config", "groups", "reason"),
    [
        (Hybrid(max_norm=1.0), {}, None, "'table.weight' is sparse and has max_norm 1"),
        (Hybrid(), {"weight_decay": 0.1}, None, "'table.weight' is a sparse table with weight decay 0.1"),
        (Hybrid(), {}, lambda m: [ParameterGroup(list(m.parameters()), sparse=True)], "'head.weight' is in a sparse"),
        (Hybrid(), {}, lambda m: [ParameterGroup(list(m.parameters()))], "'table.weight' is a sparse table in a dense"),
    ],
)
def test_illegal_combinations_are_refused_with_the_reason(module, config, groups, reason):
    with pytest.raises(ModelError, match=reason):
        build_optimizers(module, TrainingConfig(optimizer=OptimizerConfig(**config)), groups and groups(module))


def test_momentum_is_refused_without_sgd():
    with pytest.raises(ValueError, match="beta1"):
        OptimizerConfig(dense="adam", momentum=0.9)


def test_a_sparse_table_used_whole_is_refused():
    table = nn.Embedding(4, 2, sparse=True)
    (optimizer,) = build_optimizers(table, TrainingConfig())
    table.weight.sum().backward()
    with pytest.raises(ModelError, match="dense gradient"):
        optimizer.step()


def test_clipping_scales_dense_and_sparse_gradients_by_their_common_norm(device):
    dense = nn.Parameter(torch.zeros(2, device=device))
    table = nn.Embedding(4, 1, sparse=True, device=device)
    # Row 1 comes twice with gradient 2, so its gradient is 4; with 3 in the dense one the norm is 5.
    (2 * table(torch.tensor([1, 1], device=device)).sum() + 3 * dense[0]).backward()
    clip_gradients([dense, table.weight], 10.0)
    assert dense.grad.tolist() == [3.0, 0.0]
    clip_gradients([dense, table.weight], 1.0)
    assert dense.grad.tolist() == pytest.approx([0.6, 0.0])
    assert table.weight.grad.to_dense().flatten().tolist() == pytest.approx([0.0, 0.8, 0.0, 0.0])


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ({}, [1, 1, 1, 1, 1]),
        ({"kind": "linear"}, [1, 0.75, 0.5, 0.25, 0]),
        ({"kind": "cosine", "final_factor": 0.2}, [1, 0.2 + 0.8 * 0.853553, 0.6, 0.2 + 0.8 * 0.146447, 0.2]),
        ({"warmup_fraction": 0.4}, [0.5, 1, 1, 1, 1]),
        ({"kind": "linear", "warmup_fraction": 0.4}, [0.5, 1, 1, 0.5, 0]),
    ],
)
def test_learning_rate_of_five_steps(schedule, factors):
    found = [learning_rate_factor(step, 5, ScheduleConfig(**schedule)) for step in range(5)]
    assert found == pytest.approx(factors, abs=1e-5)
