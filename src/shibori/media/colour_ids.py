"""Masks painted in colours, with the noise of coding and soft edges, as object ids that are the same in every frame."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.palette import davis_palette

_FLAT = 24
"""Levels by which the colours of a flat area may differ."""
_ALIKE = 40.0
"""Distance in RGB up to which two colours are one."""
_SMALLEST = 9
"""Flat pixels that make a colour an object's."""
_DAVIS_IDS = 32
"""Ids of the DAVIS palette that are told apart in spite of coding."""
_MOST = 64
"""Colours of objects; more are likelier a photograph."""
_REACH = 7
"""Width in pixels of the surroundings in which an edge's colour looks for its object."""


class ColourIds:
    """The colours that stand for objects; black is background.

    Every frame is first shown to ``learn``. If all colours are those of the DAVIS palette, its ids count; otherwise
    colours are numbered from 1 as they appear, the largest of a frame first.
    """

    def __init__(self) -> None:
        self._colours = [np.zeros(3, np.float32)]

    @property
    def object_ids(self) -> tuple[int, ...]:
        """By rising id."""
        return tuple(sorted(self._ids()[1:].tolist()))

    def learn(self, rgb: NDArray[np.uint8], what: str) -> None:
        """Note the colours of flat areas that are new. InputError where there are too many for a mask.

        Args:
            rgb: (H, W, 3).
            what: names the picture in a sentence.
        """
        flat = rgb[_is_flat(rgb)]
        which = (flat >> 4).astype(np.int64) @ np.array([256, 16, 1])
        counts = np.bincount(which, minlength=4096)
        for place in np.argsort(-counts, kind="stable"):
            if counts[place] < _SMALLEST:
                break
            colour = flat[which == place].mean(axis=0, dtype=np.float64).astype(np.float32)
            if np.linalg.norm(np.stack(self._colours) - colour, axis=1).min() > _ALIKE:
                self._colours.append(colour)
            if len(self._colours) > _MOST:
                raise InputError(f"{what} has more than {_MOST} colours: a mask has one for each object, on black")

    def ids(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W) ids of a (H, W, 3) picture: the nearest colour; at an edge, of those that are flat beside it."""
        small = rgb.astype(np.float32)
        distances = np.stack([np.linalg.norm(small - colour, axis=2) for colour in self._colours])
        flat = np.where(_is_flat(rgb), distances.argmin(axis=0), -1)
        around = np.ones((_REACH, _REACH), np.uint8)
        near = np.stack([cv2.dilate((flat == slot).astype(np.uint8), around) > 0 for slot in range(len(distances))])
        allowed = np.where(near | ~near.any(axis=0), distances, np.float32(np.inf))
        return np.asarray(self._ids()[allowed.argmin(axis=0)], np.uint8)

    def _ids(self) -> NDArray[np.int64]:
        """The id of each colour, background first."""
        colours = np.stack(self._colours)
        distances = np.linalg.norm(
            colours[:, None] - davis_palette()[None, : _DAVIS_IDS + 1].astype(np.float32), axis=2
        )
        nearest = distances.argmin(axis=1)
        if (distances.min(axis=1) <= _ALIKE / 2).all() and len(set(nearest.tolist())) == len(nearest):
            return nearest
        return np.arange(len(colours))


def _is_flat(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(H, W): all colours in the 3x3 pixels around are alike."""
    block = np.ones((3, 3), np.uint8)
    return np.asarray((cv2.dilate(rgb, block).astype(np.int16) - cv2.erode(rgb, block)).max(axis=2) <= _FLAT)
