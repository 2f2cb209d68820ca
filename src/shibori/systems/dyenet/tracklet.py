"""Tracklets while they are made: their masks wait, packed, until all of them are linked (Sec. 2.2)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from shibori.media.track import Tracklet
from shibori.ops.overlap import WindowedLogits
from shibori.tracking.logit_store import Answer, LogitStore

GIVEN = 1.0
"""Similarity of what was followed from a given mask."""
STEPS_PER_UNIT = 10.0
"""Log-odds are kept to a tenth, from -12.7 to 12.7."""


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
    seed_scores: list[float] = field(default_factory=list)
    """Of some of its masks (``Identities.seed_score``), where a tracker went ahead."""
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

    masks: LogitStore = field(default_factory=lambda: LogitStore(STEPS_PER_UNIT))
    edges: LogitStore = field(default_factory=lambda: LogitStore(STEPS_PER_UNIT))
    """What the masks of a tracker, hard among ``masks``, were decided from."""
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

    def add(
        self,
        tracklet: GrowingTracklet,
        frame: int,
        answer: WindowedLogits,
        confidence: float,
        edges: WindowedLogits | None = None,
    ) -> None:
        """One more frame; ``edges``: what the answer, if it is hard, was decided from."""
        tracklet.confidences[frame] = confidence
        own = replace(answer, object_id=tracklet.object_id)
        self.masks.put(frame, tracklet.number, Answer(own, confidence))
        if edges is not None:
            self.edges.put(frame, tracklet.number, Answer(edges, confidence))

    def answer(self, tracklet: GrowingTracklet, frame: int) -> WindowedLogits | None:
        """Its mask in a frame, as it counts beside those of others."""
        found = self.masks.get(frame, tracklet.number)
        return None if found is None else found.logits

    def soft_answer(self, tracklet: GrowingTracklet, frame: int) -> WindowedLogits | None:
        """Its mask in a frame, its edges as soft as they are known."""
        found = self.edges.get(frame, tracklet.number)
        return self.answer(tracklet, frame) if found is None else found.logits

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
