"""The pass forward by a tracker: it follows what it sees, re-identification looks for what it misses, and doubts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from shibori.interfaces import Propagation
from shibori.media.mask import FrameMasks
from shibori.nn.flow import FlowEstimator
from shibori.ops.overlap import WindowedLogits
from shibori.systems.dyenet.candidates import CandidatePool
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.identities import Adaption, Identities
from shibori.systems.dyenet.recurrent_tracker import RecurrentTracker
from shibori.systems.dyenet.search import Proposal, find_proposals, similar_proposals

SURE = 4.0
"""Log-odds of a tracker's mask as it counts beside others, without a soft edge; less outside of it."""


class Sighting(NamedTuple):
    """What the tracker says of one object in one frame."""

    answer: WindowedLogits
    """Hard, none of its pixels anybody else's."""
    confidence: float
    edges: WindowedLogits | None
    """What the tracker decided it from, where it tells."""


@dataclass
class TrackedOutcome:
    """What one frame brought."""

    seen: list[Sighting] = field(default_factory=list)
    """Objects that the tracker sees."""
    seed_scores: dict[int, float] = field(default_factory=dict)
    """How much (``Identities.seed_score``) some of the masks are worth."""


class TrackedRun:
    """One run of a tracker over a stream of frames, and what re-identification has to say about it.

    Args:
        propagation: the tracker's run, which has not begun.
        recurrent: networks, variant and numbers.
        flow: how motion is estimated.
        num_frames: of the clip.
        adapt: asked once, in the first frame with masks.
    """

    def __init__(
        self,
        propagation: Propagation,
        recurrent: RecurrentTracker,
        flow: FlowEstimator,
        num_frames: int,
        adapt: Adaption | None = None,
    ) -> None:
        self.propagation, self.flow = propagation, flow
        self.identities = Identities(recurrent, adapt)
        self.candidates = CandidatePool(num_frames)
        self.seen_for: dict[int, int] = {}
        """object_id -> frames in which it was seen since it was given, or last lost."""
        self.doubtful: set[int] = set()
        """Objects that the tracker lost since they were given: it may have found something else."""
        self.missing_for = 0
        self.index = -1

    @property
    def recurrent(self) -> RecurrentTracker:
        """Networks, variant and numbers."""
        return self.identities.recurrent

    def step(self, index: int, image: NDArray[np.uint8], given: Mapping[int, NDArray[np.bool_]]) -> TrackedOutcome:
        """The next frame, its number, and the masks that are true of it."""
        self.index = index
        self.identities.prepare(image, given)
        with torch.inference_mode():
            return self._step(image, given)

    def _step(self, image: NDArray[np.uint8], given: Mapping[int, NDArray[np.bool_]]) -> TrackedOutcome:
        outcome = TrackedOutcome()
        view = FrameView(self.recurrent.network, image, None, self.flow, self.recurrent.device)
        masks = self.propagation.step(image, given)
        for status in masks.statuses:
            mask = masks.ids == status.object_id
            if status.object_id in given or status.state != "tracked" or not mask.any():
                continue
            answer, edges = hard_answer(status.object_id, mask), _edges(masks, status.object_id)
            outcome.seen.append(Sighting(answer, status.confidence, edges))
            self._take_in(view, outcome, mask)
        for object_id, mask in given.items():
            self._refer(view, object_id, mask)
        self._look_for(view, outcome, given)
        return outcome

    def _refer(self, view: FrameView, object_id: int, mask: NDArray[np.bool_]) -> None:
        self.seen_for[object_id] = 0
        self.doubtful.discard(object_id)
        state = self.recurrent.begin(view, object_id, mask)
        if state is None:
            self.identities.hear_of(object_id)
        else:
            self.identities.refer(view, object_id, mask, state)

    def _take_in(self, view: FrameView, outcome: TrackedOutcome, mask: NDArray[np.bool_]) -> None:
        """A mask of the tracker: it may become a template, or is asked who it is."""
        answer, confidence, _ = outcome.seen[-1]
        object_id = answer.object_id
        self.seen_for[object_id] = self.seen_for.get(object_id, 0) + 1
        if object_id not in self.doubtful:
            if confidence >= self.recurrent.rule.tracker.remember_threshold:
                self.identities.templates[object_id].note_area(float(mask.sum()))
            if self.identities.is_due(object_id, confidence):
                self.identities.expand(view, object_id, mask)
        if self.seen_for[object_id] % self.recurrent.rule.ask_every == 1:
            state = self.recurrent.begin(view, object_id, mask)
            assert state is not None
            references = self.identities.templates[object_id].references
            prediction = self.recurrent.look(view, state, references, state.track.crop)
            outcome.seed_scores[object_id] = self.identities.seed_score(prediction)

    def _look_for(self, view: FrameView, outcome: TrackedOutcome, given: Mapping[int, NDArray[np.bool_]]) -> None:
        """Note what might be an object that the tracker does not see, or found again and may be wrong about."""
        seen = {sighting.answer.object_id for sighting in outcome.seen} | set(given)
        for object_id in self.identities.shown:
            if object_id not in seen:
                self.seen_for[object_id] = 0
                self.doubtful.add(object_id)
        doubtful = sorted(self.doubtful.difference(given))
        if not doubtful or not self.recurrent.variant.reid:
            return
        self.missing_for += 1
        if self.missing_for % self.recurrent.rule.look_every:
            return
        proposals = find_proposals(self.recurrent, view, self.identities.templates, doubtful)
        for object_id in doubtful if proposals else ():
            self._note(view, object_id, proposals)

    def _note(self, view: FrameView, object_id: int, proposals: list[Proposal]) -> None:
        """Keep what is worth most when it is looked at closely."""
        rule = self.recurrent.rule
        similar = similar_proposals(
            self.recurrent, proposals, object_id, self.identities.templates, rule.plausible, rule.looks
        )
        if similar:
            chosen = [proposal for _, proposal in similar]
            looks = [self.identities.sighted(view, each, object_id) for each in chosen]
            seed_scores = torch.tensor([self.identities.seed_score(look) for look in looks])
            self.candidates.put(object_id, self.index, chosen, seed_scores)


def _edges(masks: FrameMasks, object_id: int) -> WindowedLogits | None:
    """An object's log-odds in a tracker's frame."""
    for layer in () if masks.soft is None else masks.soft.layers:
        if layer.object_id == object_id:
            return WindowedLogits(object_id, np.array(layer.window, np.float64), layer.logits.astype(np.float32))
    return None


def hard_answer(object_id: int, mask: NDArray[np.bool_]) -> WindowedLogits:
    """A mask of a frame, not empty, in the window that just holds it, pixel by pixel."""
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    part = mask[top : top + height, left : left + width]
    window = np.array([left, top, left + width, top + height], np.float64)
    return WindowedLogits(object_id, window, np.where(part, np.float32(SURE), np.float32(-SURE)))
