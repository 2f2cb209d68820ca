"""Which found tracks are the true ones: greedy matching at all thresholds and area ranges at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = np.linspace(0.5, 0.95, 10)
AREA_RANGES = ((0.0, 1e10), (0.0, 128.0**2), (128.0**2, 256.0**2), (256.0**2, 1e10))
"""All, small, medium, large: least and most mean area in pixels, both included."""
MOST_TRACKS = 100
"""Tracks of a video and class that count, best first."""


@dataclass(frozen=True, eq=False)
class Matches:
    """The D found and G true tracks of one class in one video; A area ranges, T thresholds."""

    scores: NDArray[np.float64]
    """(D,) falling."""
    matched: NDArray[np.bool_]
    """(A, T, D) whether it has a true track of its own."""
    ignored: NDArray[np.bool_]
    """(A, T, D) whether it counts neither for nor against: matched to what does not count, or itself out of range."""
    num_true: NDArray[np.int64]
    """(A,) true tracks that count."""


def match_tracks(
    ious: NDArray[np.float64],
    scores: NDArray[np.float64],
    found_areas: NDArray[np.float64],
    true_areas: NDArray[np.float64],
    is_crowd: NDArray[np.bool_],
) -> Matches:
    """Give each found track, best score first, the free true track it overlaps most.

    A true track out of range or a group (crowd) does not count; it is taken only where none that counts is left, and a
    group as often as need be. Of equal overlaps the later true track is taken, as in the official tool.

    Args:
        ious: (D, G).
        scores: (D,) in any order; of equal scores the earlier track comes first.
        found_areas: (D,) mean areas in pixels.
        true_areas: (G,).
        is_crowd: (G,).
    """
    order = np.argsort(-scores, kind="stable")[:MOST_TRACKS]
    ious, found_areas = ious[order], found_areas[order]
    uncounted = is_crowd | _outside(true_areas)  # (A, G)
    shape = (len(AREA_RANGES), len(THRESHOLDS))
    matched, ignored = np.zeros((*shape, len(order)), bool), np.zeros((*shape, len(order)), bool)
    free = np.ones((*shape, ious.shape[1]), bool)
    limits = np.minimum(THRESHOLDS, 1 - 1e-10)[:, None]
    for place in np.flatnonzero((ious >= limits[0]).any(axis=1)):
        possible = free & (ious[place] >= limits)  # (A, T, G)
        counting = possible & ~uncounted[:, None]
        use_counting = counting.any(axis=2)
        choice = _last_largest(np.where(use_counting[..., None], counting, possible), ious[place])
        matched[..., place] = possible.any(axis=2)
        ignored[..., place] = matched[..., place] & ~use_counting
        taken = np.arange(ious.shape[1]) == choice[..., None]
        free &= ~(taken & matched[..., place, None]) | is_crowd
    ignored |= ~matched & _outside(found_areas)[:, None]
    return Matches(scores[order], matched, ignored, (~uncounted).sum(axis=1))


def _outside(areas: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(A, N) which of N areas are outside each range."""
    low, high = np.array(AREA_RANGES).T[..., None]
    return (areas < low) | (areas > high)


def _last_largest(allowed: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """(A, T) index of the largest of (G,) values among those allowed (A, T, G); the last of equal ones."""
    candidates = np.where(allowed, values, -1.0)[..., ::-1]
    return np.asarray(values.shape[0] - 1 - candidates.argmax(axis=-1))
