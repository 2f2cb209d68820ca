"""Marks as a person would make them, drawn from the truth: for training.

Everything happens on a grid coarser than the picture; points are in pixels of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from shibori.ops.error_region import largest_error, middle_of
from shibori.ops.mask_noise import affine_copy, as_detected
from shibori.ops.midline import region_paths
from shibori.prompting.network import BACKGROUND, BOX_END, BOX_START, NOTHING, OBJECT
from shibori.prompting.prompts import STROKE_POINTS, points_along

Mask = NDArray[np.bool_]

MOST_STROKES = 3
"""Strokes of one round."""
MIDDLE_SHARE = 0.7
"""Of clicks: in the middle of the largest error; the others anywhere in it."""
BOX_NOISE = 0.06
"""Standard deviation of a box's sides, in lengths of them; at most ``BOX_MOST`` pixels."""
BOX_MOST = 20.0
NEGATIVE_SHARE = 0.15
"""Of first marks that come with a click beside the object."""
CERTAINTIES = (2.0, 10.0)
"""Log-odds of a previous mask that is not the network's own, from the least to the most."""


@dataclass
class DrawnMarks:
    """What was said of one object so far."""

    points: list[tuple[float, float]] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)

    def add(self, points: list[tuple[float, float]], kind: int) -> None:
        """Points of one kind."""
        self.points += points
        self.kinds += [kind] * len(points)


def first_marks(rng: Generator, true: Mask, stride: int) -> DrawnMarks:
    """A click, a box or strokes on one object.

    Args:
        rng: draws.
        true: (h, w) the object on the grid, not empty.
        stride: pixels of the picture to one cell.
    """
    marks = DrawnMarks()
    kind = rng.choice(["click", "box", "stroke"], p=[0.5, 0.28, 0.22])
    if kind == "box":
        marks.add(noisy_box(rng, true, stride), BOX_START)
        marks.kinds[1] = BOX_END
    else:
        _add_region(rng, marks, true, OBJECT, stride, is_stroke=kind == "stroke")
    if rng.random() < NEGATIVE_SHARE and kind != "click":
        near = cv2.dilate(true.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        places = np.argwhere(near & ~true)
        if len(places):
            marks.add([_centre(places[rng.integers(len(places))], stride)], BACKGROUND)
    return marks


def add_correction(rng: Generator, marks: DrawnMarks, pred: Mask, true: Mask, stride: int) -> None:
    """The next click or strokes: in the largest error. Where there is no error, on the object once more."""
    error = largest_error(pred, true)
    region, is_object = (true, True) if error is None else error
    kind = OBJECT if is_object else BACKGROUND
    _add_region(rng, marks, region, kind, stride, is_stroke=rng.random() < 0.2)


def noisy_box(rng: Generator, true: Mask, stride: int) -> list[tuple[float, float]]:
    """Upper left and lower right corner of a box that somebody drew around an object, in the picture."""
    left, top, width, height = cv2.boundingRect(true.astype(np.uint8))
    corners = np.array([left, top, left + width, top + height], np.float64) * stride
    spread = np.minimum(BOX_NOISE * np.array([width, height, width, height]) * stride, BOX_MOST / 2)
    noisy = corners + np.clip(rng.normal(0, 1, 4), -2, 2) * spread
    limits = np.array([true.shape[1], true.shape[0]] * 2, np.float64) * stride
    x0, y0, x1, y1 = np.clip(noisy, 0, limits).tolist()
    return [(x0, y0), (x1, y1)]


def wrong_mask(rng: Generator, true: Mask, other: Mask | None) -> Mask:
    """(h, w) a previous mask as it may come from elsewhere: detected, moved, with a neighbour, or a piece of it."""
    kind = rng.random()
    if kind < 0.45:
        return as_detected(rng, true)
    if kind < 0.7:
        return affine_copy(rng, true)
    if kind < 0.85 and other is not None:
        return true | other
    rows, columns = np.nonzero(true)
    middle = rng.integers(len(rows))
    is_row = rng.random() < 0.5
    grid = np.arange(true.shape[0])[:, None] if is_row else np.arange(true.shape[1])[None]
    limit = rows[middle] if is_row else columns[middle]
    return true & (grid < limit if rng.random() < 0.5 else grid >= limit)


def as_log_odds(rng: Generator, mask: Mask) -> NDArray[np.float32]:
    """(h, w) a mask as log-odds of some certainty, sharp or soft at its edge."""
    certainty = rng.uniform(*CERTAINTIES)
    signed = np.where(mask, certainty, -certainty).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(signed, (0, 0), 1.0), np.float32) if rng.random() < 0.5 else signed


def stacked_marks(marks: list[DrawnMarks], device: torch.device) -> tuple[Tensor, Tensor]:
    """(B, N, 2) points and (B, N) kinds of B objects, filled up; with one filling point at least where no box is."""
    wanted = [len(one.points) + (BOX_START not in one.kinds) for one in marks]
    points = torch.zeros(len(marks), max(wanted), 2)
    kinds = torch.full((len(marks), max(wanted)), NOTHING)
    for slot, one in enumerate(marks):
        points[slot, : len(one.points)] = torch.tensor(one.points, dtype=torch.float32).reshape(-1, 2)
        kinds[slot, : len(one.kinds)] = torch.tensor(one.kinds, dtype=torch.int64)
    return points.to(device), kinds.to(device)


def _add_region(rng: Generator, marks: DrawnMarks, region: Mask, kind: int, stride: int, *, is_stroke: bool) -> None:
    paths = region_paths(region, 40)[:MOST_STROKES] if is_stroke else []
    last = np.array([region.shape[1] - 1, region.shape[0] - 1])
    for path in paths:
        places = (points_along(np.array(path) * last, STROKE_POINTS) + 0.5) * stride
        marks.add([(float(x), float(y)) for x, y in places], kind)
    if paths:
        return
    if rng.random() < MIDDLE_SHARE:
        x, y = middle_of(region)
        marks.add([(x * stride, y * stride)], kind)
    else:
        cells = np.argwhere(region)
        marks.add([_centre(cells[rng.integers(len(cells))], stride)], kind)


def _centre(place: NDArray[np.int64], stride: int) -> tuple[float, float]:
    """x, y in the picture of the middle of a cell (row, column)."""
    return (float(place[1]) + 0.5) * stride, (float(place[0]) + 0.5) * stride
