"""Re-identification at work: proposals and templates come from one network, and who is chosen is the most alike."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from shibori.nn.flow import DisFlow
from shibori.ops.roi import mask_boxes, roi_align
from shibori.systems.dyenet.frame import FrameView
from shibori.systems.dyenet.recurrent_tracker import RecurrentTracker
from shibori.systems.dyenet.search import (
    MIN_POSITIONS,
    OVERLAP,
    Proposal,
    _matched_boxes,
    _mean_in_box,
    find_proposals,
    similar_proposals,
    template_vector,
)
from shibori.systems.dyenet.templates import Templates
from shibori.tracking.window_tracker import Crop, Evidence, WindowTracker

from .made import FICKLE, SIZE_HW, TINY, frame, made_propagator, random, rectangle

CPU = torch.device("cpu")
RULE = replace(FICKLE, seed_similarity=0.5, max_candidates=2, top_m=5)


def made_recurrent(variant: str = "combined") -> RecurrentTracker:
    return made_propagator(RULE, variant).recurrent


@pytest.fixture(scope="module")
def recurrent() -> RecurrentTracker:
    return made_recurrent()


def view_of(recurrent: RecurrentTracker) -> FrameView:
    return FrameView(recurrent.network, frame(0), None, DisFlow("fast"), CPU)


# ---- a proposal's mask in a place

M = 14


def smooth_mask(seed: int = 0) -> np.ndarray:
    coarse = random(1, 1, 4, 4, seed=seed)
    return functional.interpolate(coarse, (M, M), mode="bilinear")[0, 0].numpy()


def proposal(box: tuple[float, ...], vector: torch.Tensor | None = None, mask: np.ndarray | None = None) -> Proposal:
    return Proposal(
        np.array(box, np.float64),
        smooth_mask() if mask is None else mask,
        torch.zeros(4) if vector is None else vector,
    )


def test_a_mask_in_a_place_that_is_its_box_is_itself():
    box = (10.0, 20.0, 52.0, 48.0)
    found = proposal(box).placed(Crop(np.array(box), (M, M)))
    np.testing.assert_allclose(found, smooth_mask(), atol=1e-4)


@pytest.mark.parametrize("box", [(12.0, 10.0, 54.0, 38.0), (30.0, 8.0, 72.0, 50.0), (5.0, 5.0, 33.0, 47.0)])
def test_a_mask_in_the_frame_is_pasted_into_its_box(box: tuple[float, ...]):
    """Resized, but for the half cell at its edge, where what is beyond the box counts as nothing."""
    frame_place = Crop(np.array([0.0, 0, SIZE_HW[1], SIZE_HW[0]]), SIZE_HW)
    found = proposal(box).placed(frame_place)
    left, top, right, bottom = (int(side) for side in box)
    expected = np.zeros(SIZE_HW, np.float32)
    expected[top:bottom, left:right] = cv2.resize(smooth_mask(), (right - left, bottom - top))
    inside = (slice(top + 3, bottom - 3), slice(left + 3, right - 3))
    np.testing.assert_allclose(found[inside], expected[inside], atol=0.02)
    outside = ~rectangle(left - 3, top - 3, right + 3, bottom + 3)
    assert not found[outside].any()


def test_a_mask_in_a_window_is_that_of_the_frame_there():
    box, window = (20.0, 12.0, 62.0, 54.0), np.array([10.0, 4.0, 70.0, 58.0])
    whole = proposal(box).placed(Crop(np.array([0.0, 0, 84, 60]), SIZE_HW))
    found = proposal(box).placed(Crop(window, (54, 60)))
    np.testing.assert_allclose(found, whole[4:58, 10:70], atol=1e-3)


# ---- vectors


@torch.inference_mode()
def test_a_template_is_the_identity_of_its_mask_in_its_box(recurrent: RecurrentTracker):
    mask = rectangle(12, 10, 50, 44) & (frame(0)[..., 0] > 60)
    view = view_of(recurrent)
    found = template_vector(recurrent, view, mask)
    seen, scale = view.whole(recurrent.rule.frame_side)
    boxes, _ = mask_boxes(torch.from_numpy(mask)[None])
    index = torch.zeros(1, dtype=torch.int64)
    small = roi_align(torch.from_numpy(mask)[None, None].float(), boxes, index, TINY.region_side, 1)[:, 0]
    expected = recurrent.network.identify(seen.appearance, boxes * torch.tensor([*scale, *scale]), small)[0]
    torch.testing.assert_close(found, expected)
    assert float(found.norm()) == pytest.approx(1, abs=1e-5)


def test_nothing_has_no_identity(recurrent: RecurrentTracker):
    assert template_vector(recurrent, view_of(recurrent), np.zeros(SIZE_HW, bool)) is None


@torch.inference_mode()
def test_proposals_are_boxes_of_the_frame_with_masks_and_unit_vectors(recurrent: RecurrentTracker):
    proposals = find_proposals(recurrent, view_of(recurrent), {}, [])
    assert 0 < len(proposals) <= RULE.top_m
    for found in proposals:
        assert (found.box[:2] >= -1e-3).all()
        assert (found.box[2:] <= np.array([84, 60]) + 1e-3).all()
        assert (found.box[2:] > found.box[:2]).all()
        assert found.mask.shape == (TINY.region_side,) * 2
        assert ((found.mask >= 0) & (found.mask <= 1)).all()
        assert float(found.vector.norm()) == pytest.approx(1, abs=1e-5)


@torch.inference_mode()
def test_the_pixel_tracker_proposes_where_it_sees_a_missing_object(monkeypatch: pytest.MonkeyPatch):
    """A share made up: two places, one too small. Without the tracker's part nobody is asked."""
    recurrent, view = made_recurrent(), view_of(made_recurrent())
    share = np.zeros((8, 11), np.float32)
    share[2:6, 3:7], share[7, 10] = 0.9, 0.9
    margin = np.full((8, 11), 0.25, np.float32)
    monkeypatch.setattr(WindowTracker, "evidence", lambda *_args, **_options: Evidence(share, margin))
    state = recurrent.begin(view, 1, rectangle(10, 10, 40, 40))
    templates = Templates(3)
    templates.add_given(torch.ones(4), recurrent.reference(view, rectangle(10, 10, 40, 40), state))
    without = find_proposals(recurrent, view, {7: templates}, [])
    found = find_proposals(recurrent, view, {7: templates}, [7])
    assert len(found) == len(without) + 1
    assert all(one.margins == {7: pytest.approx(0.25)} for one in found)
    _, scale = view.whole(RULE.frame_side)
    centre = (found[-1].box[:2] + found[-1].box[2:]) / 2
    np.testing.assert_allclose(centre, [5 * 8 / scale[0], 4 * 8 / scale[1]], atol=1e-3)
    plain = made_recurrent("advanced")
    assert len(find_proposals(plain, view_of(plain), {7: templates}, [7])) == len(without)


