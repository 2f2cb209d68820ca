"""How often an object that is plainly there has no mask at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from shibori.evaluation.scores import SequenceScores

LEAST_SHARE = 0.003
"""An object is visible where it covers this share of the frame or more."""


@dataclass(frozen=True)
class EmptyMasks:
    """Each object of each scored frame counts by itself."""

    visible: int
    """Masks of objects that are visible."""
    empty: int
    """Those of them that have no pixel."""

    @property
    def share(self) -> float:
        """Of the visible ones; 0 where there is none."""
        return self.empty / self.visible if self.visible else 0.0


def empty_masks(sequences: Iterable[SequenceScores], least_share: float = LEAST_SHARE) -> EmptyMasks:
    """The visible objects of scored sequences, and how many of their masks are empty.

    Args:
        sequences: semi-supervised scores with their truth and the folder of the results, which are read again.
        least_share: of the frame that an object has to cover to be visible.
    """
    counts = [_count(sequence, least_share) for sequence in sequences]
    return EmptyMasks(sum(each.visible for each in counts), sum(each.empty for each in counts))


def _count(sequence: SequenceScores, least_share: float) -> EmptyMasks:
    visible, empty = 0, 0
    for index in range(1, sequence.truth.num_frames):
        scored = [each for each in sequence.objects if 0 <= index - each.first_index < len(each.j_values)]
        if not scored:
            continue
        true_ids, pred_ids = sequence.truth.read_ids(index), sequence.read_result(index)
        for each in scored:
            if np.count_nonzero(true_ids == each.object_id) >= least_share * true_ids.size:
                visible += 1
                empty += not (pred_ids == each.object_id).any()
    return EmptyMasks(visible, empty)
