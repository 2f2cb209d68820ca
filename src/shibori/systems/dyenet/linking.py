"""Linking the tracklets (Sec. 2.2): greedily, by the similarity of their starting points, where nothing contradicts."""

from __future__ import annotations

from collections.abc import Sequence

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
    tracklets = [t for t in book.tracklets if t.confidences]
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
    if lower.object_id == higher.object_id:
        return float(np.mean([iou for iou, _ in overlaps])) < AGREEMENT
    return float(np.mean([claimed for _, claimed in overlaps])) > CLAIMED


def mask_overlap(one: WindowedLogits, other: WindowedLogits) -> tuple[float, float]:
    """IoU of two masks, and the share of the first that the second covers; 0 and 0 where the first is empty.

    Counted on a grid over both windows with about the finer one's steps.
    """
    masks = on_one_grid([one, other])
    both, either, area = (masks[0] & masks[1]).sum(), (masks[0] | masks[1]).sum(), masks[0].sum()
    return (float(both / either) if either else 1.0), (float(both / area) if area else 0.0)


def on_one_grid(answers: Sequence[WindowedLogits], side: int = 96) -> list[NDArray[np.bool_]]:
    """(side, side) masks of answers, all on the grid over the box around their windows."""
    windows = np.stack([answer.window for answer in answers])
    low, high = windows[:, :2].min(0), windows[:, 2:].max(0)
    steps = (np.arange(side) + 0.5) / side
    xs, ys = low[0] + steps * (high[0] - low[0]), low[1] + steps * (high[1] - low[1])
    return [_sampled(answer, xs, ys) for answer in answers]


def _sampled(answer: WindowedLogits, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray[np.bool_]:
    height, width = answer.logits.shape
    left, top, right, bottom = answer.window
    columns = ((xs - left) / (right - left) * width).astype(int)
    rows = ((ys - top) / (bottom - top) * height).astype(int)
    inside = ((ys >= top) & (ys < bottom))[:, None] & ((xs >= left) & (xs < right))[None]
    values = answer.logits[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)]
    return np.asarray((values > 0) & inside, bool)
