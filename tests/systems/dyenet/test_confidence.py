"""What DyeNet makes of confidence: its two factors, what is remembered, what gives way to what."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from shibori.systems.dyenet.build import propagator_from_state
from shibori.systems.dyenet.inference import DyeNetPropagator
from shibori.systems.dyenet.rule import DyeNetRule

from .made import CREDULOUS, QUICK, SIZE_HW, changed, frame, rectangle, strong_state
from .test_tracker_pass import EAGER, moving, run

LIKE_ANYTHING = changed(CREDULOUS, similarity_low=-2, similarity_high=-1, own_mask_threshold=2)
"""Whatever the mask matches, the recurrent network alone says how sure it is."""


def sure_propagator(quality: float, presence: float, rule: DyeNetRule, variant: str) -> DyeNetPropagator:
    """A recurrent network that is always this sure of its masks, and that their object is there."""
    state = dict(strong_state())
    state["propagation.quality_head.2.weight"] = torch.zeros_like(state["propagation.quality_head.2.weight"])
    state["propagation.quality_head.2.bias"] = torch.tensor([quality, presence]).logit()
    return propagator_from_state(state, "tiny", "cpu", variant, rule, torch.float32)


@pytest.mark.parametrize("variant", ["advanced", "combined"])
@pytest.mark.parametrize(("quality", "presence"), [(0.9, 0.3), (0.3, 0.9), (0.8, 0.7)])
def test_confidence_is_quality_times_presence(quality: float, presence: float, variant: str):
    propagation = sure_propagator(quality, presence, LIKE_ANYTHING, variant).begin(SIZE_HW)
    propagation.step(frame(0), {1: rectangle(20, 12, 60, 44)})
    (status,) = propagation.step(frame(1)).statuses
    assert status.confidence == pytest.approx(quality * presence, abs=1e-3)


@pytest.mark.parametrize(
    ("quality", "presence", "state"), [(0.9, 0.3, "lost"), (0.3, 0.9, "lost"), (0.8, 0.8, "tracked")]
)
def test_an_object_is_lost_where_it_seems_not_to_be_there(quality: float, presence: float, state: str):
    propagation = sure_propagator(quality, presence, QUICK, "advanced").begin(SIZE_HW)
    propagation.step(frame(0), {1: rectangle(20, 12, 60, 44)})
    assert propagation.step(frame(1)).statuses[0].state == state


@pytest.mark.parametrize(("quality", "is_remembered"), [(0.6, False), (0.72, False), (0.88, True), (0.97, True)])
def test_only_confident_frames_are_remembered(quality: float, is_remembered: bool, monkeypatch):
    rule = changed(LIKE_ANYTHING, remember_threshold=QUICK.tracker.remember_threshold)
    propagator = sure_propagator(quality, 1 - 1e-6, rule, "combined")
    positions: list[int] = []
    matcher = propagator.recurrent.network.matcher
    read = matcher.read
    monkeypatch.setattr(
        matcher, "read", lambda encoded, memory: positions.append(memory.label.shape[1]) or read(encoded, memory)
    )
    propagation = propagator.begin(SIZE_HW)
    for index in range(5):
        propagation.step(frame(index), {1: rectangle(20, 12, 60, 44)} if index == 0 else None)
    assert len(positions) == 4
    assert (positions[-1] > positions[0]) == is_remembered
    assert positions[1] == positions[0]


def test_what_the_tracker_found_again_gives_way_only_to_what_is_worth_more():
    """What re-identification starts in its frames is tried where that scores so much higher, else it is not."""
    script = {**moving(1, 1, 4), **moving(1, 7, 10)}
    started = {}
    for advantage in (2.0, -2.0):
        _, tracklets = run(script, rule=replace(EAGER, refound_lead=advantage))
        started[advantage] = [tracklet for tracklet in tracklets if tracklet.start in (8, 9)]
    assert not started[2.0]
    assert started[-2.0]
