"""Where the scores say the object is, and how sure that is (ATOM, Sec. 3.4: hard negatives, lost targets).

Places are (x, y) in cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from shibori.boxtracking.target import TargetState


@dataclass(frozen=True)
class LocalisationRule:
    """When an object is found."""

    least_score: float = 0.25
    """The object is lost where no score is as high."""
    least_score_again: float = 0.4
    """One that was lost is found again where a score is as high."""
    rival_share: float = 0.8
    """A second peak of this share of the first may be the object as well."""
    hard_share: float = 0.5
    """One of this share is something like it, from which it is worth to learn."""
    neighbourhood: float = 2.2
    """A second peak is outside a box of so many times the object's size about the first."""
    near: float = 1.6
    """An object does not move by more than so many times its size from one frame to the next."""


@dataclass(frozen=True)
class Located:
    """What the scores of one frame say."""

    place_xy: tuple[float, float]
    """The peak that is the object."""
    score: float
    """Of that peak."""
    state: TargetState
    """How sure it is."""


def localise(scores: Tensor, expected_xy: tuple[float, float] | None, size: float, rule: LocalisationRule) -> Located:
    """Take the highest peak, unless the second is about as high and nearer to where the object was.

    Args:
        scores: (m, m) float.
        expected_xy: where the object was, in cells; None for one that was lost.
        size: of the object, in cells.
        rule: when it is found.
    """
    first, first_score = _peak(scores)
    least = rule.least_score if expected_xy is not None else rule.least_score_again
    if first_score < least:
        return Located(first, max(first_score, 0.0), TargetState.LOST)
    second, second_score = _peak(_without(scores, first, rule.neighbourhood * size / 2))
    if second_score < rule.hard_share * first_score or second_score < rule.least_score:
        return Located(first, first_score, TargetState.CERTAIN)
    if second_score < rule.rival_share * first_score:
        return Located(first, first_score, TargetState.HARD_NEGATIVE)
    if expected_xy is None:
        return Located(first, first_score, TargetState.UNCERTAIN)
    is_near = [_distance(place, expected_xy) <= rule.near * size for place in (first, second)]
    if is_near[0] == is_near[1]:
        return Located(first, first_score, TargetState.UNCERTAIN)
    if is_near[0]:
        return Located(first, first_score, TargetState.HARD_NEGATIVE)
    return Located(second, second_score, TargetState.HARD_NEGATIVE)


def _peak(scores: Tensor) -> tuple[tuple[float, float], float]:
    """The highest place, to a share of a cell, and its score."""
    index = int(scores.argmax())
    row, column = divmod(index, scores.shape[1])
    return (column + _offset(scores[row], column), row + _offset(scores[:, column], row)), float(scores[row, column])


def _offset(line: Tensor, index: int) -> float:
    """Where the parabola through a peak and its neighbours has its top, from the peak, in -0.5 to 0.5."""
    if not 0 < index < len(line) - 1:
        return 0.0
    before, here, after = line[index - 1 : index + 2].tolist()
    bend = before - 2 * here + after
    return 0.0 if bend >= 0 else 0.5 * (before - after) / bend


def _without(scores: Tensor, place_xy: tuple[float, float], reach: float) -> Tensor:
    """The scores, nothing within ``reach`` of a place."""
    columns = torch.arange(scores.shape[1], device=scores.device)
    rows = torch.arange(scores.shape[0], device=scores.device)
    is_close = ((rows - place_xy[1]).abs() <= reach)[:, None] & ((columns - place_xy[0]).abs() <= reach)
    return scores.masked_fill(is_close, -1.0)


def _distance(first: tuple[float, float], second: tuple[float, float]) -> float:
    return float(((first[0] - second[0]) ** 2 + (first[1] - second[1]) ** 2) ** 0.5)
