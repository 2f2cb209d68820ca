"""How sure IPDT is of a mask: whatever its pixel-level half says, as little as one doubt allows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shibori.boxtracking.views import FrameViews, ViewRule
from shibori.systems.ipdt.dual import DualMask, DualTracker
from shibori.systems.ipdt.rule import DualRule
from shibori.tracking.window_tracker import WindowTracker

from ...tracking.scripted import ScriptedNetwork, box_mask, picture

HOME = (100, 80, 140, 120)


def next_frame(**said: float) -> DualMask | None:
    """A candidate in the frame after its own."""
    network, rule = ScriptedNetwork(), DualRule()
    tracker = DualTracker(WindowTracker(network, rule.tracker, torch.device("cpu")), None, rule, "pixel")
    frame = FrameViews(picture(*HOME), None, ViewRule())
    target = tracker.begin(frame, box_mask(*HOME), np.array(HOME, np.float64))
    for name, value in said.items():
        setattr(network, name, value)
    return tracker.step(target, frame)


def test_confidence_is_quality_times_presence_times_how_much_of_what_is_matched_is_the_object():
    assert next_frame(quality=0.9, presence=0.8).confidence == pytest.approx(0.72, abs=0.01)
    assert next_frame(quality=1.0, presence=1.0, share=0.3).confidence == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("said", [{"quality": 0.3}, {"presence": 0.3}, {"share": 0.2}])
def test_one_doubt_is_enough_to_lose_an_instance(said: dict[str, float]):
    assert next_frame(**said) is None
    found = next_frame(**{name: value + 0.11 for name, value in said.items()})
    assert found is not None
    assert np.array_equal(found.mask, box_mask(*HOME))
