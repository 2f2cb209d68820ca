"""Which frames of a clip are asked for, and what is known about them before a system has seen any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.interfaces import FrameSource
from shibori.media.clip import Clip, Frame
from shibori.media.heap import trimmed
from shibori.media.mask import check_size, ids_to_masks, object_ids, require_objects


@dataclass(frozen=True)
class FrameRange:
    """The frames ``start``, ``start + every``, ... before ``stop``."""

    start: int
    stop: int
    every: int = 1

    @classmethod
    def of(cls, clip: Clip, start: int = 0, stop: int | None = None, every: int = 1) -> FrameRange:
        """The frames of a clip, to its end where ``stop`` is None or beyond it. InputError where none is left."""
        stop = clip.num_frames if stop is None else min(stop, clip.num_frames)
        if every < 1:
            raise InputError(f"The step between frames must be at least 1, but it is {every}.")
        if not 0 <= start < stop:
            raise InputError(
                f"No frames to segment: the range starts at {start} and ends before {stop}, but {clip.name} has "
                f"{clip.num_frames} frames, numbered 0 to {clip.num_frames - 1}."
            )
        return cls(start, stop, every)

    @property
    def indices(self) -> range:
        """Of the frames."""
        return range(self.start, self.stop, self.every)


@dataclass(frozen=True)
class Plan:
    """Which frames are due, and the masks that are known of some of them."""

    references: Mapping[int, NDArray[np.integer]]
    """Frame index -> (H, W) ids map. Its frame is due even where it is off the range's stride."""
    range: FrameRange

    @cached_property
    def first_frames(self) -> dict[int, int]:
        """object_id -> index of its first reference, by rising object_id."""
        first: dict[int, int] = {}
        for index in sorted(self.references):
            for object_id in object_ids(self.references[index]):
                first.setdefault(object_id, index)
        return dict(sorted(first.items()))

    @cached_property
    def indices(self) -> list[int]:
        """Of the frames a forward run yields."""
        return sorted({*self.range.indices, *self.references})

    @property
    def num_frames(self) -> int:
        """How many they are."""
        return len(self.indices)

    def is_due(self, index: int) -> bool:
        """Whether a frame of the range is to be segmented."""
        return index in self.range.indices or index in self.references

    def masks_at(self, index: int) -> dict[int, NDArray[np.bool_]] | None:
        """object_id -> (H, W) bool, or None for a frame without reference."""
        return ids_to_masks(self.references[index]) if index in self.references else None


def make_plan(
    clip: Clip, references: Mapping[int, NDArray[np.integer]], start: int = 0, stop: int | None = None, every: int = 1
) -> Plan:
    """The frames of a clip that are due. InputError where range and references do not fit it."""
    frames = FrameRange.of(clip, start, stop, every)
    if not references:
        raise InputError("There is no mask to start from: give at least one frame's mask.")
    for index, ids in references.items():
        _check_reference(clip, frames, index, ids)
    return Plan(references, frames)


def _check_reference(clip: Clip, frames: FrameRange, index: int, ids: NDArray[np.integer]) -> None:
    if not 0 <= index < clip.num_frames:
        raise InputError(
            f"A mask is given for frame {index}, but {clip.name} has {clip.num_frames} frames, numbered 0 to "
            f"{clip.num_frames - 1}."
        )
    if not frames.start <= index < frames.stop:
        raise InputError(
            f"A mask is given for frame {index}, outside the range to segment ({frames.start} to {frames.stop - 1}): "
            "widen the range or move the mask."
        )
    check_size(ids, clip.size_hw, f"The mask for frame {index}")
    require_objects(ids, f"The mask for frame {index}")


def check_decoded(clip: Clip, expected: int, found: int) -> None:
    """A mask on a frame that cannot be decoded would start its object nowhere: say so instead."""
    if found != expected:
        raise InputError(
            f"frame {expected} of {clip.path} cannot be decoded, so its mask is of no use: mark a frame near it"
        )


class PlannedFrames(FrameSource):
    """The frames of a plan, numbered from 0, for a system that works on the clip as a whole."""

    def __init__(self, clip: Clip, plan: Plan) -> None:
        self.clip, self.references = clip, plan.references
        self.indices = plan.indices
        self.positions = {index: position for position, index in enumerate(self.indices)}

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.clip.size_hw

    @property
    def num_frames(self) -> int:
        """How many are due."""
        return len(self.indices)

    def read(self, index: int) -> NDArray[np.uint8]:
        """One frame."""
        return self.clip.frame(self.indices[index]).image

    def forward(self, start: int, stop: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Decoded as one stream; frames between those that are due are passed over.

        Raises:
            InputError: a frame with a reference cannot be decoded.
        """
        waiting = [index for index in reversed(self.indices[start:stop]) if index in self.references]
        for position, image in self._stream(start, stop):
            if waiting and waiting[-1] <= self.indices[position]:
                check_decoded(self.clip, waiting.pop(), self.indices[position])
            yield position, image
        if waiting:
            check_decoded(self.clip, waiting[-1], -1)

    def backward(self, start: int, stop: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """The same, against time."""
        if start > stop:
            yield from self._due(self.clip.backward(self.indices[start], self.indices[stop + 1] - 1))

    def _stream(self, start: int, stop: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        if start < stop:
            yield from self._due(self.clip.frames(self.indices[start], self.indices[stop - 1] + 1))

    def _due(self, frames: Iterator[Frame]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        due = ((self.positions[frame.index], frame.image) for frame in frames if frame.index in self.positions)
        return trimmed(due)
