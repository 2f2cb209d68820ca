"""What scores say: certain, hard negative, uncertain, lost."""

from __future__ import annotations

import pytest
import torch

from shibori.boxtracking.atom.localisation import LocalisationRule, localise
from shibori.boxtracking.target import TargetState

RULE = LocalisationRule()
SIZE = 4.0


def scores(*peaks: tuple[int, int, float]) -> torch.Tensor:
    """(21, 21) of Gaussian peaks (x, y, height)."""
    places = torch.arange(21.0)
    total = torch.zeros(21, 21)
    for x, y, height in peaks:
        total += height * torch.exp(-((places - y) ** 2)[:, None] / 2) * torch.exp(-((places - x) ** 2) / 2)
    return total


def test_one_clear_peak():
    located = localise(scores((12, 9, 0.9)), (10.0, 10.0), SIZE, RULE)
    assert located.state is TargetState.CERTAIN
    assert located.place_xy == pytest.approx((12, 9), abs=1e-3)
    assert located.score == pytest.approx(0.9)


def test_a_peak_between_places():
    places = torch.arange(21.0)
    between = torch.exp(-((places - 8.3) ** 2)[:, None] / 2) * torch.exp(-((places - 11.6) ** 2) / 2)
    assert localise(between, (10.0, 10.0), SIZE, RULE).place_xy == pytest.approx((11.6, 8.3), abs=0.1)


def test_a_peak_at_the_edge():
    assert localise(scores((0, 20, 0.8)), (2.0, 18.0), SIZE, RULE).place_xy == (0, 20)


def test_nothing_high_enough_is_lost_and_must_be_higher_to_be_found_again():
    assert localise(scores((10, 10, 0.2)), (10.0, 10.0), SIZE, RULE).state is TargetState.LOST
    assert localise(scores((10, 10, 0.3)), (10.0, 10.0), SIZE, RULE).state is TargetState.CERTAIN
    assert localise(scores((10, 10, 0.3)), None, SIZE, RULE).state is TargetState.LOST
    assert localise(scores((10, 10, 0.6)), None, SIZE, RULE).state is TargetState.CERTAIN


def test_a_second_peak_beside_it_is_part_of_it():
    assert localise(scores((10, 10, 0.9), (13, 10, 0.8)), (10.0, 10.0), SIZE, RULE).state is TargetState.CERTAIN


def test_a_weaker_second_peak_is_a_hard_negative():
    located = localise(scores((10, 10, 0.9), (18, 10, 0.6)), (10.0, 10.0), SIZE, RULE)
    assert located.state is TargetState.HARD_NEGATIVE
    assert located.place_xy == pytest.approx((10, 10), abs=1e-2)


@pytest.mark.parametrize(("near", "far"), [(0.9, 0.85), (0.85, 0.9)])
def test_of_two_peaks_the_one_that_is_near_is_the_object(near: float, far: float):
    located = localise(scores((10, 9, near), (19, 1, far)), (10.0, 10.0), SIZE, RULE)
    assert located.state is TargetState.HARD_NEGATIVE
    assert located.place_xy == pytest.approx((10, 9), abs=1e-2)
    assert located.score == pytest.approx(near, abs=1e-3)


def test_two_near_peaks_are_uncertain_and_so_are_any_two_of_what_was_lost():
    two = scores((7, 10, 0.85), (13, 10, 0.9))
    for expected in ((10.0, 10.0), None):
        located = localise(two, expected, SIZE, RULE)
        assert located.state is TargetState.UNCERTAIN
        assert located.place_xy == pytest.approx((13, 10), abs=1e-2)
