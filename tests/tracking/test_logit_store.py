"""Soft masks come back as they were put, to within half a step."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from shibori.ops.overlap import WindowedLogits
from shibori.tracking.logit_store import Answer, LogitStore


def made_answer(seed: int, size_hw: tuple[int, int] = (20, 28), object_id: int = 3) -> Answer:
    rng = np.random.default_rng(seed)
    window = np.array([seed, 2 * seed, seed + 40.0, 2 * seed + 30.0])
    return Answer(WindowedLogits(object_id, window, rng.normal(0, 5, size_hw).astype(np.float32)), 0.7)


@pytest.mark.parametrize("steps_per_unit", [10, 127 / 8])
def test_what_is_put_comes_back_to_within_half_a_step(steps_per_unit: float):
    store, step = LogitStore(steps_per_unit), 1 / steps_per_unit
    put = {(f, t): made_answer(10 * t + f, (16 + t, 20 + f)) for t in range(3) for f in range(4)}
    for place, answer in put.items():
        store.put(*place, answer)
    for place, answer in reversed(put.items()):
        back = store.get(*place)
        assert (back.logits.object_id, back.confidence) == (3, 0.7)
        assert back.logits.logits.dtype == np.float32
        np.testing.assert_array_equal(back.logits.window, answer.logits.window)
        expected = answer.logits.logits.clip(-127 * step, 127 * step)
        np.testing.assert_allclose(back.logits.logits, expected, atol=step / 2 + 1e-5)


def test_no_pixel_changes_sides_by_rounding_unless_it_is_on_the_edge():
    store, answer = LogitStore(10), made_answer(1, (200, 200))
    store.put(0, 0, answer)
    differs = (store.get(0, 0).logits.logits > 0) != (answer.logits.logits > 0)
    assert (np.abs(answer.logits.logits[differs]) <= 0.05).all()
    assert differs.mean() < 0.01


def test_extreme_log_odds_keep_their_side():
    store, logits = LogitStore(10), np.array([[1e9, -1e9, 40, -40]], np.float32)
    store.put(0, 0, Answer(WindowedLogits(1, np.array([0.0, 0, 4, 1]), logits), 1.0))
    np.testing.assert_array_equal(np.sign(store.get(0, 0).logits.logits), np.sign(logits))


def test_what_was_not_put_is_none_and_what_is_put_again_counts():
    store = LogitStore(10)
    store.put(5, 1, made_answer(0))
    assert store.get(1, 5) is None
    assert store.get(4, 1) is None
    assert store.holds(5, 1)
    assert not store.holds(4, 1)
    store.put(5, 1, made_answer(9))
    np.testing.assert_array_equal(store.get(5, 1).logits.window, made_answer(9).logits.window)
    store.drop(5, 1)
    store.drop(5, 1)
    assert not store.holds(5, 1)


def test_memory_does_not_grow_with_the_pictures():
    answer, store = made_answer(0, (256, 256)), LogitStore(10, memory_bytes=0)
    store.put(0, 0, answer)
    tracemalloc.start()
    for index in range(1, 201):
        store.put(index, 0, answer)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(store.holds(index, 0) for index in range(201))
    assert held < 300_000
