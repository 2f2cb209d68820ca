"""The connected pieces of a predicted mask: which of them can be the object."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

REACH = 0.2
"""A piece belongs to the object if it is within this share of the object's longer side of where the object was."""
RIVAL = 0.7
"""A piece elsewhere is kept with at least this share of the strongest piece's evidence: the object may have jumped."""
REFUSED_LOGIT = -6.0
"""Log-odds given to the pixels of a piece that is refused."""


def keep_plausible_pieces(
    logits: NDArray[np.float32], previous: NDArray[np.float32], foreground_share: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Refuse pieces of a mask that are far from the object and weaker than it.

    Args:
        logits: (h, w) log-odds in a window.
        previous: (h, w) probability of the object in the previous frame, as the window sees it. Where it shows nothing,
            the strongest piece takes its place.
        foreground_share: (h', w') in [0, 1] how much each place looks like the object, on any grid over the window.

    Returns:
        (h, w) log-odds; those of refused pieces are ``REFUSED_LOGIT`` at most.
    """
    count, labels = cv2.connectedComponents((logits > 0).astype(np.uint8), connectivity=8)
    if count <= 2:
        return logits
    fine = cv2.resize(foreground_share, logits.shape[::-1], interpolation=cv2.INTER_LINEAR)
    evidence = np.bincount(labels.ravel(), weights=(np.clip(logits, 0, 4) * fine).ravel(), minlength=count)
    evidence[0] = 0
    strongest = int(evidence.argmax())
    was = _main_piece(previous > 0.5)
    if not was.any():
        was = (labels == strongest).astype(np.uint8)
    near = np.unique(labels[_grown(was) > 0])
    keep = evidence >= RIVAL * evidence[strongest]
    keep[near] = True
    keep[0] = True
    if keep.all():
        return logits
    return np.where(keep[labels], logits, np.minimum(logits, np.float32(REFUSED_LOGIT)))


def _main_piece(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The largest piece: one that was let in by mistake must not vouch for itself ever after."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()) if count > 1 else 0
    return ((labels == largest) & mask).astype(np.uint8)


def mean_over_mask(values: NDArray[np.float32], logits: NDArray[np.float32]) -> float:
    """Mean of a (h', w') map over the (h, w) mask of positive log-odds; 0 for an empty mask."""
    weights = cv2.resize((logits > 0).astype(np.float32), values.shape[::-1], interpolation=cv2.INTER_AREA)
    total = float(weights.sum())
    return float((values * weights).sum()) / total if total > 0 else 0.0


def _grown(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    _, _, width, height = cv2.boundingRect(mask)
    radius = max(int(REACH * max(width, height)), 2)
    wide = cv2.dilate(mask, np.ones((1, 2 * radius + 1), np.uint8))
    return np.asarray(cv2.dilate(wide, np.ones((2 * radius + 1, 1), np.uint8)))


def heaviest_boxes(values: NDArray[np.float32], window: NDArray[np.float64], count: int) -> list[NDArray[np.float64]]:
    """Boxes of the connected positive pieces of a map whose values have the largest sums, the heaviest first.

    Args:
        values: (h, w) over the window.
        window: (4,) xyxy.
        count: at most so many.

    Returns:
        (4,) xyxy float64 each, on the window's scale.
    """
    pieces, labels, stats, _ = cv2.connectedComponentsWithStats((values > 0).astype(np.uint8), connectivity=8)
    weights = np.bincount(labels.ravel(), np.maximum(values, 0).ravel(), minlength=pieces)
    step = (window[2:] - window[:2]) / np.array(values.shape[::-1])
    boxes = []
    for piece in 1 + np.argsort(-weights[1:], kind="stable")[:count]:
        left, top, width, height = stats[piece, :4]
        corners = np.array([[left, top], [left + width, top + height]])
        boxes.append(np.asarray((window[:2] + corners * step).reshape(-1), np.float64))
    return boxes
