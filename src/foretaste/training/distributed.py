"""Many processes that train as one: each takes its rows of every global batch, and all take the same step.

Started by `torchrun --nproc-per-node N`; without it there is one process, and nothing here communicates. Gradients are
added up by hand rather than by `DistributedDataParallel`, so that sparse ones stay sparse and the weighting by rows
is exact when the last batch does not divide.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn

from foretaste.errors import ConfigError
from foretaste.training.processes import num_processes

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class World:
    """The processes that train together, and the place of this one among them."""

    device: torch.device = _CPU
    rank: int = 0
    size: int = 1

    @property
    def is_writer(self) -> bool:
        """True for the one process that writes files and reports progress."""
        return self.rank == 0

    def share(self, num_rows: int) -> slice:
        """The rows of this process: contiguous, in rank order, sizes within one of each other."""
        return slice(num_rows * self.rank // self.size, num_rows * (self.rank + 1) // self.size)

    def sum(self, value: Tensor) -> Tensor:
        """The sum of `value` over all processes, equal to the bit on each."""
        if self.size > 1:
            dist.all_reduce(value)
        return value

    def gather_rows(self, rows_X: Tensor) -> Tensor:
        """The rows of all processes in rank order, on each; `x[world.share(len(x))]` of each gives back `x`.

        Processes may hold different numbers of rows; type and trailing shape must agree.
        """
        if self.size == 1:
            return rows_X
        lengths = [torch.zeros(1, dtype=torch.int64, device=self.device) for _ in range(self.size)]
        dist.all_gather(lengths, torch.tensor([len(rows_X)], device=self.device))
        longest = max(int(length) for length in lengths)
        padded_X = rows_X.new_zeros((longest, *rows_X.shape[1:]))
        padded_X[: len(rows_X)] = rows_X
        parts = [torch.empty_like(padded_X) for _ in range(self.size)]
        dist.all_gather(parts, padded_X)
        return torch.cat([part[: int(length)] for part, length in zip(parts, lengths, strict=True)])

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over all processes.

        A parameter keeps `grad = None` only where no process has a gradient for it.
        """
        if self.size == 1:
            return
        parameters = [parameter for parameter in parameters if parameter.requires_grad]
        kind_P = torch.tensor([_gradient_kind(parameter) for parameter in parameters], device=self.device)
        dist.all_reduce(kind_P, op=dist.ReduceOp.MAX)
        kinds = kind_P.tolist()
        self._sum_dense([p for p, kind in zip(parameters, kinds, strict=True) if kind == _DENSE])
        for parameter, kind in zip(parameters, kinds, strict=True):
            if kind == _SPARSE:
                self._sum_sparse(parameter)

    def _sum_dense(self, parameters: list[nn.Parameter]) -> None:
        if not parameters:
            return
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = self.sum(torch.cat([grad.flatten() for grad in grads]))
        for parameter, grad in zip(parameters, torch.split(flat, [p.numel() for p in parameters]), strict=True):
            parameter.grad = grad.view_as(parameter)

    def _sum_sparse(self, parameter: nn.Parameter) -> None:
        grad = torch.zeros_like(parameter).to_sparse(1) if parameter.grad is None else parameter.grad
        grad = grad.coalesce()
        index_X = self.gather_rows(grad.indices()[0])
        value_XD = self.gather_rows(grad.values())
        parameter.grad = torch.sparse_coo_tensor(index_X[None], value_XD, parameter.shape, check_invariants=False)


_NO_GRADIENT, _DENSE, _SPARSE = 0, 1, 2


def _gradient_kind(parameter: nn.Parameter) -> int:
    if parameter.grad is None:
        return _NO_GRADIENT
    return _SPARSE if parameter.grad.is_sparse else _DENSE


def broadcast_module(module: nn.Module, world: World) -> None:
    """Give every process the parameters and buffers of rank 0."""
    if world.size > 1:
        for tensor in module.state_dict().values():
            dist.broadcast(tensor, src=0)


@contextmanager
def join_world(device: Literal["auto", "cpu", "cuda"] = "auto") -> Iterator[World]:
    """The world that `torchrun` describes in the environment, or a world of one.

    Takes nccl for tensors on GPUs and gloo for those on CPUs, and the GPU of the local rank. Joins a process group that
    stands already, and takes down only one of its own.

    Raises:
        ConfigError: `cuda` is asked for and there is none, or fewer GPUs than processes on this machine.
    """
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    place = device_of(device, local_rank)
    standing = dist.is_initialized()
    if not standing and num_processes() == 1:
        yield World(place)
        return
    if not standing:
        # Its functions take the group that stands when they are imported as a default. Imported by the first optimiser
        # step instead, they would keep our group and its threads alive until Python ends, which then aborts at times.
        import_module("torch.distributed.nn")
        dist.init_process_group("cpu:gloo,cuda:nccl" if place.type == "cuda" else "gloo")
    try:
        yield World(place, dist.get_rank(), dist.get_world_size())
    finally:
        if not standing:
            dist.destroy_process_group()


def device_of(wanted: Literal["auto", "cpu", "cuda"], local_rank: int = 0) -> torch.device:
    """Where the process of that rank on this machine trains.

    Raises:
        ConfigError: `cuda` is asked for and there is none, or fewer GPUs than processes on this machine.
    """
    num_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "cpu" or (wanted == "auto" and num_gpus == 0):
        return _CPU
    if num_gpus == 0:
        raise ConfigError(
            "device 'cuda' was asked for, and PyTorch finds no usable GPU; set device: auto or cpu, or install a CUDA "
            "build of PyTorch."
        )
    if local_rank >= num_gpus:
        raise ConfigError(
            f"process {local_rank} of this machine finds {num_gpus} GPUs; start torchrun with "
            f"--nproc-per-node {num_gpus} or fewer, or set device: cpu."
        )
    return torch.device("cuda", local_rank)
