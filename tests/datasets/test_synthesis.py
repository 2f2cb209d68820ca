"""Scenes whose truth is known in closed form: placement, coverage, occlusion, and motion."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.datasets.stills import Still
from shibori.datasets.synthesis import (
    CutBase,
    Layer,
    Ripple,
    Scene,
    Trajectory,
    WarpedStill,
    camera_over,
    cut_out,
    moving_layer,
    random_trajectory,
)

from .made import made_still

SIZE_HW = (60, 80)
WINDOW = np.array([10.0, 0.0, 70.0, 60.0])
STILLNESS = Ripple(0.0, np.zeros((2, 2)), np.zeros((9, 2)))
IDENTITY = np.tile(np.array([[1.0, 0, 0], [0, 1, 0]]), (9, 1, 1))


def shifted(dx: float, dy: float) -> np.ndarray:
    """Scene -> source maps of a source whose origin lies at (dx, dy) of the scene."""
    maps = IDENTITY.copy()
    maps[:, :, 2] = (-dx, -dy)
    return maps


def square_layer(tone: int, corner_xy: tuple[int, int], side: int, is_target: bool, visible: bool = True) -> Layer:
    rgba = np.zeros((side + 4, side + 4, 4), np.uint8)
    rgba[2:-2, 2:-2] = (tone, tone, tone, 255)
    return Layer(rgba, shifted(corner_xy[0] - 2, corner_xy[1] - 2), STILLNESS, (visible,) * 9, is_target)


def blank_base(tone: int = 10) -> WarpedStill:
    still = Still(np.full((*SIZE_HW, 3), tone, np.uint8), np.zeros(SIZE_HW, np.uint8), (), regions=False)
    return WarpedStill(still, None, IDENTITY, STILLNESS, SIZE_HW)


def painted(corner_xy: tuple[int, int], side: int) -> np.ndarray:
    """The truth of ``square_layer`` in ``WINDOW``, one pixel a scene pixel."""
    mask = np.zeros(SIZE_HW, np.uint8)
    mask[corner_xy[1] : corner_xy[1] + side, corner_xy[0] : corner_xy[0] + side] = 1
    return mask[:, 10:70]


def test_a_still_seen_through_the_identity_is_itself():
    still = made_still(size_hw=SIZE_HW)
    image, mask = WarpedStill(still, 2, IDENTITY, STILLNESS, SIZE_HW).render(0, WINDOW, 60)
    np.testing.assert_array_equal(image, still.image[:, 10:70])
    np.testing.assert_array_equal(mask == 1, still.ids[:, 10:70] == 2)
    np.testing.assert_array_equal(mask == 2, still.ids[:, 10:70] == 1)


def test_a_window_at_half_the_size_shows_the_same_place():
    still = made_still(size_hw=SIZE_HW)
    _, labels = WarpedStill(still, 1, IDENTITY, STILLNESS, SIZE_HW).render(0, WINDOW, 30)
    mask = labels == 1
    whole = (still.ids[:, 10:70] == 1).reshape(30, 2, 30, 2).mean((1, 3))
    assert np.abs(mask - whole).mean() < 0.03
    np.testing.assert_array_equal(mask[whole == 1], 1)
    np.testing.assert_array_equal(mask[whole == 0], 0)


def test_masks_follow_the_painted_pixels():
    scene = Scene(blank_base(), (square_layer(200, (30, 20), 16, True),))
    image, target, others = scene.render(0, WINDOW, 60)
    np.testing.assert_array_equal(target, painted((30, 20), 16))
    np.testing.assert_array_equal(image[..., 0] == 200, target == 1)
    np.testing.assert_array_equal(image[..., 0] == 10, target == 0)
    assert not others.any()


@pytest.mark.parametrize("target_on_top", [True, False])
def test_what_is_on_top_hides_what_is_below(target_on_top: bool):
    target = square_layer(200, (20, 20), 20, True)
    other = square_layer(90, (30, 30), 20, False)
    layers = (other, target) if target_on_top else (target, other)
    image, seen_target, seen_other = Scene(blank_base(), layers).render(0, WINDOW, 60)
    full_target, full_other = painted((20, 20), 20), painted((30, 30), 20)
    top, below = (full_target, full_other) if target_on_top else (full_other, full_target)
    seen_top, seen_below = (seen_target, seen_other) if target_on_top else (seen_other, seen_target)
    np.testing.assert_array_equal(seen_top, top)
    np.testing.assert_array_equal(seen_below, below * (1 - top))
    np.testing.assert_array_equal(image[..., 0] == 200, seen_target == 1)
    np.testing.assert_array_equal(image[..., 0] == 90, seen_other == 1)


def test_layers_hide_a_target_that_is_in_the_base():
    still = made_still(size_hw=SIZE_HW)
    base = WarpedStill(still, 1, IDENTITY, STILLNESS, SIZE_HW)
    _, target, others = Scene(base, (square_layer(250, (20, 20), 12, False),)).render(0, WINDOW, 60)
    np.testing.assert_array_equal(target, (still.ids[:, 10:70] == 1) & (painted((20, 20), 12) == 0))
    np.testing.assert_array_equal(others, (still.ids[:, 10:70] == 2) | (painted((20, 20), 12) == 1))


def test_hidden_frames_paint_nothing_and_have_no_box():
    layer = square_layer(200, (30, 20), 16, True)
    hidden = Layer(layer.rgba, layer.motions, layer.ripple, (True, False) + (True,) * 7, True)
    scene = Scene(blank_base(), (hidden,))
    assert scene.target_box(0) is not None
    assert scene.target_box(1) is None
    image, target, _ = scene.render(1, WINDOW, 60)
    assert not target.any()
    assert (image == 10).all()


def test_target_box_is_right_to_a_grid_cell():
    box = Scene(blank_base(), (square_layer(200, (30, 20), 16, True),)).target_box(0)
    assert box is not None
    np.testing.assert_allclose(box, [30, 20, 46, 36], atol=80 / 96)


def test_cut_out_holds_the_object_alone():
    still = made_still()
    rgba = cut_out(still, 2)
    inside = still.ids == 2
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    assert rgba.shape[:2] == (len(rows) + 8, len(columns) + 8)
    tight = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    core = rgba[4:-4, 4:-4]
    assert ((core[..., 3] > 127) == tight).mean() > 0.98
    np.testing.assert_array_equal(core[..., :3], still.image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    assert not rgba[:2, :, 3].any()


def test_cut_out_at_the_border_of_the_photograph():
    still = made_still()
    ids = np.zeros_like(still.ids)
    ids[:30, :30] = 1
    rgba = cut_out(Still(still.image, ids, (1,), regions=False), 1)
    assert rgba[2, 2, 3] > 200
    assert not rgba[:2, :, 3].any()
    assert not rgba[:, :2, 3].any()


def test_a_trajectory_puts_the_source_centre_where_it_says():
    rng = np.random.default_rng(0)
    track = random_trajectory(rng, np.array([40.0, 30.0]), 1.5, 20.0, np.ones(5))
    centre = (7.0, 9.0)
    for motion, place in zip(track.motions(centre), track.centres, strict=True):
        np.testing.assert_allclose(motion @ np.append(place, 1.0), centre)
    np.testing.assert_allclose(track.centres[0], [40, 30])


def test_a_trajectory_scales_areas_by_its_scales():
    track = Trajectory(np.zeros((2, 2)), np.array([[2.0, 3.0], [1.0, 0.5]]), np.array([0.4, -1.0]))
    areas = [abs(np.linalg.det(motion[:, :2])) for motion in track.motions((0, 0))]
    assert areas == pytest.approx([1 / 6, 2.0])


def test_no_pace_is_no_motion():
    rng = np.random.default_rng(1)
    track = random_trajectory(rng, np.zeros(2), 1.0, 30.0, np.zeros(4))
    assert np.ptp(track.centres, axis=0).tolist() == [0, 0]
    assert np.ptp(track.angles) == 0


def test_ripples_stay_within_their_amplitude():
    rng = np.random.default_rng(2)
    ripple = Ripple(3.0, rng.normal(0, 1, (2, 2)), rng.normal(0, 1, (4, 2)))
    grid = rng.uniform(0, 50, (20, 20, 2)).astype(np.float32)
    moved = ripple.displace(grid.copy(), 2) - grid
    assert 2 < np.abs(moved).max() <= 3.001
    assert not np.allclose(ripple.displace(grid.copy(), 1), ripple.displace(grid.copy(), 2))


@pytest.mark.parametrize("seed", range(3))
def test_random_scenes_keep_mask_and_paint_together(seed: int):
    """A uniformly red cut-out under random motion: the mask is where red won over grey."""
    rng = np.random.default_rng(seed)
    rgba = np.zeros((44, 44, 4), np.uint8)
    rgba[2:-2, 2:-2] = (255, 0, 0, 255)
    layer = moving_layer(rng, rgba, np.array([40.0, 30.0]), 25.0, np.ones(3), [True] * 4, is_target=True)
    grey = Still(np.full((*SIZE_HW, 3), 100, np.uint8), np.zeros(SIZE_HW, np.uint8), (), regions=False)
    scene = Scene(camera_over(rng, grey, None, SIZE_HW, np.ones(3)), (layer,))
    for frame in range(4):
        image, target, _ = scene.render(frame, WINDOW, 120)
        assert target.mean() > 0.02
        # Interpolated colours are not weighted by coverage, so half coverage is not half red: leave the rim out.
        sure = (image[..., 1] < 5) | (image[..., 1] > 95)
        assert sure.mean() > 0.95
        np.testing.assert_array_equal((image[..., 1] < 50)[sure], (target == 1)[sure])


def test_a_cut_shows_another_scene_without_the_target():
    first = WarpedStill(made_still(size_hw=SIZE_HW), 1, IDENTITY, STILLNESS, SIZE_HW)
    second = WarpedStill(made_still(1, SIZE_HW), 2, IDENTITY, STILLNESS, SIZE_HW)
    base = CutBase(first, second, (False, True, False))
    assert base.size_hw == SIZE_HW
    for frame, shown in enumerate((first, second, first)):
        image, labels = base.render(frame, WINDOW, 60)
        np.testing.assert_array_equal(image, shown.render(frame, WINDOW, 60)[0])
        expected = first.render(frame, WINDOW, 60)[1] if shown is first else np.zeros((60, 60))
        np.testing.assert_array_equal(labels, expected)
    boxes = [Scene(base, ()).target_box(frame) for frame in range(3)]
    assert [box is None for box in boxes] == [False, True, False]


def test_the_other_objects_of_a_photograph_are_others_but_not_its_regions():
    still = made_still(size_hw=SIZE_HW)
    for regions in (False, True):
        base = WarpedStill(Still(still.image, still.ids, (1, 2), regions), 1, IDENTITY, STILLNESS, SIZE_HW)
        _, target, others = Scene(base, ()).render(0, WINDOW, 60)
        np.testing.assert_array_equal(target, still.ids[:, 10:70] == 1)
        np.testing.assert_array_equal(others, (still.ids[:, 10:70] == 2) & (not regions))
