"""DyeNet as frames come in: propagation of what is seen, re-identification of what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from shibori.nn.flow import FlowEstimator
from shibori.ops.overlap import OverlapMap, WindowedLogits
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.identities import Adaption, Found, Identities, covered_area
from shibori.systems.dyenet.recurrent_tracker import RecurrentPrediction, RecurrentState, RecurrentTracker
from shibori.systems.dyenet.search import Proposal, find_proposals
from shibori.systems.dyenet.templates import Templates


@dataclass
class Outcome:
    """What one frame brought."""

    given: dict[int, NDArray[np.bool_]]
    """object_id -> mask that is true of this frame."""
    seen: list[RecurrentPrediction] = field(default_factory=list)
    """Objects followed into this frame."""
    found: dict[int, Found] = field(default_factory=dict)
    """Objects found again in this frame."""
    missing: list[int] = field(default_factory=list)
    """Objects that re-identification looked for."""
    proposals: list[Proposal] = field(default_factory=list)
    """What re-identification chose from, if it looked."""

    @property
    def answers(self) -> list[WindowedLogits]:
        """Of all objects in the frame but the given ones."""
        return [each.answer for each in [*self.seen, *(found.prediction for found in self.found.values())]]


class ForwardRun:
    """One run over a stream of frames in one direction.

    Args:
        recurrent: networks, variant and numbers.
        flow: how motion is estimated.
        size_hw: of the frames.
        adapt: asked once, in the first frame with masks.
        finds: whether what is found again is followed from there at once, or only proposed.
    """

    def __init__(
        self,
        recurrent: RecurrentTracker,
        flow: FlowEstimator,
        size_hw: tuple[int, int],
        adapt: Adaption | None = None,
        finds: bool = True,
    ) -> None:
        self.flow, self.size_hw = flow, size_hw
        self.finds = finds
        self.rule = recurrent.rule
        self.identities = Identities(recurrent, adapt)
        self.states: dict[int, RecurrentState] = {}
        self.absent: set[int] = set()
        """Objects of which the user said that they are not there, and that have not been found since."""
        self.missing_for = 0
        self.previous: NDArray[np.uint8] | None = None

    @property
    def recurrent(self) -> RecurrentTracker:
        """Networks, variant and numbers."""
        return self.identities.recurrent

    @property
    def templates(self) -> dict[int, Templates]:
        """Of every object that is known."""
        return self.identities.templates

    def step(self, image: NDArray[np.uint8], given: Mapping[int, NDArray[np.bool_]]) -> Outcome:
        """The next frame, with the masks that are true of it."""
        self.identities.prepare(image, given)
        with torch.inference_mode():
            return self._step(image, given)

    def _step(self, image: NDArray[np.uint8], given: Mapping[int, NDArray[np.bool_]]) -> Outcome:
        view = FrameView(self.recurrent.network, image, self.previous, self.flow, self.recurrent.device)
        outcome = Outcome(dict(given))
        for object_id, state in list(self.states.items()):
            if object_id in given:
                continue
            prediction = self.recurrent.predict(view, state, self.templates[object_id].references)
            if self.recurrent.is_lost(prediction):
                del self.states[object_id]
            else:
                outcome.seen.append(prediction)
        self._find_missing(view, outcome)
        self._carry_on(view, outcome)
        self.previous = image
        return outcome

    def _find_missing(self, view: FrameView, outcome: Outcome) -> None:
        gone = [i for i in self.templates if i not in self.states and i not in outcome.given]
        missing = [i for i in gone if self.templates[i].given]
        if not missing or not self.recurrent.variant.reid:
            self.missing_for = 0
            return
        self.missing_for += 1
        if self.missing_for % self.rule.reid_every:
            return
        outcome.missing = missing
        outcome.proposals = find_proposals(self.recurrent, view, self.templates, missing)
        for object_id in missing if self.finds else ():
            found = self.identities.refound(view, object_id, outcome.proposals, outcome.answers)
            if found is not None:
                outcome.found[object_id] = found

    def _carry_on(self, view: FrameView, outcome: Outcome) -> None:
        shares = OverlapMap(self.size_hw, outcome.answers, outcome.given)
        for prediction in outcome.seen:
            self.recurrent.advance(self.states[prediction.answer.object_id], prediction, shares)
            if prediction.confidence >= self.rule.tracker.remember_threshold:
                self.templates[prediction.answer.object_id].note_area(covered_area(prediction.answer))
        for object_id, found in outcome.found.items():
            self.states[object_id] = found.state
            self.recurrent.advance(found.state, found.prediction, shares)
            self.absent.discard(object_id)
        for object_id, mask in outcome.given.items():
            self._refer(view, object_id, mask, shares)
        for object_id in [*outcome.found, *(prediction.answer.object_id for prediction in outcome.seen)]:
            self._expand(view, object_id)

    def _refer(self, view: FrameView, object_id: int, mask: NDArray[np.bool_], shares: OverlapMap) -> None:
        """Take a given mask as true: start the object, or correct it."""
        state = self.recurrent.begin(view, object_id, mask, shares)
        if state is None:
            self.states.pop(object_id, None)
            self.identities.register(object_id)
            self.absent.add(object_id)
            return
        self.states[object_id] = state
        self.absent.discard(object_id)
        self.identities.refer(view, object_id, mask, state)

    def _expand(self, view: FrameView, object_id: int) -> None:
        state = self.states[object_id]
        if self.identities.is_due(object_id, state.track.confidence):
            self.identities.expand(view, object_id, mask_in_frame(state, self.size_hw))


def mask_in_frame(state: RecurrentState, size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) where an object is in the frame it was last seen in."""
    left, top, right, bottom = state.track.crop.window.astype(int).tolist()
    probs = state.track.masks[0, 0].cpu().numpy()
    whole = cv2.resize(probs, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR) > 0.5
    mask = np.zeros(size_hw, bool)
    rows, columns = slice(max(top, 0), min(bottom, size_hw[0])), slice(max(left, 0), min(right, size_hw[1]))
    mask[rows, columns] = whole[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return mask
