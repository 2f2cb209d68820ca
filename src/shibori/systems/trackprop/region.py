"""Regions of a frame: where they are (Sec. 3.2).

Windows and boxes are xyxy float64 in pixels of the frame, half-open.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.ops.aggregate import LOGIT_LIMIT
from shibori.ops.overlap import WindowedLogits
from shibori.ops.window import WindowRule
from shibori.tracking.window_tracker import Box, Crop, crop_around


def crop_in_frame(rule: WindowRule, box: Box, frame_hw: tuple[int, int], widen: float = 1.0) -> Crop:
    """The region around a box, which may reach beyond the frame: enlarged, moved and cut to fit the frame."""
    frame_wh = np.array([frame_hw[1], frame_hw[0]] * 2, np.float64)
    return crop_around(rule, np.clip(box, 0, frame_wh), frame_hw, widen)


def pasted(answer: WindowedLogits, frame_hw: tuple[int, int]) -> NDArray[np.float32]:
    """(H, W) log-odds of the whole frame: ``-LOGIT_LIMIT`` outside of the region."""
    left, top, right, bottom = answer.window.astype(int).tolist()
    whole = np.full(frame_hw, -LOGIT_LIMIT, np.float32)
    whole[top:bottom, left:right] = cv2.resize(
        answer.logits, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR
    )
    return whole
