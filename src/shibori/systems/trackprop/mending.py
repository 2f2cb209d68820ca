"""The network for later rounds as a part that others may use: it betters a mask of a marked frame, whoever made it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from shibori.media.marks import Marks
from shibori.ops.overlap import WindowedLogits
from shibori.systems.trackprop.inference import TrackpropSegmenter
from shibori.systems.trackprop.marking import FrameMarks, Marking


class MaskMender:
    """One look of the five-channel network (Sec. 3): image, marks, and the mask as it is."""

    def __init__(self, segmenter: TrackpropSegmenter) -> None:
        self._marking = Marking(segmenter.network, segmenter.rule.marking, segmenter.device)

    @torch.inference_mode()
    def __call__(
        self, image: NDArray[np.uint8], object_id: int, marks: Marks, frame_index: int, mask: NDArray[Any]
    ) -> WindowedLogits:
        """Log-odds of an object.

        Args:
            image: (H, W, 3) uint8 RGB.
            object_id: the object.
            marks: all that was drawn on the clip; those on this frame count.
            frame_index: which frame it is.
            mask: (H, W) bool, not empty.
        """
        return self._marking.mended(image, object_id, FrameMarks.of(marks, frame_index), mask)
