"""The process group of a data-parallel run, as ``torchrun`` sets it up; a single process is a group of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True)
class ProcessGroup:
    """Who we are among the processes of a run."""

    rank: int
    world_size: int
    local_rank: int

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files and the log."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is true in any process: they leave a loop together, or those that stay wait for ever."""
        if self.world_size == 1:
            return flag
        votes = torch.tensor([float(flag)])
        distributed.all_reduce(votes, distributed.ReduceOp.MAX)
        return bool(votes.item() > 0)


@contextmanager
def process_group() -> Iterator[ProcessGroup]:
    """Join the group named by torchrun's environment variables, and leave it at the end."""
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1:
        yield ProcessGroup(0, 1, 0)
        return
    # Tensors on the GPU travel by NCCL, those on the CPU by gloo, whichever the network is on.
    distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield ProcessGroup(distributed.get_rank(), world_size, int(os.environ["LOCAL_RANK"]))
        # One that leaves while the others still work tears their connections down: they would end with an abort.
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
