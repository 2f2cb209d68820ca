"""Fit what a tracker's confidence means: follow objects through clips with truth, and note how good each mask is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from shibori.datasets.annotated_sequence import AnnotatedSequence
from shibori.media.mask import FrameMasks, ids_to_masks
from shibori.ops.overlap import iou_of_masks
from shibori.tracking.calibration import log_odds
from shibori.tracking.propagator import MaskPropagation, MaskPropagator
from shibori.tracking.window_tracker import Mask, ObjectPrediction, TrackState, WindowTracker

PULL = 1e-2
"""Weight of the squared distance of a slope from 1, for curves with few observations."""
LEAST_OBSERVATIONS = 20


class Observation(NamedTuple):
    """One prediction, and what was true of it."""

    is_searched: bool
    """Whether the object counted as lost before this frame."""
    confidence: float
    iou: float
    """With the truth; 0 where the object is absent."""
    is_absent: bool


def observe(
    propagator: MaskPropagator, clips: Iterable[AnnotatedSequence], report: Callable[[str, int], None] | None = None
) -> list[Observation]:
    """Follow every object of each clip's first frame, as inference does.

    Args:
        propagator: with the numbers it is used with.
        clips: whose first ids are known.
        report: called after each clip with its name and the number of observations so far.
    """
    observations: list[Observation] = []
    for clip in clips:
        first = clip.read_ids(0)
        given = ids_to_masks(first)
        run = ObservedPropagation(propagator.tracker, (first.shape[0], first.shape[1]))
        for index in range(clip.num_frames):
            truth = clip.read_ids(index) if index and clip.has_ids(index) else None
            run.observe(clip.read_image(index), truth, given if index == 0 else None)
        observations += run.observations
        if report is not None:
            report(clip.name, len(observations))
    return observations


def calibrate(observations: Sequence[Observation]) -> torch.Tensor:
    """(4, 2) float32 slope and offset of the expected IoU and of the probability of absence: followed, then searched.

    Where there are too few observations the rows are zero.
    """
    rows: list[NDArray[np.float64]] = []
    for is_searched in (False, True):
        chosen = [each for each in observations if each.is_searched == is_searched]
        confidences = np.array([each.confidence for each in chosen])
        for targets in ([each.iou for each in chosen], [float(each.is_absent) for each in chosen]):
            enough = len(chosen) >= LEAST_OBSERVATIONS
            rows.append(_fitted(confidences, np.array(targets)) if enough else np.zeros(2))
    return torch.from_numpy(np.stack(rows)).float()


def _fitted(confidences: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logistic curve (slope, offset) with the smallest cross entropy."""
    inputs = log_odds(confidences)

    def loss(curve: NDArray[np.float64]) -> float:
        logits = curve[0] * inputs + curve[1]
        entropy = np.mean(np.logaddexp(0, logits) - targets * logits)
        return float(entropy + PULL * (abs(curve[0]) - 1) ** 2)

    slope = 1.0 if np.cov(inputs, targets)[0, 1] >= 0 else -1.0
    return np.asarray(minimize(loss, np.array([slope, 0.0])).x)


class ObservedPropagation(MaskPropagation):
    """A run that notes how good each prediction is, before it is decided whether it counts.

    Args:
        tracker: as for ``MaskPropagation``.
        size_hw: of the frames.
    """

    def __init__(self, tracker: WindowTracker, size_hw: tuple[int, int]) -> None:
        super().__init__(tracker, size_hw)
        self.observations: list[Observation] = []
        self._truth: NDArray[np.generic] | None = None

    def observe(
        self, image: NDArray[np.uint8], truth: NDArray[np.generic] | None, references: Mapping[int, Mask] | None = None
    ) -> FrameMasks:
        """``step`` on a frame with (H, W) true ids, or None where they are not known."""
        self._truth = truth
        return self.step(image, references)

    def _predict(self, image: NDArray[np.uint8], followed: Sequence[TrackState]) -> list[ObjectPrediction]:
        found = super()._predict(image, followed)
        if self._truth is not None:
            for state, prediction in zip(followed, found, strict=True):
                self.observations.append(self._observed(state, prediction, self._truth == state.object_id))
        return found

    def _observed(self, state: TrackState, prediction: ObjectPrediction, truth: Mask) -> Observation:
        is_absent = not truth.any()
        iou = 0.0 if is_absent else iou_of_masks(prediction.answer.mask(self.size_hw), truth)
        return Observation(state.is_lost, prediction.confidence, iou, is_absent)
