"""The numbers of the presets make sense together."""

from __future__ import annotations

import pytest

from shibori.boxtracking.build import TRACKERS
from shibori.systems.trackprop.rule import RULES


@pytest.mark.parametrize("preset", RULES)
def test_limits_are_on_their_side(preset: str):
    rule = RULES[preset].propagation
    assert rule.tracker in TRACKERS
    config = rule.config
    assert 0 <= config.similarity_low < config.similarity_high <= 1
    assert 0 < config.lost_threshold < config.remember_threshold < 1
    assert config.min_shrink < 1 < config.max_growth
    assert config.search_widening > 1
    assert config.context >= 1


def test_paper_does_as_the_paper_says():
    """Sec. 3.1, 3.2: ATOM, regions of 513 x 513, the mask network alone."""
    rule = RULES["paper"]
    assert (rule.propagation.tracker, rule.propagation.matching) == ("atom", False)
    assert (rule.propagation.margin, rule.propagation.inertia) == (None, 0)
    assert rule.propagation.config.window.fixed_side == rule.marking.window.fixed_side == 513


def test_compact_is_led_by_its_own_masks():
    """Measured: with the pixel tracker's matches ATOM leads worse (docs/systems/trackprop.md)."""
    rule = RULES["compact"].propagation
    assert (rule.tracker, rule.matching) == ("none", True)
