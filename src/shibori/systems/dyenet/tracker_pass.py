"""The pass forward by a tracker: re-identification looks for what it misses, and doubts what it finds again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from shibori.interfaces import Propagation
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.nn.flow import FlowEstimator
from shibori.ops.overlap import WindowedLogits
from shibori.systems.dyenet.clip_masks import ClipMasks
from shibori.systems.dyenet.forward_pass import ForwardPass, PassMask
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.identities import Identities
from shibori.systems.dyenet.recurrent_tracker import RecurrentTracker
from shibori.systems.dyenet.score_policy import ScorePolicy
from shibori.systems.dyenet.search import Proposal, find_proposals, similar_proposals
from shibori.systems.dyenet.seed_policy import SeedPolicy

SURE = 4.0
"""Log-odds of a tracker's mask as it counts beside others, without a soft edge; less outside of it."""


class TrackerPass(ForwardPass):
    """One run of a tracker over a clip, and what re-identification has to say about it.

    Args:
        propagation: the tracker's run, which has not begun.
        identities: what the objects look like; it is filled on the way.
        flow: how motion is estimated.
        num_frames: of the clip.
    """

    is_hard = True

    def __init__(self, propagation: Propagation, identities: Identities, flow: FlowEstimator, num_frames: int) -> None:
        super().__init__(identities, flow, num_frames)
        self.propagation = propagation
        self.seen_for: dict[int, int] = {}
        """object_id -> frames in which it was seen since it was given, or last lost."""
        self.doubtful: set[int] = set()
        """Objects that the tracker lost since they were given: it may have found something else."""
        self.missing_for = 0

    @property
    def recurrent(self) -> RecurrentTracker:
        """Networks, variant and numbers."""
        return self.identities.recurrent

    def step(self, index: int, image: NDArray[np.uint8], given: Mapping[int, NDArray[np.bool_]]) -> list[PassMask]:
        """See ``ForwardPass.step``."""
        self.identities.prepare(image, given)
        with torch.inference_mode():
            return self._step(index, image, given)

    def policy(self, clip: ClipMasks) -> SeedPolicy[Any]:
        """By the seed score."""
        return ScorePolicy(self.identities, self.candidates, clip)

    def _step(self, index: int, image: NDArray[np.uint8], given: Mapping[int, NDArray[np.bool_]]) -> list[PassMask]:
        view = FrameView(self.recurrent.network, image, None, self.flow, self.recurrent.device)
        masks = self.propagation.step(image, given)
        seen = []
        for status in masks.statuses:
            mask = masks.ids == status.object_id
            if status.object_id in given or status.state != "tracked" or not mask.any():
                continue
            seed_score = self._take_in(view, status, mask)
            answer, edges = hard_answer(status.object_id, mask), _edges(masks, status.object_id)
            seen.append(PassMask(answer, status.confidence, edges, seed_score))
        for object_id, mask in given.items():
            self._refer(view, object_id, mask)
        doubtful = self._doubtful({*given, *(each.answer.object_id for each in seen)}, given)
        if doubtful and self.recurrent.variant.reid:
            self._search(view, index, doubtful)
        return seen

    def _refer(self, view: FrameView, object_id: int, mask: NDArray[np.bool_]) -> None:
        self.seen_for[object_id] = 0
        self.doubtful.discard(object_id)
        state = self.recurrent.begin(view, object_id, mask)
        if state is None:
            self.identities.register(object_id)
        else:
            self.identities.refer(view, object_id, mask, state)

    def _take_in(self, view: FrameView, status: ObjectStatus, mask: NDArray[np.bool_]) -> float | None:
        """A mask of the tracker: it may become a template; now and then its seed score."""
        object_id, rule = status.object_id, self.recurrent.rule
        self.seen_for[object_id] = self.seen_for.get(object_id, 0) + 1
        if object_id not in self.doubtful:
            if status.confidence >= rule.tracker.remember_threshold:
                self.identities.templates[object_id].note_area(float(mask.sum()))
            if self.identities.is_due(object_id, status.confidence):
                self.identities.expand(view, object_id, mask)
        if self.seen_for[object_id] % rule.check_every != 1:
            return None
        state = self.recurrent.begin(view, object_id, mask)
        assert state is not None
        references = self.identities.templates[object_id].references
        return self.identities.seed_score(self.recurrent.predict(view, state, references, state.track.crop))

    def _doubtful(self, seen: Collection[int], given: Collection[int]) -> list[int]:
        """The objects that the tracker does not see, or found again and may be wrong about."""
        for object_id in self.identities.shown:
            if object_id not in seen:
                self.seen_for[object_id] = 0
                self.doubtful.add(object_id)
        return sorted(self.doubtful.difference(given))

    def _search(self, view: FrameView, index: int, doubtful: list[int]) -> None:
        """Every so many frames, note what might be a doubtful object."""
        self.missing_for += 1
        if self.missing_for % self.recurrent.rule.search_every:
            return
        proposals = find_proposals(self.recurrent, view, self.identities.templates, doubtful)
        for object_id in doubtful if proposals else ():
            self._note(view, index, object_id, proposals)

    def _note(self, view: FrameView, index: int, object_id: int, proposals: list[Proposal]) -> None:
        """Keep the proposals with the highest seed scores, each segmented in a patch of its own."""
        rule, templates = self.recurrent.rule, self.identities.templates
        least, most = rule.candidate_similarity, rule.max_close_ups
        similar = similar_proposals(self.recurrent, proposals, object_id, templates, least, most)
        if similar:
            chosen = [proposal for _, proposal in similar]
            close_ups = [self.identities.close_up(view, each, object_id) for each in chosen]
            seed_scores = torch.tensor([self.identities.seed_score(each) for each in close_ups])
            self.candidates.put(object_id, index, chosen, seed_scores)


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
