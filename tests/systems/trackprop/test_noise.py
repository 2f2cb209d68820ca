"""Virtual previous masks: near the true one, and never the same twice."""

from __future__ import annotations

import numpy as np

from shibori.systems.trackprop.noise import affine_copy, with_ellipses


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


def test_of_nothing_nothing_is_made():
    nothing = np.zeros((20, 30), np.bool_)
    assert not with_ellipses(np.random.default_rng(0), nothing).any()


def test_the_same_seed_gives_the_same_noise():
    first, second = (with_ellipses(np.random.default_rng(3), blob()) for _ in range(2))
    np.testing.assert_array_equal(first, second)
