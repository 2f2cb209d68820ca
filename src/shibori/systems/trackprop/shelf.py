"""The answers of all frames, packed: a clip's worth takes a few kilobytes an object and frame."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shibori.ops.overlap import WindowedLogits

LIMIT = 8.0
"""Log-odds are kept between this and its opposite, in 255 steps."""


class Answer(NamedTuple):
    """One object in one frame."""

    logits: WindowedLogits
    confidence: float
    """In [0, 1]; 0 where the object was not found."""


@dataclass(frozen=True)
class _Packed:
    window: NDArray[np.float64]
    shape: tuple[int, int]
    data: bytes
    confidence: float


class Shelf:
    """Answers by object and frame."""

    def __init__(self) -> None:
        self._packed: dict[tuple[int, int], _Packed] = {}

    def __contains__(self, key: tuple[int, int]) -> bool:
        """Whether there is an answer for (object_id, frame index)."""
        return key in self._packed

    def put(self, index: int, answer: Answer) -> None:
        """Keep an answer of a frame, in place of an earlier one of the same object."""
        logits = np.clip(answer.logits.logits, -LIMIT, LIMIT)
        steps = np.rint(logits * (127 / LIMIT)).astype(np.int8)
        data = zlib.compress(steps.tobytes(), 1)
        key = (answer.logits.object_id, index)
        self._packed[key] = _Packed(answer.logits.window, answer.logits.logits.shape, data, answer.confidence)

    def get(self, object_id: int, index: int) -> Answer | None:
        """The answer, to within 1/30 of log-odds; None where there is none."""
        packed = self._packed.get((object_id, index))
        if packed is None:
            return None
        steps = np.frombuffer(zlib.decompress(packed.data), np.int8).reshape(packed.shape)
        logits = steps.astype(np.float32) * np.float32(LIMIT / 127)
        return Answer(WindowedLogits(object_id, packed.window, logits), packed.confidence)

    def drop(self, object_id: int, index: int) -> None:
        """Forget an object in a frame, if it is known there."""
        self._packed.pop((object_id, index), None)
