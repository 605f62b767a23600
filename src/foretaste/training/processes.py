"""What `torchrun` tells the processes that it starts, readable without torch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


def num_processes() -> int:
    """How many processes train together; 1 outside torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_writer() -> bool:
    """True for the one process that writes files and speaks to people: rank 0, or the only one."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def joined() -> Iterator[None]:
    """One process group for all trainings inside the block; nothing outside torchrun.

    A group that was taken down cannot be set up again under the same torchrun, so trainings in a row must share one.

    Raises:
        ConfigError: there are fewer GPUs than processes on this machine.
    """
    if num_processes() == 1:
        yield
        return
    from foretaste.training.distributed import join_world

    with join_world():
        yield
