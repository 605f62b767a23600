"""What a training is given beside its config: a seed, its processes, and whom it reports to."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from foretaste.training.distributed import World


def _no_progress(done: int, total: int, figures: dict[str, float]) -> None:
    """Report nothing."""


def no_epoch(epoch: int, figures: dict[str, float]) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class TrainingContext:
    """What one run knows of its surroundings. The callables keep evaluation and tracking out of this layer."""

    seed: int = 0
    world: World = field(default_factory=World)
    """The processes and their device, from `join_world(config.device)`; by default one on the CPU."""
    validate: Callable[[], Mapping[str, float]] | None = None
    """Figures of the module as it stands, higher is better; None where nothing is held out.

    Called in evaluation mode and without gradients, on every process: each can rank `world.share(num_users)` and gather
    with `world.gather_rows`. All processes must return the same figures.
    """
    progress: Callable[[int, int, dict[str, float]], None] = _no_progress
    """Called a few times a second with (steps done, steps in all, figures), on the process that writes."""
    on_epoch: Callable[[int, dict[str, float]], None] = no_epoch
    """Called with (epoch, figures) after each epoch, counted from 1, on the process that writes.

    A training that is continued tells the epochs of its checkpoint first, so that a listener has the whole curve.
    """
    checkpoint_dir: Path | None = None
    """Folder of the resumable checkpoint, in place of the config's; None leaves the choice to the config."""
    resume: bool = False
    """Continue from the checkpoint in `checkpoint_dir`, where there is one."""


def derived_seed(seed: int, *numbers: int) -> int:
    """A seed for one use of a run's seed, unrelated to those of its other uses."""
    return int(np.random.SeedSequence([seed, *numbers]).generate_state(1, np.uint64)[0] >> np.uint64(1))


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed PyTorch's default generators inside the block, and leave those of the caller as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """On a CPU, add up in a fixed order inside the block: the same training then gives the same weights to the bit,
    however many threads there are.

    A GPU is left as it is: there some operations have no fixed order, and PyTorch would refuse them.
    """
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(before or device.type == "cpu")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def random_state(device: torch.device) -> Tensor:
    """State of PyTorch's default generator on `device`, as bytes."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def set_random_state(state: Tensor, device: torch.device) -> None:
    """Put the default generator of `device` back to a state that `random_state` gave."""
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
