"""Which pixels of a marked frame teach the classifier (strnn, Sec. 2.3)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shibori.media.marks import Marks
from shibori.media.scribble import rasterise
from shibori.systems.strnn.rule import AdaptionRule

Mask = NDArray[np.bool_]


class Samples(NamedTuple):
    """P pixels of a frame and what they are."""

    rows: NDArray[np.int64]
    """(P,)."""
    columns: NDArray[np.int64]
    """(P,)."""
    labels: NDArray[np.int64]
    """(P,) object ids, 0 background."""


def sample_frame(
    marks: Marks, frame_index: int, background: Mask, surplus: int, rule: AdaptionRule, rng: Generator
) -> Samples:
    """The pixels on the strokes, and random background pixels so that both sorts are equally many.

    Random background lies outside the grown boxes of all new strokes, and inside ``background``. Of a box that was
    drawn, what lies outside is background and the middle half of its width and height is the object.

    Args:
        marks: the new ones.
        frame_index: one of their frames.
        background: (H, W) where the last answer had no object; everywhere before the first answer.
        surplus: by how many object samples have outnumbered background ones so far.
        rule: how far boxes grow.
        rng: of the random pixels.
    """
    drawn = _drawn(marks, frame_index, background.shape, rule)
    allowed = background & ~_grown_boxes(marks, frame_index, background.shape, rule)
    for box in marks.boxes.get(frame_index, ()):
        x0, y0, x1, y1 = box.pixels((background.shape[0], background.shape[1]))
        dx, dy = (x1 - x0) // 4, (y1 - y0) // 4
        middle = drawn[y0 + dy : y1 - dy, x0 + dx : x1 - dx]
        middle[middle < 0] = box.object_id
    rows, columns = np.nonzero(drawn >= 0)
    labels = drawn[rows, columns]
    wanted = surplus + int(np.count_nonzero(labels)) - int(np.count_nonzero(labels == 0))
    others = np.flatnonzero(allowed & (drawn < 0))
    chosen = rng.choice(others, min(max(wanted, 0), len(others)), replace=False)
    return Samples(
        np.concatenate([rows, chosen // background.shape[1]]),
        np.concatenate([columns, chosen % background.shape[1]]),
        np.concatenate([labels, np.zeros(len(chosen), np.int64)]),
    )


def _drawn(marks: Marks, frame_index: int, shape: tuple[int, ...], rule: AdaptionRule) -> NDArray[np.int64]:
    """(H, W): the label of the last stroke over a pixel, -1 where there is none; clicks are disks."""
    size_hw = (shape[0], shape[1])
    drawn = np.full(size_hw, -1, np.int64)
    rows, columns = np.indices(size_hw)
    for stroke in marks.strokes.get(frame_index, ()):
        line = rasterise([stroke], size_hw) >= 0
        if len(stroke.path) == 1:
            row, column = np.argwhere(line)[0]
            line = (rows - row) ** 2 + (columns - column) ** 2 <= (rule.click_radius * min(size_hw)) ** 2
        drawn[line] = stroke.object_id
    return drawn


def _grown_boxes(marks: Marks, frame_index: int, shape: tuple[int, ...], rule: AdaptionRule) -> Mask:
    """(H, W) bool: inside the tight box of any stroke, or of any box that was drawn, grown by the rule."""
    inside = np.zeros(shape, np.bool_)
    last = np.array([shape[1] - 1, shape[0] - 1])
    for stroke in marks.strokes.get(frame_index, ()):
        points = np.rint(np.array(stroke.path) * last)
        low, high = points.min(axis=0), points.max(axis=0)
        margin = (rule.click_margin if len(stroke.path) == 1 else rule.box_margin) * min(shape)
        grown = np.maximum((high - low) * (rule.box_growth - 1) / 2, margin)
        ends = np.maximum(np.rint([low - grown, high + grown]), 0).astype(int)
        (left, top), (right, bottom) = ends
        inside[top : bottom + 1, left : right + 1] = True
    for box in marks.boxes.get(frame_index, ()):
        x0, y0, x1, y1 = box.pixels((shape[0], shape[1]))
        inside[y0:y1, x0:x1] = True
    return inside
