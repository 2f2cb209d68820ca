"""Who is who: how good a starting point a mask is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from shibori.ops.overlap import WindowedLogits
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.identities import Identities, covered_area
from shibori.systems.dyenet.recurrent_tracker import RecurrentPrediction, RecurrentTracker
from shibori.systems.dyenet.search import find_proposals
from shibori.tracking.window_tracker import Crop

from .made import QUICK, frame, made_propagator, rectangle

RULE = replace(QUICK, margin_low=0.6, margin_high=0.9, full_area=0.5, excess_area=2.0)
MASK = rectangle(10, 10, 40, 40)


@pytest.fixture(scope="module")
def recurrent() -> RecurrentTracker:
    return made_propagator(RULE).recurrent


def view_of(recurrent: RecurrentTracker, index: int = 0) -> FrameView:
    return FrameView(recurrent.network, frame(index), None, made_propagator(RULE).flow, torch.device("cpu"))


@torch.inference_mode()
def acquainted(recurrent: RecurrentTracker, mask: np.ndarray = MASK) -> Identities:
    identities, view = Identities(recurrent), view_of(recurrent)
    state = recurrent.begin(view, 1, mask)
    assert state is not None
    identities.refer(view, 1, mask, state)
    return identities


@torch.inference_mode()
def prediction(identities: Identities, side: float, confidence: float, margin: float) -> RecurrentPrediction:
    """As of a square of that many pixels a side."""
    recurrent, view = identities.recurrent, view_of(identities.recurrent)
    state = recurrent.begin(view, 1, MASK)
    assert state is not None
    seen = recurrent.predict(view, state, identities.templates[1].references)
    crop = Crop(np.array([0.0, 0.0, side, side]), (4, 4))
    estimate = replace(seen.estimate, crop=crop, logits=np.ones((4, 4), np.float32), confidence=confidence)
    return replace(seen, estimate=replace(estimate, similarity_margin=margin))


def test_the_area_of_a_mask_is_counted_in_pixels_of_the_frame():
    logits = np.array([[1.0, -1.0], [1.0, 1.0]], np.float32)
    assert covered_area(WindowedLogits(1, np.array([10.0, 20.0, 30.0, 30.0]), logits)) == 150


@pytest.mark.parametrize(
    ("side", "confidence", "margin", "expected"),
    [
        (30, 0.8, 0.9, 0.8),
        (30, 0.8, 1.4, 0.8),
        (30, 0.8, 0.75, 0.4),
        (30, 0.8, 0.6, 0.0),
        (30, 0.8, -1.0, 0.0),
        (30, 1.2, 0.9, 1.0),
        (30, -0.1, 0.9, 0.0),
        (30 * 0.5**0.5, 0.8, 0.9, 0.8),
        (30 * 0.125**0.5, 0.8, 0.9, 0.4),
        (30 * 2**0.5, 0.8, 0.9, 0.8),
        (30 * 8**0.5, 0.8, 0.9, 0.4),
        (0, 0.8, 0.9, 0.0),
        (30, 0.8, float("nan"), 0.8),
    ],
)
def test_what_a_mask_is_worth(
    recurrent: RecurrentTracker, side: float, confidence: float, margin: float, expected: float
):
    """Confidence, the margin from ``margin_low`` to ``margin_high``, the root of the share of an area of 900 pixels."""
    identities = acquainted(recurrent)
    assert identities.seed_score(prediction(identities, side, confidence, margin)) == pytest.approx(expected, abs=1e-6)


@torch.inference_mode()
def test_a_proposal_is_looked_at_in_its_own_frame(recurrent: RecurrentTracker):
    identities, view = acquainted(recurrent), view_of(recurrent)
    proposal = find_proposals(recurrent, view, identities.templates, [1])[0]
    seen = identities.close_up(view, proposal, 1)
    assert seen.answer.object_id == 1
    np.testing.assert_array_equal(seen.estimate.crop.window, recurrent.crop(proposal.box, view).window)


def test_objects_that_were_shown(recurrent: RecurrentTracker):
    identities = acquainted(recurrent)
    identities.register(2)
    assert list(identities.templates) == [1, 2]
    assert identities.shown == [1]


@torch.inference_mode()
def test_a_confident_mask_becomes_a_template_now_and_then():
    identities = acquainted(made_propagator(replace(RULE, expand_every=3, expand_from=0.5)).recurrent)
    due = [identities.is_due(1, 0.4 if step == 2 else 0.9) for step in range(5)]
    assert due == [False, False, False, True, True]
    identities.expand(view_of(identities.recurrent), 1, MASK)
    assert len(identities.templates[1].found) == 1
    assert not identities.is_due(1, 0.9)
    identities.expand(view_of(identities.recurrent), 1, np.zeros_like(MASK))
    assert len(identities.templates[1].found) == 1


def test_without_re_identification_nothing_becomes_one():
    identities = acquainted(made_propagator(replace(RULE, expand_every=1, expand_from=0), "combined-no-reid").recurrent)
    assert not identities.is_due(1, 0.9)
