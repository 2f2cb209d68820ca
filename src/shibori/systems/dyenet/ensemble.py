"""Several variants of DyeNet together (Sec. 3, "ensemble"): each frame their masks are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.ops.overlap import OverlapMap, WindowedLogits
from shibori.systems.dyenet.follow import Follower, Following, Glance, Place
from shibori.systems.dyenet.frame import FrameView
from shibori.tracking.network import Memory


class Ensemble(Following):
    """Re-MP with several networks or variants, which look at the same window and carry on from their common mask.

    Re-identification, and what the pixel tracker remembers, are the first member's.

    Args:
        members: two or more, with the same rule; the first leads.
    """

    def __init__(self, members: Sequence[Following]) -> None:
        first = members[0]
        super().__init__(first.network, first.variant, first.rule, first.device)
        self.partners = tuple(members[1:])

    def begin(
        self, view: FrameView, object_id: int, mask: NDArray[np.bool_], shares: OverlapMap | None = None
    ) -> Follower | None:
        """See ``Following.begin``."""
        follower = super().begin(view, object_id, mask, shares)
        if follower is not None:
            begun = (each.begin(view.under(each.network), object_id, mask, shares) for each in self.partners)
            follower.partners = [partner for partner in begun if partner is not None]
        return follower

    def begin_softly(self, view: FrameView, object_id: int, probs: NDArray[np.float32], place: Place) -> Follower:
        """See ``Following.begin_softly``."""
        follower = super().begin_softly(view, object_id, probs, place)
        for each in self.partners:
            own = each.place_over(place.window)
            resized = _resized(probs, own.size_hw)
            follower.partners.append(each.begin_softly(view.under(each.network), object_id, resized, own))
        return follower

    def look(self, view: FrameView, follower: Follower, references: list[Memory], place: Place | None = None) -> Glance:
        """See ``Following.look``: the log-odds and the confidence are the members' means."""
        glance = super().look(view, follower, references, place)
        pairs = zip(self.partners, follower.partners, strict=True)
        window = glance.place.window
        others = [p.look(view.under(p.network), own, references, p.place_over(window)) for p, own in pairs]
        size_hw = (glance.answer.logits.shape[0], glance.answer.logits.shape[1])
        logits = [glance.answer.logits, *(_resized(other.answer.logits, size_hw) for other in others)]
        confidence = float(np.mean([glance.confidence, *(other.confidence for other in others)]))
        answer = replace(glance.answer, logits=np.mean(logits, 0, dtype=np.float32))
        return replace(glance, answer=answer, confidence=confidence, partners=others)

    def advance(self, follower: Follower, glance: Glance, shares: OverlapMap) -> None:
        """See ``Following.advance``."""
        super().advance(follower, glance, shares)
        for each, own, other in zip(self.partners, follower.partners, glance.partners, strict=True):
            answer = _on_grid(glance.answer, other.place.size_hw)
            each.advance(own, replace(other, answer=answer, confidence=glance.confidence), shares)


def _on_grid(answer: WindowedLogits, size_hw: tuple[int, int]) -> WindowedLogits:
    return replace(answer, logits=_resized(answer.logits, size_hw))


def _resized(values: NDArray[np.float32], size_hw: tuple[int, int]) -> NDArray[np.float32]:
    if values.shape == size_hw:
        return values
    return np.asarray(cv2.resize(values, size_hw[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
