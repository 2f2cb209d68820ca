"""The masks of one frame, out of the answers that every object got for itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.soft_mask import SoftLayer, SoftMasks
from shibori.ops.overlap import WindowedLogits, settled_ids


def settled_frame(
    index: int,
    size_hw: tuple[int, int],
    answers: Sequence[WindowedLogits],
    given: Mapping[int, NDArray[np.bool_]],
    statuses: Sequence[ObjectStatus],
) -> FrameMasks:
    """One frame: the ids of whoever is likeliest where, and the soft masks they were decided from.

    Args:
        index: of the frame.
        size_hw: of the frame.
        answers: of the objects that were followed.
        given: object_id -> (H, W) masks that are true.
        statuses: of every object that is known.
    """
    highest = max([0, *given, *(answer.object_id for answer in answers), *(status.object_id for status in statuses)])
    ids = settled_ids(answers, given, size_hw, highest)
    return FrameMasks(index, ids, tuple(statuses), soft_masks(size_hw, answers, given))


def soft_masks(
    size_hw: tuple[int, int], answers: Sequence[WindowedLogits], given: Mapping[int, NDArray[np.bool_]]
) -> SoftMasks:
    """The same log-odds, half as large in memory, for whoever asks for probabilities."""
    layers = tuple(_layer(answer) for answer in answers)
    return SoftMasks(size_hw, layers, dict(given))


def _layer(answer: WindowedLogits) -> SoftLayer:
    left, top, right, bottom = answer.window.astype(int).tolist()
    return SoftLayer(answer.object_id, (left, top, right, bottom), answer.logits.astype(np.float16))
