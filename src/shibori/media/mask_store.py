"""Masks of a clip that wait until they are asked for: packed, and no more of them in memory than a bound."""

from __future__ import annotations

import zlib
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from shibori.media.byte_store import ByteStore
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.soft_mask import LARGEST_LOGIT, SoftLayer, SoftMasks, Window

MEMORY_BYTES = 8 << 20
"""Of packed masks that are kept in memory: some thousand of one object. Those of a long clip go to disk."""
WHOLE_FRAME = 0
"""Stands for all objects: the background's number is no object's."""

Note = TypeVar("Note")


@dataclass(frozen=True, slots=True)
class _Label(Generic[Note]):
    """What is known of a packed map without unpacking it."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    note: Note


class MaskStore(Generic[Note]):
    """Maps by frame and object: hard masks (bool, a bit a pixel), ids, log-odds or probabilities in whole steps.

    Each comes with a note, which stays in memory as it is: let it be small.

    Args:
        memory_bytes: of packed maps that are kept in memory; the rest is on disk.
    """

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        self._packed: ByteStore[tuple[int, int]] = ByteStore(memory_bytes)
        self._labels: defaultdict[int, dict[int, _Label[Note]]] = defaultdict(dict)

    @property
    def frames(self) -> list[int]:
        """Indices of the frames of which anything is kept, ascending."""
        return sorted(index for index, labels in self._labels.items() if labels)

    @property
    def held_bytes(self) -> int:
        """Of packed maps in memory."""
        return self._packed.held_bytes

    def notes(self, index: int) -> dict[int, Note]:
        """object_id -> note, of all that is kept of a frame, by rising object_id."""
        labels = self._labels.get(index, {})
        return {object_id: labels[object_id].note for object_id in sorted(labels)}

    def put(self, index: int, object_id: int, values: NDArray[np.bool_ | np.integer[Any]], note: Note) -> None:
        """Keep a map of any shape, in place of an earlier one of the same frame and object."""
        content = np.packbits(values) if values.dtype == bool else values
        self._packed[index, object_id] = zlib.compress(content.tobytes(), 1)
        self._labels[index][object_id] = _Label(values.shape, values.dtype, note)

    def get(self, index: int, object_id: int) -> NDArray[Any] | None:
        """What was put, read-only; None where nothing was."""
        label = self._labels.get(index, {}).get(object_id)
        if label is None:
            return None
        content = zlib.decompress(self._packed[index, object_id])
        if label.dtype != bool:
            return np.frombuffer(content, label.dtype).reshape(label.shape)
        bits = np.unpackbits(np.frombuffer(content, np.uint8), count=int(np.prod(label.shape)))
        return bits.view(bool).reshape(label.shape)

    def drop(self, index: int, object_id: int) -> None:
        """Forget an object in a frame, if it is known there."""
        self._packed.discard((index, object_id))
        self._labels[index].pop(object_id, None)


LOGIT_STEP = LARGEST_LOGIT / 127
"""Log-odds are kept in steps of this: edges move by less than a hundredth of their width."""


class FrameStore:
    """The masks of whole frames, hard and, where they have them, soft."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        self._maps: MaskStore[tuple[ObjectStatus, ...]] = MaskStore(memory_bytes)
        self._soft: MaskStore[Window | None] = MaskStore(memory_bytes)
        self._is_soft: set[int] = set()

    @property
    def frames(self) -> list[int]:
        """Indices of the frames that are kept, ascending."""
        return self._maps.frames

    def put(self, masks: FrameMasks) -> None:
        """Keep a frame, in place of an earlier one."""
        self._maps.put(masks.index, WHOLE_FRAME, masks.ids, masks.statuses)
        for object_id in self._soft.notes(masks.index):
            self._soft.drop(masks.index, object_id)
        self._is_soft.discard(masks.index)
        if masks.soft is None:
            return
        self._is_soft.add(masks.index)
        for layer in masks.soft.layers:
            steps = np.rint(np.clip(layer.logits, -LARGEST_LOGIT, LARGEST_LOGIT) / LOGIT_STEP).astype(np.int8)
            self._soft.put(masks.index, layer.object_id, steps, layer.window)
        for object_id, mask in masks.soft.given.items():
            self._soft.put(masks.index, object_id, mask, None)

    def get(self, index: int) -> FrameMasks | None:
        """What was put for a frame; None where nothing was."""
        ids = self._maps.get(index, WHOLE_FRAME)
        return None if ids is None else FrameMasks(index, ids, self.statuses(index), self._soft_masks(index, ids.shape))

    def _soft_masks(self, index: int, size_hw: tuple[int, ...]) -> SoftMasks | None:
        if index not in self._is_soft:
            return None
        layers, given = [], {}
        for object_id, window in self._soft.notes(index).items():
            values = self._soft.get(index, object_id)
            assert values is not None
            if window is None:
                given[object_id] = values
            else:
                layers.append(SoftLayer(object_id, window, values.astype(np.float16) * np.float16(LOGIT_STEP)))
        return SoftMasks((size_hw[0], size_hw[1]), tuple(layers), given)

    def statuses(self, index: int) -> tuple[ObjectStatus, ...]:
        """Of the objects of a frame; none where it is not kept. They need no unpacking."""
        return self._maps.notes(index).get(WHOLE_FRAME, ())
