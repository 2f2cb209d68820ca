"""Overlaps between objects that were segmented one by one, each in a window of its own (trackprop, Sec. 3.3).

Windows are xyxy float64 of whole frame pixels, half-open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.ops.aggregate import LOGIT_LIMIT

LARGEST_UINT8_ID = 254
MAP_SIDE = 480
"""Soft shares are settled on a map whose short side is at most this; the masks themselves at full size."""


@dataclass(frozen=True)
class WindowedLogits:
    """One object's answer in one frame."""

    object_id: int
    window: NDArray[np.float64]
    """(4,) xyxy."""
    logits: NDArray[np.float32]
    """(h, w) log-odds on a grid over the window."""

    def in_frame(self) -> tuple[tuple[slice, slice], NDArray[np.float32]]:
        """Rows and columns of the frame that the window covers, and the log-odds of each of their pixels."""
        left, top, right, bottom = self.window.astype(int).tolist()
        logits = cv2.resize(self.logits, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
        return (slice(top, bottom), slice(left, right)), np.asarray(logits, np.float32)

    def mask(self, size_hw: tuple[int, int]) -> NDArray[np.bool_]:
        """(H, W) where the log-odds are positive, in a frame of this size."""
        whole = np.zeros(size_hw, np.bool_)
        area, logits = self.in_frame()
        whole[area] = logits > 0
        return whole


def iou_of_masks(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """IoU of two (H, W) masks; 1 where both are empty."""
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 1.0


def settled_ids(
    answers: Sequence[WindowedLogits], given: Mapping[int, NDArray[np.bool_]], size_hw: tuple[int, int], highest_id: int
) -> NDArray[Any]:
    """(H, W) ids: the object with the highest log-odds, background where none is positive (Eq. 3).

    Args:
        answers: of the objects that were followed.
        given: object_id -> (H, W) masks that are true.
        size_hw: of the frame.
        highest_id: that the result must be able to hold: uint8 up to 254, because 255 is void there, else uint16.
    """
    best = np.zeros(size_hw, np.float32)
    ids = np.zeros(size_hw, np.uint8 if highest_id <= LARGEST_UINT8_ID else np.uint16)
    for answer in answers:
        area, logits = answer.in_frame()
        part, part_ids = best[area], ids[area]
        wins = logits > part
        part[wins] = logits[wins]
        part_ids[wins] = answer.object_id
    for object_id, mask in given.items():
        ids[mask] = object_id
    return ids


class OverlapMap:
    """Soft aggregation over all objects (Eq. 1 and 2), on a map of bounded size.

    Args:
        size_hw: of the frame.
        answers: of the objects that were followed.
        given: object_id -> (H, W) masks given for this frame.
    """

    def __init__(
        self, size_hw: tuple[int, int], answers: Sequence[WindowedLogits], given: Mapping[int, NDArray[np.bool_]]
    ) -> None:
        self.scale = min(1.0, MAP_SIDE / min(size_hw))
        self.size_hw = (max(round(size_hw[0] * self.scale), 1), max(round(size_hw[1] * self.scale), 1))
        self.alone = len(answers) + len(given) <= 1
        if self.alone:
            return
        self.odds = np.ones(self.size_hw, np.float32)
        self.given: dict[int, NDArray[np.float32]] = {}
        for answer in answers:
            rows, columns = self._area(answer.window)
            self.odds[rows, columns] += self._odds(answer, rows, columns)
        for object_id, mask in given.items():
            small = cv2.resize(mask.astype(np.float32), self.size_hw[::-1], interpolation=cv2.INTER_AREA)
            self.given[object_id] = np.asarray(small) * np.float32(np.exp(LOGIT_LIMIT))
            self.odds += self.given[object_id]

    def seen_from(self, answer: WindowedLogits) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(h, w) probabilities of the object itself and of all others, in its window."""
        odds = np.exp(np.clip(answer.logits, -LOGIT_LIMIT, LOGIT_LIMIT))
        if self.alone:
            return odds / (1 + odds), np.zeros_like(odds)
        rows, columns = self._area(answer.window)
        height, width = answer.logits.shape
        total = cv2.resize(self.odds[rows, columns], (width, height), interpolation=cv2.INTER_LINEAR)
        total = np.maximum(total, 1 + odds)
        return odds / total, (total - 1 - odds) / total

    def others_of_given(
        self, object_id: int, window: NDArray[np.float64], size_hw: tuple[int, int]
    ) -> NDArray[np.float32]:
        """(*size_hw) probability of all objects but the one whose mask was given, in a window."""
        if self.alone:
            return np.zeros(size_hw, np.float32)
        rows, columns = self._area(window)
        odds = self.odds[rows, columns]
        rest = odds - 1 - self.given[object_id][rows, columns]
        share = cv2.resize(np.maximum(rest, 0) / odds, size_hw[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(share, np.float32)

    def _area(self, window: NDArray[np.float64]) -> tuple[slice, slice]:
        left, top, right, bottom = (window * self.scale).round().astype(int).tolist()
        return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))

    def _odds(self, answer: WindowedLogits, rows: slice, columns: slice) -> NDArray[np.float32]:
        shape = (columns.stop - columns.start, rows.stop - rows.start)
        logits = cv2.resize(answer.logits, shape, interpolation=cv2.INTER_LINEAR)
        limited = np.exp(np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT))
        return np.asarray(limited, np.float32)[: self.size_hw[0] - rows.start, : self.size_hw[1] - columns.start]
