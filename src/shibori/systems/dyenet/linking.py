"""Linking the tracklets (Sec. 2.2): greedily, by the similarity of their starting points, where nothing contradicts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shibori.ops.overlap import WindowedLogits
from shibori.systems.dyenet.tracklet import GrowingTracklet, TrackletBook

AGREEMENT = 0.5
"""Two masks agree where their IoU is at least this."""
CLAIMED = 0.5
"""A mask contradicts another object's if more than this share of it is claimed there."""
MAX_COMPARED = 8
"""Frames in which two tracklets are compared, spread over those they share."""


def link(book: TrackletBook) -> None:
    """Mark the tracklets that are merged.

    "It sorts all tracklets descendingly by cosine similarities between their respective starting point and templates.
    [...] A tracklet is merged with a tracklet of higher order if there is no contradiction between them." Two
    tracklets of one object contradict each other where they share frames and their masks differ; two of different
    objects where they claim the same pixels.
    """
    tracklets = [t for t in book.tracklets if t.confidences and not t.dropped]
    tracklets.sort(key=lambda t: (t.origin != "given", -t.similarity, t.number))
    linked: list[GrowingTracklet] = []
    for tracklet in tracklets:
        tracklet.linked = not any(contradict(book, tracklet, higher) for higher in linked)
        if tracklet.linked:
            linked.append(tracklet)


def contradict(book: TrackletBook, lower: GrowingTracklet, higher: GrowingTracklet) -> bool:
    """Whether the lower tracklet must not stand beside the higher one."""
    shared = sorted(set(lower.confidences) & set(higher.confidences))
    if not shared or (lower.origin == "given" and higher.origin == "given"):
        return False
    frames = [shared[i] for i in np.linspace(0, len(shared) - 1, min(len(shared), MAX_COMPARED)).round().astype(int)]
    pairs = [(book.answer(lower, frame), book.answer(higher, frame)) for frame in frames]
    overlaps = [mask_overlap(one, other) for one, other in pairs if one is not None and other is not None]
    if not overlaps:  # of a given frame there is no soft mask
        return False
    if lower.object_id == higher.object_id:
        return float(np.mean([iou for iou, _ in overlaps])) < AGREEMENT
    return float(np.mean([claimed for _, claimed in overlaps])) > CLAIMED


def mask_overlap(one: WindowedLogits, other: WindowedLogits) -> tuple[float, float]:
    """IoU of two masks (1 if both are empty), and the share of the first that the second covers (0 if it is empty).

    Each mask's area is counted on its own grid; what both cover, where their windows meet, in the finer one's steps.
    """
    areas = [float((answer.logits > 0).sum() * np.prod(_steps(answer))) for answer in (one, other)]
    both = min(_shared_area(one, other), *areas)
    either = sum(areas) - both
    return (both / either if either else 1.0), (both / areas[0] if areas[0] else 0.0)


def _shared_area(one: WindowedLogits, other: WindowedLogits) -> float:
    """In square pixels of the frame."""
    low = np.maximum(one.window[:2], other.window[:2])
    extent = np.minimum(one.window[2:], other.window[2:]) - low
    if (extent <= 0).any():
        return 0.0
    counts = np.ceil(extent / np.minimum(_steps(one), _steps(other))).astype(int)
    xs, ys = (low[axis] + (np.arange(counts[axis]) + 0.5) / counts[axis] * extent[axis] for axis in (0, 1))
    return float((_sampled(one, xs, ys) & _sampled(other, xs, ys)).mean() * np.prod(extent))


def _steps(answer: WindowedLogits) -> NDArray[np.float64]:
    """(2,) width and height of a position of the answer's grid, in pixels of the frame."""
    return np.asarray((answer.window[2:] - answer.window[:2]) / answer.logits.shape[::-1], np.float64)


def _sampled(answer: WindowedLogits, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(len(ys), len(xs)) whether the mask covers places of its window."""
    height, width = answer.logits.shape
    columns = ((xs - answer.window[0]) / _steps(answer)[0]).astype(int).clip(0, width - 1)
    rows = ((ys - answer.window[1]) / _steps(answer)[1]).astype(int).clip(0, height - 1)
    return answer.logits[rows][:, columns] > 0
