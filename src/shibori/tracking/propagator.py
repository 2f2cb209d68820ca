"""The tracker over a stream: any number of objects, overlaps settled, lost ones looked for.

Memory is bounded: per object a few reference frames, a few confident frames, and the last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from shibori.interfaces import Propagation, Propagator
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.ops.overlap import OverlapMap
from shibori.ops.pieces import heaviest_boxes
from shibori.ops.window import box_overlap, whole_size
from shibori.tracking.network import Encoded
from shibori.tracking.settled_frame import settled_frame
from shibori.tracking.window_tracker import Aim, Box, Crop, Mask, ObjectPrediction, TrackState, WindowTracker


class MaskPropagator(Propagator):
    """The tracker as a ``Propagator``.

    Args:
        tracker: a network and its numbers.
    """

    def __init__(self, tracker: WindowTracker) -> None:
        self.tracker = tracker

    def begin(self, size_hw: tuple[int, int]) -> MaskPropagation:
        """See ``Propagator``."""
        return MaskPropagation(self.tracker, size_hw)


class MaskPropagation(Propagation):
    """One run over one stream; see ``Propagation``."""

    def __init__(self, tracker: WindowTracker, size_hw: tuple[int, int]) -> None:
        self.tracker, self.config, self.size_hw = tracker, tracker.config, size_hw
        self.states: dict[int, TrackState | None] = {}
        """Of every object that was heard of; None where nothing but its absence was ever marked."""
        self.index = -1

    @torch.inference_mode()
    def step(self, image: NDArray[np.uint8], references: Mapping[int, Mask] | None = None) -> FrameMasks:
        """See ``Propagation.step``."""
        self.index += 1
        given = references or {}
        followed = [state for i, state in self.states.items() if state is not None and i not in given]
        found = self._predict(image, followed)
        visible = [self._is_visible(state, prediction) for state, prediction in zip(followed, found, strict=True)]
        answers = [(each if seen else each.refused()).answer for each, seen in zip(found, visible, strict=True)]
        shares = OverlapMap(self.size_hw, answers, given)
        for state, prediction, answer, seen in zip(followed, found, answers, visible, strict=True):
            box = self.tracker.settle(state, prediction, *shares.seen_from(answer))
            self._carry_on(state, box if seen else None, prediction.confidence)
        for object_id, mask in given.items():
            self._refer(object_id, mask, image, shares)
        statuses = tuple(self._status(object_id) for object_id in self.states)
        return settled_frame(self.index, self.size_hw, answers, given, statuses)

    def _predict(self, image: NDArray[np.uint8], followed: Sequence[TrackState]) -> list[ObjectPrediction]:
        """Segment each object where it should be; search for it where that is in doubt, in the same frame, or lost."""
        visible = [state for state in followed if not state.is_lost]
        aims = [Aim(state, self.tracker.crop(state.expected_box(self.config), self.size_hw)) for state in visible]
        found = {prediction.object_id: prediction for prediction in self.tracker.step(image, aims)}
        kept = {i for i, prediction in found.items() if prediction.confidence >= self.config.doubt_threshold}
        for other in self._search(image, [state for state in followed if state.object_id not in kept]):
            before = found.get(other.object_id)
            if before is None or (self._is_found(other) and other.confidence > before.confidence):
                found[other.object_id] = other
        if self.index % self.config.rivals_every == 0:
            found |= self._rivals(image, [state for state in visible if state.is_doubted], found)
        return [found[state.object_id] for state in followed]

    def _rivals(
        self, image: NDArray[np.uint8], doubted: Sequence[TrackState], found: Mapping[int, ObjectPrediction]
    ) -> dict[int, ObjectPrediction]:
        """What fits better than objects that were found again, but not surely; nothing is said of where they are."""
        likely = self._likely_boxes(image, doubted)
        tried = [(state, box) for state in doubted for box in (found[state.object_id].box, *likely[state.object_id])]
        looks = self._look(image, [(state.unmasked(), box, 1.0) for state, box in tried if box is not None])
        states = {state.object_id: state for state in doubted}
        better = {}
        for look in _most_confident(looks):
            state, there = states[look.object_id], found[look.object_id].box
            if look.box is None or look.confidence <= state.vouched or not self._is_found(look):
                continue
            if there is not None and box_overlap(look.box, there) > 0:
                state.vouch(look.confidence, self.config)
            else:
                state.lose()
                better[look.object_id] = look
        return better

    def _search(self, image: NDArray[np.uint8], lost: Sequence[TrackState]) -> list[ObjectPrediction]:
        """Look in turn around where each object was lost and where it is most likely in the frame; then closer."""
        likely = self._likely_boxes(image, [state for state in lost if state.lost_for % 2 == 1])
        tried: list[tuple[TrackState, Box, float]] = []
        for state in lost:
            boxes = likely.get(state.object_id, [])
            tried += [(state, box, 1.0) for box in boxes] or [(state, state.box, self.config.search_widening)]
        found = _most_confident(self._look(image, tried))
        again = [
            (state, prediction.box, 1.0)
            for state, prediction in zip(lost, found, strict=True)
            if prediction.box is not None and prediction.confidence >= self.config.lost_threshold
        ]
        return _most_confident([*found, *self._look(image, again)])

    def _look(
        self, image: NDArray[np.uint8], places: Sequence[tuple[TrackState, Box, float]]
    ) -> list[ObjectPrediction]:
        """Segment each object around a box, so much wider than usual."""
        crop = self.tracker.crop
        return self.tracker.step(image, [Aim(state, crop(box, self.size_hw, widen)) for state, box, widen in places])

    def _likely_boxes(self, image: NDArray[np.uint8], states: Sequence[TrackState]) -> dict[int, list[Box]]:
        """Where the frame is most like each object, for those that it is like at all; seen once for all of them."""
        if not states:
            return {}
        frame = np.array([0.0, 0.0, self.size_hw[1], self.size_hw[0]])
        encoded = self.tracker.encode(image, [Crop(frame, whole_size(self.size_hw, self.config.search_side))])
        return {state.object_id: self._likely_of(state, encoded, frame) for state in states}

    def _likely_of(self, state: TrackState, encoded: Encoded, frame: Box) -> list[Box]:
        """Where the whole frame is most like the references, in boxes no smaller than the object's last."""
        margin = self.tracker.evidence(encoded, state.references, every=1).similarity_margin
        likely = heaviest_boxes(margin - np.float32(self.config.search_margin), frame, self.config.search_places)
        return [no_smaller_box(box, state.box) for box in likely]

    def _is_visible(self, state: TrackState, prediction: ObjectPrediction) -> bool:
        if not state.is_lost:
            return prediction.confidence >= self.config.lost_threshold
        return self._is_found(prediction)

    def _is_found(self, prediction: ObjectPrediction) -> bool:
        """Whether what a search came up with is the object."""
        is_similar = prediction.similarity_margin >= self.config.redetect_margin
        return prediction.confidence >= self.config.redetect_threshold and is_similar

    def _carry_on(self, state: TrackState, box: Box | None, confidence: float) -> None:
        if box is None:
            state.lose()
            return
        if state.is_lost:
            state.vouch(confidence, self.config)
        state.follow(box, self.config)
        state.remember(self.config)

    def _refer(self, object_id: int, mask: Mask, image: NDArray[np.uint8], shares: OverlapMap) -> None:
        """Take a given mask as true: start the object, or correct it."""
        before = self.states.get(object_id)
        state = self.tracker.begin(
            image, object_id, mask, lambda crop: shares.others_of_given(object_id, crop.window, crop.size_hw)
        )
        if state is None:
            self.states[object_id] = before
            if before is not None:
                before.confidence, before.lost_for, before.is_absent = 0.0, before.lost_for + 1, True
            return
        if before is not None:
            first, *later = [*before.references, *state.references]
            state.references = [first, *later[1 - self.config.max_references :]]
        self.states[object_id] = state

    def _status(self, object_id: int) -> ObjectStatus:
        state = self.states[object_id]
        if state is None:
            return ObjectStatus(object_id, 0.0, "absent")
        if not state.is_lost:
            return ObjectStatus(object_id, state.confidence, "tracked")
        return ObjectStatus(object_id, state.confidence, "absent" if state.is_absent else "lost")


def _most_confident(predictions: Sequence[ObjectPrediction]) -> list[ObjectPrediction]:
    """One for each object, in the order in which they come first; of equals the first."""
    best: dict[int, ObjectPrediction] = {}
    for each in predictions:
        if each.object_id not in best or each.confidence > best[each.object_id].confidence:
            best[each.object_id] = each
    return list(best.values())


def no_smaller_box(box: Box, like: Box) -> Box:
    """The box, grown around its centre until no side is shorter than that of another."""
    extent = np.maximum(box[2:] - box[:2], like[2:] - like[:2])
    centre = (box[:2] + box[2:]) / 2
    return np.concatenate([centre - extent / 2, centre + extent / 2])
