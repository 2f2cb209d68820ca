"""The numbers of the presets make sense together, and which tracker is the default one."""

from __future__ import annotations

import json

import pytest

from shibori import weights
from shibori.systems.trackprop.rule import RULES, shipped_tracker
from shibori.systems.trackprop.trackers import TRACKERS


@pytest.mark.parametrize("preset", RULES)
def test_limits_are_on_their_side(preset: str):
    rule = RULES[preset].propagation
    assert rule.tracker in TRACKERS
    assert 0 <= rule.strange < rule.familiar <= 1
    assert 0 < rule.seen < rule.confident < 1
    assert rule.min_shrink < 1 < rule.max_growth
    assert rule.widen > 1
    assert rule.context >= 1


def test_paper_does_as_the_paper_says():
    """Sec. 3.1, 3.2: ATOM, regions of 513 x 513, the mask network alone."""
    rule = RULES["paper"]
    assert (rule.propagation.tracker, rule.propagation.matching) == ("atom", False)
    assert rule.region.fixed_side == rule.marking.region.fixed_side == 513


@pytest.mark.parametrize(
    ("shipped", "expected"),
    [
        ((), "none"),
        (("siamese-compact", "pixel-compact"), "siamese"),
        (("siamese-compact", "atom-compact"), "atom"),
        (("atom-paper", "siamese-tiny"), "none"),
    ],
)
def test_the_best_tracker_that_ships_is_taken(shipped, expected, tmp_path, monkeypatch: pytest.MonkeyPatch):
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({f"{name}.safetensors": "0" for name in shipped}))
    monkeypatch.setattr(weights, "MANIFEST", manifest)
    assert shipped_tracker("compact") == expected


def test_compact_takes_it():
    assert RULES["compact"].propagation.tracker == shipped_tracker("compact")
