"""What is carried to one frame from the marked frames on both sides of it, as one answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shibori.ops.blend import blended
from shibori.ops.overlap import WindowedLogits, iou_of_masks
from shibori.systems.interactive.rule import InteractiveRule
from shibori.tracking.logit_store import Answer

SURENESS = 4
"""The power of its confidence with which a side counts."""


class Side(NamedTuple):
    """One of the two."""

    answer: Answer
    distance: int
    """Frames to the marked frame it comes from."""
    proof: float
    """IoU with the mask of the marked frame on the other side, when it comes there; 1 where there is none."""


@dataclass(frozen=True, eq=False)
class Carried:
    """One object in one frame that is not marked."""

    answer: Answer
    """Confidence 0 where it was not found."""
    sides: tuple[Answer, ...] = ()
    """What came from each side, where it came from both."""
    sources: tuple[int, ...] = ()
    """The marked frames that it came from, ascending."""

    @property
    def agreement(self) -> float:
        """IoU of what the two sides say; 1 where there is one alone."""
        return iou_of_masks(*same_grid(*(side.logits for side in self.sides))) if self.sides else 1.0

    @property
    def doubt(self) -> float:
        """How likely it is wrong, in [0, 1], as far as confidence and the agreement of the two sides tell."""
        return 1 - self.answer.confidence * self.agreement


def joined(before: Side, after: Side, rule: InteractiveRule) -> Carried:
    """Each side counts by how near it is, how sure it is, and how right it turns out at the other marked frame.

    A side counts (1 - a) c^4 (1 - (1 - r) a), a being its distance as a share of the way from marked frame to marked
    frame, c its confidence, and r how right its run is at the far end (IoU). Probabilities are averaged. On the eight
    dev clips, 22 frames between two true masks: J .845 and .840 from one side, .856 from the nearer, .865 like this;
    .863 with c^2, .860 with distance alone, .873 with the better side of each frame.
    """
    length = before.distance + after.distance
    weights = [_weight(side, length, rule) for side in (before, after)]
    share = weights[1] / sum(weights)
    first, second = before.answer, after.answer
    confidence = (1 - share) * first.confidence + share * second.confidence
    return Carried(Answer(blended(first.logits, second.logits, share), confidence), (first, second))


def _weight(side: Side, length: int, rule: InteractiveRule) -> float:
    away = side.distance / length
    proven = 1 - (1 - side.proof) * away
    sure = max(side.answer.confidence, rule.least_sure) ** SURENESS
    return (1 - away) * sure * max(proven, rule.least_sure)


def same_grid(first: WindowedLogits, second: WindowedLogits) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Both as masks over the window that covers both, on a grid as fine as the finer one."""
    masks = [blended(one, other, 0.0).logits > 0 for one, other in ((first, second), (second, first))]
    return masks[0], masks[1]
