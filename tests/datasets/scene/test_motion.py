"""Motion: maps put the source where the motion says, tracks are smooth and bounded, sources never jump."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.datasets.scene.motion import SourceTrack, SpriteMotion, there_and_back


@pytest.mark.parametrize("mirrored", [False, True])
def test_maps_put_the_centre_in_its_place_and_zoom_and_turn_around_it(mirrored: bool):
    rng = np.random.default_rng(0)
    centre, zoom, turn = rng.uniform(0, 99, (5, 2)), rng.uniform(0.3, 3, 5), rng.uniform(-3, 3, 5)
    source, step = rng.uniform(0, 50, (5, 2)), np.array([2.0, -1.0])
    matrices = SpriteMotion(centre, zoom, turn, mirrored).matrices(source)
    for t in range(5):
        np.testing.assert_allclose(matrices[t, :, :2] @ source[t] + matrices[t, :, 2], centre[t])
        x, y = step
        turned = zoom[t] * np.array(
            [np.cos(turn[t]) * x - np.sin(turn[t]) * y, np.sin(turn[t]) * x + np.cos(turn[t]) * y]
        )
        turned *= (-1 if mirrored else 1, 1)
        np.testing.assert_allclose(matrices[t, :, :2] @ (source[t] + step) + matrices[t, :, 2], centre[t] + turned)


def test_a_track_fills_gaps_and_takes_its_size_from_the_boxes():
    boxes = np.array([[10 + 2 * t, 20, 30 + 2 * t, 40 + 25] for t in range(20)], float)
    boxes[8:11] = 0
    track = SourceTrack.of_boxes(boxes)
    np.testing.assert_allclose(track.centre_xy[3:17], [[20 + 2 * t, 42.5] for t in range(3, 17)])
    np.testing.assert_allclose(track.size, 30)
    zoom = track.zoom_to(3600)
    np.testing.assert_allclose(zoom, 2)
    moved = track.bounded_motion(zoom, 15)
    assert np.abs(moved).max() < 15
    np.testing.assert_allclose(moved[0], 0)


def test_growth_is_kept_within_bounds():
    sides = np.linspace(10, 40, 30)
    track = SourceTrack.of_boxes(np.stack([0 * sides, 0 * sides, sides, sides], axis=1))
    shown = track.zoom_to(400.0) * track.size
    assert shown[0] == pytest.approx(20)
    assert shown.max() == pytest.approx(30)


def test_there_and_back_never_jumps():
    assert [there_and_back(index, 3) for index in range(7)] == [0, 1, 2, 1, 0, 1, 2]
    assert [there_and_back(index, 1) for index in range(3)] == [0, 0, 0]
