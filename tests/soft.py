"""What soft masks must be, whatever system they come from."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from shibori.media.mask import FrameMasks

CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def assert_soft(frames: Iterable[FrameMasks], hard: Iterable[int] = ()) -> None:
    """One distribution a pixel, its likeliest label the one in ``ids``, and soft edges in all frames but ``hard``."""
    for masks in frames:
        assert_distribution(masks)
        if masks.index not in hard:
            assert soft_edge_pixels(masks), f"no soft edge in frame {masks.index}"


def assert_distribution(masks: FrameMasks) -> None:
    """A byte for the background and each object: 255 together, most for the label in ``ids``."""
    probs, object_ids = masks.probs, [status.object_id for status in masks.statuses]
    assert probs is not None
    assert probs.dtype == np.uint8
    assert probs.shape == (len(object_ids) + 1, *masks.ids.shape)
    assert np.abs(probs.astype(int).sum(0) - 255).max() <= len(object_ids)
    said = np.stack([masks.ids == label for label in (0, *object_ids)])
    assert (np.where(said, probs, 0).max(0) == probs.max(0)).all()


def soft_edge_pixels(masks: FrameMasks) -> int:
    """Pixels beside an edge of an object that are neither 0 nor 255."""
    probs, found = masks.probs, 0
    assert probs is not None
    for row, status in zip(probs[1:], masks.statuses, strict=True):
        mask = (masks.ids == status.object_id).astype(np.uint8)
        edge = cv2.dilate(mask, CROSS) != cv2.erode(mask, CROSS)
        found += int((edge & (row > 0) & (row < 255)).sum())
    return found
