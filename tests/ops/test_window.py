"""Laws of windows: inside the frame, around the box, of sizes the trunk can take, and boxes that come back."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.ops.window import (
    GRID,
    SIDE_STEP,
    WindowRule,
    box_around,
    box_overlap,
    box_window,
    cut_window,
    mask_box,
    pixels_in_box,
    search_windows,
    settled_box,
    whole_size,
    window_size,
)

RULE = WindowRule()
FRAMES = [(480, 854), (120, 90), (31, 33), (2160, 3840), (1, 5)]


def random_boxes(size_hw: tuple[int, int], count: int = 60) -> list[np.ndarray]:
    """Boxes of every size inside a frame, single pixels and the frame itself among them."""
    rng = np.random.default_rng(sum(size_hw))
    boxes = [np.array([0.0, 0, 1, 1]), np.array([0.0, 0, size_hw[1], size_hw[0]])]
    for _ in range(count):
        extent = np.ceil(np.array(size_hw[::-1]) * rng.uniform(0, 1, 2) ** 2).clip(1)
        corner = np.floor(rng.uniform(0, np.array(size_hw[::-1]) - extent))
        boxes.append(np.concatenate([corner, corner + extent]))
    return boxes


def assert_inside(window: np.ndarray, size_hw: tuple[int, int]) -> None:
    assert (window == np.round(window)).all()
    assert (window[:2] >= 0).all()
    assert (window[2:] <= (size_hw[1], size_hw[0])).all()
    assert (window[2:] - window[:2] >= 1).all()


@pytest.mark.parametrize("size_hw", FRAMES)
@pytest.mark.parametrize("widen", [1.0, 2.2, 1e3])
def test_window_lies_in_the_frame_around_the_box(size_hw: tuple[int, int], widen: float):
    for box in random_boxes(size_hw):
        window = box_window(RULE, box, size_hw, widen)
        assert_inside(window, size_hw)
        assert (window[:2] <= box[:2]).all()
        assert (window[2:] >= box[2:]).all()


@pytest.mark.parametrize("shift", [-500.0, 500.0])
def test_a_box_that_drifted_out_of_the_frame_still_has_a_window(shift: float):
    assert_inside(box_window(RULE, np.array([10.0, 10, 60, 40]) + shift, (120, 160)), (120, 160))


def test_margins_depend_on_the_longer_side_and_on_widen():
    window = box_window(RULE, np.array([400.0, 200, 440, 300]), (1000, 1000))
    assert window.tolist() == [400 - 37.5 - 0.5, 200 - 37.5 - 0.5, 440 + 37.5 + 0.5, 300 + 37.5 + 0.5]
    wide = box_window(RULE, np.array([400.0, 200, 440, 300]), (1000, 1000), 2.0)
    np.testing.assert_allclose(wide[2:] - wide[:2], 2 * np.array([115, 175]), atol=2)
    np.testing.assert_allclose(wide[:2] + wide[2:], [840, 500], atol=2)


@pytest.mark.parametrize("size_hw", FRAMES)
@pytest.mark.parametrize("area_side", [64, 320])
def test_sizes_fit_the_trunk_and_keep_area_and_shape(size_hw: tuple[int, int], area_side: int):
    rule = WindowRule(area_side=area_side)
    assert GRID % 16 == 0
    for box in random_boxes(size_hw):
        window = box_window(rule, box, size_hw)
        size = np.array(window_size(rule, window))
        assert (size % GRID == 0).all()
        sides = (window[2:] - window[:2])[::-1]
        wanted = sides * min(area_side / np.sqrt(sides.prod()), rule.max_zoom)
        allowed = SIDE_STEP**0.5 if wanted.prod() < 0.99 * area_side**2 else 1.0
        assert (size <= np.maximum(wanted * allowed + GRID / 2, 2 * GRID)).all()
        assert (size >= np.maximum(wanted / allowed - GRID / 2, 2 * GRID)).all()


def test_few_shapes_occur():
    rng, frame_wh = np.random.default_rng(0), np.array([854, 480])
    shapes = set()
    for _ in range(5000):
        extent = np.exp(rng.uniform(np.log(8), np.log(frame_wh)))
        corner = rng.uniform(0, 1, 2) * (frame_wh - extent)
        shapes.add(window_size(RULE, box_window(RULE, np.concatenate([corner, corner + extent]), (480, 854))))
    assert len(shapes) <= 40


def test_the_cost_of_a_frame_does_not_depend_on_its_resolution():
    small = window_size(RULE, box_window(RULE, np.array([200.0, 100, 400, 300]), (480, 854)))
    large = window_size(RULE, box_window(RULE, np.array([800.0, 400, 1600, 1200]), (1920, 3416)))
    assert small == large


def test_cutting_without_resizing_is_slicing():
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype(np.uint8)
    np.testing.assert_array_equal(cut_window(image, np.array([6.0, 2, 38, 34]), (32, 32)), image[2:34, 6:38])


def test_shrinking_averages():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    expected = image.reshape(16, 4, 16, 4, 3).mean((1, 3))
    found = cut_window(image, np.array([0.0, 0, 64, 64]), (16, 16))
    np.testing.assert_allclose(found, expected, atol=0.51)


def test_box_of_a_mask_is_tight():
    for box in random_boxes((60, 80)):
        mask = np.zeros((60, 80), bool)
        left, top, right, bottom = box.astype(int)
        mask[top:bottom, left:right] = True
        found = mask_box(mask)
        assert found is not None
        assert found.tolist() == box.tolist()
    assert mask_box(np.zeros((60, 80), bool)) is None


def test_specks_do_not_stretch_the_box_and_pieces_do():
    mask = np.zeros((60, 80), bool)
    mask[10:30, 10:30] = True
    mask[50, 70] = True
    found = mask_box(mask)
    assert found is not None
    assert found.tolist() == [10, 10, 30, 30]
    mask[45:55, 60:70] = True
    found = mask_box(mask)
    assert found is not None
    assert found.tolist() == [10, 10, 71, 55]


def test_many_pieces_all_of_them_small_still_have_a_box():
    mask = np.zeros((60, 80), bool)
    mask[::4, ::4] = True
    found = mask_box(mask)
    assert found is not None
    assert found.tolist() == [0, 0, 77, 57]


@pytest.mark.parametrize("size_hw", [(480, 854), (120, 90)])
def test_the_box_is_recovered_from_its_window(size_hw: tuple[int, int]):
    for box in random_boxes(size_hw, 20):
        mask = np.zeros(size_hw, np.float32)
        left, top, right, bottom = box.astype(int)
        mask[top:bottom, left:right] = 1
        window = box_window(RULE, box, size_hw)
        seen = cut_window(mask, window, window_size(RULE, window))
        found = mask_box(seen > 0.5, window)
        assert found is not None
        pixel = (window[2:] - window[:2]) / seen.shape[::-1]
        assert (np.abs(found - box) <= np.maximum(1.0, np.tile(pixel, 2))).all()


@pytest.mark.parametrize("size_hw", [(480, 854), (120, 90)])
def test_a_search_sees_an_object_whole_wherever_it_went(size_hw: tuple[int, int]):
    for box in random_boxes(size_hw, 25):
        windows = search_windows(RULE, box, size_hw, 2.2)
        for window in windows:
            assert_inside(window, size_hw)
        for corner in np.random.default_rng(1).uniform(0, 1, (20, 2)) * (np.array(size_hw[::-1]) - box[2:] + box[:2]):
            there = np.concatenate([corner, corner + box[2:] - box[:2]])
            assert any((w[:2] <= there[:2]).all() and (w[2:] >= there[2:]).all() for w in windows)


def test_a_search_starts_where_the_object_was():
    box = np.array([700.0, 300, 740, 330])
    windows = search_windows(RULE, box, (480, 854), 2.2)
    assert windows[0].tolist() == box_window(RULE, box, (480, 854), 2.2).tolist()
    distances = [np.hypot(*(window[:2] - windows[0][:2])) for window in windows]
    assert distances == sorted(distances)


def test_a_settled_box_neither_collapses_nor_explodes():
    before, speck = np.array([10.0, 10, 110, 60]), np.array([50.0, 30, 52, 32])
    held = settled_box(speck, before, 0.9, 1.25)
    np.testing.assert_allclose(held[2:] - held[:2], [90, 45])
    np.testing.assert_allclose(held[:2] + held[2:], speck[:2] + speck[2:])
    np.testing.assert_allclose(settled_box(before, speck, 0.9, 1.25), [58.75, 33.75, 61.25, 36.25])
    assert settled_box(before, before + 3, 0.9, 1.25).tolist() == before.tolist()
    assert settled_box(speck, None, 0.9, 1.25).tolist() == speck.tolist()


@pytest.mark.parametrize("size_hw", [(480, 854), (854, 480), (1080, 1920), (90, 120), (20, 900)])
def test_a_whole_frame_is_resized_to_about_the_side_that_is_asked_for(size_hw: tuple[int, int]):
    height, width = whole_size(size_hw, 288)
    assert height % GRID == width % GRID == 0
    zoom = min(288 / min(size_hw), 1)
    assert abs(height - size_hw[0] * zoom) <= GRID
    assert abs(width - size_hw[1] * zoom) <= GRID


def test_pixels_of_a_resized_window_that_are_in_a_box_as_a_loop_finds_them():
    box, window, size_hw = np.array([12.0, 6.0, 30.0, 21.0]), np.array([10.0, 4.0, 40.0, 24.0]), (8, 10)
    for margin in (0.0, 0.2):
        left, top, right, bottom = box + np.array([-18, -15, 18, 15]) * margin
        expected = np.zeros(size_hw, bool)
        for row in range(size_hw[0]):
            for column in range(size_hw[1]):
                x, y = 10 + (column + 0.5) * 3, 4 + (row + 0.5) * 2.5
                expected[row, column] = left <= x < right and top <= y < bottom
        np.testing.assert_array_equal(pixels_in_box(box, window, size_hw, margin), expected)


def test_two_boxes_in_one_and_how_much_they_share():
    first, second, apart = (np.array(box, np.float64) for box in ([0, 0, 4, 4], [2, 1, 6, 5], [9, 9, 10, 10]))
    np.testing.assert_array_equal(box_around(first, second), [0, 0, 6, 5])
    np.testing.assert_array_equal(box_around(second, first), [0, 0, 6, 5])
    assert box_overlap(first, second) == 6 / (16 + 16 - 6)
    assert box_overlap(first, first) == 1
    assert box_overlap(first, apart) == 0
