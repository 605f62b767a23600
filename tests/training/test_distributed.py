import pytest
import torch

from foretaste.errors import ConfigError
from foretaste.training.distributed import World, join_world


@pytest.mark.parametrize(("rows", "size"), [(10, 3), (2, 4), (0, 2), (7, 1)])
def test_shares_are_contiguous_and_even(rows, size):
    shares = [World(rank=rank, size=size).share(rows) for rank in range(size)]
    assert [row for share in shares for row in range(rows)[share]] == list(range(rows))
    lengths = [len(range(rows)[share]) for share in shares]
    assert max(lengths) - min(lengths) <= 1


def test_alone_nothing_is_sent():
    with join_world("cpu") as world:
        assert (world.rank, world.size, world.is_writer) == (0, 1, True)
        rows = torch.arange(4)
        assert world.gather_rows(rows) is rows
        assert world.sum(rows) is rows


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is usable here")
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="no usable GPU"), join_world("cuda"):
        pass
    with join_world("auto") as world:
        assert world.device.type == "cpu"
