"""The pixel tracker that others stand on: the shipped one; for ``tiny`` always the same."""

from __future__ import annotations

import pytest
import torch

from shibori.errors import InputError
from shibori.nn.weights import load_state
from shibori.tracking.shipped import shipped_state, shipped_tracker
from shibori.weights import locate_weights


def test_tinys_is_always_the_same_and_leaves_chance_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = shipped_state("tiny")
    assert torch.rand(3).equal(expected)
    second = shipped_tracker("tiny").state_dict()
    assert first.keys() == second.keys()
    assert all(value.equal(second[name]) for name, value in first.items())


def test_compacts_is_the_file_that_ships():
    shipped = load_state(locate_weights("matcher", "compact"), "matcher", "compact")
    found = shipped_tracker("compact").state_dict()
    assert found.keys() == shipped.keys()
    assert all(value.equal(found[name]) for name, value in shipped.items())


def test_one_that_does_not_ship_is_said():
    with pytest.raises(InputError, match="expected weights for matcher/paper"):
        shipped_state("paper")
