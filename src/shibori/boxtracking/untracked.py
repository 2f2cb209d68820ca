"""No tracker, the first row of Table 1: the object is where its mask was in the previous frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shibori.boxtracking.target import Target, TargetState, TrackedBox, Tracker
from shibori.boxtracking.views import FrameViews, ViewRule
from shibori.nn.flow import FlowEstimator

LEAST_PIXELS = 4
"""Of the flow's grid, in which an object's motion is read."""


class NoTracker(Tracker):
    """The previous box, as it is or moved by the optical flow in it.

    Args:
        flow: estimates it; None leaves boxes where they are.
    """

    def __init__(self, flow: FlowEstimator | None = None) -> None:
        self._flow = flow
        self._motion: tuple[FrameViews, FrameViews, NDArray[np.float32]] | None = None

    def see(self, image: NDArray[np.uint8]) -> FrameViews:
        return FrameViews(image, None, ViewRule())

    def begin(self, frame: FrameViews, box_xyxy: NDArray[np.float64]) -> Target:
        return _Untracked(self, frame, box_xyxy)

    def motion(self, before: FrameViews, after: FrameViews) -> NDArray[np.float32] | None:
        """(h, w, 2) vectors from one frame to the next on a grid over the frame; estimated once for all objects."""
        if self._flow is None:
            return None
        if self._motion is None or self._motion[0] is not before or self._motion[1] is not after:
            self._motion = (before, after, self._flow.estimate(before.image, after.image).vectors)
        return self._motion[2]


class _Untracked(Target):
    """One object that stays where it was, or goes with the flow."""

    def __init__(self, tracker: NoTracker, frame: FrameViews, box_xyxy: NDArray[np.float64]) -> None:
        self._tracker, self._frame = tracker, frame
        self._box = np.asarray(box_xyxy, np.float64)

    def settle(self, box_xyxy: NDArray[np.float64]) -> None:
        self._box = np.asarray(box_xyxy, np.float64)

    def follow(self, frame: FrameViews) -> TrackedBox:
        motion = self._tracker.motion(self._frame, frame)
        if motion is not None:
            self._box = moved_by_flow(self._box, motion, frame.size_hw)
        self._frame = frame
        return TrackedBox(self._box, 1.0, TargetState.CERTAIN)


def moved_by_flow(
    box_xyxy: NDArray[np.float64], motion: NDArray[np.float32], frame_hw: tuple[int, int]
) -> NDArray[np.float64]:
    """A box moved by the median of the flow in its inner half.

    Args:
        box_xyxy: (4,) in pixels of the frame.
        motion: (h, w, 2) vectors in pixels of the frame, on a grid over it.
        frame_hw: of the frame.
    """
    quarter = (box_xyxy[2:] - box_xyxy[:2]) / 4
    inner = np.concatenate([box_xyxy[:2] + quarter, box_xyxy[2:] - quarter])
    height, width = motion.shape[:2]
    scale = np.array([width / frame_hw[1], height / frame_hw[0]] * 2)
    left, top, right, bottom = (inner * scale).round().astype(int).clip(0).tolist()
    vectors = motion[top : max(bottom, top + 1), left : max(right, left + 1)].reshape(-1, 2)
    if len(vectors) < LEAST_PIXELS:
        return box_xyxy
    shift = np.median(vectors, axis=0).astype(np.float64)
    return box_xyxy + np.concatenate([shift, shift])
