"""Class calibration (Sec. 3.2): what a clip shows is decided over all its frames; then one candidate an instance stays.

Where the paper leaves a choice open, it is named with the function and is an argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shibori.media.segmentation_code import mask_ious
from shibori.systems.ipdt.candidate import Candidate

BETA = 0.1
"""The paper's re-weighting factor (Sec. 4)."""


def mean_class_scores(class_scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C,) mean score of each class over all (N, C) candidates of the clip; zeros where there is none."""
    return class_scores.sum(axis=0) / max(len(class_scores), 1)


def reliable_classes(class_scores: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    """(C,) classes that show up in the clip: those whose mean over (N, C) candidates is higher than ``th_cc``.

    The paper's threshold is a number; ours is a share of the highest mean, because how high the means are depends on
    how much of the background is taken for objects.
    """
    means = mean_class_scores(class_scores)
    return np.asarray(means > threshold * means.max())


def reweighted(
    class_scores: NDArray[np.float64], reliable: NDArray[np.bool_], beta: float = BETA
) -> NDArray[np.float64]:
    """(N, C) scores in which those of the classes that are not reliable are multiplied by ``beta``."""
    return class_scores * np.where(reliable, 1.0, beta)


def calibrate(candidates: Sequence[Candidate], threshold: float, beta: float = BETA) -> list[Candidate]:
    """The candidates with re-weighted scores, in the same order. Their best class may be another one."""
    if not candidates:
        return []
    scores = np.stack([candidate.class_scores for candidate in candidates])
    weighted = reweighted(scores, reliable_classes(scores, threshold), beta)
    return [replace(each, class_scores=row) for each, row in zip(candidates, weighted, strict=True)]


def select_candidates(
    candidates: Sequence[Candidate], iou_threshold: float, max_gap: int | None = None, most: int | None = None
) -> list[Candidate]:
    """The candidates to be tracked, best score first: of those that overlap in space and time the best one.

    Two candidates are the same instance if their masks' IoU is above ``th_IoU``, whatever their classes. The paper does
    not say how far apart in time they may be.

    Args:
        candidates: calibrated, of all frames.
        iou_threshold: ``th_IoU``.
        max_gap: frames that two may be apart and still be compared; None compares all of the clip.
        most: stop after so many: bounded work where hundreds are found.
    """
    waiting = sorted(candidates, key=lambda candidate: -candidate.score)
    kept: list[Candidate] = []
    while waiting and (most is None or len(kept) < most):
        best = waiting.pop(0)
        kept.append(best)
        ious = mask_ious([best.mask], [other.mask for other in waiting])[0]
        waiting = [
            other
            for other, iou in zip(waiting, ious.tolist(), strict=True)
            if iou <= iou_threshold or (max_gap is not None and abs(other.frame_index - best.frame_index) > max_gap)
        ]
    return kept
