"""Soft aggregation against Eq. 1 to 3 of trackprop, pixel by pixel."""

from __future__ import annotations

import math

import pytest
import torch

from shibori.ops.aggregate import LOGIT_LIMIT, aggregate_logits


def made_logits(num_objects: int, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(num_objects, 5, 7, generator=torch.Generator().manual_seed(seed)).clamp(-11, 11)


@pytest.mark.parametrize("num_objects", [1, 2, 5])
def test_equals_the_equations(num_objects: int):
    logits = made_logits(num_objects)
    probs = aggregate_logits(logits)
    for row in range(5):
        for column in range(7):
            odds = [math.exp(value) for value in logits[:, row, column].tolist()]  # Eq. 1
            expected = [1 / (1 + sum(odds))] + [p / (1 + sum(odds)) for p in odds]  # Eq. 2
            assert probs[:, row, column].tolist() == pytest.approx(expected, abs=1e-5)


def test_one_object_is_the_sigmoid():
    logits = made_logits(1)
    torch.testing.assert_close(aggregate_logits(logits)[1], logits[0].sigmoid())


@pytest.mark.parametrize("num_objects", [1, 3, 30])
def test_sums_to_one_for_any_certainty(num_objects: int):
    probs = aggregate_logits(1e4 * made_logits(num_objects))
    assert probs.isfinite().all()
    torch.testing.assert_close(probs.sum(0), torch.ones(5, 7))


def test_the_winner_has_the_highest_positive_logit():
    logits = made_logits(4, seed=1)
    winner = aggregate_logits(logits).argmax(0)  # Eq. 3
    expected = torch.where(logits.amax(0) > 0, logits.argmax(0) + 1, 0)
    assert winner.equal(expected)


def test_the_order_of_objects_does_not_matter():
    logits = made_logits(4, seed=2)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(aggregate_logits(logits[order])[1:], aggregate_logits(logits)[1:][order])


def test_an_object_that_is_nowhere_changes_nothing():
    logits = made_logits(2, seed=3)
    with_ghost = aggregate_logits(torch.cat([logits, torch.full_like(logits[:1], -LOGIT_LIMIT)]))
    torch.testing.assert_close(with_ghost[:3], aggregate_logits(logits), atol=1e-4, rtol=1e-4)
