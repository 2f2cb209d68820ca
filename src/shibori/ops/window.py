"""Where to look for an object: the window of the frame that is cut out, and its size once resized.

Windows and boxes are xyxy float64 in pixels of the frame, half-open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", np.uint8, np.float32)

GRID = 32
"""Windows are resized to multiples of this: of the trunk's largest stride, and so coarse that few shapes occur, because
the CPU's convolutions are compiled, and kept, for every shape, and tensors of ever new sizes leave gaps in memory."""

SIDE_STEP = 2**0.5
"""Where a window is too small to be enlarged to the full area, its side is the full one over a power of this. With
``GRID`` that leaves some 40 shapes where objects of every size made 88."""

MIN_COMPONENT_SHARE = 0.05
"""Pieces of a mask smaller than this share of its area do not stretch the box."""


@dataclass(frozen=True)
class WindowRule:
    """How much around an object is looked at, and how finely."""

    reach: float = 1.75
    """Longer side of the object's box to the side of the window around it, as in training."""
    area_side: int = 320
    """A resized window has about the area of a square of this side, in pixels."""
    max_zoom: float = 2.0
    """A small window is not enlarged by much more than this."""
    min_share: float = 0.1
    """A window is no smaller than this share of the frame's short side."""
    fixed_side: int | None = None
    """Every window is resized to a square of this many pixels, whatever its shape, as papers have it; None: its shape
    is kept, and ``area_side`` and ``max_zoom`` say how large it gets."""


def box_window(
    rule: WindowRule, box: NDArray[np.float64], size_hw: tuple[int, int], widen: float = 1.0
) -> NDArray[np.float64]:
    """The window around ``box``: a margin on all sides that depends on its longer side, moved and cut to fit the frame.

    Args:
        rule: how much to look at.
        box: (4,) of the object.
        size_hw: of the frame.
        widen: factor on the window's sides, above 1 when the object may have moved away.
    """
    frame_wh = np.array([size_hw[1], size_hw[0]], np.float64)
    extent = box[2:] - box[:2]
    sides = (extent + (rule.reach - 1) * extent.max()) * widen
    sides = np.clip(sides, rule.min_share * frame_wh.min(), frame_wh)
    corner = np.clip((box[:2] + box[2:] - sides) / 2, 0, frame_wh - sides)
    corner, end = np.floor(corner), np.ceil(corner + sides)
    return np.concatenate([corner, np.minimum(end, frame_wh)])


def search_windows(
    rule: WindowRule, box: NDArray[np.float64], size_hw: tuple[int, int], widen: float
) -> list[NDArray[np.float64]]:
    """Windows that together cover the frame, nearest to ``box`` first, each ``widen`` times the usual size for it.

    They overlap by half, so that an object that fits into one is seen whole in at least one.
    """
    frame_wh = np.array([size_hw[1], size_hw[0]], np.float64)
    first = box_window(rule, box, size_hw, widen)
    sides = first[2:] - first[:2]
    counts = np.maximum(np.ceil(2 * (frame_wh - sides) / sides), 0).astype(int) + 1
    lefts = np.linspace(0, frame_wh[0] - sides[0], counts[0])
    tops = np.linspace(0, frame_wh[1] - sides[1], counts[1])
    corners = np.floor(np.stack(np.meshgrid(lefts, tops), -1).reshape(-1, 2))
    order = np.argsort(((corners - first[:2]) ** 2).sum(1), kind="stable")
    windows = [np.concatenate([corner, np.minimum(np.ceil(corner + sides), frame_wh)]) for corner in corners[order]]
    return [first, *windows]


def settled_box(
    seen: NDArray[np.float64], before: NDArray[np.float64] | None, min_ratio: float, max_ratio: float
) -> NDArray[np.float64]:
    """The box to go by: ``seen``, its sides within two ratios of those ``before``: no one frame ruins it."""
    if before is None:
        return seen
    sides = before[2:] - before[:2]
    extent = np.clip(seen[2:] - seen[:2], min_ratio * sides, max_ratio * sides)
    centre = (seen[:2] + seen[2:]) / 2
    return np.concatenate([centre - extent / 2, centre + extent / 2])


