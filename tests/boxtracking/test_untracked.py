"""No tracker: boxes stay, or go with the flow, which is estimated once for all objects."""

from __future__ import annotations

import numpy as np

from shibori.boxtracking.untracked import NoTracker, moved_by_flow
from shibori.nn.flow import Flow, FlowEstimator


class Steady(FlowEstimator):
    """Everything moves by (4, -2) pixels; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def estimate(self, image_from: np.ndarray, image_to: np.ndarray) -> Flow:
        self.asked += 1
        vectors = np.broadcast_to(np.float32([4, -2]), (24, 32, 2))
        return Flow(np.ascontiguousarray(vectors), image_from.shape[:2])


IMAGE = np.zeros((48, 64, 3), np.uint8)
BOX = np.array([10.0, 12.0, 30.0, 40.0])


def test_boxes_go_with_the_flow():
    flow = Steady()
    tracker = NoTracker(flow)
    frames = [tracker.see(IMAGE) for _ in range(3)]
    targets = [tracker.begin(frames[0], BOX), tracker.begin(frames[0], BOX + 5)]
    for frame in frames[1:]:
        boxes = [target.follow(frame).box_xyxy for target in targets]
    np.testing.assert_allclose(boxes[0], BOX + np.array([8, -4, 8, -4]))
    np.testing.assert_allclose(boxes[1], BOX + 5 + np.array([8, -4, 8, -4]))
    assert flow.asked == 2


def test_the_motion_is_that_of_the_middle():
    """The rim of a box is mostly background."""
    motion = np.zeros((48, 64, 2), np.float32)
    motion[20:32, 16:24] = (3, 1)
    np.testing.assert_allclose(moved_by_flow(BOX, motion, (48, 64)), BOX + np.array([3, 1, 3, 1]))


def test_a_box_beyond_the_frame_stays():
    motion = np.ones((48, 64, 2), np.float32)
    np.testing.assert_array_equal(moved_by_flow(BOX + 100, motion, (48, 64)), BOX + 100)
