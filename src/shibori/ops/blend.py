"""Two answers for one object in one frame as one.

Windows are xyxy float64 of whole frame pixels, half-open.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.ops.aggregate import LOGIT_LIMIT
from shibori.ops.overlap import WindowedLogits
from shibori.ops.window import box_around


def blended(first: WindowedLogits, second: WindowedLogits, weight: float) -> WindowedLogits:
    """Two answers for one object in one frame as one, in the region that covers both.

    Args:
        first: one of them.
        second: the other.
        weight: of the second, in [0, 1]. Probabilities are averaged, not log-odds: none of the two is a veto.
    """
    window = box_around(first.window, second.window)
    finest = max(_resolution(first), _resolution(second))
    width, height = np.maximum(np.rint((window[2:] - window[:2]) * finest), 1).astype(int).tolist()
    probs = [_probability(answer, window, (height, width)) for answer in (first, second)]
    prob = np.clip((1 - weight) * probs[0] + weight * probs[1], 1e-5, 1 - 1e-5)
    return WindowedLogits(first.object_id, window, np.log(prob / (1 - prob)).astype(np.float32))


def _resolution(answer: WindowedLogits) -> float:
    """Values of an answer per pixel of the frame, along an axis."""
    return float(np.sqrt(answer.logits.size / np.prod(answer.window[2:] - answer.window[:2])))


def _probability(answer: WindowedLogits, window: NDArray[np.float64], size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """(*size_hw) of an answer as another window sees it; 0 where it says nothing."""
    limited = np.clip(answer.logits, -LOGIT_LIMIT, LOGIT_LIMIT)
    probs = np.asarray(1 / (1 + np.exp(-limited)), np.float32)
    if np.array_equal(answer.window, window) and answer.logits.shape == size_hw:
        return probs
    scale_from = np.array(answer.logits.shape[::-1]) / (answer.window[2:] - answer.window[:2])
    scale_to = np.array(size_hw[::-1]) / (window[2:] - window[:2])
    zoom = scale_from / scale_to
    # Centres of pixels are at halves.
    shift = (window[:2] - answer.window[:2]) * scale_from + 0.5 * zoom - 0.5
    motion = np.array([[zoom[0], 0, shift[0]], [0, zoom[1], shift[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(probs, motion, size_hw[::-1], flags=flags), np.float32)