def window_size(rule: WindowRule, window: NDArray[np.float64]) -> tuple[int, int]:
    """Height and width in pixels to which ``window`` is resized: multiples of ``GRID``, its shape nearly kept.

    Unless the rule has a fixed side, its area is the full one if that takes no more than ``rule.max_zoom``, otherwise
    the nearest of a few smaller ones.
    """
    if rule.fixed_side is not None:
        return rule.fixed_side, rule.fixed_side
    width, height = window[2:] - window[:2]
    side = np.sqrt(width * height)
    steps = max(round(np.log(rule.area_side / (rule.max_zoom * side)) / np.log(SIDE_STEP)), 0)
    zoom = rule.area_side / SIDE_STEP**steps / side
    rounded = [max(round(float(extent) * zoom / GRID), 2) * GRID for extent in (height, width)]
    return rounded[0], rounded[1]


def whole_size(size_hw: tuple[int, int], short_side: int) -> tuple[int, int]:
    """Height and width, multiples of ``GRID``, to which a frame is resized so that its short side is about that long.

    A smaller frame keeps its size, rounded.
    """
    zoom = min(short_side / min(size_hw), 1.0)
    height, width = (max(round(side * zoom / GRID), 1) * GRID for side in size_hw)
    return height, width


def cut_window(image: NDArray[Number], window: NDArray[np.float64], size_hw: tuple[int, int]) -> NDArray[Number]:
    """(H, W, ...) -> (*size_hw, ...): a window of whole pixels, resized; averaged when it shrinks."""
    left, top, right, bottom = window.astype(int)
    shrinks = (right - left) > size_hw[1]
    mode = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image[top:bottom, left:right], (size_hw[1], size_hw[0]), interpolation=mode))


def mask_box(mask: NDArray[np.bool_], window: NDArray[np.float64] | None = None) -> NDArray[np.float64] | None:
    """Box of a mask's larger pieces.

    Args:
        mask: (h, w) bool.
        window: the part of the frame that the mask covers; by default the mask is the frame.

    Returns:
        (4,) in frame pixels; None for an empty mask.
    """
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    pieces = np.asarray(stats[1:], np.float64)
    if len(pieces) == 0:
        return None
    large = pieces[pieces[:, 4] >= MIN_COMPONENT_SHARE * pieces[:, 4].sum()]
    large = large if len(large) else pieces
    corners = np.concatenate([large[:, :2].min(0), (large[:, :2] + large[:, 2:4]).max(0)])
    if window is None:
        return corners
    scale = (window[2:] - window[:2]) / np.array([mask.shape[1], mask.shape[0]])
    return np.concatenate([window[:2] + corners[:2] * scale, window[:2] + corners[2:] * scale])


def pixels_in_box(
    box: NDArray[np.float64], window: NDArray[np.float64], size_hw: tuple[int, int], margin: float = 0.0
) -> NDArray[np.bool_]:
    """(h, w) pixels of a resized window whose centre is in a box.

    Args:
        box: (4,) in the frame.
        window: (4,) in the frame.
        size_hw: of the window, in its own pixels.
        margin: share of the box's sides by which it is widened on every side first.
    """
    widened = box + np.tile((box[2:] - box[:2]) * margin, 2) * [-1, -1, 1, 1]
    cells = (window[2:] - window[:2]) / (size_hw[1], size_hw[0])
    xs, ys = (window[axis] + (np.arange(size_hw[1 - axis]) + 0.5) * cells[axis] for axis in (0, 1))
    in_columns = (xs >= widened[0]) & (xs < widened[2])
    in_rows = (ys >= widened[1]) & (ys < widened[3])
    return in_rows[:, None] & in_columns[None]


def box_around(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4,) xyxy around two boxes."""
    return np.concatenate([np.minimum(first[:2], second[:2]), np.maximum(first[2:], second[2:])])


def box_overlap(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """IoU of two boxes, (4,) xyxy each, one of which has an area."""
    both = float(np.maximum(np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]), 0).prod())
    return both / float((first[2:] - first[:2]).prod() + (second[2:] - second[:2]).prod() - both)
