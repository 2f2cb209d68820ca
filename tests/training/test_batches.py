"""Every item is seen once, by one process."""

from __future__ import annotations

import pytest

from shibori.training.batches import StepBatches
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
