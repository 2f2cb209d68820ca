"""Simulated marks lie where a person would draw them."""

from __future__ import annotations

import numpy as np

from shibori.systems.trackprop.drawing import draw_correction, draw_object


def disk(row: int, column: int, radius: int) -> np.ndarray:
    rows, columns = np.indices((64, 64))
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def test_first_marks_are_on_the_object_or_around_its_box():
    mask, others = disk(24, 24, 14), disk(52, 52, 8)
    kinds = set()
    for seed in range(60):
        labels = draw_object(np.random.default_rng(seed), mask, others)
        positive, negative = labels > 0, labels < 0
        assert positive.any()
        assert (positive & ~mask).sum() <= 0.02 * mask.sum()
        is_box = negative[0, 0] and negative[-1, -1]
        assert not (negative & mask).any() or is_box
        kinds.add("box" if is_box else "both" if negative.any() else "object")
    assert kinds == {"box", "both", "object"}


def test_corrections_are_on_what_is_wrong():
    true, predicted = disk(30, 30, 16), disk(30, 40, 16)
    for seed in range(20):
        labels = draw_correction(np.random.default_rng(seed), predicted, true)
        assert (labels > 0).any()
        assert (labels < 0).any()
        assert not ((labels > 0) & ~(true & ~predicted)).any()
        assert not ((labels < 0) & ~(predicted & ~true)).any()


def test_where_nothing_is_wrong_nothing_is_drawn():
    assert not draw_correction(np.random.default_rng(0), disk(30, 30, 9), disk(30, 30, 9)).any()
