"""The DaSiamRPN-style tracker of Table 1: a fixed reference, a local search, a larger one while the object is lost."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from shibori.nn.siamese import SiameseNetwork
from shibori.nn.siamese_search import SearchRule, refer, search
from shibori.nn.views import FrameViews, ViewRule, ViewTrunk
from shibori.systems.trackprop.target import Target, TargetState, TrackedBox, Tracker


class SiameseTracker(Tracker):
    """A Siamese region proposal network for any number of objects.

    Args:
        trunk: gives the features.
        network: in evaluation mode.
        views: how finely frames are looked at.
        rule: how objects are looked for.
        device: of both.
    """

    def __init__(
        self, trunk: ViewTrunk, network: SiameseNetwork, views: ViewRule, rule: SearchRule, device: torch.device
    ) -> None:
        self.trunk, self.network, self.views, self.rule, self.device = trunk, network, views, rule, device

    def see(self, image: NDArray[np.uint8]) -> FrameViews:
        return FrameViews(image, self.trunk, self.views, self.device)

    def begin(self, frame: FrameViews, box_xyxy: NDArray[np.float64]) -> Target:
        return SiameseTarget(self, frame, box_xyxy)


class SiameseTarget(Target):
    """One object that the Siamese network follows. Its reference is never changed: it cannot drift."""

    @torch.no_grad()
    def __init__(self, tracker: SiameseTracker, frame: FrameViews, box_xyxy: NDArray[np.float64]) -> None:
        self._tracker = tracker
        self._box = np.asarray(box_xyxy, np.float64)
        self._num_lost = 0
        view = frame.of(self._box)
        self._reference = refer(tracker.network, view, view.boxes_into(self._box))

    def settle(self, box_xyxy: NDArray[np.float64]) -> None:
        self._box = np.asarray(box_xyxy, np.float64)
        self._num_lost = 0

    @torch.no_grad()
    def follow(self, frame: FrameViews) -> TrackedBox:
        view = frame.of(self._box)
        rule = self._tracker.rule
        box = view.boxes_into(self._box)
        found = search(self._tracker.network, view, self._reference, box, rule, self._num_lost)
        if found.score < (rule.least_score_again if self._num_lost else rule.least_score):
            self._num_lost += 1
            return TrackedBox(self._box, found.score, TargetState.LOST)
        self._num_lost = 0
        self._box = view.boxes_out(found.box_xyxy)
        is_certain = found.score >= rule.least_score_again
        return TrackedBox(self._box, found.score, TargetState.CERTAIN if is_certain else TargetState.UNCERTAIN)
