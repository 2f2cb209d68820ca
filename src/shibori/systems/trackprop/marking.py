"""Interactive image segmentation (Sec. 3): from marks on a frame to its masks, in the first round and in later ones.

The networks say what the marks mean; two rules of ours make sure that a correction does no harm. What is drawn is
obeyed, pixel by pixel. And of what the networks would change, only that counts which hangs together with a new mark of
the same label, and of that the less the further it is from the mark (``ops/correction.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.media.marks import FrameMarks
from shibori.media.scribble import drawn_labels, rasterise, scaled_thickness
from shibori.ops.correction import corrected_ids
from shibori.ops.overlap import WindowedLogits, settled_ids
from shibori.ops.window import box_around, box_overlap, mask_box
from shibori.systems.trackprop.guidance import guidance_map, marks_in_region
from shibori.systems.trackprop.model import RegionNetwork, Seen
from shibori.systems.trackprop.recall import Hints, match_marks
from shibori.systems.trackprop.region import crop_in_frame
from shibori.systems.trackprop.rule import MarkingRule
from shibori.tracking.network import Memory
from shibori.tracking.window_tracker import Crop, images_of_crops, mask_in_crop

Ids = NDArray[Any]
Mask = NDArray[np.bool_]

MAX_LOOKS = 3
NEAR_END = 0.15
"""A mark this near to the end of the frame, in sides of the region, is of an object that the frame cuts off."""
SAME_BOX = 0.85
"""IoU of two regions from which a further answer would show nothing new."""


class MarkedMasks(NamedTuple):
    """What is known of a frame after new marks."""

    masks: dict[int, Mask]
    """object_id -> (H, W), of the objects known before and those that are marked."""
    answers: list[WindowedLogits]
    """Of the objects that were looked at: what the networks said, before marks and distance from them had their say."""


class Marking:
    """The two interactive networks at work.

    Args:
        network: prepared for inference.
        rule: of the preset.
        device: of the network.
    """

    def __init__(self, network: RegionNetwork, rule: MarkingRule, device: torch.device) -> None:
        self.network, self.rule, self.device = network, rule, device

    def segment(
        self,
        image: NDArray[np.uint8],
        marks: FrameMarks,
        new_marks: FrameMarks,
        before: Mapping[int, Mask],
        remembered: Mapping[int, Sequence[Memory]],
    ) -> MarkedMasks:
        """The masks of a frame after new marks.

        Args:
            image: (H, W, 3) uint8 RGB.
            marks: all that was drawn on the frame, the new ones included.
            new_marks: what was drawn since the last answer.
            before: object_id -> (H, W) mask of the previous round; without objects of which nothing was said here yet.
            remembered: object_id -> the object in other marked frames, as the pixel tracker remembers it.
        """
        size_hw = (image.shape[0], image.shape[1])
        touched = _touched(new_marks, before, size_hw)
        prompts = [_Prompt(image, i, marks, before.get(i), tuple(remembered.get(i, ()))) for i in sorted(touched)]
        answers = [self._refined(prompt) for prompt in prompts]
        previous = settled_ids([], before, size_hw, max([0, *before, *marks.object_ids]))
        thickness = scaled_thickness(self.rule.thickness, size_hw)
        drawn = drawn_labels(new_marks.strokes, size_hw, thickness)
        clicked = drawn_labels([s for s in new_marks.strokes if len(s.path) == 1], size_hw, thickness) >= 0
        fresh = {i for i in touched if i not in before or not before[i].any()} | {
            box.object_id for box in new_marks.boxes
        }
        ids = corrected_ids(previous, answers, drawn, clicked, fresh, self.rule.correction)
        obeyed = drawn_labels(marks.strokes, size_hw, 1)
        ids[obeyed >= 0] = obeyed[obeyed >= 0]
        return MarkedMasks({object_id: ids == object_id for object_id in sorted({*before, *touched})}, answers)

    def _refined(self, prompt: _Prompt) -> WindowedLogits:
        """What is bettered is looked at once more, from what was said of it first."""
        answer = self._answer(prompt)
        if prompt.before is None or not prompt.before.any():
            return answer
        settled = settled_mask(prompt, answer)
        return self._answer(replace(prompt, before=settled)) if settled.any() else answer

    def _answer(self, prompt: _Prompt) -> WindowedLogits:
        box = None if prompt.before is None else mask_box(prompt.before)
        return self._first(prompt) if box is None else self._later(prompt, box)

    def _first(self, prompt: _Prompt) -> WindowedLogits:
        """Look widely around the marks, then closely at what was found, until that does not change the region."""
        window, marks = self.rule.window, prompt.marks
        box = marked_box(marks, prompt.object_id, prompt.size_hw, self.rule.click_side * min(prompt.size_hw))
        crop = crop_in_frame(replace(window, reach=self.rule.first_reach), box, prompt.size_hw)
        for _ in range(MAX_LOOKS):
            seen, guidance, matched = self._see(prompt, crop, None)
            logits = self.network.segment(seen, guidance, matched) + self.rule.logit_bias
            answer = _windowed(prompt.object_id, crop, logits)
            found = mask_box(answer.logits > 0, crop.window)
            if found is None:
                break
            closer = crop_in_frame(window, box_around(found, box) if marks.boxes else found, prompt.size_hw)
            if box_overlap(closer.window, crop.window) > SAME_BOX:
                break
            crop = closer
        return answer

    def answer(
        self, image: NDArray[np.uint8], object_id: int, marks: FrameMarks, before: Mask | None
    ) -> WindowedLogits:
        """What the networks alone make of one object: from a mask, wherever it comes from, or from its marks.

        Args:
            image: (H, W, 3) uint8 RGB.
            object_id: the object.
            marks: all that was drawn on the frame; something as the object where there is no mask.
            before: (H, W); None where nothing was said yet.
        """
        return self._answer(_Prompt(image, object_id, marks, before, ()))

    def _later(self, prompt: _Prompt, box: NDArray[np.float64]) -> WindowedLogits:
        assert prompt.before is not None
        if prompt.object_id in prompt.marks.object_ids:
            box = box_around(box, marked_box(prompt.marks, prompt.object_id, prompt.size_hw, 1.0))
        crop = crop_in_frame(self.rule.window, box, prompt.size_hw)
        before = mask_in_crop(prompt.before, crop, self.device)
        seen, guidance, matched = self._see(prompt, crop, before)
        return _windowed(prompt.object_id, crop, self.network.correct(seen, guidance, before, matched))

    def _see(self, prompt: _Prompt, crop: Crop, before: Tensor | None) -> tuple[Seen, Tensor, Tensor | None]:
        """The region, the guidance map in it, and what the pixel tracker makes of the marks."""
        seen = self.network.see(images_of_crops(prompt.image, [crop], self.device))
        marks, window = prompt.marks, crop.window
        drawn = marks_in_region(marks.strokes, marks.boxes, prompt.object_id, window, crop.size_hw, prompt.size_hw)
        guidance = torch.from_numpy(guidance_map(*drawn))[None, None].to(self.device)
        if self.network.matcher is None or seen.encoded is None:
            return seen, guidance, None
        hints = Hints.of(*drawn, self.device, free_sides(window, prompt.size_hw, drawn[0]))
        rounds = self.rule.rounds
        return seen, guidance, match_marks(self.network.matcher, seen.encoded, hints, before, prompt.remembered, rounds)


@dataclass(frozen=True, eq=False)
class _Prompt:
    """One object to be segmented from its marks."""

    image: NDArray[np.uint8]
    object_id: int
    marks: FrameMarks
    before: Mask | None
    remembered: tuple[Memory, ...]

    @property
    def size_hw(self) -> tuple[int, int]:
        """Of the frame."""
        return self.image.shape[0], self.image.shape[1]


def free_sides(window: NDArray[np.float64], size_hw: tuple[int, int], positive: Mask) -> tuple[bool, bool, bool, bool]:
    """Left, top, right, bottom: whether the rim of a region is beside the object.

    It may not be where the frame ends and the object is marked near that end: there it is cut off by the frame.

    Args:
        window: of the region.
        size_hw: of the frame.
        positive: (H, W) what is marked as the object in the region.
    """
    ends = window == np.array([0, 0, size_hw[1], size_hw[0]])
    height, width = positive.shape
    columns, rows = np.flatnonzero(positive.any(0)), np.flatnonzero(positive.any(1))
    if len(columns) == 0:
        return True, True, True, True
    gaps = np.array([columns[0], rows[0], width - 1 - columns[-1], height - 1 - rows[-1]])
    near = gaps < NEAR_END * np.array([width, height, width, height])
    left, top, right, bottom = (~(ends & near)).tolist()
    return left, top, right, bottom


def _windowed(object_id: int, crop: Crop, logits: Tensor) -> WindowedLogits:
    return WindowedLogits(object_id, crop.window, logits[0, 0].float().cpu().numpy())


def _touched(new_marks: FrameMarks, before: Mapping[int, Mask], size_hw: tuple[int, int]) -> set[int]:
    """The objects that are marked anew, and those that a new mark of something else takes pixels from."""
    drawn = rasterise(new_marks.strokes, size_hw)
    disturbed = {i for i, mask in before.items() if ((drawn >= 0) & (drawn != i) & mask).any()}
    return new_marks.object_ids | disturbed


def settled_mask(prompt: _Prompt, answer: WindowedLogits) -> Mask:
    """(H, W) an answer, and what is marked as it is marked."""
    return as_marked(answer.mask(prompt.size_hw), prompt.object_id, prompt.marks)


def as_marked(mask: Mask, object_id: int, marks: FrameMarks) -> Mask:
    """(H, W) a mask of an object, and where a stroke lies what that says."""
    labels = drawn_labels(marks.strokes, (mask.shape[0], mask.shape[1]), 1)
    return np.where(labels >= 0, labels == object_id, mask)


def marked_box(marks: FrameMarks, object_id: int, size_hw: tuple[int, int], least_side: float) -> NDArray[np.float64]:
    """(4,) xyxy around all that is marked as an object, at least ``least_side`` pixels wide or high."""
    for mark in marks.boxes:
        if mark.object_id == object_id:
            return np.array(mark.pixels(size_hw), np.float64)
    last = np.array([size_hw[1] - 1, size_hw[0] - 1])
    points = np.concatenate([np.array(s.path) * last for s in marks.strokes if s.object_id == object_id])
    low, high = points.min(0), points.max(0) + 1
    slack = max(least_side - float((high - low).max()), 0.0) / 2
    return np.concatenate([low - slack, high + slack])
