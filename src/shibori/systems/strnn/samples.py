"""Which pixels of a marked frame teach the classifier (strnn, Sec. 2.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shibori.media.marks import Marks
from shibori.media.mask import object_ids
from shibori.media.scribble import Stroke, rasterise
from shibori.systems.strnn.rule import AdaptionRule

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Canvas:
    """What is known of a frame when marks come in."""

    size_hw: tuple[int, int]
    said: NDArray[Any] | None = None
    """(H, W) object ids of the last answer; None before the first."""
    surplus: int = 0
    """By how much object samples have outnumbered background ones so far."""


class Samples(NamedTuple):
    """P pixels of a frame and what they are."""

    rows: NDArray[np.int64]
    """(P,)."""
    columns: NDArray[np.int64]
    """(P,)."""
    labels: NDArray[np.int64]
    """(P,) object ids, 0 background."""


def sample_frame(marks: Marks, frame_index: int, canvas: Canvas, rule: AdaptionRule, rng: Generator) -> Samples:
    """The pixels on the strokes, and random background pixels so that both sorts are equally many.

    Random background lies outside the grown boxes of all new strokes, and where the last answer had no object. Of a box
    that was drawn, what lies outside is background and the middle half of its width and height is the object. Who
    corrects a frame approves of the rest of it: random pixels that were said to be an object, and lie away from the new
    strokes, are samples of it, too.

    Args:
        marks: the new ones.
        frame_index: one of their frames.
        canvas: what is known of the frame.
        rule: how far boxes grow, how many pixels are taken for approved.
        rng: of the random pixels.
    """
    drawn = drawn_labels(marks, frame_index, canvas.size_hw, rule.click_radius)
    approved = _approved(drawn, canvas, rule, rng)
    labels = drawn.ravel().copy()
    labels[approved] = canvas.said.ravel()[approved] if canvas.said is not None else 0
    candidates = ~_grown_boxes(marks, frame_index, canvas.size_hw, rule) & (drawn < 0)
    if canvas.said is not None:
        candidates &= (canvas.said == 0) & rule.resample
    others = np.flatnonzero(candidates)
    wanted = canvas.surplus + int(np.count_nonzero(labels > 0)) - int(np.count_nonzero(labels == 0))
    labels[rng.choice(others, min(max(wanted, 0), len(others)), replace=False)] = 0
    places = np.flatnonzero(labels >= 0)
    return Samples(*np.divmod(places, canvas.size_hw[1]), labels[places])


def _approved(drawn: NDArray[np.int64], canvas: Canvas, rule: AdaptionRule, rng: Generator) -> NDArray[np.int64]:
    """(A,) places in the flattened frame that were said to be an object, up to ``approved_samples`` of each."""
    if canvas.said is None or rule.approved_samples == 0:
        return np.zeros(0, np.int64)
    apart = cv2.distanceTransform((drawn < 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    away = apart > rule.approved_distance * min(canvas.size_hw)
    pools = [np.flatnonzero((canvas.said == object_id) & away) for object_id in object_ids(canvas.said)]
    chosen = [rng.choice(pool, min(rule.approved_samples, len(pool)), replace=False) for pool in pools]
    return np.concatenate([np.zeros(0, np.int64), *chosen])


def drawn_labels(marks: Marks, frame_index: int, size_hw: tuple[int, int], click_radius: float) -> NDArray[np.int64]:
    """(H, W): the label of the last stroke over a pixel, clicks being disks, or of a box's middle; -1 elsewhere."""
    drawn = np.full(size_hw, -1, np.int64)
    for stroke in marks.strokes.get(frame_index, ()):
        drawn[_places(stroke, size_hw, click_radius)] = stroke.object_id
    for box in marks.boxes.get(frame_index, ()):
        x0, y0, x1, y1 = box.pixels(size_hw)
        dx, dy = (x1 - x0) // 4, (y1 - y0) // 4
        middle = drawn[y0 + dy : y1 - dy, x0 + dx : x1 - dx]
        middle[middle < 0] = box.object_id
    return drawn


def clicked_places(marks: Marks, frame_index: int, size_hw: tuple[int, int], click_radius: float) -> Mask:
    """(H, W) bool: the disks of all clicks."""
    clicked = np.zeros(size_hw, np.bool_)
    for stroke in marks.strokes.get(frame_index, ()):
        if len(stroke.path) == 1:
            clicked |= _places(stroke, size_hw, click_radius)
    return clicked


def _places(stroke: Stroke, size_hw: tuple[int, int], click_radius: float) -> Mask:
    """(H, W) bool: a line, or the disk of a click."""
    line = rasterise([stroke], size_hw) >= 0
    if len(stroke.path) > 1:
        return line
    rows, columns = np.indices(size_hw)
    row, column = np.argwhere(line)[0]
    return np.asarray((rows - row) ** 2 + (columns - column) ** 2 <= (click_radius * min(size_hw)) ** 2)


def _grown_boxes(marks: Marks, frame_index: int, size_hw: tuple[int, int], rule: AdaptionRule) -> Mask:
    """(H, W) bool: inside the tight box of any stroke, or of any box that was drawn, grown by the rule."""
    inside = np.zeros(size_hw, np.bool_)
    last = np.array([size_hw[1] - 1, size_hw[0] - 1])
    for stroke in marks.strokes.get(frame_index, ()):
        points = np.rint(np.array(stroke.path) * last)
        low, high = points.min(axis=0), points.max(axis=0)
        margin = (rule.click_margin if len(stroke.path) == 1 else rule.box_margin) * min(size_hw)
        grown = np.maximum((high - low) * (rule.box_growth - 1) / 2, margin)
        ends = np.maximum(np.rint([low - grown, high + grown]), 0).astype(int)
        (left, top), (right, bottom) = ends
        inside[top : bottom + 1, left : right + 1] = True
    for box in marks.boxes.get(frame_index, ()):
        x0, y0, x1, y1 = box.pixels(size_hw)
        inside[y0:y1, x0:x1] = True
    return inside
