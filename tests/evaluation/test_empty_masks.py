"""Empty masks of visible objects, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.evaluation.davis import evaluate_davis
from shibori.evaluation.empty_masks import EmptyMasks, empty_masks

from .made import SIZE_HW, ArraySequence, ColourPropagator, moving_boxes


def without(object_id: int, frames: range):
    """Results that lose an object in some frames."""
    return lambda index, ids: np.where((ids == object_id) & (index in frames), np.uint8(0), ids)


@pytest.mark.parametrize(
    ("lost", "empty"),
    [(range(0), 0), (range(3, 5), 2), (range(8), 6), (range(7, 8), 0)],  # of frames 1 to 6, which are scored
)
def test_lost_masks_of_visible_objects_are_counted(tmp_path, lost, empty):
    scores = evaluate_davis([moving_boxes()], ColourPropagator(without(2, lost)), tmp_path)
    assert empty_masks(scores.sequences) == EmptyMasks(12, empty)
    assert empty_masks(scores.sequences).share == empty / 12


def test_what_is_hidden_or_small_is_not_asked_for(tmp_path):
    frames = []
    for index in range(8):
        ids = np.zeros(SIZE_HW, np.uint8)
        ids[0, : (12, 12, 11, 0, 0, 12, 12, 12)[index]] = 1  # .3 % of 48 x 80 pixels is 11.52
        frames.append(ids)
    clip = ArraySequence("small", tuple(frames))
    scores = evaluate_davis([clip], ColourPropagator(without(1, range(1, 8))), tmp_path)
    assert empty_masks(scores.sequences) == EmptyMasks(3, 3)
    assert empty_masks(scores.sequences, least_share=0.0028) == EmptyMasks(4, 4)


def test_objects_that_come_late_count_from_where_they_are_scored(tmp_path):
    propagator = ColourPropagator(without(3, range(4, 6)))
    scores = evaluate_davis([moving_boxes(late=True)], propagator, tmp_path, late_objects=True)
    assert empty_masks(scores.sequences) == EmptyMasks(6 + 6 + 3, 2)


def test_several_clips_and_none_visible(tmp_path):
    clips = [moving_boxes("one"), moving_boxes("two")]
    scores = evaluate_davis(clips, ColourPropagator(without(1, range(2, 4))), tmp_path)
    assert empty_masks(scores.sequences) == EmptyMasks(24, 4)
    assert EmptyMasks(0, 0).share == 0
