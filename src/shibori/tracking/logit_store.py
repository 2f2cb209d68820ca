"""Soft masks of a clip that wait until all of them are known: log-odds in 255 steps, packed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shibori.media.mask_store import MEMORY_BYTES, MaskStore
from shibori.ops.overlap import WindowedLogits

MOST_STEPS = 127
STEPS_PER_UNIT = MOST_STEPS / 8
"""In which log-odds are kept where eight to either side are enough."""


class Answer(NamedTuple):
    """One object in one frame."""

    logits: WindowedLogits
    confidence: float
    """In [0, 1]; 0 where the object was not found."""


class _Note(NamedTuple):
    object_id: int
    window: NDArray[np.float64]
    confidence: float


class LogitStore:
    """Answers by frame and number: the object's, or that of one of several things that may be the object.

    Args:
        steps_per_unit: of log-odds; 127 steps is the most that is kept, to either side.
        memory_bytes: of packed log-odds that are kept in memory; the rest is on disk.
    """

    def __init__(self, steps_per_unit: float = STEPS_PER_UNIT, memory_bytes: int = MEMORY_BYTES) -> None:
        self.steps_per_unit = steps_per_unit
        self._maps: MaskStore[_Note] = MaskStore(memory_bytes)

    def put(self, index: int, number: int, answer: Answer) -> None:
        """Keep an answer of a frame, rounded, in place of an earlier one of the same number."""
        logits, confidence = answer
        steps = np.clip(logits.logits * self.steps_per_unit, -MOST_STEPS, MOST_STEPS)
        note = _Note(logits.object_id, logits.window, confidence)
        self._maps.put(index, number, np.rint(steps).astype(np.int8), note)

    def get(self, index: int, number: int) -> Answer | None:
        """The answer, to within half a step; None where there is none."""
        steps = self._maps.get(index, number)
        if steps is None:
            return None
        object_id, window, confidence = self._maps.notes(index)[number]
        logits = steps.astype(np.float32) * np.float32(1 / self.steps_per_unit)
        return Answer(WindowedLogits(object_id, window, logits), confidence)

    def holds(self, index: int, number: int) -> bool:
        """Whether there is an answer."""
        return number in self._maps.notes(index)

    def drop(self, index: int, number: int) -> None:
        """Forget an answer, if there is one."""
        self._maps.drop(index, number)
