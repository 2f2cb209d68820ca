"""Marks as people draw them -> points as the network takes them.

Points are x, y in pixels of the frame, corners on integers: the middle of the first pixel is at 0.5, 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.media.marks import FrameMarks
from shibori.media.scribble import Stroke, rasterise
from shibori.prompting.network import BACKGROUND, BOX_END, BOX_START, NOTHING, OBJECT

STROKE_POINTS = 8
"""Points that stand for a stroke."""
MOST_POINTS = 40
"""Points of all strokes; where there are more strokes each gets fewer, the last drawn first."""


@dataclass(frozen=True)
class ObjectPoints:
    """What is said of one object on one frame."""

    points: NDArray[np.float64]
    """(N, 2)."""
    kinds: NDArray[np.int64]
    """(N,) ``BACKGROUND``, ``OBJECT``, ``BOX_START`` or ``BOX_END``; a box is two neighbours."""

    @classmethod
    def of(cls, marks: FrameMarks, object_id: int, size_hw: tuple[int, int]) -> ObjectPoints:
        """The marks on an object; those on anything else are marks on its background.

        Where a later stroke of something else lies over an earlier one, the earlier one says nothing.

        Args:
            marks: of the frame.
            object_id: the object.
            size_hw: of the frame.
        """
        labels = rasterise(marks.strokes, size_hw)
        points, kinds = [np.zeros((0, 2))], [np.zeros(0, np.int64)]
        count = max(min(STROKE_POINTS, MOST_POINTS // max(len(marks.strokes), 1)), 1)
        for stroke in marks.strokes[-MOST_POINTS:]:
            places = _places(stroke, size_hw, count)
            cells = places.astype(int)
            places = places[labels[cells[:, 1], cells[:, 0]] == stroke.object_id]
            points.append(places)
            kinds.append(np.full(len(places), OBJECT if stroke.object_id == object_id else BACKGROUND))
        for box in [box for box in marks.boxes if box.object_id == object_id][-1:]:
            points.append(np.array(box.pixels(size_hw), np.float64).reshape(2, 2))
            kinds.append(np.array([BOX_START, BOX_END]))
        return cls(np.concatenate(points), np.concatenate(kinds))

    @property
    def extent(self) -> NDArray[np.float64] | None:
        """(4,) xyxy around all that is said to be the object; None where nothing is."""
        own = self.points[self.kinds != BACKGROUND]
        return np.concatenate([own.min(0), own.max(0)]) if len(own) else None

    @property
    def has_box(self) -> bool:
        """Whether a box is drawn around the object."""
        return bool((self.kinds == BOX_START).any())

    def inside(self, window: NDArray[np.float64]) -> ObjectPoints:
        """Those in a window (4,)."""
        within = ((self.points >= window[:2]) & (self.points <= window[2:])).all(1)
        return ObjectPoints(self.points[within], self.kinds[within])

    def seen_in(self, window: NDArray[np.float64], view_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """(1, N, 2) points and (1, N) kinds in a view of a window; those beside the object that it lacks are left out.

        Without a box there is one filling point at the end, as in training.
        """
        places = (self.points - window[:2]) * (np.array(view_hw[::-1]) / (window[2:] - window[:2]))
        inside = ((places >= 0) & (places <= view_hw[::-1])).all(1) | (self.kinds != BACKGROUND)
        places, kinds = places[inside], self.kinds[inside]
        if not self.has_box:
            places, kinds = np.concatenate([places, np.zeros((1, 2))]), np.append(kinds, NOTHING)
        return torch.from_numpy(places).float()[None], torch.from_numpy(kinds).long()[None]


def points_along(path: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """(L, 2) a line -> (N, 2) at most ``count`` of its points, evenly along it; of a single point that one."""
    steps = np.concatenate([[0.0], np.linalg.norm(np.diff(path, axis=0), axis=1).cumsum()])
    if steps[-1] == 0:
        return path[:1]
    wanted = np.linspace(0, steps[-1], count) if count > 1 else steps[-1:] / 2
    return np.stack([np.interp(wanted, steps, path[:, axis]) for axis in (0, 1)], 1)


def _places(stroke: Stroke, size_hw: tuple[int, int], count: int) -> NDArray[np.float64]:
    """(N, 2) middles of pixels under a stroke."""
    last = np.array([size_hw[1] - 1, size_hw[0] - 1])
    pixels = np.rint(points_along(np.array(stroke.path) * last, count))
    return pixels + 0.5
