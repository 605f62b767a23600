import torch
from torch import nn

from foretaste.training.lazy_adam import LazyAdam


def stepped(row_BS, num_steps=3):
    """A table after some steps on the rows of a batch, and the same table under Adam with dense gradients."""
    tables = []
    for sparse in (True, False):
        torch.manual_seed(0)
        table = nn.Embedding(6, 3, sparse=sparse)
        optimizer = (
            LazyAdam([{"params": [table.weight], "lr": 0.1}]) if sparse else torch.optim.Adam([table.weight], 0.1)
        )
        for _ in range(num_steps):
            optimizer.zero_grad()
            table(row_BS).square().sum().backward()
            optimizer.step()
        tables.append(table.weight.detach())
    return tables


def test_a_row_named_twice_is_stepped_once_by_the_sum_of_its_gradients():
    lazy, dense = stepped(torch.tensor([0, 1, 2, 3, 4, 5, 5, 0, 5]))
    torch.testing.assert_close(lazy, dense, rtol=1e-6, atol=1e-7)


def test_rows_that_no_gradient_names_stay_as_they_are():
    torch.manual_seed(0)
    before = nn.Embedding(6, 3).weight.detach().clone()
    lazy, _ = stepped(torch.tensor([1, 4]))
    assert torch.equal(lazy[[0, 2, 3, 5]], before[[0, 2, 3, 5]])
    assert not torch.equal(lazy[[1, 4]], before[[1, 4]])