def test_boxes_around_what_is_alike():
    share = np.zeros((20, 30), np.float32)
    share[2:6, 3:9] = 0.8
    share[10:12, 20:22] = 0.7
    share[15, 1 : 1 + MIN_POSITIONS - 1] = 0.9
    boxes = _matched_boxes(share)
    assert len(boxes) == 2
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    torch.testing.assert_close(centres, torch.tensor([[48.0, 32.0], [168.0, 88.0]]))  # the larger first
    for box, (width, height) in zip(boxes, [(48, 32), (16, 16)], strict=True):
        assert box[2] - box[0] > width
        assert box[3] - box[1] > height
    assert _matched_boxes(np.zeros((5, 5), np.float32)).shape == (0, 4)


# ---- choice


def towards(cosine: float) -> torch.Tensor:
    """A unit vector with this cosine to the first axis."""
    return torch.tensor([cosine, (1 - cosine**2) ** 0.5, 0.0, 0.0])


def templates_of(vector: torch.Tensor) -> Templates:
    templates = Templates(3)
    templates.add_given(vector, None)
    return templates


APART = [(0.0, 0, 10, 10), (20.0, 0, 30, 10), (40.0, 0, 50, 10), (60.0, 0, 70, 10)]


def chosen(recurrent: RecurrentTracker, cosines: list[float], boxes: list[tuple[float, ...]], **options) -> list[float]:
    proposals = [proposal(box, towards(cosine)) for box, cosine in zip(boxes, cosines, strict=True)]
    known = {1: templates_of(towards(1.0)), **options.get("rivals", {})}
    found = similar_proposals(recurrent, proposals, 1, known)
    for score, one in found:
        assert float(one.vector[0]) == pytest.approx(score, abs=1e-6)
    return [pytest.approx(score, abs=1e-6) for score, _ in found]


