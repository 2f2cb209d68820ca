"""The DAVIS unsupervised protocol: unnamed proposals are matched to the true objects at best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.datasets.annotated_sequence import AnnotatedSequence
from shibori.errors import InputError
from shibori.evaluation.identity import followed_by, identity_switches
from shibori.evaluation.measures import mask_measures
from shibori.evaluation.scores import ObjectScores
from shibori.evaluation.sequence import ResultFolder
from shibori.media.mask import VOID, object_ids

LARGEST_NUM_PROPOSALS = 20


def score_proposals(truth: AnnotatedSequence, results: ResultFolder) -> tuple[ObjectScores, ...]:
    """Score the proposals of a sequence: all frames count, void pixels do not.

    Each object of the first frame gets the proposal of a one-to-one assignment that maximises the mean of (J + F) / 2.
    Objects for which none is left are scored against empty masks.

    Raises:
        InputError: a frame is missing, there are more than 20 proposals, or the first frame has no object.
    """
    from scipy.optimize import linear_sum_assignment  # a quarter of a second to import, for this protocol alone

    results.require([truth.frame_name(index) for index in range(truth.num_frames)])
    objects = object_ids(truth.read_ids(0))
    if not objects:
        raise InputError(f"the first ground truth of {truth.name} shows no object, so there is nothing to score")
    frames = [_FrameTable(truth, results, index, objects) for index in range(truth.num_frames)]
    proposals = sorted(set[int]().union(*(frame.proposals for frame in frames)))
    if len(proposals) > LARGEST_NUM_PROPOSALS:
        raise InputError(
            f"{results.path} holds {len(proposals)} proposals: the protocol allows {LARGEST_NUM_PROPOSALS} a sequence"
        )
    columns: list[int | None] = [*proposals, *[None] * (len(objects) - len(proposals))]
    values = np.stack([frame.values(columns) for frame in frames])  # (T, objects, columns, 2)
    rows, chosen = linear_sum_assignment(values.mean(axis=(0, 3)), maximize=True)
    return tuple(
        _object_scores(objects[row], columns[column], values[:, row, column], [f.matched_ids[row] for f in frames])
        for row, column in zip(rows, chosen, strict=True)
    )


def _object_scores(
    object_id: int, proposal: int | None, values: NDArray[np.float64], matched_ids: Sequence[int | None]
) -> ObjectScores:
    own = proposal if proposal is not None else 0
    switches = identity_switches(own, matched_ids) if proposal is not None else 0
    return ObjectScores(object_id, proposal, 0, values[:, 0], values[:, 1], switches)


class _FrameTable:
    """J and F of every object with every proposal that is in a frame."""

    def __init__(self, truth: AnnotatedSequence, results: ResultFolder, index: int, objects: Sequence[int]) -> None:
        true_ids = truth.read_ids(index, keep_void=True)
        pred_ids = results.read_ids(truth.frame_name(index), (true_ids.shape[0], true_ids.shape[1]))
        if true_ids.dtype == np.uint8:
            void = true_ids == VOID
            true_ids, pred_ids = _clear(true_ids, void), _clear(pred_ids, void)
        self.proposals = object_ids(pred_ids)
        self.matched_ids = followed_by(pred_ids, true_ids, objects)
        trues = [true_ids == object_id for object_id in objects]
        self._empty = np.array([not true.any() for true in trues], np.float64)
        self._pairs = {
            proposal: np.array([mask_measures(pred_ids == proposal, true) for true in trues])
            for proposal in self.proposals
        }

    def values(self, columns: Sequence[int | None]) -> NDArray[np.float64]:
        """(objects, columns, 2) J and F; a proposal that is not in this frame is empty, and so is None."""
        nothing = np.repeat(self._empty[:, None], 2, axis=1)
        return np.stack([nothing if c is None else self._pairs.get(c, nothing) for c in columns], axis=1)


def _clear(ids: NDArray[Any], void: NDArray[np.bool_]) -> NDArray[Any]:
    return np.where(void, ids.dtype.type(0), ids)
