"""The DaSiamRPN-style tracker of Table 1: a fixed reference, a local search, a larger one while the object is lost.

What looks like the object beside it is remembered, from the first frame on, and held against answers that look like it
(DaSiamRPN, Sec. 3.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.boxtracking.siamese_network import SiameseNetwork
from shibori.boxtracking.siamese_search import SearchRule, refer, search
from shibori.boxtracking.target import Target, TargetState, TrackedBox, Tracker
from shibori.boxtracking.views import FrameViews, View, ViewRule, ViewTrunk
from shibori.ops.region import paired_iou


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
        box = view.boxes_into(self._box)
        self._reference = refer(tracker.network, view, box)
        self._distractors: list[_Distractor] = []
        self._num_new = 0
        self._remember(view, search(tracker.network, view, self._reference, box, tracker.rule).distractors_xyxy)
        self.settle(self._box)

    def settle(self, box_xyxy: NDArray[np.float64]) -> None:
        """See ``Target``. What was taken for a distractor in that frame, and is in this box, is none."""
        self._box = np.asarray(box_xyxy, np.float64)
        self._num_lost = 0
        first_new = len(self._distractors) - self._num_new
        self._distractors = [
            each
            for place, each in enumerate(self._distractors)
            if place < first_new or each.overlap(self._box) <= self._tracker.rule.apart
        ]
        self._num_new = len(self._distractors) - first_new

    @torch.no_grad()
    def follow(self, frame: FrameViews) -> TrackedBox:
        view = frame.of(self._box)
        rule = self._tracker.rule
        box = view.boxes_into(self._box)
        known = torch.cat([each.kernel for each in self._distractors]) if self._distractors else None
        found = search(self._tracker.network, view, self._reference, box, rule, self._num_lost, known)
        self._num_new = 0
        if found.score < (rule.least_score_again if self._num_lost else rule.least_score):
            self._num_lost += 1
            return TrackedBox(self._box, found.score, TargetState.LOST)
        self._num_lost = 0
        self._box = view.boxes_out(found.box_xyxy)
        is_certain = found.score >= rule.least_score_again
        if is_certain:
            self._remember(view, found.distractors_xyxy)
        return TrackedBox(self._box, found.score, TargetState.CERTAIN if is_certain else TargetState.UNCERTAIN)

    def _remember(self, view: View, boxes_xyxy: Tensor) -> None:
        """Distractors of this frame, (N, 4) in pixels of the view; of all frames the latest are kept."""
        kernels = [refer(self._tracker.network, view, box).discriminator for box in boxes_xyxy]
        new = [_Distractor(view.boxes_out(box), kernel) for box, kernel in zip(boxes_xyxy, kernels, strict=True)]
        self._distractors = [*self._distractors, *new][-self._tracker.rule.most_distractors :]
        self._num_new = len(new)


@dataclass(frozen=True)
class _Distractor:
    """Something that looked like the object and was beside it."""

    box_xyxy: NDArray[np.float64]
    """(4,) in pixels of the frame in which it was seen."""
    kernel: Tensor
    """(1, C, 7, 7) of the discriminator."""

    def overlap(self, box_xyxy: NDArray[np.float64]) -> float:
        """IoU with a box of that frame."""
        return float(paired_iou(torch.from_numpy(self.box_xyxy), torch.from_numpy(box_xyxy)))
