"""Masks that are not quite right: near the true one, and never the same twice."""

from __future__ import annotations

import numpy as np

from shibori.ops.mask_noise import affine_copy, as_detected, coarse_copy, with_ellipses


def blob() -> np.ndarray:
    rows, columns = np.indices((80, 100))
    return ((rows - 40) / 22) ** 2 + ((columns - 50) / 30) ** 2 <= 1


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return (first & second).sum() / (first | second).sum()


def test_affine_copies_stay_near_the_mask():
    values = [iou(affine_copy(np.random.default_rng(seed), blob()), blob()) for seed in range(40)]
    assert min(values) > 0.5
    assert 0.7 < np.mean(values) < 0.95
    assert len(set(values)) > 30


def test_ellipses_are_taken_away_and_added():
    taken, added = [], []
    for seed in range(40):
        noisy = with_ellipses(np.random.default_rng(seed), blob())
        taken.append((blob() & ~noisy).sum())
        added.append((noisy & ~blob()).sum())
    assert np.mean(np.array(taken) > 0) > 0.5
    assert np.mean(np.array(added) > 0) > 0.5
    assert np.mean(taken) < 0.3 * blob().sum()
    assert np.mean(added) < 0.3 * blob().sum()


def test_coarse_copies_are_smooth_and_stay_in_the_box():
    comb = blob() & (np.indices(blob().shape)[1] % 4 < 3)
    coarse = [coarse_copy(np.random.default_rng(seed), comb) for seed in range(20)]
    assert not any((copy & ~blob()).sum() > 0.1 * blob().sum() for copy in coarse)
    # The teeth of the comb are finer than the cells: they are filled, or nothing is left of them.
    edges = [np.abs(np.diff(copy.astype(int), axis=1)).sum() for copy in coarse]
    assert np.median(edges) < 0.5 * np.abs(np.diff(comb.astype(int), axis=1)).sum()
    assert all(iou(coarse_copy(np.random.default_rng(seed), blob()), blob()) > 0.85 for seed in range(20))


def test_masks_as_detected_are_near_the_true_one_and_never_empty():
    values = [iou(as_detected(np.random.default_rng(seed), blob()), blob()) for seed in range(40)]
    assert 0.6 < np.mean(values) < 0.95
    assert min(values) > 0.35
    dot = np.zeros((40, 40), np.bool_)
    dot[20, 20] = True
    assert all(as_detected(np.random.default_rng(seed), dot).any() for seed in range(40))


def test_of_nothing_nothing_is_made():
    nothing = np.zeros((20, 30), np.bool_)
    for noise in (with_ellipses, coarse_copy, as_detected):
        assert not noise(np.random.default_rng(0), nothing).any()


def test_the_same_seed_gives_the_same_noise():
    first, second = (with_ellipses(np.random.default_rng(3), blob()) for _ in range(2))
    np.testing.assert_array_equal(first, second)
