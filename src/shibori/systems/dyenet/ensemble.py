"""Several variants of DyeNet together (Sec. 3, "ensemble"): each frame their masks are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.ops.overlap import OverlapMap
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.recurrent_tracker import RecurrentPrediction, RecurrentState, RecurrentTracker
from shibori.tracking.network import Memory
from shibori.tracking.window_tracker import Crop


class Ensemble(RecurrentTracker):
    """Re-MP with several networks or variants, which look at the same window and carry on from their common mask.

    Re-identification, and what the pixel tracker remembers, are the first member's.

    Args:
        members: two or more, with the same rule; the first leads.
    """

    def __init__(self, members: Sequence[RecurrentTracker]) -> None:
        first = members[0]
        super().__init__(first.network, first.variant, first.rule, first.device)
        self.partners = tuple(members[1:])

    def begin(
        self, view: FrameView, object_id: int, mask: NDArray[np.bool_], shares: OverlapMap | None = None
    ) -> RecurrentState | None:
        """See ``RecurrentTracker.begin``."""
        state = super().begin(view, object_id, mask, shares)
        if state is not None:
            begun = (each.begin(view.under(each.network), object_id, mask, shares) for each in self.partners)
            state.partners = [partner for partner in begun if partner is not None]
        return state

    def begin_softly(self, view: FrameView, object_id: int, probs: NDArray[np.float32], crop: Crop) -> RecurrentState:
        """See ``RecurrentTracker.begin_softly``."""
        state = super().begin_softly(view, object_id, probs, crop)
        for each in self.partners:
            own = each.crop_over(crop.window)
            resized = _resized(probs, own.size_hw)
            state.partners.append(each.begin_softly(view.under(each.network), object_id, resized, own))
        return state

    def predict(
        self, view: FrameView, state: RecurrentState, references: list[Memory], crop: Crop | None = None
    ) -> RecurrentPrediction:
        """See ``RecurrentTracker.predict``: the log-odds and the confidence are the members' means."""
        prediction = super().predict(view, state, references, crop)
        estimate, pairs = prediction.estimate, zip(self.partners, state.partners, strict=True)
        window = estimate.crop.window
        others = tuple(p.predict(view.under(p.network), own, references, p.crop_over(window)) for p, own in pairs)
        logits = [estimate.logits, *(_resized(other.estimate.logits, estimate.crop.size_hw) for other in others)]
        confidence = float(np.mean([prediction.confidence, *(other.confidence for other in others)]))
        mean = replace(estimate, logits=np.mean(logits, 0, dtype=np.float32), confidence=confidence)
        return replace(prediction, estimate=mean, partners=others)

    def advance(self, state: RecurrentState, prediction: RecurrentPrediction, shares: OverlapMap) -> None:
        """See ``RecurrentTracker.advance``."""
        super().advance(state, prediction, shares)
        for each, own, other in zip(self.partners, state.partners, prediction.partners, strict=True):
            logits = _resized(prediction.estimate.logits, other.estimate.crop.size_hw)
            estimate = replace(other.estimate, logits=logits, confidence=prediction.confidence)
            each.advance(own, replace(other, estimate=estimate), shares)


def _resized(values: NDArray[np.float32], size_hw: tuple[int, int]) -> NDArray[np.float32]:
    if values.shape == size_hw:
        return values
    return np.asarray(cv2.resize(values, size_hw[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
