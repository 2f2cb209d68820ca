"""Regions of a frame: where they are, what is cut out of them, how two answers become one (Sec. 3.2).

Windows and boxes are xyxy float64 in pixels of the frame, half-open.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.ops.aggregate import LOGIT_LIMIT
from shibori.ops.normalise import normalise_images
from shibori.ops.overlap import WindowedLogits
from shibori.ops.window import box_around, box_window, cut_window, window_size
from shibori.systems.trackprop.rule import RegionRule


@dataclass(frozen=True)
class Place:
    """A region of a frame: the window, and the pixels it is resized to."""

    window: NDArray[np.float64]
    """(4,) whole pixels, inside the frame."""
    size_hw: tuple[int, int]

    def tensor(self, device: torch.device) -> Tensor:
        """(1, 4) float32."""
        return torch.from_numpy(self.window.astype(np.float32))[None].to(device)


def place_around(rule: RegionRule, box: NDArray[np.float64], frame_hw: tuple[int, int], widen: float = 1.0) -> Place:
    """The region around a box: enlarged, moved and cut to fit the frame."""
    frame_wh = np.array([frame_hw[1], frame_hw[0]] * 2, np.float64)
    window = box_window(rule.window, np.clip(box, 0, frame_wh), frame_hw, widen)
    if rule.fixed_side is not None:
        return Place(window, (rule.fixed_side, rule.fixed_side))
    return Place(window, window_size(rule.window, window))


def pictures(image: NDArray[np.uint8], places: list[Place], device: torch.device) -> Tensor:
    """(B, 3, H, W) normalised pictures of regions of one size."""
    cut = np.stack([cut_window(image, place.window, place.size_hw) for place in places])
    pixels = torch.from_numpy(cut).to(device).permute(0, 3, 1, 2)
    return normalise_images(pixels).contiguous(memory_format=torch.channels_last)


def cut_mask(mask: NDArray[np.bool_], place: Place, device: torch.device) -> Tensor:
    """(1, 1, H, W) share of each pixel of a region that a mask of the frame covers."""
    share = cut_window(mask.astype(np.float32), place.window, place.size_hw)
    return torch.from_numpy(np.ascontiguousarray(share))[None, None].to(device)


def pasted(answer: WindowedLogits, frame_hw: tuple[int, int]) -> NDArray[np.float32]:
    """(H, W) log-odds of the whole frame: ``-LOGIT_LIMIT`` outside of the region."""
    left, top, right, bottom = answer.window.astype(int).tolist()
    whole = np.full(frame_hw, -LOGIT_LIMIT, np.float32)
    whole[top:bottom, left:right] = cv2.resize(
        answer.logits, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR
    )
    return whole


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
