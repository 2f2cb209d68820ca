"""Marks on one frame, and what it showed before, become the mask of an object there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shibori.media.marks import FrameMarks
from shibori.media.scribble import Stroke, drawn_labels, scaled_thickness
from shibori.ops.correction import corrected_ids
from shibori.ops.overlap import WindowedLogits
from shibori.systems.interactive.rule import InteractiveRule
from shibori.tracking.logit_store import Answer

Mask = NDArray[np.bool_]
OBJECT = 1
"""The label of the object at work; all else is 0."""

Prompter = Callable[[NDArray[np.uint8], FrameMarks, int, Mask | None, WindowedLogits | None], Answer]
"""What a network makes of marks: picture (H, W, 3), all marks that count, object_id, (H, W) what was shown of it
before, None where that came of marks on this frame alone, and its own answer to earlier ones of them or None ->
log-odds, and how sure they are.

Strokes of another id are beside the object. Equal arguments give equal log-odds.
"""


@dataclass(frozen=True)
class MarkedFrame:
    """One object in one frame that is marked."""

    image: NDArray[np.uint8]
    object_id: int
    marks: FrameMarks
    """All that count, the new ones included."""
    new_strokes: tuple[Stroke, ...]
    before: Mask | None
    """(H, W) what was shown of it; None where nothing was, or nothing of that counts."""
    earlier: WindowedLogits | None = None
    """What the prompter answered to earlier marks on this frame."""
    is_begun: bool = False
    """Whether these marks, and the earlier ones, are all that is known of the object in this frame."""


def mask_from_marks(frame: MarkedFrame, prompter: Prompter, rule: InteractiveRule) -> tuple[Mask, Answer]:
    """(H, W) the mask: what is drawn is as drawn, and what was carried here is changed near the new marks alone.

    Also what it was decided from.
    """
    known = None if frame.is_begun else frame.before
    answer = prompter(frame.image, frame.marks, frame.object_id, known, frame.earlier)
    size_hw = (frame.image.shape[0], frame.image.shape[1])
    mask = _corrected(frame, answer.logits, size_hw, rule)
    if not mask.any() and frame.before is None:
        for box in frame.marks.boxes:  # better a mask to correct than none
            left, top, right, bottom = box.pixels(size_hw)
            mask[top:bottom, left:right] = True
    obeyed = _labels(frame.marks.strokes, frame.object_id, size_hw, 1)
    mask[obeyed >= 0] = obeyed[obeyed >= 0] == OBJECT
    return mask, answer


def _corrected(frame: MarkedFrame, answer: WindowedLogits, size_hw: tuple[int, int], rule: InteractiveRule) -> Mask:
    if frame.before is None or frame.is_begun or rule.correction is None:
        return answer.mask(size_hw)
    thickness = scaled_thickness(rule.thickness, size_hw)
    drawn = _labels(frame.new_strokes, frame.object_id, size_hw, thickness)
    clicks = tuple(stroke for stroke in frame.new_strokes if len(stroke.path) == 1)
    clicked = _labels(clicks, frame.object_id, size_hw, thickness) >= 0
    of_it = WindowedLogits(OBJECT, answer.window, answer.logits)
    ids = corrected_ids(frame.before.astype(np.uint8), [of_it], drawn, clicked, (), rule.correction)
    return np.asarray(ids == OBJECT)


def _labels(strokes: tuple[Stroke, ...], object_id: int, size_hw: tuple[int, int], thickness: int) -> NDArray[np.int32]:
    """(H, W) int32: 1 where the object is drawn, 0 where something else is, -1 elsewhere."""
    drawn = drawn_labels(strokes, size_hw, thickness)
    return np.where(drawn < 0, drawn, drawn == object_id).astype(np.int32)
