"""Which items of an endless dataset each step takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from shibori.training.processes import ProcessGroup


class StepBatches(Sampler[list[int]]):
    """The indices of every step's items, so that a resumed run sees exactly what an unbroken one would."""

    def __init__(self, first_step: int, steps: int, batch: int, group: ProcessGroup) -> None:
        self.first_step, self.steps, self.batch, self.group = first_step, steps, batch, group

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.first_step, self.steps):
            start = (step * self.group.world_size + self.group.rank) * self.batch
            yield list(range(start, start + self.batch))

    def __len__(self) -> int:
        return self.steps - self.first_step


def one_thread(_worker: int) -> None:
    """For a loader's workers: processes enough, so no threads beside them."""
    torch.set_num_threads(1)


def step_loader(
    data: Dataset[Any], batches: StepBatches, workers: int, collate: Callable[[list[Any]], Any]
) -> DataLoader[Any]:
    """What each step takes, made ahead by ``workers`` processes (0: by this one)."""
    cv2.setNumThreads(0)  # OpenCV's own threads do not survive the fork into the workers.
    return DataLoader(
        data,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=one_thread,
        prefetch_factor=4 if workers else None,
    )
