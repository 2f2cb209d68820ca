"""What a tracker's confidence means, measured: how good its masks are, and how often there is nothing to be seen.

A mask is shown where that is expected to score more than an empty one. With J, which gives 1 to an empty mask of an
object that is not there, that is where the expected IoU is at least the probability that the object is absent. Both
are logistic curves over the log-odds of the confidence, fitted on clips with truth (``calibrate.py``), once for objects
that are followed and once for those that were lost and are searched. They are kept with the weights, and the
thresholds follow.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from shibori.tracking.config import TrackerConfig

GRID: NDArray[np.float64] = np.linspace(0.01, 0.99, 99)
"""Confidences that may become thresholds."""
EVEN_IOU = 0.5
"""Expected IoU below which an object is looked for elsewhere, and one that was found again is not trusted."""
AGAIN = 0.25
"""Weight of the absence of a lost object: one that is found again is followed in the frames to come as well, and one
that was not it is given up for what fits better."""


def calibrated(config: TrackerConfig, curves: Tensor | None) -> TrackerConfig:
    """The config with the thresholds that follow from ``calibrate``'s curves; those of zero rows stay."""
    if curves is None:
        return config
    rows = curves.double().cpu().numpy()
    if rows[0].any():
        lost = _first(_curve(rows[0]) >= _curve(rows[1]))
        doubt = max(_first(_curve(rows[0]) >= EVEN_IOU), lost)
        config = replace(config, lost_threshold=lost, doubt_threshold=doubt)
    if rows[2].any():
        again = _first(_curve(rows[2]) >= AGAIN * _curve(rows[3]))
        trusted = max(_first(_curve(rows[2]) >= EVEN_IOU), again)
        config = replace(config, redetect_threshold=again, trust_threshold=trusted)
    return config


def log_odds(confidences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of confidences that are not quite certain."""
    limited = np.clip(confidences, GRID[0], GRID[-1])
    return np.asarray(np.log(limited / (1 - limited)))


def _curve(row: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-(row[0] * log_odds(GRID) + row[1]))))


def _first(holds: NDArray[np.bool_]) -> float:
    """The lowest confidence from which on a condition holds."""
    fails = np.flatnonzero(~holds)
    return float(GRID[min(int(fails[-1]) + 1, len(GRID) - 1)]) if len(fails) else float(GRID[0])
