"""Ways and hidings: what is planned fits into the clip, anchors are where they should be, shapes cover their box."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from shibori.datasets.scene.occlusions import (
    SHORTEST_CLIP,
    SHORTEST_SCENE,
    TRAVEL,
    Hiding,
    draw_hidings,
    draw_parts,
    draw_way,
    hold,
    line_anchor,
    outline_around,
    outside_anchor,
    passing_way,
    pillar_outline,
    still_anchor,
)

SIZE = (100, 200)
HIDING = Hiding(1, "outside", 20, 32)
WAY = np.stack([np.linspace(150, 60, 60), np.linspace(40, 60, 60)], axis=1)


@pytest.mark.parametrize("num_frames", [SHORTEST_CLIP, 60, 90, 140])
@pytest.mark.parametrize("num_objects", [1, 2, 3, 6])
def test_hidings_fit_into_the_clip(num_frames, num_objects):
    for seed in range(40):
        hidings = draw_hidings(np.random.default_rng(seed), num_objects, num_frames)
        assert 1 <= len(hidings) <= 2
        for hiding in hidings:
            assert 10 <= hiding.stop - hiding.start <= 33
            assert hiding.start - TRAVEL > 0
            assert hiding.stop + 8 <= num_frames
            assert 0 <= hiding.slot < num_objects
            assert (hiding.kind == "passer") or hiding.slot > 0
            assert (hiding.host > 0) == (hiding.kind == "object")
            assert hiding.host not in {other.slot for other in hidings if other.kind == "object"}
        assert all(a.stop < b.start for a, b in pairwise(hidings))


def test_too_short_a_clip():
    with pytest.raises(ValueError, match="46 frames or more, got 20"):
        draw_hidings(np.random.default_rng(0), 3, 20)


def test_hold_is_whole_in_hiding_and_gone_away_from_it():
    held = hold(HIDING, 60)
    assert (held[20:32] == 1).all()
    assert held[:11].max() == held[40:].max() == 0
    assert (np.diff(held[11:21]) > 0).all()
    assert (np.diff(held[31:40]) < 0).all()


def test_way_jumps_only_in_the_middle_of_hidings():
    hidings = [HIDING, Hiding(1, "screen", 60, 80)]
    for seed in range(20):
        way = draw_way(np.random.default_rng(seed), np.array([0.3, 0.5]), hidings, 100)
        steps = np.linalg.norm(np.diff(way, axis=0), axis=1)
        assert set(np.flatnonzero(steps > 0.05) + 1) == {26, 70}
        assert ((way > 0) & (way < 1)).all()


def test_outside_is_outside():
    for seed in range(8):
        anchor = outside_anchor(np.random.default_rng(seed), HIDING, WAY, np.array([30.0, 20.0]), SIZE)
        assert ((anchor[:, 0] + 30 < 0) | (anchor[:, 0] - 30 > 200)).all()
        assert anchor[20, 0] > 200  # the nearer side


def test_line_leads_from_before_to_after():
    anchor = line_anchor(HIDING, WAY)
    np.testing.assert_allclose(anchor[20], WAY[19])
    np.testing.assert_allclose(anchor[32], WAY[32])


def test_still_anchor_leaves_room_and_keeps_away():
    for seed in range(10):
        anchor = still_anchor(np.random.default_rng(seed), HIDING, WAY, np.array([30.0, 60.0]), SIZE)
        assert (anchor == anchor[0]).all()
        assert 30 <= anchor[0, 0] <= 170
        assert anchor[0, 1] == 50
        assert np.abs(anchor[0, 0] - WAY[[20, 41], 0]).min() > 20


def test_passing_screen_is_with_its_target_and_comes_from_outside():
    for seed in range(8):
        way = passing_way(np.random.default_rng(seed), (20, 32), WAY, np.array([40.0, 30.0]), SIZE)
        np.testing.assert_allclose(way[20:32], WAY[20:32])
        assert ((way[[0, -1], 0] < -40) | (way[[0, -1], 0] > 240)).all()


def test_outlines_cover_their_box():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        shapes = [outline_around(rng, np.array([80.0, 40.0])), pillar_outline(rng, 80, -60, 70)]
        for shape in shapes:
            mask = np.zeros((300, 400), np.uint8)
            cv2.fillPoly(mask, [np.round(shape + np.array([200, 150])).astype(np.int32)], 1)
            assert mask[150 - 40 : 150 + 40, 200 - 80 : 200 + 80].all()
            assert mask.sum() < 2.2 * 160 * 130


@pytest.mark.parametrize("num_frames", [SHORTEST_SCENE, 40, 90])
def test_parts_of_a_scene(num_frames):
    seen = set()
    for seed in range(60):
        hidings = draw_parts(np.random.default_rng(seed), 5, num_frames)
        assert len({hiding.slot for hiding in hidings}) == len(hidings)
        for hiding in hidings:
            held = hold(hiding, num_frames)
            assert 0 < hiding.slot < 5
            assert held.min() == 0
            assert held.max() == 1
            seen |= {"enter"} if held[0] == 1 else set()
            seen |= {"leave"} if held[-1] == 1 else set()
            if held[0] < 1 and held[-1] < 1:
                seen.add(hiding.kind)
                assert hiding.stop - hiding.start >= 6 or num_frames < 40
            way = draw_way(np.random.default_rng(0), np.array([0.4, 0.5]), [hiding], num_frames)
            assert ((way > 0) & (way < 1)).all()
    assert seen == {"enter", "leave", "outside", "screen", "passer", "object"}


def test_too_short_a_scene():
    with pytest.raises(ValueError, match="32 frames or more, got 31"):
        draw_parts(np.random.default_rng(0), 3, 31)
