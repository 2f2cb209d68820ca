"""J and F of a mask, and what becomes of them over the frames of an object. Every value is that of the official tool.

The official definition of F dilates both boundaries by a disk. Here nothing is dilated: a boundary pixel matches if the
disk around it holds a pixel of the other boundary. A disk is a union of a few rectangles, and how many boundary pixels
a rectangle holds is four look-ups in an integral image, so the cost follows the length of the boundary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Ids = NDArray[Any]

BOUNDARY_TOLERANCE = 0.008
"""Share of the image diagonal within which two boundaries count as the same."""
RECALL_THRESHOLD = 0.5

# The C library of Linux gives each array above 128 kB, such as a mask, fresh pages from the system until one larger has
# been freed. To fault those pages in would take most of the time here; freeing 8 MB that nobody touched avoids it.
np.empty(8 << 20, np.uint8)


@dataclass(frozen=True)
class Statistics:
    """What the values of a measure over the frames of an object come to."""

    mean: float
    recall: float
    """Share of frames with a value above one half."""
    decay: float
    """How much the mean of the last quarter of the frames is below that of the first."""


class Box(NamedTuple):
    """A half-open rectangle of pixels: rows top..bottom, columns left..right."""

    top: int
    left: int
    bottom: int
    right: int

    def cut(self, picture: NDArray[Any]) -> NDArray[Any]:
        """The part of an (H, W) picture inside the box, a view."""
        return picture[self.top : self.bottom, self.left : self.right]


def region_similarity(pred: Mask, true: Mask, void: Mask | None = None) -> float:
    """J: the intersection over the union of two (H, W) bool masks; 1 where both are empty.

    Args:
        pred: the mask to judge.
        true: the mask to judge it by.
        void: pixels that do not count.

    Raises:
        ValueError: the masks differ in shape.
    """
    pred, true = _without_void(pred, true, void)
    return _region_similarity(pred, true)


def boundary_measure(pred: Mask, true: Mask, void: Mask | None = None, tolerance: float = BOUNDARY_TOLERANCE) -> float:
    """F: the harmonic mean of precision and recall of the boundary pixels of two (H, W) bool masks.

    A boundary pixel is right if the other boundary has a pixel within ``ceil(tolerance * image diagonal)`` of it
    (Euclidean, centre to centre). Both boundaries empty give 1; one empty gives 0.

    Args:
        pred: the mask to judge.
        true: the mask to judge it by.
        void: pixels that do not count.
        tolerance: share of the image diagonal.

    Raises:
        ValueError: the masks differ in shape.

    >>> square = np.zeros((100, 100), bool)
    >>> square[20:60, 20:60] = True
    >>> boundary_measure(square, np.roll(square, 2, axis=1))  # tolerance: 2 pixels
    1.0
    >>> boundary_measure(square, np.roll(square, 3, axis=1)) < 1
    True
    """
    pred, true = _without_void(pred, true, void)
    radius = boundary_radius(pred.shape, tolerance)
    box = _box_around(pred, true)
    return 1.0 if box is None else _boundary_measure(box.cut(pred), box.cut(true), radius)


def mask_measures(pred: Mask, true: Mask) -> tuple[float, float]:
    """J and F of two (H, W) bool masks: ``region_similarity`` and ``boundary_measure`` at once, faster than both.

    Raises:
        ValueError: the masks differ in shape.
    """
    pred, true = _without_void(pred, true, None)
    return _measures_in_box(pred, true, boundary_radius(pred.shape))


def ids_measures(pred_ids: Ids, true_ids: Ids, object_ids: Sequence[int]) -> NDArray[np.float64]:
    """(N, 2) J and F of each of N objects of two (H, W) maps of ids. An object that a map lacks is empty there.

    Raises:
        ValueError: the maps differ in shape.
    """
    pred_ids, true_ids = _without_void(pred_ids, true_ids, None)
    radius = boundary_radius(pred_ids.shape)
    values = np.ones((len(object_ids), 2))
    if len(object_ids) > 1:  # several searches for an object are worth one for where any is
        box = _box_around(pred_ids != 0, true_ids != 0)
        if box is None:
            return values
        pred_ids, true_ids = box.cut(pred_ids), box.cut(true_ids)
    for row, object_id in enumerate(object_ids):
        values[row] = _measures_in_box(pred_ids == object_id, true_ids == object_id, radius)
    return values


def boundary_radius(shape: Sequence[int], tolerance: float = BOUNDARY_TOLERANCE) -> int:
    """The tolerance of F in pixels for an (H, W) shape: 8 at 854x480."""
    return math.ceil(tolerance * math.hypot(shape[0], shape[1]))


def summarize(values: NDArray[np.floating[Any]]) -> Statistics:
    """Mean, recall and decay of (T,) values, one per scored frame. ValueError where there is none.

    >>> summarize(np.array([1.0, 0.8, 0.6, 0.5]))
    Statistics(mean=0.725, recall=0.75, decay=0.35)
    """
    if len(values) == 0:
        raise ValueError("there is no frame to summarize")
    mean = float(np.mean(values))
    return Statistics(mean, float(np.mean(values > RECALL_THRESHOLD)), decay(values))


def decay(values: NDArray[np.floating[Any]]) -> float:
    """Mean of the first quarter of (T,) values minus the mean of the last.

    The quarters are cut at ``round(linspace(1, T, 5) + 1e-10) - 1``, both ends inclusive, so neighbours share a frame.
    The official tool keeps these indices in eight bits, so its decay is wrong for objects with more than 256 frames
    (they wrap around); this one is right.
    """
    cuts = np.round(np.linspace(1, len(values), 5) + 1e-10).astype(np.int64) - 1
    first, last = values[: cuts[1] + 1], values[cuts[3] : cuts[4] + 1]
    return float(np.mean(first) - np.mean(last))


def mean_statistics(statistics: Sequence[Statistics]) -> Statistics:
    """The statistics of a set: the plain mean over its objects. ValueError where there is none."""
    if not statistics:
        raise ValueError("there is no object to average over")
    rows = np.array([(entry.mean, entry.recall, entry.decay) for entry in statistics])
    return Statistics(*(float(value) for value in rows.mean(axis=0)))


def _without_void(pred: NDArray[Any], true: NDArray[Any], void: Mask | None) -> tuple[NDArray[Any], NDArray[Any]]:
    if pred.shape != true.shape or (void is not None and void.shape != true.shape):
        shapes = ", ".join(str(mask.shape) for mask in (pred, true, void) if mask is not None)
        raise ValueError(f"the masks differ in shape: {shapes}")
    if void is None:
        return pred, true
    return pred & ~void, true & ~void


def _measures_in_box(pred: Mask, true: Mask, radius: int) -> tuple[float, float]:
    box = _box_around(pred, true)
    if box is None:
        return 1.0, 1.0
    pred, true = box.cut(pred), box.cut(true)
    return _region_similarity(pred, true), _boundary_measure(pred, true, radius)


def _region_similarity(pred: Mask, true: Mask) -> float:
    intersection = np.count_nonzero(pred & true)
    union = np.count_nonzero(pred) + np.count_nonzero(true) - intersection
    return intersection / union if union else 1.0


def _box_around(pred: Mask, true: Mask) -> Box | None:
    """The pixels of both masks and one more on each side where the picture has it; None where both are empty.

    A mask has the same boundary in this box as in the picture: where the box ends inside the picture its last
    pixels are background, so repeating them changes nothing.
    """
    filled = pred | true
    rows = np.flatnonzero(filled.any(axis=1))
    if len(rows) == 0:
        return None
    columns = np.flatnonzero(filled[rows[0] : rows[-1] + 1].any(axis=0))
    (top, bottom), (left, right) = ((int(index[0]) - 1, int(index[-1]) + 2) for index in (rows, columns))
    return Box(max(0, top), max(0, left), min(pred.shape[0], bottom), min(pred.shape[1], right))


def boundary_with_margin(mask: Mask, margin: int) -> Mask:
    """(H + 2 margin, W + 2 margin) bool: the pixels that differ from their right, lower or lower-right neighbour.

    The edge of the picture repeats itself; the margin, of 1 pixel or more, is empty.

    >>> boundary_with_margin(np.array([[0, 0, 0], [0, 1, 1]], bool), 1).astype(int)
    array([[0, 0, 0, 0, 0],
           [0, 1, 1, 1, 0],
           [0, 1, 0, 0, 0],
           [0, 0, 0, 0, 0]])
    """
    picture: NDArray[Any] = cv2.copyMakeBorder(mask.view(np.uint8), *(margin,) * 4, borderType=cv2.BORDER_REPLICATE)
    stride, flat = picture.shape[1], picture.ravel()
    size = flat.size - stride - 1
    boundary = np.zeros(picture.shape, np.uint8)
    # On the flattened picture the neighbours are three constant steps ahead, which is five times as fast as in two
    # dimensions; what wraps around a row's end falls into the margin.
    changes = np.bitwise_xor(flat[:size], flat[1 : size + 1], out=boundary.ravel()[:size])
    changes |= flat[:size] ^ flat[stride : size + stride]
    changes |= flat[:size] ^ flat[stride + 1 :]
    boundary[:margin] = boundary[-margin:] = 0
    boundary[:, :margin] = boundary[:, -margin:] = 0
    return boundary.view(np.bool_)


def _boundary_measure(pred: Mask, true: Mask, radius: int) -> float:
    pred_boundary, true_boundary = (_Boundary.of(mask, radius) for mask in (pred, true))
    num_pred, num_true = len(pred_boundary.places), len(true_boundary.places)
    if num_pred == 0 or num_true == 0:
        return 1.0 if num_pred == num_true else 0.0
    precision = true_boundary.count_near(pred_boundary.places) / num_pred
    recall = pred_boundary.count_near(true_boundary.places) / num_true
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@dataclass(frozen=True, eq=False)
class _Boundary:
    """The boundary pixels of a mask with a margin around, wide enough that no disk around one leaves the picture."""

    places: NDArray[np.intp]
    """(P,) positions in the flattened picture with its margin."""
    sums: NDArray[np.int32]
    """Flattened integral image: at row y and column x, the number of boundary pixels above y and left of x."""
    stride: int
    radius: int

    @classmethod
    def of(cls, mask: Mask, radius: int) -> _Boundary:
        picture = boundary_with_margin(mask, radius + 1)
        # Without the last row and column, which are margin, the integral image has the picture's own shape and strides.
        sums: NDArray[Any] = cv2.integral(picture[:-1, :-1].view(np.uint8))
        return cls(np.flatnonzero(picture), sums.ravel(), picture.shape[1], radius)

    def count_near(self, places: NDArray[np.intp]) -> int:
        """How many of (P,) places have a pixel of this boundary within the radius."""
        rectangles = disk_rectangles(self.radius)
        inside = self._in_rectangle(places, *max(rectangles, key=math.prod))
        # Nearly all pixels lie in the fattest rectangle or are far away; only the rest needs the disk's exact outline.
        others = places[~inside]
        others = others[self._in_rectangle(others, self.radius, self.radius)]
        near = np.zeros(len(others), np.bool_)
        if len(others):
            for rectangle in rectangles:
                near |= self._in_rectangle(others, *rectangle)
        return int(np.count_nonzero(inside) + np.count_nonzero(near))

    def _in_rectangle(self, places: NDArray[np.intp], half_height: int, half_width: int) -> Mask:
        """(P,) bool: whether the rectangle around each place holds a pixel of this boundary."""
        corners = places - (half_height * self.stride + half_width)  # top left
        right = 2 * half_width + 1
        below = (2 * half_height + 1) * self.stride
        sums = self.sums
        upper = sums[right:].take(corners) - sums.take(corners)
        lower = sums[below + right :].take(corners) - sums[below:].take(corners)
        return lower != upper


@lru_cache(maxsize=64)
def disk_rectangles(radius: int) -> tuple[tuple[int, int], ...]:
    """Half heights and half widths of the fewest centred rectangles whose union is the disk x^2 + y^2 <= radius^2.

    >>> disk_rectangles(2)
    ((0, 2), (1, 1), (2, 0))
    """
    widths = [math.isqrt(radius * radius - y * y) for y in range(radius + 1)]
    return tuple((y, widths[y]) for y in range(radius + 1) if y == radius or widths[y + 1] < widths[y])
