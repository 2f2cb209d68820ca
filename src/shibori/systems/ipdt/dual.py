"""The dual tracker (Sec. 3.3): box and mask of one instance, kept in step frame by frame.

The instance-level half says where the object is, the pixel-level half what of it shows there. The mask is multiplied
with the box; then the box is that of the mask. Where neither finds it the object counts as lost, and is looked for: in
the whole frame by the instance-level half, in wide windows by the pixel-level half.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from shibori.boxtracking.siamese_network import Reference
from shibori.boxtracking.views import FrameViews
from shibori.ops.window import box_around, box_overlap, pixels_in_box, search_windows, window_size
from shibori.systems.ipdt.instance_half import InstanceHalf
from shibori.systems.ipdt.rule import DualRule
from shibori.tracking.window_tracker import Aim, Box, Crop, Mask, ObjectPrediction, TrackState, WindowTracker

Way = Literal["dual", "pixel", "whole"]
"""Both halves; the pixel-level half in windows that follow the mask; the pixel-level half on whole frames."""
OUTSIDE = np.float32(-6.0)
"""Log-odds outside of the box that a mask is multiplied with, at most."""


@dataclass(frozen=True)
class DualMask:
    """One instance in one frame."""

    mask: Mask
    """(H, W)."""
    confidence: float
    """In [0, 1]."""


@dataclass(frozen=True)
class _Guarded:
    """An answer of the pixel-level half, and what speaks for it."""

    prediction: ObjectPrediction
    guard: Box | None
    """What the mask is multiplied with."""
    needed: float
    """Confidence from which it counts."""


@dataclass
class DualTarget:
    """One instance that is being followed in one direction."""

    state: TrackState
    """Of the pixel-level half."""
    reference: Reference | None
    """Of the instance-level half, where it takes part."""


class DualTracker:
    """Both halves and how they are kept in step.

    Args:
        pixel: the pixel-level half.
        instance: the instance-level half.
        rule: the numbers.
        way: which halves take part.
    """

    def __init__(self, pixel: WindowTracker, instance: InstanceHalf | None, rule: DualRule, way: Way = "dual") -> None:
        self.pixel, self.rule, self.way = pixel, rule, way
        self.instance = instance if way == "dual" else None
        self.config = pixel.config

    @torch.inference_mode()
    def begin(self, frame: FrameViews, mask: Mask, box: Box) -> DualTarget:
        """Start from a candidate's (H, W) mask, which shows something, and its box."""
        reference = None if self.instance is None else self.instance.begin(frame, box)
        state = self.pixel.begin(frame.image, 1, mask)
        assert state is not None, "a candidate has a mask"
        state.box = box
        return DualTarget(state, reference)

    @torch.inference_mode()
    def step(self, target: DualTarget, frame: FrameViews) -> DualMask | None:
        """Follow into the next frame; None where the object does not show."""
        guarded = self._search(target, frame) if target.state.is_lost else self._follow(target, frame)
        prediction = self._multiplied(guarded)
        found = prediction.box
        mask = prediction.answer.mask(frame.size_hw)
        if found is None or prediction.confidence < guarded.needed or mask.mean() < self.rule.least_area:
            nothing = np.zeros_like(prediction.logits)
            self.pixel.settle(target.state, prediction, nothing, nothing)
            target.state.lose()
            return None
        self._settle(target.state, guarded, prediction)
        target.state.follow(found, self.config)
        target.state.remember(self.config)
        return DualMask(mask, prediction.confidence)

    def _settle(self, state: TrackState, guarded: _Guarded, prediction: ObjectPrediction) -> None:
        """Other instances are not known of: each candidate is followed by itself."""
        probs = 1 / (1 + np.exp(-np.clip(guarded.prediction.logits, -30, 30)))
        kept = probs if guarded.guard is None else probs * self._inside(guarded.guard, guarded.prediction)
        self.pixel.settle(state, prediction, kept.astype(np.float32), np.zeros_like(prediction.logits))

    def _follow(self, target: DualTarget, frame: FrameViews) -> _Guarded:
        """The mask around the place, and the box it is multiplied with."""
        expected = target.state.expected_box(self.config)
        if self.instance is None or target.reference is None:
            return self._unguarded(target, frame, expected)
        where = self.instance.follow(target.reference, frame, expected)
        if where.score < self.rule.same:
            return self._unguarded(target, frame, expected)
        if box_overlap(where.box, expected) >= self.rule.near:
            both = box_around(where.box, expected)
            # Where the object was is no wrong place for it either: only what leaks beyond both is cut.
            guarded = self._unguarded(target, frame, both)
            return replace(guarded, guard=both) if self._agree(both, guarded.prediction) else guarded
        # The box may have gone to something alike, or the object may have jumped: the mask decides, where it was first.
        guarded = self._unguarded(target, frame, expected)
        if guarded.prediction.confidence >= self.config.lost_threshold:
            return guarded
        other = self._unguarded(target, frame, where.box)
        if other.prediction.confidence <= guarded.prediction.confidence:
            return guarded
        return replace(other, guard=where.box) if self._agree(where.box, other.prediction) else other

    def _unguarded(self, target: DualTarget, frame: FrameViews, box: Box) -> _Guarded:
        return _Guarded(self._predict(target, frame, self._crop(box, frame)), None, self.config.lost_threshold)

    def _search(self, target: DualTarget, frame: FrameViews) -> _Guarded:
        """Look where the instance-level half points, or in turn where the object was lost and elsewhere."""
        config, state = self.config, target.state
        if self.instance is not None and target.reference is not None:
            where = self.instance.search(target.reference, frame, state.box)
            if where.score >= self.rule.same_again:
                found = self._predict(target, frame, self._crop(where.box, frame))
                if found.confidence >= config.redetect_threshold:
                    guard = where.box if self._agree(where.box, found) else None
                    return _Guarded(found, guard, config.redetect_threshold)
        if self.way == "whole":
            return replace(self._unguarded(target, frame, state.box), needed=config.redetect_threshold)
        windows = search_windows(config.window, state.box, frame.size_hw, config.search_widening)
        turn = state.lost_for - 1
        window = windows[0] if turn % 2 == 0 else windows[(turn // 2 + 1) % len(windows)]
        best = self._predict(target, frame, Crop(window, window_size(config.window, window)))
        if best.box is not None and best.confidence >= config.lost_threshold:
            closer = self._predict(target, frame, self._crop(best.box, frame))
            best = closer if closer.confidence >= best.confidence else best
        return _Guarded(best, None, config.redetect_threshold)

    def _predict(self, target: DualTarget, frame: FrameViews, crop: Crop) -> ObjectPrediction:
        return self.pixel.step(frame.image, [Aim(target.state, crop)])[0]

    def _crop(self, box: Box, frame: FrameViews) -> Crop:
        if self.way != "whole":
            return self.pixel.crop(box, frame.size_hw)
        window = np.array([0.0, 0.0, frame.size_hw[1], frame.size_hw[0]])
        return Crop(window, window_size(self.config.window, window))

    def _agree(self, box: Box, prediction: ObjectPrediction) -> bool:
        """Whether enough of the mask is in the box: else the box is not one to cut it with."""
        shown = prediction.logits > 0
        area = int(shown.sum())
        return area > 0 and int((shown & self._inside(box, prediction)).sum()) >= self.rule.agreed * area

    def _inside(self, box: Box, prediction: ObjectPrediction) -> Mask:
        """(h, w) pixels of the crop whose centre is in the widened box."""
        return pixels_in_box(box, prediction.crop.window, prediction.crop.size_hw, self.rule.margin)

    def _multiplied(self, guarded: _Guarded) -> ObjectPrediction:
        """The mask multiplied with the box (the box is 1 inside): its log-odds, low outside."""
        if guarded.guard is None:
            return guarded.prediction
        logits = guarded.prediction.logits
        kept = self._inside(guarded.guard, guarded.prediction)
        return replace(guarded.prediction, logits=np.where(kept, logits, np.minimum(logits, OUTSIDE)))
