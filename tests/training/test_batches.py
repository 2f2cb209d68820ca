"""Every item is seen once, by one process."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from shibori.training.batches import StepBatches, one_thread, step_loader
from shibori.training.processes import ProcessGroup


@pytest.mark.parametrize("world_size", [1, 3])
def test_every_item_is_seen_once_by_one_process(world_size: int):
    seen = [
        index
        for rank in range(world_size)
        for batch in StepBatches(2, 7, 4, ProcessGroup(rank, world_size, rank))
        for index in batch
    ]
    assert sorted(seen) == list(range(2 * 4 * world_size, 7 * 4 * world_size))
    assert len(StepBatches(2, 7, 4, ProcessGroup(0, world_size, 0))) == 5


def test_a_resumed_run_takes_the_items_that_an_unbroken_one_would():
    group = ProcessGroup(1, 2, 1)
    assert list(StepBatches(3, 7, 2, group)) == list(StepBatches(0, 7, 2, group))[3:]


class Threads(Dataset[int]):
    """Every item is the number of threads of the process that makes it."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        return torch.get_num_threads()


def test_workers_have_one_thread_each():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        batches = StepBatches(0, 2, 2, ProcessGroup(0, 1, 0))
        loader = DataLoader(Threads(), batch_sampler=batches, num_workers=1, worker_init_fn=one_thread)
        assert torch.cat(list(loader)).tolist() == [1] * 4
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_loader_gives_what_each_step_takes():
    loader = step_loader(list(range(100)), StepBatches(2, 4, 3, ProcessGroup(0, 1, 0)), 0, list)
    assert list(loader) == [[6, 7, 8], [9, 10, 11]]
