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
from shibori.ops.overlap import OverlapMap, settled_ids
from shibori.ops.pieces import heaviest_box
from shibori.ops.window import whole_size
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
        ids = settled_ids(answers, given, self.size_hw, max([0, *self.states, *given]))
        shares = OverlapMap(self.size_hw, answers, given)
        for state, prediction, answer, seen in zip(followed, found, answers, visible, strict=True):
            box = self.tracker.settle(state, prediction, *shares.seen_from(answer))
            self._carry_on(state, box if seen else None)
        for object_id, mask in given.items():
            self._refer(object_id, mask, image, shares)
        statuses = tuple(self._status(object_id) for object_id in self.states)
        return FrameMasks(self.index, ids, statuses, None)

    def _predict(self, image: NDArray[np.uint8], followed: Sequence[TrackState]) -> list[ObjectPrediction]:
        """Segment each object where it should be, or search for it where it is lost."""
        visible = [state for state in followed if not state.is_lost]
        aims = [Aim(state, self.tracker.crop(state.expected_box(self.config), self.size_hw)) for state in visible]
        found = {prediction.object_id: prediction for prediction in self.tracker.step(image, aims)}
        return [self._search(state, image) if state.is_lost else found[state.object_id] for state in followed]

    def _search(self, state: TrackState, image: NDArray[np.uint8]) -> ObjectPrediction:
        """Look in turn around where the object was lost and where it is most likely in the whole frame; then closer."""
        likely = self._likely_box(state, image) if state.lost_for % 2 == 0 else None
        around = (state.box, self.config.search_widening) if likely is None else (likely, 1.0)
        best = self._look(state, image, *around)
        if best.box is None or best.confidence < self.config.lost_threshold:
            return best
        closer = self._look(state, image, best.box)
        return closer if closer.confidence >= best.confidence else best

    def _look(self, state: TrackState, image: NDArray[np.uint8], box: Box, widen: float = 1.0) -> ObjectPrediction:
        return self.tracker.step(image, [Aim(state, self.tracker.crop(box, self.size_hw, widen))])[0]

    def _likely_box(self, state: TrackState, image: NDArray[np.uint8]) -> Box | None:
        """Where the whole frame is most like the references, in a box no smaller than the object's last; or nowhere."""
        frame = np.array([0.0, 0.0, self.size_hw[1], self.size_hw[0]])
        encoded = self.tracker.encode(image, [Crop(frame, whole_size(self.size_hw, self.config.search_side))])
        margin = self.tracker.evidence(encoded, state.references, every=1).similarity_margin
        likely = heaviest_box(margin - np.float32(self.config.search_margin), frame)
        if likely is None:
            return None
        extent = np.maximum(likely[2:] - likely[:2], state.box[2:] - state.box[:2])
        centre = (likely[:2] + likely[2:]) / 2
        return np.concatenate([centre - extent / 2, centre + extent / 2])

    def _is_visible(self, state: TrackState, prediction: ObjectPrediction) -> bool:
        if not state.is_lost:
            return prediction.confidence >= self.config.lost_threshold
        is_similar = prediction.similarity_margin >= self.config.redetect_margin
        return prediction.confidence >= self.config.redetect_threshold and is_similar

    def _carry_on(self, state: TrackState, box: Box | None) -> None:
        if box is None:
            state.lose()
            return
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
