"""Edge controls: each does what its name says, in pixels, and leaves alone what it has no business with."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shibori.errors import InputError
from shibori.media import edges
from shibori.media.calm import calm_masks
from shibori.media.clip import Frame
from shibori.media.edges import EdgeControls, shape_alpha, shape_edges
from shibori.media.guided_filter import guided_filter
from shibori.media.mask import FrameMasks

SIZE_HW = (120, 160)
GREY = np.full((*SIZE_HW, 3), 128, np.uint8)


def disc(radius: float, centre=(60, 80), softness: float = 0.6) -> np.ndarray:
    """A disc with an edge of a Gaussian blur, anti-aliased."""
    rows, columns = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    distance = radius - np.hypot(rows - centre[0], columns - centre[1])
    return (1 / (1 + np.exp(-1.7 * distance / softness))).astype(np.float32)


def radius_of(alpha: np.ndarray) -> float:
    return float(np.sqrt(alpha.sum() / np.pi))


@pytest.mark.parametrize("distance", [0.25, 0.5, 1, 2.5, -0.5, -1.75, -4])
def test_choke_moves_the_edge_by_pixels_and_parts_of_them(distance):
    moved = shape_alpha(disc(30), GREY, EdgeControls(choke=distance))
    assert radius_of(moved) == pytest.approx(30 - distance, abs=0.3)
    assert edges.edge_softness(moved) < 1.2


def test_choke_leaves_an_object_at_the_border_there():
    alpha = np.zeros(SIZE_HW, np.float32)
    alpha[:, :50] = 1
    moved = shape_alpha(alpha, GREY, EdgeControls(choke=3))
    assert (moved[:, :47] == 1).all()
    assert not moved[:, 47:].any()


@pytest.mark.parametrize("width", [4, 12])
def test_feather_fades_over_so_many_pixels_and_keeps_the_size(width):
    soft = shape_alpha(disc(30), GREY, EdgeControls(feather=width))
    row = soft[60, 80:]
    assert np.interp(1 / 8, row[::-1], np.arange(len(row))[::-1]) - np.interp(
        7 / 8, row[::-1], np.arange(len(row))[::-1]
    ) == pytest.approx(width, rel=0.15)
    assert radius_of(soft) == pytest.approx(30, abs=0.5)


def test_smooth_straightens_without_softening():
    rng = np.random.default_rng(0)
    angle = np.arctan2(*(np.mgrid[:120, :160] - np.array([60, 80])[:, None, None]))
    ragged = disc(30) * 0
    for step in range(120):
        here = (angle > -np.pi + step * np.pi / 60) & (angle <= -np.pi + (step + 1) * np.pi / 60)
        ragged[here] = disc(30 + rng.uniform(-2, 2))[here]
    smooth = shape_alpha(ragged, GREY, EdgeControls(smooth=4))

    def outline(alpha):
        contours, _ = cv2.findContours((alpha > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        return cv2.arcLength(max(contours, key=len), True)

    assert outline(smooth) < 0.9 * outline(ragged)
    assert edges.edge_softness(smooth) < 1.5
    assert radius_of(smooth) == pytest.approx(30, abs=0.7)


def test_small_holes_are_filled_and_small_islands_left_out():
    alpha = disc(40)
    alpha[55:60, 70:75] = 0  # 25 pixels
    alpha[60:80, 85:100] = 0  # 300
    alpha[5:9, 5:9] = 1  # 16
    alpha[100:112, 2:22] = 1  # 240
    shaped = shape_alpha(alpha, GREY, EdgeControls(holes=30, islands=30))
    assert shaped[57, 72] == 1
    assert shaped[70, 90] == 0
    assert shaped[6, 6] == 0
    assert shaped[105, 10] == 1
    rest = np.ones(SIZE_HW, bool)
    rest[53:62, 68:77] = rest[3:11, 3:11] = False
    np.testing.assert_array_equal(shaped[rest], alpha[rest])


def test_background_that_touches_the_border_is_no_hole():
    alpha = np.ones(SIZE_HW, np.float32)
    alpha[:3, :3] = 0
    assert shape_alpha(alpha, GREY, EdgeControls(holes=50))[0, 0] == 0


def test_refine_moves_an_edge_to_the_pictures():
    true = disc(30)
    image = np.round(40 + 160 * true[..., None] * np.array([1, 0.7, 0.5])).astype(np.uint8)
    wrong = disc(30, (61.5, 82))
    refined = shape_alpha(wrong, image, EdgeControls(refine=6))
    assert np.abs(refined - true).sum() < 0.5 * np.abs(wrong - true).sum()
    assert refined[60, 80] == 1
    assert refined[0, 0] == 0


def test_the_guided_filter_is_the_one_of_the_paper():
    rng = np.random.default_rng(0)
    guide, values = rng.integers(0, 255, (9, 11, 3), np.uint8), rng.random((9, 11)).astype(np.float32)
    radius, epsilon = 2, 1e-2
    colours = np.pad(guide / 255, ((4, 4), (4, 4), (0, 0)), "symmetric")
    known = np.pad(values, 4, "symmetric")
    slopes, offsets = {}, {}
    for row in range(-2, 11):
        for column in range(-2, 13):
            area = np.s_[row + 2 : row + 7, column + 2 : column + 7]
            pixels, targets = colours[area].reshape(-1, 3), known[area].ravel()
            mean = pixels.mean(0)
            covariance = (pixels - mean).T @ (pixels - mean) / len(pixels) + epsilon * np.eye(3)
            cross = ((pixels - mean) * (targets - targets.mean())[:, None]).mean(0)
            slopes[row, column] = np.linalg.solve(covariance, cross)
            offsets[row, column] = targets.mean() - slopes[row, column] @ mean
    found = guided_filter(guide, values, radius, epsilon)
    for row in range(radius, 9 - radius):
        for column in range(radius, 11 - radius):
            near = [(row + i, column + j) for i in range(-2, 3) for j in range(-2, 3)]
            slope, offset = np.mean([slopes[n] for n in near], 0), np.mean([offsets[n] for n in near])
            assert found[row, column] == pytest.approx(slope @ (guide[row, column] / 255) + offset, abs=2e-3)


def test_nothing_asked_for_changes_nothing():
    assert EdgeControls().is_idle
    np.testing.assert_array_equal(shape_alpha(disc(30), GREY, EdgeControls()), disc(30))
    empty = np.zeros(SIZE_HW, np.float32)
    np.testing.assert_array_equal(shape_alpha(empty, GREY, EdgeControls(choke=-3, refine=4, feather=9)), empty)


@pytest.mark.parametrize("options", [{"feather": -1}, {"holes": -2}, {"choke": float("nan")}])
def test_impossible_values_are_refused(options):
    with pytest.raises(InputError, match="expected --"):
        EdgeControls(**options)


def test_ids_follow_the_edges():
    ids = np.zeros(SIZE_HW, np.uint8)
    ids[20:60, 20:60], ids[20:60, 60:90] = 1, 3
    shaped = shape_edges(FrameMasks(0, ids), GREY, EdgeControls(choke=2), (1, 3))
    assert shaped.ids[30, 30] == 1
    assert shaped.ids[30, 75] == 3
    assert shaped.ids[30, 58:62].tolist() == [0, 0, 0, 0]
    assert (shaped.alpha((1, 3)) == 255 * (shaped.ids > 0)).all()
    assert shape_edges(FrameMasks(0, ids), GREY, EdgeControls(choke=-2), (3,)).ids[30, 59] == 3


def clip_of(count: int, step: int, noise: float):
    """A textured disc that moves over a textured ground, its edges wrong by a random pixel in every frame."""
    rng = np.random.default_rng(1)
    ground = cv2.GaussianBlur(rng.integers(0, 255, (*SIZE_HW, 3)).astype(np.uint8), (0, 0), 2)
    cloth = cv2.GaussianBlur(rng.integers(0, 255, (*SIZE_HW, 3)).astype(np.uint8), (0, 0), 2)
    for index in range(count):
        true = disc(25, (60, 45 + step * index))
        moved = np.roll(cloth, step * index, axis=1) // 2 + 127
        image = np.where(true[..., None] > 0.5, moved, ground // 2).astype(np.uint8)
        wrong = disc(25 + noise * rng.uniform(-1, 1), (60 + noise * rng.uniform(-1, 1), 45 + step * index))
        yield Frame(index, None, image), FrameMasks(index, (wrong > 0.5).astype(np.uint8), (), None, {1: wrong}), true


@pytest.mark.parametrize("step", [0, 3])
def test_calm_edges_change_less_and_are_no_worse(step):
    frames = list(clip_of(9, step, 1.5))
    calmed = list(calm_masks(((frame, masks) for frame, masks, _ in frames), (1,), 2))
    assert [frame.index for frame, _ in calmed] == list(range(9))
    before = [np.abs(masks.opacity((1,)) - true).sum() for _, masks, true in frames]
    after = [np.abs(masks.opacity((1,)) - true).sum() for (_, masks), (_, _, true) in zip(calmed, frames, strict=True)]
    assert np.mean(after) < 0.75 * np.mean(before)


def test_calm_leaves_alone_what_moves_too_fast_to_follow():
    frames = list(clip_of(5, 25, 0))
    calmed = calm_masks(((frame, masks) for frame, masks, _ in frames), (1,), 2)
    wrong = [np.abs(masks.opacity((1,)) - true).sum() for (_, masks), (_, _, true) in zip(calmed, frames, strict=True)]
    assert np.mean(wrong) < 5


@pytest.mark.parametrize(("count", "radius"), [(1, 2), (2, 3), (5, 1), (4, 9)])
def test_calm_gives_every_frame_once(count, radius):
    frames = [(frame, masks) for frame, masks, _ in clip_of(count, 0, 0)]
    calmed = list(calm_masks(iter(frames), (1,), radius))
    assert [frame.index for frame, _ in calmed] == list(range(count))
    for (_, found), (_, masks) in zip(calmed, frames, strict=True):
        np.testing.assert_allclose(found.opacity((1,)), masks.opacity((1,)), atol=0.02)
