"""The interactive networks as a part that others may use: they make masks of marks, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from shibori.media.marks import FrameMarks
from shibori.ops.overlap import WindowedLogits
from shibori.systems.trackprop.marking import Marking
from shibori.tracking.logit_store import Answer


@dataclass(frozen=True)
class MarkPrompter:
    """What they say of the marks on a frame (Sec. 3), without any rule of what a mark may change."""

    marking: Marking

    @torch.inference_mode()
    def __call__(
        self,
        image: NDArray[np.uint8],
        marks: FrameMarks,
        object_id: int,
        before: NDArray[np.bool_] | None,
        said: WindowedLogits | None,
    ) -> Answer:
        """Log-odds of an object.

        Args:
            image: (H, W, 3) uint8 RGB.
            marks: all that are on the frame; some on the object where there is no mask.
            object_id: the object.
            before: (H, W) the mask of the previous round; None where there was none.
            said: not looked at: these networks take masks.
        """
        return Answer(self.marking.answer_twice(image, object_id, marks, before), 1.0)
