"""Tubelets: their classes, scores and overlaps by hand, and suppression."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.media.rle import decode_rle
from shibori.systems.ipdt.candidate import Tubelet
from shibori.systems.ipdt.suppression import (
    final_class,
    final_score,
    mean_frame_ious,
    suppress,
    tubelet_with_evidence,
)

from .made import SIZE, box_mask, candidate

MASK = box_mask(0, 0, 10, 10)


EVERY = np.ones(4, bool)


def tubelet(scores, masks=None, searched=None) -> Tubelet:
    masks = (MASK,) * len(scores) if masks is None else tuple(masks)
    return Tubelet(masks, np.array(scores, float), np.array(searched or [True] * len(scores)))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([[0.1, 0.2], [0.1, 0.2], [0.3, 0.0]], 0),  # sure once weighs more than wavering twice
        ([[0.1, 0.2], [0.1, 0.2], [0.1, 0.0]], 1),
        ([[0.0, 0.0], [0.0, 0.0]], -1),
    ],
)
def test_final_class(scores, expected):
    assert final_class(tubelet(scores)) == expected


def test_frames_without_a_mask_say_nothing():
    absent = tubelet([[0, 0.9], [0, 0.9], [0.2, 0.1]], [None, None, MASK])
    assert final_class(absent) == 0
    assert final_score(absent) == pytest.approx(np.sqrt(0.2 * 0.3))
    assert absent.valid.tolist() == [False, False, True]
    assert final_score(tubelet([[0.9, 0]], [None])) == 0
    assert final_class(tubelet([[0.9, 0]], [None])) == -1


def test_final_score_is_that_of_the_mean_over_valid_frames():
    assert final_score(tubelet([[0.9, 0], [0.6, 0], [0, 0]])) == pytest.approx(0.5)
    assert final_score(tubelet([[0.4, 0.3], [0.2, 0.1], [0, 0]])) == pytest.approx(np.sqrt(0.2 * (0.2 + 0.4 / 3)))


def test_frames_that_were_not_searched_say_nothing():
    every_second = tubelet([[0, 0.9], [0, 0], [0.2, 0.3], [0, 0]], searched=[True, False, True, False])
    assert final_class(every_second) == 1
    assert final_score(every_second) == pytest.approx(np.sqrt(0.6 * 0.7))
    assert final_score(tubelet([[0.9]], searched=[False])) == 0


def test_evidence_is_that_of_the_candidate_of_the_same_frame():
    masks = [box_mask(0, 0, 10, 10), None, box_mask(10, 0, 20, 10), box_mask(20, 0, 30, 10)]
    candidates = [
        candidate(0, (0, 0, 10, 8), [0.1, 0.7]),
        candidate(0, (0, 0, 10, 10), [0.4, 0.3]),
        candidate(1, (0, 0, 10, 10), [0.0, 0.9]),
        candidate(2, (20, 0, 30, 10), [0.9, 0.0]),  # elsewhere
        candidate(3, (20, 0, 25, 10), [0.9, 0.0]),  # IoU 0.5, which is not more
    ]
    found = tubelet_with_evidence(masks, candidates, EVERY)
    assert found.class_scores.tolist() == [[0.4, 0.3], [0, 0], [0, 0], [0, 0]]


def slow_mean_iou(a: Tubelet, b: Tubelet) -> float:
    values = []
    for one, two in zip(a.masks, b.masks, strict=True):
        if one is None and two is None:
            continue
        first, second = (np.zeros(SIZE, bool) if code is None else decode_rle(code) for code in (one, two))
        values.append((first & second).sum() / (first | second).sum())
    return float(np.mean(values)) if values else 0.0


def test_mean_ious_equal_pixels():
    rng = np.random.default_rng(3)
    tubelets = []
    for _ in range(5):
        masks = []
        for _ in range(6):
            x, y = rng.integers(0, 12, 2).tolist()
            masks.append(None if rng.uniform() < 0.3 else box_mask(x, y, x + 15, y + 12))
        tubelets.append(tubelet([[0.5]] * 6, masks))
    tubelets.append(tubelet([[0.5]] * 6, [None] * 6))
    expected = [[slow_mean_iou(a, b) for b in tubelets] for a in tubelets]
    np.testing.assert_allclose(mean_frame_ious(tubelets), expected)
    assert mean_frame_ious([]).shape == (0, 0)


def test_of_tubelets_of_one_instance_the_best_stays():
    here, near, far = box_mask(0, 0, 10, 10), box_mask(0, 0, 10, 8), box_mask(30, 20, 40, 30)
    good, worse = tubelet([[0.9]] * 2, [here, here]), tubelet([[0.5]] * 2, [near, near])
    other, nothing = tubelet([[0.7]] * 2, [far, None]), tubelet([[0.1]] * 2, [None, None])
    assert suppress([worse, nothing, other, good], 0.5) == [good, other, nothing]
    assert suppress([worse, good], 0.8) == [good, worse]  # IoU 0.8, which is not above
    # A chain: what was left out leaves nothing out.
    third = tubelet([[0.3]] * 2, [box_mask(0, 0, 10, 6)] * 2)
    assert suppress([third, worse, good], 0.7) == [good, third]
    assert suppress([], 0.5) == []
