"""From one frame to the next: regions, batches, who gets which pixel, what a tracker is told, what is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from shibori.boxtracking.target import Target, TargetState, TrackedBox, Tracker
from shibori.boxtracking.views import FrameViews, ViewRule
from shibori.ops.window import mask_box
from shibori.systems.trackprop.model import RegionNetwork, Seen, build_trackprop
from shibori.systems.trackprop.propagation import Followed, Propagating
from shibori.systems.trackprop.region import pasted
from shibori.systems.trackprop.rule import RULES, PropagationRule
from shibori.tracking.logit_store import Answer
from shibori.tracking.shipped import load_shipped

from .rounds import SIZE_HW, ColourNetwork, made_sequence

CPU = torch.device("cpu")
RULE = RULES["tiny"].propagation
SEQUENCE = made_sequence(6)


def changed(**changes: float) -> PropagationRule:
    """Numbers of the rule, or of its tracker."""
    own = {name: changes.pop(name) for name in ("matching", "refined", "margin") if name in changes}
    return replace(RULE, config=replace(RULE.config, **changes), **own)


def masks_at(index: int) -> dict[int, np.ndarray]:
    return {i: SEQUENCE.ids[index] == i for i in (1, 2)}


def begun(propagating: Propagating, object_id: int, index: int = 0) -> Followed:
    image = SEQUENCE.read_image(index)
    anchor = propagating.anchor(image, object_id, masks_at(index))
    assert anchor is not None
    return propagating.begin(anchor, [anchor], image)


def said(answers: Mapping[int, Answer]) -> dict[int, np.ndarray]:
    return {object_id: pasted(answer.logits, SIZE_HW) > 0 for object_id, answer in answers.items()}


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return (first & second).sum() / (first | second).sum()


class RedNetwork(ColourNetwork):
    """What is red is object 1, wherever it was."""

    def propagate(self, seen: Seen, previous: Tensor, matched: Tensor | None) -> Tensor:
        red, green, blue = seen.images.split(1, dim=1)
        return torch.where((red > green + 1) & (red > blue + 1), 4.0, -4.0)


@pytest.fixture
def red() -> Propagating:
    return Propagating(RedNetwork(), RULE, None, CPU)


@pytest.fixture
def colours() -> Propagating:
    return Propagating(ColourNetwork(), RULE, None, CPU)


def test_objects_are_carried_along(colours):
    followed = [begun(colours, 1), begun(colours, 2)]
    for index in range(1, 6):
        found = said(colours.step(SEQUENCE.read_image(index), followed, [], {}))
        assert all(iou(found[i], true) > 0.9 for i, true in masks_at(index).items())


def test_an_anchor_is_the_object_and_what_else_is_in_its_region(colours):
    ids = SEQUENCE.ids[0]
    near = {1: ids == 1, 2: np.roll(ids == 1, 20, axis=1) & (ids != 1)}
    anchor = colours.anchor(SEQUENCE.read_image(0), 1, near)
    assert anchor.masks.shape == (1, 2, *anchor.crop.size_hw)
    assert (anchor.masks.sum(1) <= 1 + 1e-5).all()
    share = anchor.masks[0].mean((1, 2)) * np.prod(anchor.crop.window[2:] - anchor.crop.window[:2])
    assert share[0] == pytest.approx(near[1].sum(), rel=0.02)
    assert share[1] > 0
    gone = colours.anchor(SEQUENCE.read_image(0), 1, near | {1: np.zeros(SIZE_HW, np.bool_)})
    assert gone is None


def test_objects_are_segmented_alike_alone_and_together(colours):
    """Their regions do not meet; those of one size are one batch."""
    image = SEQUENCE.read_image(1)
    both = colours.step(image, [begun(colours, 1), begun(colours, 2)], [], {})
    for object_id in (1, 2):
        alone = colours.step(image, [begun(colours, object_id)], [], {})
        np.testing.assert_allclose(both[object_id].logits.logits, alone[object_id].logits.logits, atol=1e-4)
        assert both[object_id].confidence == alone[object_id].confidence


def test_regions_of_one_size_are_one_batch(colours):
    sizes = []
    see = colours.network.see
    colours.network.see = lambda images: sizes.append(tuple(images.shape)) or see(images)
    followed = [begun(colours, 1), begun(colours, 1), begun(colours, 2)]
    sizes.clear()
    colours.step(SEQUENCE.read_image(1), followed, [], {})
    assert sum(size[0] for size in sizes) == 3
    assert len({size[2:] for size in sizes}) == len(sizes)
    assert sizes[0][0] >= 2


def test_a_mask_that_is_taken_for_true_keeps_its_pixels_from_what_is_carried_on(colours):
    """Of two that claim a pixel the given one has it."""
    free, bound = begun(colours, 1), begun(colours, 1)
    claimed = masks_at(1)[1].copy()
    claimed[:, 28:] = False
    colours.step(SEQUENCE.read_image(1), [free], [], {})
    colours.step(SEQUENCE.read_image(1), [bound], [], {9: claimed})
    assert bound.state.masks[0, 0].sum() < 0.6 * free.state.masks[0, 0].sum()
    assert bound.state.masks[0, 1].sum() > 0
    assert not free.state.masks[0, 1].round().any()


GONE = np.full((*SIZE_HW, 3), 128, np.uint8)


def test_what_was_not_found_is_looked_for_more_widely_and_from_where_it_was(red):
    state = (followed := begun(red, 1)).state
    box, window = state.box.copy(), state.crop.window
    found = red.step(GONE, [followed], [], {})
    assert found[1].confidence == 0
    assert not said(found)[1].any()
    assert state.is_lost
    np.testing.assert_array_equal(state.box, box)
    red.step(GONE, [followed], [], {})
    assert np.prod(state.crop.window[2:] - state.crop.window[:2]) > 1.5 * np.prod(window[2:] - window[:2])


class Guide(Tracker):
    """Says where the object is in each frame; notes where it is told to be."""

    def __init__(self, boxes: list[np.ndarray], state: TargetState = TargetState.CERTAIN) -> None:
        self.boxes, self.state = list(boxes), state
        self.seen = 0
        self.settled: list[np.ndarray] = []

    def see(self, image: np.ndarray) -> FrameViews:
        self.seen += 1
        return FrameViews(image, None, ViewRule())

    def begin(self, frame: FrameViews, box_xyxy: np.ndarray) -> Target:
        return GuidedTarget(self)


class GuidedTarget(Target):
    def __init__(self, guide: Guide) -> None:
        self.guide = guide

    def follow(self, frame: FrameViews) -> TrackedBox:
        return TrackedBox(self.guide.boxes.pop(0), 1.0, self.guide.state)

    def settle(self, box_xyxy: np.ndarray) -> None:
        self.guide.settled.append(box_xyxy)


FAR = np.array([28.0, 8.0, 60.0, 40.0])
"""Of object 1 in the last frame."""


def test_the_region_is_where_the_tracker_says():
    guide = Guide([FAR + 2])
    propagating = Propagating(RedNetwork(), RULE, guide, CPU)
    one = begun(propagating, 1)
    found = said(propagating.step(SEQUENCE.read_image(5), [one], [], {}))
    assert iou(found[1], masks_at(5)[1]) > 0.9
    window = one.state.crop.window
    middle = (window[:2] + window[2:]) / 2
    np.testing.assert_allclose(middle, (FAR[:2] + FAR[2:]) / 2 + 2, atol=6)


def test_a_mask_ends_near_the_trackers_box():
    """Half of the object is beyond it; without a margin it ends where the region does."""
    half = FAR - [0, 0, 16, 0]
    for margin, right in ((0.0, 44), (0.25, 48), (None, 56)):
        propagating = Propagating(ColourNetwork(), changed(margin=margin), Guide([half]), CPU)
        found = said(propagating.step(SEQUENCE.read_image(5), [begun(propagating, 1)], [], {}))
        assert abs(float(mask_box(found[1])[2]) - right) <= 1


def test_a_frame_is_seen_once_by_the_tracker_however_many_objects_there_are():
    guide = Guide([FAR] * 3)
    propagating = Propagating(ColourNetwork(), RULE, guide, CPU)
    followed = [begun(propagating, 1) for _ in range(3)]
    before = guide.seen
    propagating.step(SEQUENCE.read_image(5), followed, [], {})
    assert guide.seen == before + 1


def test_what_the_tracker_has_lost_has_no_mask():
    propagating = Propagating(ColourNetwork(), RULE, Guide([FAR], TargetState.LOST), CPU)
    found = propagating.step(SEQUENCE.read_image(5), [begun(propagating, 1)], [], {})
    assert found[1].confidence == 0
    assert not said(found)[1].any()


@pytest.fixture(scope="module")
def matching() -> RegionNetwork:
    """With a pixel tracker that nothing trained: what it says makes no sense, but that it is asked can be seen."""
    network = build_trackprop("tiny").eval()
    load_shipped(network)
    return network


@torch.no_grad()
def test_every_so_many_sure_frames_the_latest_is_remembered(matching):
    for confident, expected in ((0.0, [0, 1, 1, 1]), (1.1, [0, 0, 0, 0])):
        propagating = Propagating(
            matching, changed(remember_every=2, remember_threshold=confident, lost_threshold=-1.0), None, CPU
        )
        one, counts, kept = begun(propagating, 1), [], []
        for index in range(1, 5):
            propagating.step(SEQUENCE.read_image(index), [one], [], {})
            counts.append(len(one.state.remembered))
            kept += one.state.remembered
        assert counts == expected
        assert len({id(memory) for memory in kept}) == (2 if any(expected) else 0)


@torch.no_grad()
def test_the_pixel_tracker_takes_part_only_where_the_rule_says_so(matching):
    image = SEQUENCE.read_image(1)
    answers = []
    for takes_part in (True, False):
        propagating = Propagating(matching, changed(matching=takes_part, lost_threshold=-1.0), None, CPU)
        assert (propagating.tracker is not None) == takes_part
        one = begun(propagating, 1)
        assert (one.state.memory is not None) == (len(one.state.references) == 1) == takes_part
        answers.append(propagating.step(image, [one], [], {})[1].logits.logits)
    np.testing.assert_allclose(answers[1], RULE.config.logit_bias, atol=1e-6)  # the untrained decoder says nothing
    assert np.abs(answers[0] - RULE.config.logit_bias).max() > 0.01


@torch.no_grad()
def test_the_mask_network_has_the_last_word_where_the_rule_says_so_or_nothing_is_matched(matching, monkeypatch):
    asked = []

    def propagate(seen: Seen, previous: Tensor, matched: Tensor | None) -> Tensor:
        asked.append(matched)
        return torch.full_like(previous, 3.0)

    monkeypatch.setattr(matching, "propagate", propagate)
    for rule, is_asked in (({"refined": False}, False), ({"refined": True}, True), ({"matching": False}, True)):
        asked.clear()
        propagating = Propagating(matching, changed(lost_threshold=-1.0, logit_bias=0.0, **rule), None, CPU)
        answer = propagating.step(SEQUENCE.read_image(1), [begun(propagating, 1)], [], {})[1]
        assert len(asked) == is_asked
        assert bool((answer.logits.logits == 3).any()) == is_asked
        assert all((matched is None) == ("matching" in rule) for matched in asked)


@torch.no_grad()
def test_a_mask_corrects_the_tracker_only_where_the_pixel_tracker_vouches_for_it(matching):
    for takes_part in (True, False):
        guide = Guide([FAR])
        propagating = Propagating(matching, changed(matching=takes_part, lost_threshold=-1.0), guide, CPU)
        found = propagating.step(SEQUENCE.read_image(1), [begun(propagating, 1)], [], {})
        assert said(found)[1].any()
        assert len(guide.settled) == takes_part


@torch.no_grad()
def test_surroundings_are_remembered_as_background(matching):
    wide = Propagating(matching, RULE, None, CPU).anchor(SEQUENCE.read_image(0), 1, masks_at(0))
    none = Propagating(matching, changed(context=1.0), None, CPU).anchor(SEQUENCE.read_image(0), 1, masks_at(0))
    (alone,) = none.references
    torch.testing.assert_close(alone, none.memory())
    (reference,) = wide.references
    more = reference.label.shape[-1] - alone.label.shape[-1]
    assert more > 0
    torch.testing.assert_close(reference.label[..., : alone.label.shape[-1]], alone.label)
    assert reference.label[..., -more:].max() < 0.5
