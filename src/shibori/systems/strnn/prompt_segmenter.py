"""Masks of one marked frame from its marks, by a pixel tracker that was trained for something else (ours).

Sec. 2.4.2 needs masks to propagate; a classifier of single pixels gives poor ones. The pixel tracker segments an object
in a window from positions whose label it remembers, and from where the object was in the previous frame. Here it
remembers the marked positions of this very frame, and the "previous" frame is this one with what was last said of it.

Axes: B = 1 window, H W its pixels, h w its grid, N positions that are remembered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from shibori.media.marks import Marks
from shibori.ops.overlap import WindowedLogits, iou_of_masks
from shibori.ops.window import box_around, mask_box, window_size
from shibori.systems.strnn.rule import PromptRule
from shibori.systems.strnn.samples import drawn_labels
from shibori.tracking.network import (
    Encoded,
    Memory,
    join_memories,
    positions_of,
    with_surroundings,
)
from shibori.tracking.window_tracker import Box, Crop, Mask, WindowTracker, confidences_of, plane

Ids = NDArray[Any]
WHOLE = 0.8
"""A position of the grid is remembered with its label if it is covered by this much of it, or as much as any is."""
RECALLS = 3
"""Crops that an answer from other marked frames takes, each closer around what the one before found."""
EMPHASIS = 8
"""Beside other marked frames, a marked position counts as if it had been seen this often."""
WIDE = 1.2
"""A first crop is this much wider than usual."""


class Known(NamedTuple):
    """What is known of one object in one frame, (H, W) bool each."""

    object_id: int
    positive: Mask
    """Marked as the object."""
    negative: Mask
    """Marked as something else, or outside the box that was drawn."""
    prior: Mask | None
    """What was last said; None if nothing was."""
    others: Mask
    """What was last said of the other objects together."""
    fresh: Mask
    """What was marked since then, as whatever."""
    references: tuple[Memory, ...] = ()
    """The object in other marked frames."""


class MarkedFrame(NamedTuple):
    """What is known of a marked frame."""

    answers: tuple[WindowedLogits, ...]
    """Of the objects whose masks may change."""
    begun_anew: frozenset[int]
    """Objects of which nothing counts that was said of this frame before."""


class Reading(NamedTuple):
    """What marks may mean: one answer about one object."""

    answer: WindowedLogits
    confidence: float
    """Expected IoU times the probability that the object is there at all."""
    is_anew: bool = False
    """Whether it owes nothing to what was said of this frame before."""


@dataclass(frozen=True)
class PromptSegmenter:
    """One marked frame after the other."""

    tracker: WindowTracker
    """Its network, and how much around an object it sees and remembers."""
    rule: PromptRule
    refines: bool = True
    """Whether it betters what was said before; else only what is begun anew has an answer."""

    @torch.inference_mode()
    def segment(
        self,
        image: NDArray[np.uint8],
        marks: Marks,
        frame_index: int,
        said: Mapping[int, Mask],
        fresh: Mask,
        remembered: Mapping[int, tuple[Memory, ...]] = MappingProxyType({}),
    ) -> MarkedFrame:
        """Answers about the objects of a frame that are marked in it or were said to be there.

        Args:
            image: (H, W, 3) uint8 RGB.
            marks: all that was drawn on the clip so far; those on this frame count.
            frame_index: which it is.
            said: object_id -> (H, W) bool, what the last answer had for this frame; an object that is not here was
                never segmented in it.
            fresh: (H, W) bool, what was marked in this frame since that answer.
            remembered: object_id -> that object in other marked frames, as ``remember`` gives it.
        """
        size_hw = (image.shape[0], image.shape[1])
        drawn = drawn_labels(marks, frame_index, size_hw, self.rule.click_radius)
        shown = {object_id for object_id, mask in said.items() if mask.any()}
        present = sorted(shown | set(np.unique(drawn[drawn > 0]).tolist()))
        boxed = _outside_boxes(marks, frame_index, size_hw)
        readings = []
        for object_id in present:
            negative = ((drawn >= 0) & (drawn != object_id)) | boxed.get(object_id, False)
            prior = said[object_id] if object_id in shown else None
            others = np.zeros(size_hw, np.bool_)
            for other in shown - {object_id}:
                others |= said[other]
            known = Known(object_id, drawn == object_id, negative, prior, others, fresh, remembered.get(object_id, ()))
            readings.append(self._object(image, known))
        found = [reading for reading in readings if reading is not None]
        return MarkedFrame(
            tuple(reading.answer for reading in found),
            frozenset(reading.answer.object_id for reading in found if reading.is_anew),
        )

    @torch.inference_mode()
    def remember(self, image: NDArray[np.uint8], mask: Mask, others: Mask) -> Memory | None:
        """An object in a marked frame, and as background what is around it; None where it is not there.

        Args:
            image: (H, W, 3) uint8 RGB.
            mask: (H, W) the object.
            others: (H, W) all other objects.
        """
        box = mask_box(mask)
        if box is None:
            return None
        near, far = (self._window(box, mask.shape, widen) for widen in (1.0, self.tracker.config.context))
        memory = self._remember(image, near, mask, others)
        return with_surroundings(memory, near, far, lambda: self._remember(image, far, mask, others))

    def _remember(self, image: NDArray[np.uint8], window: Box, mask: Mask, others: Mask) -> Memory:
        planes = (self._plane(self._resized(part, window)) for part in (mask, others))
        return self.tracker.network.remember(self._encode(image, window), *planes)

    def _object(self, image: NDArray[np.uint8], known: Known) -> Reading | None:
        """Its log-odds: from marks alone, or what was said before, refined twice, the second time from the first.

        A mask that has flooded is not refined by a stroke through the flood: most of what is known of it is the flood.
        Where other marked frames tell something else altogether, and surely, that is believed.

        Returns:
            None where what was said before is not to be refined here, and nothing speaks for beginning anew.
        """
        alone = known._replace(references=())
        if known.prior is None:
            return self._anew(image, alone)
        if known.references and self._has_flooded(known, known.prior):
            recalled = self._recalled(image, known)
            if self._is_another(recalled, known.prior, known):
                return recalled
        is_elsewhere = self._is_elsewhere(known, known.prior)
        if not (self.refines or is_elsewhere):
            return None
        refined = self._refined_twice(image, alone, known.prior)
        anew = self._anew(image, alone._replace(prior=None)) if is_elsewhere else refined
        best = max(refined, anew, key=lambda reading: reading.confidence)
        return best if self.refines or best.is_anew else None

    def _has_flooded(self, known: Known, prior: Mask) -> bool:
        """Whether fresh marks say of a large part of what was said that it is wrong."""
        wrong = int((known.negative & known.fresh & prior).sum())
        return wrong >= self.rule.flood_share * math.sqrt(int(prior.sum()))

    def _is_another(self, recalled: Reading, prior: Mask, known: Known) -> bool:
        """Whether an answer is sure, and something else altogether than what was said."""
        if recalled.confidence < self.rule.recalled_confidence:
            return False
        found = self._as_mask(recalled.answer, known)
        return iou_of_masks(found, prior) < self.rule.recalled_overlap

    def _recalled(self, image: NDArray[np.uint8], known: Known) -> Reading:
        """What looks like the object in other marked frames and does not contradict the marks of this one."""
        assert known.prior is not None
        box, before = mask_box(known.prior | known.positive), None
        assert box is not None
        for _ in range(RECALLS):
            window = self._window(box, known.prior.shape)
            thick = self.rule.later_thickness
            positive, negative = (self._thick(part, window, thick) for part in (known.positive, known.negative))
            labels = (positive, negative & ~positive)
            drawn = None if before is None else self._with_marks(before, window, labels)
            reading = self._read(image, window, known, labels, drawn)
            before = self._as_mask(reading.answer, known)
            found = mask_box(before)
            if found is None:
                break
            box = found
        return reading._replace(is_anew=True)

    def _refined_twice(self, image: NDArray[np.uint8], known: Known, prior: Mask) -> Reading:
        refined = self._refined(image, known, prior)
        first = self._as_mask(refined.answer, known)
        return self._refined(image, known, first) if first.any() else refined

    def _refined(self, image: NDArray[np.uint8], known: Known, prior: Mask) -> Reading:
        size_hw = (image.shape[0], image.shape[1])
        place = mask_box(known.positive | prior)
        assert place is not None
        return self._correct(image, self._window(place, size_hw), known._replace(prior=prior))

    def _as_mask(self, answer: WindowedLogits, known: Known) -> Mask:
        """(H, W) an answer with what is marked."""
        height, width = known.positive.shape
        return (answer.mask((height, width)) | known.positive) & ~known.negative

    def _is_elsewhere(self, known: Known, prior: Mask) -> bool:
        """Whether fresh marks may say that the object is where nothing was said to be, and not where that was."""
        marked = known.positive & known.fresh
        if not marked.any() or not (known.negative & known.fresh & prior).any():
            return False
        near = _distance(prior)[marked] <= self.rule.elsewhere_reach * min(prior.shape)
        return bool(near.mean() < 0.5)

    def _anew(self, image: NDArray[np.uint8], known: Known) -> Reading:
        """From marks alone."""
        size_hw = (image.shape[0], image.shape[1])
        line = mask_box(known.positive)
        assert line is not None
        for growth in self.rule.box_growths:
            first = self._begin(image, self._wide(line, size_hw), known, growth)
            seen = mask_box(first.answer.logits > 0, first.answer.window)
            if seen is not None and self._is_more_than_marks(first.answer, known):
                return self._begin(image, self._window(box_around(seen, line), size_hw), known, growth)
        return first

    def _is_more_than_marks(self, answer: WindowedLogits, known: Known) -> bool:
        """A line across an object says little of its width: if no more was found, too much counted as background."""
        marked = self._thick(known.positive, answer.window, self.rule.first_thickness)
        return int((answer.logits > 0).sum()) >= self.rule.least_area * int(marked.sum())

    def _wide(self, line: Box, size_hw: tuple[int, int]) -> Box:
        """A window that shows the whole object although only a line through it is known."""
        middle, extent = (line[:2] + line[2:]) / 2, np.maximum(line[2:] - line[:2], self.rule.first_side * min(size_hw))
        box = np.concatenate([middle - extent / 2, middle + extent / 2])
        return self._window(box, size_hw, WIDE)

    def _begin(self, image: NDArray[np.uint8], window: Box, known: Known, growth: tuple[float, float]) -> Reading:
        """First marks. As Sec. 2.3 has it, what lies outside their grown box is background."""
        size_hw = (image.shape[0], image.shape[1])
        line = mask_box(known.positive)
        assert line is not None
        extent = line[2:] - line[:2]
        added = (growth[0] * extent + growth[1] * extent.max()) / 2 + self.rule.box_margin * min(size_hw)
        if extent.max() <= 2 * self.rule.click_radius * min(size_hw) + 2:
            added = np.maximum(added, (1 + growth[1]) * self.rule.click_margin * min(size_hw))
        left, top = np.maximum(line[:2] - added, 0).astype(int)
        right, bottom = (line[2:] + added).astype(int)
        outside = np.ones(size_hw, np.bool_)
        outside[top:bottom, left:right] = False
        thick = self.rule.first_thickness
        positive = self._thick(known.positive, window, thick)
        negative = (self._resized(outside, window) | self._thick(known.negative, window, 1)) & ~positive
        reading = self._read(image, window, known, (positive, negative), None)
        logits = reading.answer.logits + np.float32(self.rule.first_logit_bias)
        return reading._replace(answer=replace(reading.answer, logits=logits), is_anew=True)

    def _correct(self, image: NDArray[np.uint8], window: Box, known: Known) -> Reading:
        """Later marks. Away from the fresh ones, what was said before is taken for true."""
        assert known.prior is not None
        size_hw = known.prior.shape
        short = min(size_hw)
        away = _distance(known.fresh) > self.rule.doubt_reach * short
        inside = (_distance(~known.prior) > self.rule.inner_margin * short) & away
        outside = (_distance(known.prior | known.positive) > self.rule.outer_margin * short) & away
        thick = self.rule.later_thickness
        positive, negative = (self._thick(part, window, thick) for part in (known.positive, known.negative))
        surely = (positive | self._resized(inside, window)) & ~negative
        surely_not = (negative | self._resized(outside, window)) & ~positive
        before = self._with_marks(known.prior, window, (positive, negative & ~positive))
        return self._read(image, window, known, (surely, surely_not), before)

    def _with_marks(self, mask: Mask, window: Box, labels: tuple[Mask, Mask]) -> NDArray[np.float32]:
        """A mask at the size of the resized window, as it is marked where it is marked."""
        before = self._resized(mask, window).astype(np.float32)
        before[labels[1]], before[labels[0]] = 0, 1
        return before

    def _read(
        self,
        image: NDArray[np.uint8],
        window: Box,
        known: Known,
        labels: tuple[Mask, Mask],
        before: NDArray[np.float32] | None,
    ) -> Reading:
        """One run of the network; ``labels`` and ``before`` are at the size of the resized window."""
        encoded = self._encode(image, window)
        positive, negative = (self._plane(part) for part in labels)
        others = self._plane(self._resized(known.others, window))
        seen = self.tracker.network.remember(encoded, positive, torch.zeros_like(positive))
        marked = (
            chosen_positions(seen, positive, 1.0, self.tracker.network.stride),
            chosen_positions(seen, negative, 0.0, self.tracker.network.stride),
        )
        memory = join_memories(*marked * (EMPHASIS if known.references else 1), *known.references)
        # Without one, it is as if the previous window had not reached here.
        key, mask = (torch.zeros_like(encoded.key), positive) if before is None else (encoded.key, self._plane(before))
        found = self.tracker.network(encoded, memory, key, mask, others)
        logits = WindowedLogits(known.object_id, window, found.logits[0, 0].float().cpu().numpy())
        return Reading(logits, float(confidences_of(found.quality, found.presence)))

    def _encode(self, image: NDArray[np.uint8], window: Box) -> Encoded:
        return self.tracker.encode(image, [self._crop(window)])

    def _window(self, box: Box, size_hw: tuple[int, int], widen: float = 1.0) -> Box:
        return self.tracker.crop(box, size_hw, widen).window

    def _crop(self, window: Box) -> Crop:
        return Crop(window, window_size(self.tracker.config.window, window))

    def _resized(self, mask: Mask, window: Box) -> Mask:
        return self._crop(window).cut(mask.astype(np.float32)) > 0.5

    def _thick(self, drawn: Mask, window: Box, thickness: int) -> Mask:
        return thick_lines(drawn, self._crop(window), thickness)

    def _plane(self, part: NDArray[Any]) -> Tensor:
        return plane(np.asarray(part, np.float32), self.tracker.device)


def chosen_positions(memory: Memory, mask: Tensor, label: float, stride: int) -> Memory:
    """Of what is remembered (B = 1), the positions that a mask (1, 1, H, W) covers, all with one label.

    None where the mask is empty. Where it is thin, those that it covers most.
    """
    cover = functional.avg_pool2d(mask, stride).flatten()
    least = min(WHOLE, float(cover.max()))
    places = ((cover >= least) & (cover > 0)).nonzero()[:, 0]
    chosen = positions_of(memory, places)
    return chosen._replace(label=torch.full_like(chosen.label, label))


def _outside_boxes(marks: Marks, frame_index: int, size_hw: tuple[int, int]) -> dict[int, Mask]:
    """object_id -> (H, W) what lies outside the box that was drawn around it."""
    found = {}
    for box in marks.boxes.get(frame_index, ()):
        x0, y0, x1, y1 = box.pixels(size_hw)
        found[box.object_id] = np.ones(size_hw, np.bool_)
        found[box.object_id][y0:y1, x0:x1] = False
    return found


def _distance(mask: Mask) -> NDArray[np.float32]:
    """(H, W) pixels to the nearest true one; very far where there is none."""
    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5))


def thick_lines(drawn: Mask, crop: Crop, thickness: int) -> Mask:
    """What was drawn in the frame, in a crop, as lines of a thickness; they stay whole when the window shrinks."""
    left, top, right, bottom = crop.window.astype(int)
    part, found = drawn[top:bottom, left:right], np.zeros(crop.size_hw, np.uint8)
    rows, columns = np.nonzero(part)
    found[rows * crop.size_hw[0] // part.shape[0], columns * crop.size_hw[1] // part.shape[1]] = 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thickness, thickness))
    return np.asarray(cv2.dilate(found, disk)) > 0
