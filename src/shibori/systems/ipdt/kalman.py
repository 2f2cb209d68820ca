"""The motion model of DeepSORT (Wojke et al., 2017, Sec. 2.1): boxes that move with constant velocity.

The state is (x, y, a, h) and its velocities: centre, aspect ratio (width / height) and height of a box in pixels, one
frame a time step. What is measured is (x, y, a, h). Uncertainties are shares of the height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POSITION_SHARE, VELOCITY_SHARE = 1 / 20, 1 / 160
"""Standard deviations of place and velocity, in heights; those of the authors' implementation."""
_ASPECT, _ASPECT_VELOCITY, _ASPECT_MEASURED = 1e-2, 1e-5, 1e-1
GATE = 9.4877
"""0.95 quantile of the chi-squared distribution with 4 degrees of freedom: larger squared distances are no match."""

_MOTION = np.eye(8) + np.eye(8, k=4)
_MEASURE = np.eye(4, 8)


@dataclass(frozen=True, eq=False)
class BoxState:
    """What is known of a box: a normal distribution."""

    mean: NDArray[np.float64]
    """(8,)."""
    covariance: NDArray[np.float64]
    """(8, 8)."""

    @property
    def box_xyxy(self) -> NDArray[np.float64]:
        """(4,) pixels."""
        return measured_to_box(self.mean[:4])


def box_to_measured(box_xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4,) centre x and y, width / height, and height of a box with area."""
    x0, y0, x1, y1 = box_xyxy
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / (y1 - y0), y1 - y0])


def measured_to_box(measured: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4,) xyxy; the reverse of ``box_to_measured``."""
    x, y, aspect, height = measured
    width = aspect * height
    return np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])


def _deviations(height: float, position: float, velocity: float) -> NDArray[np.float64]:
    """(8,) standard deviations for a box of this height."""
    place, speed = position * height, velocity * height
    return np.array([place, place, _ASPECT, place, speed, speed, _ASPECT_VELOCITY, speed])


def begin(box_xyxy: NDArray[np.float64]) -> BoxState:
    """The state after a first box: it may move in any direction."""
    measured = box_to_measured(box_xyxy)
    deviations = _deviations(measured[3], 2 * POSITION_SHARE, 10 * VELOCITY_SHARE)
    return BoxState(np.concatenate([measured, np.zeros(4)]), np.diag(deviations**2))


def predict(state: BoxState) -> BoxState:
    """The state a frame later, before anything of that frame is known."""
    noise = np.diag(_deviations(state.mean[3], POSITION_SHARE, VELOCITY_SHARE) ** 2)
    return BoxState(_MOTION @ state.mean, _MOTION @ state.covariance @ _MOTION.T + noise)


def expected(state: BoxState) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(4,) mean and (4, 4) covariance of what would be measured."""
    place = POSITION_SHARE * state.mean[3]
    noise = np.diag(np.array([place, place, _ASPECT_MEASURED, place]) ** 2)
    return _MEASURE @ state.mean, _MEASURE @ state.covariance @ _MEASURE.T + noise


def update(state: BoxState, box_xyxy: NDArray[np.float64]) -> BoxState:
    """The state once a box was measured."""
    mean, covariance = expected(state)
    gain = np.linalg.solve(covariance, _MEASURE @ state.covariance).T
    surprise = box_to_measured(box_xyxy) - mean
    return BoxState(state.mean + gain @ surprise, state.covariance - gain @ covariance @ gain.T)


def squared_distances(state: BoxState, boxes_xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) squared Mahalanobis distances of (N, 4) boxes from what is expected (Eq. 1)."""
    mean, covariance = expected(state)
    surprises = np.array([box_to_measured(box) for box in boxes_xyxy]).reshape(-1, 4) - mean
    return np.einsum("ni,ni->n", surprises, np.linalg.solve(covariance, surprises.T).T)
