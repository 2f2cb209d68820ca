"""The interactive networks as a part that others may use: they better a mask of a marked frame, whoever made it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from shibori.media.marks import FrameMarks, Marks
from shibori.ops.overlap import WindowedLogits
from shibori.systems.trackprop.inference import TrackpropSegmenter
from shibori.systems.trackprop.marking import Marking, as_marked

Mask = NDArray[np.bool_]
LIMIT = 6.0
"""Log-odds beyond this count as this much, and what lies outside an answer counts as background of this much."""


class MaskRefiner:
    """What the networks say of a mask and its marks, looked at once more (Sec. 3).

    Where nothing counts that was said before, it is the mean of two predictions: from the mask that is to be
    bettered, and from the marks alone; of marks that are clicks or a box only the second counts.
    """

    def __init__(self, segmenter: TrackpropSegmenter) -> None:
        self._marking = Marking(segmenter.network, segmenter.rule.marking, segmenter.device)

    @torch.inference_mode()
    def __call__(
        self,
        image: NDArray[np.uint8],
        marks: Marks,
        frame_index: int,
        object_id: int,
        mask: Mask,
        before: NDArray[Any] | None,
    ) -> WindowedLogits:
        """Log-odds of an object.

        Args:
            image: (H, W, 3) uint8 RGB.
            marks: all that was drawn on the clip; those on this frame count.
            frame_index: which frame it is.
            object_id: the object.
            mask: (H, W) what is to be bettered, not empty.
            before: (H, W) the mask of the previous round; None where nothing counts that was said before.
        """
        drawn = FrameMarks.of(marks, frame_index)
        predict = partial(self._marking.answer, image, object_id, drawn)
        said = before if before is not None and before.any() else None
        if said is None and object_id not in drawn.object_ids:
            return predict(mask)
        starts = [mask, None] if said is None and has_lines(drawn, object_id) else [said]
        mean = mean_logits([predict(start) for start in starts], mask.shape)
        settled = as_marked(mean > 0, object_id, drawn)
        return predict(settled if settled.any() else mask)


def has_lines(drawn: FrameMarks, object_id: int) -> bool:
    """Whether an object is marked by more than clicks and a box, of which these networks make more than others do."""
    return any(stroke.object_id == object_id and len(stroke.path) > 1 for stroke in drawn.strokes)


def mean_logits(answers: list[WindowedLogits], size_hw: tuple[int, ...]) -> NDArray[np.float32]:
    """(H, W) mean of the log-odds of several predictions of one object, each in its own window."""
    total = np.zeros(size_hw, np.float32)
    for answer in answers:
        area, logits = answer.in_frame()
        total -= LIMIT
        total[area] += LIMIT + np.clip(logits, -LIMIT, LIMIT)
    return np.asarray(total / len(answers), np.float32)
