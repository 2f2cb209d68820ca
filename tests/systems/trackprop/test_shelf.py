"""Answers come back as they were put, to within the steps they are kept in."""

from __future__ import annotations

import numpy as np

from shibori.ops.overlap import WindowedLogits
from shibori.systems.trackprop.shelf import LIMIT, Answer, Shelf


def answer(object_id: int, seed: int) -> Answer:
    logits = np.random.default_rng(seed).normal(0, 5, (24, 32)).astype(np.float32)
    return Answer(WindowedLogits(object_id, np.array([3.0, 4.0, 35.0, 28.0]), logits), 0.7)


def test_what_was_put_is_found():
    shelf, kept = Shelf(), answer(2, 0)
    shelf.put(5, kept)
    assert (2, 5) in shelf
    assert (2, 4) not in shelf
    assert shelf.get(1, 5) is None
    found = shelf.get(2, 5)
    np.testing.assert_allclose(found.logits.logits, np.clip(kept.logits.logits, -LIMIT, LIMIT), atol=LIMIT / 254 + 1e-6)
    np.testing.assert_array_equal(found.logits.window, kept.logits.window)
    assert found.logits.object_id == 2
    assert found.confidence == 0.7


def test_later_answers_replace_earlier_ones_and_can_be_dropped():
    shelf = Shelf()
    shelf.put(5, answer(2, 0))
    shelf.put(5, answer(2, 1))
    np.testing.assert_allclose(shelf.get(2, 5).logits.logits, np.clip(answer(2, 1).logits.logits, -8, 8), atol=0.04)
    shelf.drop(2, 5)
    shelf.drop(2, 5)
    assert (2, 5) not in shelf
