"""What the parts of IPDT hand on: an object candidate of one frame, and a tubelet of masks through the clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shibori.media.segmentation_code import Rle


def rank_of(class_scores: NDArray[np.float64]) -> float:
    """How sure it is that something is an object of its likeliest class: what results are ordered by.

    The geometric mean of the scores of that class, which alone leaves out what is found but not told apart, and of all
    classes, which alone does not mind a wrong one.

    Args:
        class_scores: (C,).
    """
    return float(np.sqrt(class_scores.max() * class_scores.sum()))


@dataclass(frozen=True, eq=False)
class Candidate:
    """One detection (Sec. 3.1)."""

    frame_index: int
    class_scores: NDArray[np.float64]
    """(C,) the detector's score of each class, background left out; re-weighted once calibrated."""
    box_xyxy: NDArray[np.float64]
    """(4,) pixels of the clip, half-open."""
    mask: Rle
    """At the clip's size."""
    embedding: NDArray[np.float32] | None = None
    """(E,) appearance, of length 1, where a linker is to compare it."""

    @property
    def class_index(self) -> int:
        """Its likeliest class."""
        return int(self.class_scores.argmax())

    @property
    def rank(self) -> float:
        """See ``rank_of``."""
        return rank_of(self.class_scores)

    @property
    def score(self) -> float:
        """The sum over the classes: a detector that cannot tell dogs from cats may yet be sure of an object."""
        return float(self.class_scores.sum())


@dataclass(frozen=True, eq=False)
class Tubelet:
    """One instance through a clip of T frames (Sec. 3.3)."""

    masks: tuple[Rle | None, ...]
    """For each frame, or None where it does not show."""
    class_scores: NDArray[np.float64]
    """(T, C) re-weighted score of each class in each frame, 0 where nothing speaks for any; read only where there is a
    mask."""
    searched: NDArray[np.bool_]
    """(T,) frames that were searched for candidates; the others say nothing."""

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(T,) frames with a mask."""
        return np.array([mask is not None for mask in self.masks], bool)

    @property
    def evidence(self) -> NDArray[np.float64]:
        """(K, C) the class scores of the K frames that have a mask and were searched."""
        return self.class_scores[self.valid & self.searched]