def test_the_most_similar_come_first_and_no_more_than_asked_for(recurrent: RecurrentTracker):
    assert chosen(recurrent, [0.6, 0.9, 0.7, 0.8], APART) == [0.9, 0.8]


def test_what_is_not_similar_enough_is_left(recurrent: RecurrentTracker):
    assert chosen(recurrent, [0.2, 0.49, 0.51, -0.9], APART) == [0.51]


def test_of_overlapping_ones_the_best_is_taken(recurrent: RecurrentTracker):
    near = [(0.0, 0, 10, 10), (0.0, 0, 10, 10 / OVERLAP - 1), (0.0, 30, 10, 40), (60.0, 0, 70, 10)]
    assert chosen(recurrent, [0.8, 0.9, 0.7, 0.1], near) == [0.9, 0.7]


def test_what_is_more_like_another_object_is_left_to_that(recurrent: RecurrentTracker):
    rival = templates_of(towards(0.6))
    assert chosen(recurrent, [0.99, 0.6, 0.5, 0.7], APART, rivals={2: rival}) == [0.99]


def test_a_twin_is_no_rival(recurrent: RecurrentTracker):
    assert chosen(recurrent, [0.99, 0.1, 0.7, 0.2], APART, rivals={2: templates_of(towards(1.0))}) == [0.99, 0.7]


def test_nothing_proposed_or_nothing_known(recurrent: RecurrentTracker):
    assert similar_proposals(recurrent, [], 1, {1: templates_of(towards(1.0))}) == []
    assert similar_proposals(recurrent, [proposal(APART[0], towards(1.0))], 1, {1: Templates(3)}) == []


def test_the_margin_counts_with_the_cosine(recurrent: RecurrentTracker):
    """Two that are alike to re-identification: the one with the margin stands out, for the object that it is of."""
    known = {1: templates_of(towards(1.0)), 2: templates_of(towards(1.0))}
    level = RULE.margin_level
    margins = {1: level + 0.1, 2: level - 0.3}, {1: level - 0.3, 2: level + 0.1}
    alike = [replace(proposal(APART[n], towards(0.9)), margins=margins[n]) for n in (0, 1)]
    for object_id, box in ((1, APART[0]), (2, APART[1])):
        ((score, one),) = similar_proposals(recurrent, alike, object_id, known)
        np.testing.assert_array_equal(one.box, box)
        scaled = min(RULE.seed_similarity + 0.1 * RULE.margin_slope, 1.0)
        assert score == pytest.approx(RULE.margin_share * scaled + (1 - RULE.margin_share) * 0.9, abs=1e-5)


def test_a_mean_in_a_box_is_that_of_the_cells_under_the_mask():
    values = np.arange(60, dtype=np.float32).reshape(6, 10)
    box = np.array([16.0, 8.0, 48.0, 40.0])  # cells 2 to 5 along x, 1 to 4 along y
    mask = np.zeros((8, 8), np.float32)
    assert _mean_in_box(values, box, mask + 1) == pytest.approx(values[1:5, 2:6].mean())
    mask[:2, :4] = 0.9  # the upper row of cells, the left half of it
    assert _mean_in_box(values, box, mask) == pytest.approx(values[1, 2:4].mean())
    mask = np.full((8, 8), 0.1, np.float32)
    mask[7, 7] = 0.4  # nothing above a half: all count by their share
    weights = mask.reshape(4, 2, 4, 2).sum((1, 3))
    assert _mean_in_box(values, box, mask) == pytest.approx(
        (values[1:5, 2:6] * weights).sum() / weights.sum(), rel=1e-4
    )
