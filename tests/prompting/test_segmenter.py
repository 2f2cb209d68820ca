"""A segmenter of marked frames: which window, which points, and that nothing depends on what was asked before."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shibori.errors import InputError
from shibori.media.marks import BoxMark, FrameMarks, click
from shibori.media.scribble import Stroke
from shibori.prompting.build import build_prompt_segmenter, segmenter_from_state
from shibori.prompting.network import BACKGROUND, BOX_END, BOX_START, NOTHING, OBJECT
from shibori.prompting.presets import RULES, build_prompt_network
from shibori.prompting.prompts import MOST_POINTS, STROKE_POINTS, ObjectPoints, points_along
from shibori.prompting.segmenter import LOOKED_PAST, Candidates, PromptSegmenter, shows_well, whole_first, with_edges_of
from shibori.prompting.view import settled_window, view_size, window_around

SIZE = (96, 128)


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return build_prompt_network("tiny").state_dict()


@pytest.fixture
def segmenter(state):
    return segmenter_from_state(state, "tiny", "cpu")


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)


def at(object_id: int, x: float, y: float) -> Stroke:
    return click(object_id, x / (SIZE[1] - 1), y / (SIZE[0] - 1))


CLICK = FrameMarks((at(1, 60, 40),))
BOX = FrameMarks((), (BoxMark(1, (0.25, 0.25, 0.5, 0.75)),))


def test_one_click_gives_three_candidates_best_first_and_anything_more_gives_one(segmenter, image):
    found = segmenter.answer(image, CLICK, 1)
    assert len(found.logits) == len(found.quality) == 3
    assert found.quality[0] >= found.quality.max() - RULES["tiny"].whole_margin
    assert np.diff(found.quality[1:]) <= 0
    more = FrameMarks((at(1, 60, 40), at(0, 5, 5)))
    for marks, previous in ((BOX, None), (more, None), (CLICK, found.mask()), (CLICK, found.in_frame())):
        again = segmenter.answer(image, marks, 1, previous)
        assert again.logits.shape[0] == 1 or not np.any(previous)
        assert again.in_frame().shape == SIZE


def test_edges_move_to_those_of_the_picture():
    guide = np.zeros((40, 60, 3), np.uint8)
    guide[:, 31:] = 200
    logits = np.full((10, 15), -5, np.float32)
    logits[:, 7:] = 5  # which is at column 28 of the guide
    moved = with_edges_of(guide, logits, 6) > 0
    plain = with_edges_of(guide, logits, 0) > 0
    truth = guide[..., 0] > 0
    assert (moved != truth).sum() < (plain != truth).sum() / 2
    np.testing.assert_array_equal(plain[:, 29:], True)
    assert np.abs(with_edges_of(guide, 50 * logits, 6)).max() <= -LOOKED_PAST + 1e-4


def test_the_largest_of_the_good_candidates_comes_first():
    logits = np.full((3, 4, 4), -1, np.float32)
    logits[0, :1], logits[1, :2], logits[2] = 1, 1, 1
    for quality, expected in (
        ([0.9, 0.85, 0.5], [1, 0, 2]),
        ([0.9, 0.5, 0.6], [0, 2, 1]),
        ([0.5, 0.6, 0.55], [2, 1, 0]),
    ):
        assert whole_first(logits, np.array(quality, np.float32), 0.1).tolist() == expected
    assert whole_first(logits[:1], np.array([0.3], np.float32), 0.1).tolist() == [0]


def test_outside_the_window_the_object_is_not(segmenter, image):
    found = segmenter.answer(image, FrameMarks((), (BoxMark(1, (0.0, 0.0, 0.2, 0.2)),)), 1)
    left, top, right, bottom = found.window.astype(int).tolist()
    whole = found.in_frame()
    assert (right, bottom) < (SIZE[1], SIZE[0])
    outside = np.ones(SIZE, np.bool_)
    outside[top:bottom, left:right] = False
    assert (whole[outside] == LOOKED_PAST).all()
    np.testing.assert_array_equal(found.mask(), whole > 0)
    area, logits = found.windowed(7).in_frame()
    np.testing.assert_array_equal(whole[area], logits)


def test_no_answer_depends_on_what_was_asked_before(state, segmenter, image):
    other = np.ascontiguousarray(image[::-1])
    expected = segmenter_from_state(state, "tiny", "cpu").answer(image, CLICK, 1)
    for asked, marks in ((other, CLICK), (image, BOX), (image, CLICK)):
        segmenter.answer(asked, marks, 1)
    again = segmenter.answer(image, CLICK, 1)
    np.testing.assert_array_equal(again.logits, expected.logits)
    np.testing.assert_array_equal(again.window, expected.window)


def test_a_picture_is_embedded_once_for_a_window_and_forgotten_in_the_end(state, image, monkeypatch):
    segmenter = segmenter_from_state(state, "tiny", "cpu")
    calls = []
    encode = segmenter.network.encode
    monkeypatch.setattr(segmenter.network, "encode", lambda images: calls.append(1) or encode(images))
    first = segmenter.encode(image)
    assert segmenter.encode(image.copy()) is first
    assert len(calls) == 1
    for brightness in range(RULES["tiny"].kept):
        segmenter.encode(np.full_like(image, brightness))
    assert segmenter.encode(image) is not first


def test_the_next_mark_finds_the_window_of_the_answer_before_as_long_as_it_shows_the_object(segmenter, image):
    window = np.array([20.0, 10.0, 100.0, 90.0])
    logits = np.full((1, 20, 20), -4, np.float32)
    logits[0, 5:15, 5:15] = 4
    before = Candidates(window, SIZE, logits, np.array([0.5], np.float32))
    marks = FrameMarks((at(1, 60, 40), at(0, 30, 30)))
    near = segmenter.answer(image, marks, 1, before)
    np.testing.assert_array_equal(near.window, window)
    far = segmenter.answer(image, FrameMarks((at(1, 120, 40),)), 1, before)
    assert far.window[2] > 100
    assert not np.array_equal(segmenter.answer(image, marks, 1, before.in_frame()).window, window)


def test_a_window_shows_well_what_fills_enough_of_it():
    window, rule = np.array([0.0, 0.0, 100.0, 100.0]), RULES["tiny"]
    for box, expected in (((10, 10, 60, 20), True), ((0, 0, 100, 100), True), ((10, 10, 20, 20), False)):
        assert shows_well(window, np.array(box, np.float64), rule) == expected
    assert not shows_well(window, np.array([90.0, 0.0, 101.0, 50.0]), rule)


def test_an_object_nobody_marked_is_refused(segmenter, image):
    with pytest.raises(InputError, match="expected a mark or a mask that says where object 2 is"):
        segmenter.answer(image, CLICK, 2)
    with pytest.raises(InputError, match="says where object 1 is"):
        segmenter.answer(image, FrameMarks((at(0, 4, 4),)), 1, np.zeros(SIZE, np.bool_))
    with pytest.raises(InputError, match="expected a mark on object 1 or a mask of it"):
        segmenter.segment(segmenter.encode(image), FrameMarks(), 1)


def test_an_empty_mask_before_is_no_mask(segmenter, image):
    found = segmenter.answer(image, CLICK, 1, np.zeros(SIZE, np.bool_))
    np.testing.assert_array_equal(found.logits, segmenter.answer(image, CLICK, 1).logits)


def test_marks_become_points():
    stroke = Stroke(1, tuple((x, 0.5) for x in np.linspace(0.1, 0.9, 500).tolist()))
    marks = FrameMarks((stroke, at(2, 10, 10), at(0, 3, 90)), (BoxMark(1, (0, 0, 0.5, 0.5)), BoxMark(2, (0, 0, 1, 1))))
    points = ObjectPoints.of(marks, 1, SIZE)
    expected = [OBJECT] * STROKE_POINTS + [BACKGROUND, BACKGROUND, BOX_START, BOX_END]
    assert points.kinds.tolist() == expected
    np.testing.assert_array_equal(points.points[-4:], [[10.5, 10.5], [3.5, 90.5], [0, 0], [64, 48]])
    assert points.has_box
    many = FrameMarks(tuple(stroke for _ in range(2 * MOST_POINTS)))
    assert len(ObjectPoints.of(many, 1, SIZE).points) <= MOST_POINTS


def test_a_later_mark_of_something_else_takes_an_earlier_one_away():
    later = ObjectPoints.of(FrameMarks((at(1, 60, 40), at(2, 60, 40))), 1, SIZE)
    assert later.kinds.tolist() == [BACKGROUND]
    assert later.extent is None


def test_a_view_has_the_points_in_its_own_pixels_and_a_filling_one_without_a_box():
    points = ObjectPoints.of(FrameMarks((at(1, 60, 40), at(0, 3, 3))), 1, SIZE)
    places, kinds = points.seen_in(np.array([40.0, 20.0, 80.0, 60.0]), (80, 80))
    np.testing.assert_allclose(places[0, 0], [41, 41])
    assert kinds.tolist() == [[OBJECT, NOTHING]]


def test_points_along_a_line_are_evenly_spaced_however_it_was_drawn():
    path = np.array([[0, 0], [1, 0], [2, 0], [100.0, 0]])
    np.testing.assert_allclose(points_along(path, 5)[:, 0], [0, 25, 50, 75, 100])
    assert len(points_along(np.zeros((3, 2)), 5)) == 1


@pytest.mark.parametrize(
    "box", [(10, 10, 30, 20), (0, 0, 4, 4), (600, 300, 854, 480), (0, 0, 854, 480), (1, 5, 3, 470)]
)
def test_settled_windows_hold_the_box_and_hardly_move(box):
    box, size_hw = np.array(box, np.float64), (480, 854)
    window = settled_window(box, 1.6, size_hw)
    assert (window[:2] <= box[:2]).all()
    assert (window[2:] >= box[2:]).all()
    assert (window >= 0).all()
    assert (window[2:] <= (854, 480)).all()
    assert (window == window.round()).all()
    rng = np.random.default_rng(0)
    near = [settled_window(box + rng.normal(0, 0.3, 4), 1.6, size_hw) for _ in range(20)]
    assert len({tuple(other) for other in near}) <= 4


def test_windows_are_resized_to_a_grid():
    assert view_size(np.array([0.0, 0, 854, 480]), 512) == (288, 512)
    assert view_size(np.array([0.0, 0, 50, 50]), 512) == (192, 192)  # no more than four times
    window = window_around(np.array([100.0, 100, 140, 120]), 2.0, (480, 854))
    np.testing.assert_array_equal(window, [80, 80, 160, 140])


def test_what_cannot_be_built_is_refused():
    with pytest.raises(InputError, match="expected a preset of the promptable network"):
        build_prompt_segmenter("giant")
    with pytest.raises(InputError, match="expected weights for prompt/paper, found none shipped"):
        build_prompt_segmenter("paper")


def test_the_rule_takes_another_size(state, tmp_path):
    from shibori.nn.weights import save_state

    save_state(tmp_path / "w.safetensors", state, "prompt", "tiny")
    built = build_prompt_segmenter("tiny", "cpu", 64, tmp_path / "w.safetensors")
    assert isinstance(built, PromptSegmenter)
    assert (built.rule.side, built.rule.first_side) == (64, 64)
    with pytest.raises(InputError, match="a multiple of 32, found 70"):
        build_prompt_segmenter("tiny", "cpu", 70, tmp_path / "w.safetensors")
