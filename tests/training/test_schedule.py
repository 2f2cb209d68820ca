"""Schedules at their corners and between them."""

from __future__ import annotations

import pytest

from shibori.training.schedule import linear, warm_stable_decay


def test_rises_stays_and_falls():
    factors = [warm_stable_decay(step, 100, 10, 0.3) for step in range(100)]
    assert factors[:10] == pytest.approx([0.1 * (step + 1) for step in range(10)])
    assert factors[10:71] == [1.0] * 61
    assert factors[70:] == pytest.approx([(100 - step) / 30 for step in range(70, 100)])
    assert all(0 < factor <= 1 for factor in factors)


def test_the_plateau_does_not_know_how_long_the_run_is():
    assert [warm_stable_decay(s, 100, 10, 0.3) for s in range(70)] == [
        warm_stable_decay(s, 1000, 10, 0.3) for s in range(70)
    ]


def test_runs_shorter_than_their_warm_up_and_without_decay():
    assert all(0 < warm_stable_decay(step, 3, 200, 0.35) <= 3 / 200 for step in range(3))
    assert [warm_stable_decay(step, 4, 1, 0.0) for step in range(4)] == [1.0] * 4


def test_linear_holds_its_end():
    assert [linear(p, 1.0, 0.2, until=0.5) for p in (0, 0.25, 0.5, 0.75, 1)] == pytest.approx([1, 0.6, 0.2, 0.2, 0.2])
    assert linear(0.5, 1, 8) == pytest.approx(4.5)
