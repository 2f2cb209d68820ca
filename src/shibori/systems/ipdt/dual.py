"""The dual tracker (Sec. 3.3): box and mask of one instance, kept in step frame by frame.

The instance-level half says where the object is, the pixel-level half what of it shows there. The mask is multiplied
with the box; then the box is that of the mask. Where neither finds it the object counts as lost, and is looked for: in
the whole frame by the instance-level half, in wide windows by the pixel-level half.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from shibori.boxtracking.siamese_network import Reference
from shibori.boxtracking.views import FrameViews
from shibori.ops.window import box_around, box_overlap, box_window, pixels_in_box, search_windows, settled_box
from shibori.systems.ipdt.instance_half import InstanceHalf
from shibori.systems.ipdt.pixel_half import Box, PixelHalf, PixelSight, PixelState
from shibori.systems.ipdt.rule import DualRule

Way = Literal["dual", "pixel", "whole"]
"""Both halves; the pixel-level half in windows that follow the mask; the pixel-level half on whole frames."""


@dataclass(frozen=True)
class DualMask:
    """One instance in one frame."""

    mask: NDArray[np.bool_]
    """(H, W)."""
    confidence: float
    """In [0, 1]."""


@dataclass(frozen=True)
class _Look:
    """An answer of the pixel-level half, and what speaks for it."""

    sight: PixelSight
    guard: Box | None
    """What the mask is multiplied with."""
    needed: float
    """Confidence from which it counts."""


@dataclass
class DualTarget:
    """One instance that is being followed in one direction."""

    pixels: PixelState
    reference: Reference | None
    """Of the instance-level half, where it takes part."""
    box: Box
    """Where it was last seen."""
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    lost_for: int = 0
    """Times that it was looked for in vain since it was seen; 0 while it is."""


class DualTracker:
    """Both halves and how they are kept in step.

    Args:
        pixel: the pixel-level half.
        instance: the instance-level half.
        rule: the numbers.
        way: which halves take part.
    """

    def __init__(self, pixel: PixelHalf, instance: InstanceHalf | None, rule: DualRule, way: Way = "dual") -> None:
        self.pixel, self.rule, self.way = pixel, rule, way
        self.instance = instance if way == "dual" else None

    @torch.inference_mode()
    def begin(self, frame: FrameViews, mask: NDArray[np.bool_], box: Box) -> DualTarget:
        """Start from a candidate's (H, W) mask, which shows something, and its box."""
        reference = None if self.instance is None else self.instance.begin(frame, box)
        return DualTarget(self.pixel.begin(frame.image, mask), reference, box)

    @torch.inference_mode()
    def step(self, target: DualTarget, frame: FrameViews) -> DualMask | None:
        """Follow into the next frame; None where the object does not show."""
        look = self._search(target, frame) if target.lost_for else self._follow(target, frame)
        sight, guard = look.sight, look.guard
        kept = np.ones(sight.logits.shape, np.bool_) if guard is None else self._inside(guard, sight)
        found = sight.box if guard is None else PixelSight(sight.window, sight.encoded, _masked(sight, kept), 0.0).box
        is_seen = found is not None and sight.confidence >= look.needed
        mask = self._mask(sight, kept, frame.size_hw) if is_seen else None
        if mask is None or found is None or mask.mean() < self.rule.least_area:
            self.pixel.settle(target.pixels, sight, None)
            target.lost_for, target.velocity = target.lost_for + 1, np.zeros(2)
            return None
        self.pixel.settle(target.pixels, sight, kept)
        self._settle_box(target, found)
        return DualMask(mask, sight.confidence)

    def _follow(self, target: DualTarget, frame: FrameViews) -> _Look:
        """The mask around the place, and the box it is multiplied with."""
        expected = target.box + np.tile(target.velocity * self.rule.momentum, 2)
        if self.instance is None or target.reference is None:
            return self._followed(target, frame, expected)
        where = self.instance.follow(target.reference, frame, expected)
        if where.score < self.rule.same:
            return self._followed(target, frame, expected)
        if box_overlap(where.box, expected) >= self.rule.near:
            both = box_around(where.box, expected)
            # Where the object was is no wrong place for it either: only what leaks beyond both is cut.
            look = self._followed(target, frame, both)
            return replace(look, guard=both) if self._agree(both, look.sight) else look
        # The box may have gone to something alike, or the object may have jumped: the mask decides, where it was first.
        look = self._followed(target, frame, expected)
        if look.sight.confidence >= self.rule.seen:
            return look
        other = self._followed(target, frame, where.box)
        if other.sight.confidence <= look.sight.confidence:
            return look
        return replace(other, guard=where.box) if self._agree(where.box, other.sight) else other

    def _followed(self, target: DualTarget, frame: FrameViews, box: Box) -> _Look:
        return _Look(self.pixel.look(target.pixels, frame.image, self._window(box, frame)), None, self.rule.seen)

    def _search(self, target: DualTarget, frame: FrameViews) -> _Look:
        """Look where the instance-level half points, or in turn where the object was lost and elsewhere."""
        if self.instance is not None and target.reference is not None:
            where = self.instance.search(target.reference, frame, target.box)
            if where.score >= self.rule.same_again:
                sight = self.pixel.look(target.pixels, frame.image, self._window(where.box, frame))
                if sight.confidence >= self.rule.found:
                    return _Look(sight, where.box if self._agree(where.box, sight) else None, self.rule.found)
        if self.way == "whole":
            return replace(self._followed(target, frame, target.box), needed=self.rule.found)
        windows = search_windows(self.pixel.rule.window, target.box, frame.size_hw, self.rule.widen)
        turn = target.lost_for - 1
        window = windows[0] if turn % 2 == 0 else windows[(turn // 2 + 1) % len(windows)]
        best = self.pixel.look(target.pixels, frame.image, window)
        box = best.box
        if box is not None and best.confidence >= self.rule.seen:
            closer = self.pixel.look(target.pixels, frame.image, self._window(box, frame))
            best = closer if closer.confidence >= best.confidence else best
        return _Look(best, None, self.rule.found)

    def _window(self, box: Box, frame: FrameViews) -> Box:
        height, width = frame.size_hw
        if self.way == "whole":
            return np.array([0.0, 0.0, width, height])
        return box_window(self.pixel.rule.window, box, frame.size_hw)

    def _agree(self, box: Box, sight: PixelSight) -> bool:
        """Whether enough of the mask is in the box: else the box is not one to cut it with."""
        inside = self._inside(box, sight)
        area = int((sight.logits > 0).sum())
        return area > 0 and int(((sight.logits > 0) & inside).sum()) >= self.rule.agreed * area

    def _inside(self, box: Box, sight: PixelSight) -> NDArray[np.bool_]:
        """(h, w) pixels of the window whose centre is in the widened box."""
        height, width = sight.logits.shape
        return pixels_in_box(box, sight.window, (height, width), self.rule.margin)

    def _mask(self, sight: PixelSight, kept: NDArray[np.bool_], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
        left, top, right, bottom = sight.window.astype(int)
        logits = cv2.resize(_masked(sight, kept), (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
        mask = np.zeros(size_hw, np.bool_)
        mask[top:bottom, left:right] = np.asarray(logits) > 0
        return mask

    def _settle_box(self, target: DualTarget, found: Box) -> None:
        if not target.lost_for:
            target.velocity = (found[:2] + found[2:] - target.box[:2] - target.box[2:]) / 2
        target.box = settled_box(found, target.box, self.rule.min_shrink, self.rule.max_growth)
        target.lost_for = 0


def _masked(sight: PixelSight, kept: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The mask multiplied with the box (the box is 1 inside): its log-odds, low outside."""
    return np.where(kept, sight.logits, np.minimum(sight.logits, np.float32(-6.0)))
