"""Later marks on a frame: what they do not say is left as it is, and they are looked at from near (ours).

A network that is asked once more answers for the whole object, and spoils here and there what was right. So, as in
FocalClick (Chen et al., CVPR 2022, Sec. 3.3), of what an answer changes only the piece counts that a new mark is on.
Who marks a mistake marks its middle: the distance from there to where the mask ends is half its width, and says how
near to look, and how far the mark reaches.

Axes: H W pixels of the frame, N points, x and y in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.media.marks import FrameMarks
from shibori.ops.window import box_around, mask_box
from shibori.prompting.network import BACKGROUND, OBJECT
from shibori.prompting.prompts import ObjectPoints
from shibori.prompting.rule import PromptRule
from shibori.prompting.segmenter import Candidates, Mask, Previous, PromptSegmenter, log_odds_of
from shibori.prompting.view import settled_window

NEIGHBOURS = 2
"""Pixels from a point within which a piece is on it."""


@dataclass(frozen=True, eq=False)
class MarkedPixels:
    """Pixels of which a mark says whether they are the object."""

    rows: NDArray[np.intp]
    """(N,)."""
    columns: NDArray[np.intp]
    """(N,)."""
    is_object: NDArray[np.bool_]
    """(N,)."""

    @classmethod
    def of(cls, points: ObjectPoints) -> MarkedPixels:
        """Those under clicks and strokes; a box says nothing of single pixels."""
        single = np.isin(points.kinds, (OBJECT, BACKGROUND))
        columns, rows = points.points[single].astype(np.intp).T
        return cls(rows, columns, points.kinds[single] == OBJECT)

    def obeyed(self, mask: Mask) -> NDArray[np.bool_]:
        """(N,) which of them (H, W) a mask agrees with."""
        return np.asarray(mask[self.rows, self.columns] == self.is_object)

    def only(self, chosen: NDArray[np.bool_]) -> MarkedPixels:
        """(N,) some of them."""
        return MarkedPixels(self.rows[chosen], self.columns[chosen], self.is_object[chosen])


def answer_later_marks(
    segmenter: PromptSegmenter, image: NDArray[np.uint8], marks: FrameMarks, object_id: int, previous: Previous
) -> Candidates:
    """Segment an object of which a frame shows something already; see ``PromptSegmenter.answer``.

    The network is asked as it is the first time where a box is drawn, and where nothing marked was wrong before.
    """
    size_hw = (image.shape[0], image.shape[1])
    points = ObjectPoints.of(marks, object_id, size_hw)
    old = log_odds_of(previous, segmenter.rule.certainty)
    before, pixels = old > 0, MarkedPixels.of(points)
    wrong = pixels.only(~pixels.obeyed(before))
    if points.has_box or not before.any() or not len(wrong.rows):
        return segmenter.answer(image, marks, object_id, previous)
    halves, rule = half_widths(before, wrong), segmenter.rule
    far = shares_of_reach(wrong, np.maximum(rule.near_widths * halves, rule.near_least * min(size_hw)), size_hw)
    whole = segmenter.answer(image, marks, object_id, previous)
    found = _seen_from_near(segmenter, image, far <= 1, points, previous, whole)
    new = changed_under(old, found, pixels, (far <= 1) & (np.abs(found) >= rule.near_resistance * far))
    new = with_discs(new, wrong, np.minimum(halves, rule.disc_radius), rule.certainty)
    return _cut(new, whole)


def _seen_from_near(
    segmenter: PromptSegmenter,
    image: NDArray[np.uint8],
    near: Mask,
    points: ObjectPoints,
    previous: Previous,
    whole: Candidates,
) -> NDArray[np.float32]:
    """(H, W) log-odds: the mean of an answer and a look from nearer, as far as that goes."""
    found = whole.in_frame()
    window = near_window(near, segmenter.rule)
    if (window[2:] - window[:2]).max() > segmenter.rule.near_share * (whole.window[2:] - whole.window[:2]).max():
        return found
    look = segmenter.look(image, window, points, previous)
    left, top, right, bottom = window.astype(int).tolist()
    inside = slice(top, bottom), slice(left, right)
    found[inside] = (found[inside] + look.in_frame()[inside]) / 2
    return found


def half_widths(before: Mask, wrong: MarkedPixels) -> NDArray[np.float64]:
    """(N,) pixels from each point to the nearest place that was as the mark says, before; 0 where there is none."""
    away = [np.zeros(before.shape, np.float32)] * 2
    for label, mask in enumerate((~before, before)):
        if mask.any():
            away[label] = np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5))
    return np.where(wrong.is_object, *(field[wrong.rows, wrong.columns] for field in (away[1], away[0])))


def shares_of_reach(
    pixels: MarkedPixels, reaches: NDArray[np.float64], size_hw: tuple[int, int]
) -> NDArray[np.float32]:
    """(H, W) distance to the nearest point, as a share of how far that reaches; reaches (N,) in pixels."""
    rows, columns = np.ogrid[: size_hw[0], : size_hw[1]]
    shares = np.full(size_hw, np.inf, np.float32)
    for row, column, reach in zip(pixels.rows, pixels.columns, reaches, strict=True):
        away = np.sqrt((rows - row) ** 2 + (columns - column) ** 2) / reach
        shares = np.minimum(shares, away.astype(np.float32))
    return shares


def near_window(near: Mask, rule: PromptRule) -> NDArray[np.float64]:
    """(4,) what is looked at where marks reach that far."""
    box = mask_box(near)
    assert box is not None, "a mark reaches somewhere"
    return settled_window(box, rule.near_reach, (near.shape[0], near.shape[1]))


def changed_under(
    old: NDArray[np.float32], found: NDArray[np.float32], pixels: MarkedPixels, near: Mask
) -> NDArray[np.float32]:
    """(H, W) log-odds: of what an answer changes, the pieces that a mark is on which was not obeyed, and none against.

    Where it agrees with what was before, it is believed how sure it is.

    Args:
        old: (H, W) log-odds of before.
        found: (H, W) of the answer.
        pixels: all that are marked.
        near: (H, W) where something may change.
    """
    changed = (found > 0) != (old > 0)
    _, pieces = cv2.connectedComponents((changed & near).astype(np.uint8), connectivity=8)
    obeyed = pixels.obeyed(old > 0)
    wanted = {*_pieces_at(pieces, pixels.only(~obeyed & pixels.obeyed(found > 0)), NEIGHBOURS)}
    refused = {*_pieces_at(pieces, pixels.only(obeyed), 0)}
    taken = np.isin(pieces, [*(wanted - refused - {0})])
    return np.where(taken | ~changed, found, old)


def _pieces_at(pieces: NDArray[np.int32], pixels: MarkedPixels, reach: int) -> list[int]:
    numbers: list[int] = []
    for row, column in zip(pixels.rows, pixels.columns, strict=True):
        area = pieces[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
        numbers += np.unique(area).tolist()
    return numbers


def with_discs(
    logits: NDArray[np.float32], wrong: MarkedPixels, radii: NDArray[np.float64], certainty: float
) -> NDArray[np.float32]:
    """(H, W) log-odds with a disc around each point that is surely as marked; radii (N,) in pixels."""
    logits = logits.copy()
    for row, column, is_object, radius in zip(wrong.rows, wrong.columns, wrong.is_object, radii, strict=True):
        label = certainty if is_object else -certainty
        cv2.circle(logits, (int(column), int(row)), int(radius), label, thickness=cv2.FILLED)
    return logits


def _cut(logits: NDArray[np.float32], whole: Candidates) -> Candidates:
    """As an answer: a cell for each pixel of the window around all there is of it, and all that was looked at."""
    shown = mask_box(logits > 0)
    window = whole.window if shown is None else box_around(shown, whole.window)
    left, top, right, bottom = window.astype(int).tolist()
    return Candidates(window, whole.size_hw, logits[None, top:bottom, left:right], whole.quality[:1])
