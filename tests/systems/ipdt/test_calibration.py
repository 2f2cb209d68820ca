"""Class calibration and candidate selection, by hand and against loops."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.systems.ipdt.calibration import (
    calibrate,
    mean_class_scores,
    reliable_classes,
    reweighted,
    select_candidates,
)

from .made import SIZE, candidate

# Four candidates, classes monkey, giant panda, ape, as in Figure 3.
SCORES = np.array([[0.9, 0.05, 0.05], [0.3, 0.6, 0.1], [0.8, 0.1, 0.1], [0.6, 0.05, 0.35]])


def test_classes_that_show_up_are_those_of_high_mean():
    np.testing.assert_allclose(mean_class_scores(SCORES), [0.65, 0.2, 0.15])
    assert reliable_classes(SCORES, 0.31).tolist() == [True, False, False]
    assert reliable_classes(SCORES, 0.3).tolist() == [True, True, False]
    assert reliable_classes(SCORES, 1.0).tolist() == [False] * 3  # higher than, not equal
    np.testing.assert_allclose(mean_class_scores(np.zeros((0, 3))), 0)


def test_the_others_are_reweighted():
    weighted = reweighted(SCORES, np.array([True, False, False]))
    np.testing.assert_allclose(weighted[1], [0.3, 0.06, 0.01])
    np.testing.assert_allclose(weighted[:, 0], SCORES[:, 0])
    np.testing.assert_allclose(reweighted(SCORES, np.array([False] * 3), beta=0.5), SCORES / 2)


def test_calibration_changes_the_class_of_a_panda_among_monkeys():
    candidates = [candidate(i, (0, 0, 10, 10), row) for i, row in enumerate(SCORES)]
    assert [each.class_index for each in candidates] == [0, 1, 0, 0]
    calibrated = calibrate(candidates, 0.32)
    assert [each.class_index for each in calibrated] == [0, 0, 0, 0]
    assert [each.score for each in calibrated] == pytest.approx([0.91, 0.37, 0.82, 0.64])
    assert [each.frame_index for each in calibrated] == [0, 1, 2, 3]
    assert calibrate([], 0.32) == []


def slow_selection(candidates, threshold, max_gap):
    """Pair by pair, on pixels."""
    kept = []
    for each in sorted(candidates, key=lambda c: -c.score):
        x0, y0, x1, y1 = each.box_xyxy.astype(int)
        same = False
        for other in kept:
            a, b = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
            a[y0:y1, x0:x1] = True
            u0, v0, u1, v1 = other.box_xyxy.astype(int)
            b[v0:v1, u0:u1] = True
            near = max_gap is None or abs(each.frame_index - other.frame_index) <= max_gap
            same |= near and (a & b).sum() / (a | b).sum() > threshold
        if not same:
            kept.append(each)
    return kept


@pytest.mark.parametrize("max_gap", [None, 0, 3])
def test_selection_equals_pair_by_pair(max_gap):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        candidates = []
        for _ in range(25):
            x, y, w, h = (int(v) for v in (*rng.integers(0, 20, 2), *rng.integers(8, 20, 2)))
            candidates.append(candidate(int(rng.integers(8)), (x, y, x + w, y + h), rng.uniform(size=3)))
        expected = slow_selection(candidates, 0.4, max_gap)
        assert select_candidates(candidates, 0.4, max_gap) == expected
        assert select_candidates(candidates, 0.4, max_gap, most=3) == expected[:3]


def test_nothing_to_select():
    assert select_candidates([], 0.5) == []
