"""Two sides, one answer."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.ops.overlap import WindowedLogits
from shibori.systems.interactive.between import Side, joined
from shibori.systems.interactive.rule import InteractiveRule
from shibori.tracking.logit_store import Answer

RULE = InteractiveRule()


def side(prob: float, confidence: float, distance: int, proof: float = 1.0) -> Side:
    logits = np.full((4, 4), np.log(prob / (1 - prob)), np.float32)
    window = np.array([2, 2, 6, 6], np.float64)
    return Side(Answer(WindowedLogits(1, window, logits), confidence), distance, proof)


def share_of_after(before: Side, after: Side) -> float:
    """The weight of the second side, read off the probability that comes of 0.1 and 0.9."""
    logits = joined(before, after, RULE).answer.logits.logits
    return float((1 / (1 + np.exp(-logits[0, 0])) - 0.1) / 0.8)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((0.8, 5, 1.0), (0.8, 5, 1.0), 0.5),
        ((0.8, 2, 1.0), (0.8, 8, 1.0), 0.2),
        ((0.4, 5, 1.0), (0.8, 5, 1.0), 16 / 17),
        ((0.8, 5, 0.0), (0.8, 5, 1.0), 2 / 3),
        ((0.8, 9, 0.0), (0.8, 1, 1.0), 0.9 / (0.9 + 0.1 * 0.1)),
        ((0.0, 1, 1.0), (0.9, 9, 1.0), 0.1 * 0.9**4 / (0.1 * 0.9**4 + 0.9 * 0.05**4)),
    ],
)
def test_nearness_confidence_and_proof_count(before, after, expected):
    share = share_of_after(side(0.1, before[0], *before[1:]), side(0.9, after[0], *after[1:]))
    assert share == pytest.approx(expected, abs=1e-4)


def test_confidence_and_agreement():
    found = joined(side(0.9, 0.8, 2), side(0.9, 0.4, 8), RULE)
    assert 0.7 < found.answer.confidence < 0.8
    assert found.agreement == 1
    assert joined(side(0.9, 0.8, 2), side(0.1, 0.8, 2), RULE).agreement == 0
    assert joined(side(0.9, 0.8, 2), side(0.1, 0.8, 2), RULE).doubt == 1
