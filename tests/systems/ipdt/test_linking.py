"""Linking: optimal assignment, identities kept by appearance, motion as a gate, short tracks forgotten."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from shibori.systems.ipdt.linking import LinkRules, appearance_costs, assign, box_ious, link, link_to_tubelet

from .made import candidate

LEFT, RIGHT = 0.0, 1.5  # two looks, far apart


def walker(index: int, start: int, speed: int, look: float, score: float = 0.8, top: int = 10):
    x = start + speed * index
    return candidate(index, (x, top, x + 10, top + 14), [score, 0.1], look)


def spans(tracks) -> list[tuple[int, int, int]]:
    """First and last frame and number of candidates."""
    return [(t.candidates[0].frame_index, t.candidates[-1].frame_index, len(t.candidates)) for t in tracks]


def test_two_that_cross_keep_their_identities():
    frames = [[walker(i, 2, 2, LEFT), walker(i, 44, -2, RIGHT)][:: 1 if i % 2 else -1] for i in range(20)]
    tracks = link(frames)
    assert spans(tracks) == [(0, 19, 20)] * 2
    for track in tracks:
        looks = {round(float(np.arctan2(*each.embedding[::-1])), 3) for each in track.candidates}
        assert len(looks) == 1


def test_one_that_was_hidden_is_found_again_until_it_is_too_old():
    frames = [[walker(i, 5, 1, LEFT)] if not 8 <= i < 18 else [] for i in range(30)]
    assert spans(link(frames)) == [(0, 29, 20)]
    assert spans(link(frames, LinkRules(max_age=6))) == [(0, 7, 8), (18, 29, 12)]


def test_another_look_in_the_same_way_is_another_track():
    """Overlap may join only what was seen in the last frame."""
    frames = [[walker(i, 5, 1, LEFT if i < 8 else RIGHT)] if i not in (8, 9) else [] for i in range(20)]
    assert spans(link(frames)) == [(0, 7, 8), (10, 19, 10)]


def test_the_same_look_far_away_is_another_track():
    frames = [
        [walker(i, 2, 1, LEFT)] if i < 8 else [candidate(i, (48, 25, 58, 39), [0.8, 0.1], LEFT)] for i in range(16)
    ]
    assert spans(link(frames)) == [(0, 7, 8), (8, 15, 8)]


def test_short_ones_are_forgotten():
    frames = [[walker(i, 5, 1, LEFT)] if i < 2 or i > 5 else [] for i in range(12)]
    assert spans(link(frames)) == [(6, 11, 6)]
    assert spans(link(frames, LinkRules(min_hits=1)))[0][:2] == (0, 11)
    assert link([]) == []
    assert link([[], []]) == []


def test_cascade_prefers_what_was_seen_last():
    """Two tracks that look alike want one candidate: the one seen last gets it, though the other is no worse."""
    frames = [[walker(i, 5, 1, LEFT, top=4), walker(i, 5, 1, LEFT, top=8)] for i in range(6)]
    frames += [[walker(i, 5, 1, LEFT, top=4)] for i in range(6, 9)] + [[walker(9, 5, 1, LEFT, top=6)]]
    tracks = link(frames)
    assert spans(tracks) == [(0, 9, 10), (0, 5, 6)]


def test_tubelet_of_a_link():
    frames = [[walker(i, 5, 1, LEFT, score=0.5 + 0.1 * i)] if i != 3 else [] for i in range(5)]
    tubelet = link_to_tubelet(link(frames)[0], 6)
    assert tubelet.valid.tolist() == [True, True, True, False, True, False]
    np.testing.assert_allclose(tubelet.class_scores[:, 0], [0.5, 0.6, 0.7, 0, 0.9, 0])
    np.testing.assert_allclose(tubelet.class_scores[:, 1], [0.1, 0.1, 0.1, 0, 0.1, 0])


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2), (1, 1)])
def test_assignment_is_the_best_of_all(shape):
    for seed in range(15):
        costs = np.random.default_rng(seed).uniform(size=shape)
        few, many = sorted(shape)
        turned = costs if shape[0] == few else costs.T
        best = min(sum(turned[i, k] for i, k in enumerate(order)) for order in permutations(range(many), few))
        found = assign(costs, 1.0)
        assert sum(costs[i, k] for i, k in found.pairs) == pytest.approx(best)
        assert len(found.tracks) == shape[0] - few
        assert len(found.candidates) == shape[1] - few


def test_assignment_takes_no_pair_above_the_bound():
    found = assign(np.array([[0.1, 0.9], [0.9, 0.8]]), 0.5)
    assert (found.pairs, found.tracks, found.candidates) == ([(0, 0)], [1], [1])


def test_costs_are_the_nearest_of_the_gallery():
    frames = [[walker(i, 5, 1, 0.1 * i)] for i in range(4)]
    (track,) = link(frames)
    costs = appearance_costs([track], [walker(4, 5, 1, 0.5), walker(4, 5, 1, -0.2)], LinkRules())
    np.testing.assert_allclose(costs, [[1 - np.cos(0.2), 1 - np.cos(0.2)]], atol=1e-6)
    short = appearance_costs([track], [walker(4, 5, 1, -0.2)], LinkRules(gallery=1))
    np.testing.assert_allclose(short, [[1 - np.cos(0.5)]], atol=1e-6)


def test_candidates_need_a_look():
    frames = [[candidate(i, (5, 5, 15, 15), [0.9])] for i in range(5)]
    with pytest.raises(ValueError, match="has no embedding"):
        link(frames)


def test_box_overlap_equals_pixels():
    rng = np.random.default_rng(0)
    boxes = [np.concatenate([low := rng.integers(0, 15, 2), low + rng.integers(1, 15, 2)]) for _ in range(8)]
    grids = np.zeros((8, 32, 32), bool)
    for grid, (x0, y0, x1, y1) in zip(grids, boxes, strict=True):
        grid[y0:y1, x0:x1] = True
    shared = (grids[:, None] & grids[None]).sum(axis=(2, 3))
    together = (grids[:, None] | grids[None]).sum(axis=(2, 3))
    np.testing.assert_allclose(
        box_ious(np.stack(boxes).astype(float), np.stack(boxes).astype(float)), shared / together
    )
