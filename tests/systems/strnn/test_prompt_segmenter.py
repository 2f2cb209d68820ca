"""Masks of a marked frame by the shipped pixel tracker, and what a correction may change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from shibori.media.marks import BoxMark, Marks, click
from shibori.media.scribble import Stroke
from shibori.nn.prepare import prepare_network
from shibori.ops.overlap import settled_ids
from shibori.systems.strnn.model import build_strnn
from shibori.systems.strnn.prompt_segmenter import MarkedFrame, PromptSegmenter, chosen_positions
from shibori.systems.strnn.rule import PromptRule
from shibori.tracking.config import TrackerConfig
from shibori.tracking.network import Memory
from shibori.tracking.shipped import load_shipped
from shibori.tracking.window_tracker import WindowTracker

SIZE_HW = (120, 160)


@pytest.fixture(scope="module")
def segmenter() -> PromptSegmenter:
    network = build_strnn("compact")
    load_shipped(network)
    assert network.tracker is not None
    prepare_network(network, torch.device("cpu"), torch.float32)
    return PromptSegmenter(WindowTracker(network.tracker, TrackerConfig(), torch.device("cpu")), PromptRule())


def picture() -> tuple[np.ndarray, np.ndarray]:
    """A red ball (1) and a blue square (2) on noisy green."""
    rows, columns = np.indices(SIZE_HW)
    ids = np.zeros(SIZE_HW, np.uint8)
    ids[(rows - 60) ** 2 + (columns - 50) ** 2 < 30**2] = 1
    ids[30:80, 100:140] = 2
    noise = np.random.default_rng(0).integers(-12, 12, (*SIZE_HW, 3))
    colours = np.array([[60, 120, 60], [210, 50, 40], [50, 60, 200]])
    return (colours[ids] + noise).clip(0, 255).astype(np.uint8), ids


def line(object_id: int, x0: int, y0: int, x1: int, y1: int) -> Stroke:
    return Stroke(object_id, ((x0 / 159, y0 / 119), (x1 / 159, y1 / 119)))


def iou(found: np.ndarray, true: np.ndarray) -> float:
    return float((found & true).sum() / (found | true).sum())


NOTHING = np.zeros(SIZE_HW, np.bool_)


def settled(found: MarkedFrame) -> np.ndarray:
    """(H, W) ids."""
    return settled_ids(found.answers, {}, SIZE_HW, 254)


def test_a_line_gives_the_object(segmenter):
    image, ids = picture()
    found = settled(segmenter.segment(image, Marks({3: (line(1, 35, 60, 65, 60),)}), 3, {}, NOTHING))
    assert iou(found == 1, ids == 1) > 0.7
    assert set(np.unique(found).tolist()) == {0, 1}


def test_two_objects_do_not_overlap_and_marks_are_kept(segmenter):
    image, ids = picture()
    marks = Marks({0: (line(1, 35, 60, 65, 60), line(2, 110, 40, 130, 70), line(0, 5, 5, 5, 110))})
    found = settled(segmenter.segment(image, marks, 0, {}, NOTHING))
    assert iou(found == 1, ids == 1) > 0.7
    assert iou(found == 2, ids == 2) > 0.7
    drawn = marks.rasterise(0, SIZE_HW)
    np.testing.assert_array_equal(found[drawn >= 0], drawn[drawn >= 0])


def test_a_box_and_a_click(segmenter):
    image, ids = picture()
    marks = Marks({}, {0: (BoxMark(2, (95 / 160, 25 / 120, 145 / 160, 85 / 120)),)})
    boxed = settled(segmenter.segment(image, marks, 0, {}, NOTHING))
    assert iou(boxed == 2, ids == 2) > 0.6
    clicked = settled(segmenter.segment(image, Marks({0: (click(1, 50 / 159, 60 / 119),)}), 0, {}, NOTHING))
    assert iou(clicked == 1, ids == 1) > 0.4


def test_a_correction_mends_what_was_said(segmenter):
    image, ids = picture()
    said = ids == 1
    said[:, 52:] = False  # half of the ball
    mark = line(1, 62, 42, 68, 76)
    fresh = Marks({0: (mark,)}).rasterise(0, SIZE_HW) >= 0
    found = settled(segmenter.segment(image, Marks({0: (mark,)}), 0, {1: said}, fresh))
    assert iou(found == 1, ids == 1) > iou(said, ids == 1) + 0.2


def test_nothing_is_marked_and_nothing_was_said(segmenter):
    image, _ = picture()
    assert segmenter.segment(image, Marks({4: (click(1, 0, 0),)}), 0, {1: NOTHING}, NOTHING).answers == ()


def test_without_mending_only_what_is_begun_anew_has_an_answer(segmenter):
    image, ids = picture()
    reserved = replace(segmenter, refines=False)
    said = ids == 1
    mark = line(1, 62, 42, 68, 76)
    fresh = Marks({0: (mark,)}).rasterise(0, SIZE_HW) >= 0
    assert reserved.segment(image, Marks({0: (mark,)}), 0, {1: said}, fresh) == ((), frozenset())
    first = reserved.segment(image, Marks({0: (mark, line(2, 110, 50, 130, 50))}), 0, {1: said}, fresh)
    assert [answer.object_id for answer in first.answers] == [2]
    assert first.begun_anew == {2}


def test_the_positions_that_a_mask_covers():
    memory = Memory(
        torch.arange(6.0).view(1, 1, 6), torch.arange(6.0).view(1, 1, 6), torch.zeros(1, 6), torch.zeros(1, 6, 1)
    )
    mask = torch.zeros(1, 1, 16, 24)
    mask[..., :8, :8] = 1
    mask[..., :2, 8:16] = 1
    chosen = chosen_positions(memory, mask, 1.0, 8)
    assert chosen.key.flatten().tolist() == [0]
    assert chosen.label.tolist() == [[1.0]]
    mask[..., :8, :8] = 0
    assert chosen_positions(memory, mask, 0.0, 8).key.flatten().tolist() == [1]  # as much as any is covered
    assert chosen_positions(memory, mask * 0, 1.0, 8).key.shape == (1, 1, 0)


def test_an_object_that_was_somewhere_else_is_found_where_it_is_marked(segmenter):
    image, ids = picture()
    said = np.zeros(SIZE_HW, np.bool_)
    said[90:115, 120:155] = True  # grass
    marks = Marks({0: (line(1, 35, 60, 65, 60), line(0, 125, 100, 150, 100))})
    found = segmenter.segment(image, marks, 0, {1: said}, marks.rasterise(0, SIZE_HW) >= 0)
    assert iou(settled(found) == 1, ids == 1) > 0.7
    assert not (settled(found)[said] == 1).any()


def test_a_mask_that_flooded_is_begun_anew_from_another_marked_frame(segmenter):
    image, ids = picture()
    flood = np.ones(SIZE_HW, np.bool_)
    flood[:, 130:] = False
    mark = line(0, 10, 20, 110, 10)
    fresh = Marks({0: (mark,)}).rasterise(0, SIZE_HW) >= 0
    memory = segmenter.remember(image[:, ::-1].copy(), (ids == 1)[:, ::-1].copy(), NOTHING)
    alone = segmenter.segment(image, Marks({0: (mark,)}), 0, {1: flood}, fresh)
    helped = segmenter.segment(image, Marks({0: (mark,)}), 0, {1: flood}, fresh, {1: (memory,)})
    assert alone.begun_anew == set()
    assert helped.begun_anew == {1}
    assert iou(settled(helped) == 1, ids == 1) > max(0.7, iou(settled(alone) == 1, ids == 1) + 0.2)


def test_other_marked_frames_do_not_replace_what_is_mended_well(segmenter):
    image, ids = picture()
    said = ids == 1
    said[:, 65:] = False
    mark = line(1, 70, 50, 72, 70)
    fresh = Marks({0: (mark,)}).rasterise(0, SIZE_HW) >= 0
    memory = segmenter.remember(image, ids == 1, NOTHING)
    assert segmenter.segment(image, Marks({0: (mark,)}), 0, {1: said}, fresh, {1: (memory,)}).begun_anew == set()


def test_nothing_is_remembered_of_an_object_that_is_not_there(segmenter):
    assert segmenter.remember(picture()[0], NOTHING, NOTHING) is None
