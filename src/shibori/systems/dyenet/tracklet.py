"""Tracklets while they are made: their masks wait on disk until all of them are linked (Sec. 2.2)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray

from shibori.media.track import Tracklet
from shibori.ops.overlap import WindowedLogits

STEP = 0.1
"""Log-odds are kept to this precision, from -12.7 to 12.7."""


@dataclass
class TrackletMasks:
    """The soft masks of many tracklets, packed in an open file, found again by tracklet and frame.

    Memory does not grow with the pictures: an entry takes a few numbers.
    """

    file: IO[bytes]
    spans: dict[tuple[int, int], tuple[int, int, tuple[int, int], NDArray[np.float64]]] = field(default_factory=dict)

    def put(self, tracklet: int, frame: int, answer: WindowedLogits) -> None:
        """Keep an answer, rounded."""
        rounded = np.clip(answer.logits / STEP, -127, 127).round().astype(np.int8)
        packed = zlib.compress(rounded.tobytes(), level=1)
        shape = (rounded.shape[0], rounded.shape[1])
        self.spans[tracklet, frame] = (self.file.seek(0, 2), len(packed), shape, answer.window)
        self.file.write(packed)

    def get(self, tracklet: int, frame: int, object_id: int) -> WindowedLogits | None:
        """What was put, or None."""
        if (tracklet, frame) not in self.spans:
            return None
        offset, length, shape, window = self.spans[tracklet, frame]
        self.file.seek(offset)
        values = np.frombuffer(zlib.decompress(self.file.read(length)), np.int8).reshape(shape)
        return WindowedLogits(object_id, window, values.astype(np.float32) * np.float32(STEP))


@dataclass
class GrowingTracklet:
    """A tracklet that may still get longer, at either end."""

    number: int
    object_id: int
    start: int
    similarity: float
    origin: Literal["given", "found"]
    iteration: int
    confidences: dict[int, float] = field(default_factory=dict)
    """Frame -> confidence, without gaps."""
    is_hard: bool = False
    """Whether a tracker made it, whose masks have no soft edge."""
    linked: bool = False
    dropped: bool = False
    """Whether it was taken for something else after all: it is kept to be shown, and holds no frame."""

    @property
    def first(self) -> int:
        """Its earliest frame."""
        return min(self.confidences, default=self.start)

    @property
    def last(self) -> int:
        """Its latest frame."""
        return max(self.confidences, default=self.start)

    def finished(self) -> Tracklet:
        """As a value."""
        spans = range(self.first, self.last + 1)
        confidences = tuple(self.confidences.get(frame, 0.0) for frame in spans)
        return Tracklet(
            self.object_id,
            self.start,
            self.first,
            self.last,
            self.similarity,
            self.origin,
            self.iteration,
            self.linked,
            confidences,
        )


@dataclass
class TrackletBook:
    """All tracklets of a clip, with their masks."""

    masks: TrackletMasks
    tracklets: list[GrowingTracklet] = field(default_factory=list)

    def open(
        self,
        object_id: int,
        start: int,
        similarity: float,
        origin: Literal["given", "found"],
        iteration: int,
        is_hard: bool = False,
    ) -> GrowingTracklet:
        """A new tracklet."""
        number = len(self.tracklets)
        tracklet = GrowingTracklet(number, object_id, start, similarity, origin, iteration, is_hard=is_hard)
        self.tracklets.append(tracklet)
        return tracklet

    def add(self, tracklet: GrowingTracklet, frame: int, answer: WindowedLogits, confidence: float) -> None:
        """One more frame."""
        tracklet.confidences[frame] = confidence
        self.masks.put(tracklet.number, frame, answer)

    def answer(self, tracklet: GrowingTracklet, frame: int) -> WindowedLogits | None:
        """Its soft mask in a frame."""
        return self.masks.get(tracklet.number, frame, tracklet.object_id)

    def of(self, object_id: int) -> list[GrowingTracklet]:
        """The tracklets of one object, in the order in which linking takes them: the most similar start first."""
        own = [tracklet for tracklet in self.tracklets if tracklet.object_id == object_id]
        chosen = [tracklet for tracklet in own if tracklet.confidences and not tracklet.dropped]
        return sorted(chosen, key=lambda tracklet: (tracklet.origin != "given", -tracklet.similarity, tracklet.number))

    def holder(self, object_id: int, frame: int) -> GrowingTracklet | None:
        """The first of them, in that order, that has the frame."""
        return next((tracklet for tracklet in self.of(object_id) if frame in tracklet.confidences), None)

    def values(self) -> tuple[Tracklet, ...]:
        """All that came to have a mask, as values."""
        return tuple(tracklet.finished() for tracklet in self.tracklets if tracklet.confidences)
