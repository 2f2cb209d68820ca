"""How things move through a made clip: smooth steps, smooth tracks, sources played there and back. Pure arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shibori.datasets.davis import DavisSequence
from shibori.datasets.scene.cutting import object_mask, tight_box


def eased(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 at 0 and 1 at 1, flat at both."""
    return time * time * (3 - 2 * time)


def smoothed(values: NDArray[np.float64], reach: int = 3) -> NDArray[np.float64]:
    """Running mean, ends held: takes the corners off a path."""
    padded = np.pad(values, reach, mode="edge")
    return np.convolve(padded, np.full(2 * reach + 1, 1 / (2 * reach + 1)), mode="valid")


def there_and_back(index: int, num_frames: int) -> int:
    """0, 1 ... n-1, n-2 ... 1, 0, 1 ...: a source frame for every composite frame, without a jump."""
    period = max(2 * num_frames - 2, 1)
    return (num_frames - 1) - abs((num_frames - 1) - index % period)


@dataclass(frozen=True)
class SourceTrack:
    """Where the object of a sequence is and how large, smoothed over time; gaps filled in."""

    centre_xy: NDArray[np.float64]
    """(T, 2) pixels of the source."""
    size: NDArray[np.float64]
    """(T,) root of the box's area in pixels."""

    @classmethod
    def of(cls, sequence: DavisSequence, num_frames: int) -> SourceTrack:
        """The track of the first ``num_frames`` composite frames, the sequence played there and back."""
        masks = [object_mask(sequence, index) for index in range(min(num_frames, sequence.num_frames))]
        boxes = np.array([tight_box(mask) for mask in masks], np.float64)
        return cls.of_boxes(boxes[[there_and_back(index, sequence.num_frames) for index in range(num_frames)]])

    @classmethod
    def of_boxes(cls, boxes_xyxy: NDArray[np.float64]) -> SourceTrack:
        """The track of (T, 4) tight boxes, half-open; those without area are gaps."""
        low, high = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]
        seen = np.flatnonzero((high > low).all(axis=1))
        rows = [(low + high)[:, 0] / 2, (low + high)[:, 1] / 2, np.sqrt((high - low).prod(axis=1))]
        x, y, size = (smoothed(np.interp(np.arange(len(low)), seen, row[seen])) for row in rows)
        return cls(np.stack([x, y], axis=1), size)
