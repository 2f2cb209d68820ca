"""A system that works on the clip as a whole and needs no network: it goes by the latest reference of every object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from shibori.interfaces import ClipPropagation, ClipPropagator, FrameSource
from shibori.media.mask import FrameMasks, ObjectStatus, masks_to_ids
from shibori.media.track import Tracklet

from .holder import Holder, Holding

References = Mapping[int, Mapping[int, np.ndarray]]


class Lookahead(ClipPropagator):
    """``runs`` are the clips it was asked for."""

    def __init__(self) -> None:
        self.runs: list[LookingAhead] = []

    def begin(self, size_hw: tuple[int, int]) -> Holding:
        return Holder().begin(size_hw)

    def propagate(
        self,
        frames: FrameSource,
        references: References,
        both_ways: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> LookingAhead:
        self.runs.append(LookingAhead(frames, references, both_ways, progress))
        return self.runs[-1]


class LookingAhead(ClipPropagation):
    """Sees the clip forward, says nothing before its end; an object is where its latest reference is.

    Before its first reference an object is absent, or with ``both_ways`` there already. A tracklet begins at each
    reference; its confidence falls by a hundredth a frame.
    """

    def __init__(
        self, frames: FrameSource, references: References, both_ways: bool, progress: Callable[[int], None] | None
    ) -> None:
        self.frames, self.references, self.both_ways, self.progress = frames, references, both_ways, progress
        self.seen: dict[int, np.ndarray] = {}
        """Position -> picture, of all that came."""
        self._tracklets: tuple[Tracklet, ...] = ()

    @property
    def tracklets(self) -> tuple[Tracklet, ...]:
        return self._tracklets

    def masks(self) -> Iterator[FrameMasks]:
        begin = 0 if self.both_ways else min(self.references)
        for position, image in self.frames.forward(begin, self.frames.num_frames):
            self.seen[position] = image
            if self.progress is not None:
                self.progress(position + 1)
        last = max(self.seen)
        self._tracklets = tuple(self._grown(position, last) for position in sorted(self.references))
        for position in [*range(min(self.seen)), *self.seen]:
            yield self._held(position)

    def _grown(self, start: int, last: int) -> Tracklet:
        object_id = next(iter(self.references[start]))
        first = 0 if self.both_ways else start
        confidences = tuple(1 - position / 100 for position in range(first, last + 1))
        return Tracklet(object_id, start, first, last, 1.0, "given", 0, True, confidences)

    def _held(self, position: int) -> FrameMasks:
        masks: dict[int, np.ndarray] = {}
        for start in sorted(self.references, reverse=True):
            if start <= position:
                masks = {**self.references[start], **masks}
        if self.both_ways:
            for start in sorted(self.references):
                masks = {**self.references[start], **masks}
        statuses = tuple(ObjectStatus(object_id, 0.9, "tracked") for object_id in sorted(masks))
        return FrameMasks(position, masks_to_ids(dict(sorted(masks.items())), self.frames.size_hw), statuses, None)
