"""Paths and occlusions: what is planned fits the clip, anchors are where they should be, shapes cover their box."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from shibori.datasets.scene.occlusions import (
    SHORTEST_CLIP,
    SHORTEST_SCENE,
    TRAVEL,
    Occlusion,
    draw_appearances,
    draw_occlusions,
    draw_path,
    hiding_weight,
    line_anchor,
    outline_around,
    outside_anchor,
    passing_path,
    pillar_outline,
    still_anchor,
)

SIZE = (100, 200)
OCCLUSION = Occlusion(1, "outside", 20, 32)
PATH = np.stack([np.linspace(150, 60, 60), np.linspace(40, 60, 60)], axis=1)


@pytest.mark.parametrize("num_frames", [SHORTEST_CLIP, 60, 90, 140])
@pytest.mark.parametrize("num_objects", [1, 2, 3, 6])
def test_hidings_fit_into_the_clip(num_frames, num_objects):
    for seed in range(40):
        occlusions = draw_occlusions(np.random.default_rng(seed), num_objects, num_frames)
        assert 1 <= len(occlusions) <= 2
        for occlusion in occlusions:
            assert 10 <= occlusion.stop - occlusion.start <= 33
            assert occlusion.start - TRAVEL > 0
            assert occlusion.stop + 8 <= num_frames
            assert 0 <= occlusion.slot < num_objects
            assert (occlusion.kind == "passing") or occlusion.slot > 0
            assert (occlusion.host > 0) == (occlusion.kind == "object")
            assert occlusion.host not in {other.slot for other in occlusions if other.kind == "object"}
        assert all(a.stop < b.start for a, b in pairwise(occlusions))


def test_too_short_a_clip():
    with pytest.raises(ValueError, match="46 frames or more, got 20"):
        draw_occlusions(np.random.default_rng(0), 3, 20)


def test_hold_is_whole_in_hiding_and_gone_away_from_it():
    held = hiding_weight(OCCLUSION, 60)
    assert (held[20:32] == 1).all()
    assert held[:11].max() == held[40:].max() == 0
    assert (np.diff(held[11:21]) > 0).all()
    assert (np.diff(held[31:40]) < 0).all()


def test_way_jumps_only_in_the_middle_of_hidings():
    occlusions = [OCCLUSION, Occlusion(1, "standing", 60, 80)]
    for seed in range(20):
        path = draw_path(np.random.default_rng(seed), np.array([0.3, 0.5]), occlusions, 100)
        steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
        assert set(np.flatnonzero(steps > 0.05) + 1) == {26, 70}
        assert ((path > 0) & (path < 1)).all()


def test_outside_is_outside():
    for seed in range(8):
        anchor = outside_anchor(np.random.default_rng(seed), OCCLUSION, PATH, np.array([30.0, 20.0]), SIZE)
        assert ((anchor[:, 0] + 30 < 0) | (anchor[:, 0] - 30 > 200)).all()
        assert anchor[20, 0] > 200  # the nearer side


def test_line_leads_from_before_to_after():
    anchor = line_anchor(OCCLUSION, PATH)
    np.testing.assert_allclose(anchor[20], PATH[19])
    np.testing.assert_allclose(anchor[32], PATH[32])


def test_still_anchor_leaves_room_and_keeps_away():
    for seed in range(10):
        anchor = still_anchor(np.random.default_rng(seed), OCCLUSION, PATH, np.array([30.0, 60.0]), SIZE)
        assert (anchor == anchor[0]).all()
        assert 30 <= anchor[0, 0] <= 170
        assert anchor[0, 1] == 50
        assert np.abs(anchor[0, 0] - PATH[[20, 41], 0]).min() > 20


def test_passing_screen_is_with_its_target_and_comes_from_outside():
    for seed in range(8):
        path = passing_path(np.random.default_rng(seed), (20, 32), PATH, np.array([40.0, 30.0]), SIZE)
        np.testing.assert_allclose(path[20:32], PATH[20:32])
        assert ((path[[0, -1], 0] < -40) | (path[[0, -1], 0] > 240)).all()


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
        occlusions = draw_appearances(np.random.default_rng(seed), 5, num_frames)
        assert len({occlusion.slot for occlusion in occlusions}) == len(occlusions)
        for occlusion in occlusions:
            held = hiding_weight(occlusion, num_frames)
            assert 0 < occlusion.slot < 5
            assert held.min() == 0
            assert held.max() == 1
            seen |= {"enter"} if held[0] == 1 else set()
            seen |= {"leave"} if held[-1] == 1 else set()
            if held[0] < 1 and held[-1] < 1:
                seen.add(occlusion.kind)
                assert occlusion.stop - occlusion.start >= 6 or num_frames < 40
            path = draw_path(np.random.default_rng(0), np.array([0.4, 0.5]), [occlusion], num_frames)
            assert ((path > 0) & (path < 1)).all()
    assert seen == {"enter", "leave", "outside", "standing", "passing", "object"}


def test_too_short_a_scene():
    with pytest.raises(ValueError, match="32 frames or more, got 31"):
        draw_appearances(np.random.default_rng(0), 3, 31)
