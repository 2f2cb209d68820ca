"""From candidates to tracks: what is tracked, what is left out, what a result promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from shibori.media.instances import Discovery
from shibori.systems.ipdt.inference import is_covered, starting_together
from shibori.systems.ipdt.linking import LinkRules
from shibori.systems.ipdt.rule import DetectionRule, DiscoveryRule

from .made import SIZE, Frames, box_mask, candidate, tiny_segmenter

FRAMES = 6
LEFT, RIGHT = (4, 4, 18, 20), (36, 10, 56, 30)
RULE = DiscoveryRule(reliable=0.0)


def scores(first: float, second: float = 0.0) -> list[float]:
    return [first, second, 0, 0, 0, 0, 0]


def everywhere(box, of) -> list:
    return [candidate(index, box, of) for index in range(FRAMES)]


def frames_of(*rows) -> list[list]:
    found = [[] for _ in range(FRAMES)]
    for each in (each for row in rows for each in row):
        found[each.frame_index].append(each)
    return found


class Following:
    """Every candidate stays where it is, from its frame on and before it; notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list] = []

    def __call__(self, shared, chosen):
        self.asked.append(list(chosen))
        return [(each.mask,) * FRAMES for each in chosen]


@pytest.fixture(scope="module")
def segmenter():
    return tiny_segmenter(RULE)


def discovered(segmenter, found, following=None) -> Discovery:
    return segmenter.extended(None, found, following or Following())


def test_one_track_for_each_instance(segmenter):
    following = Following()
    result = discovered(
        segmenter, frames_of(everywhere(LEFT, scores(0.6)), everywhere(RIGHT, scores(0, 0.8))), following
    )
    assert [(track.track_id, track.category) for track in result.tracks] == [(1, "dog"), (2, "person")]
    assert [track.score for track in result.tracks] == pytest.approx([0.8, 0.6])
    assert all(
        track.segmentations == (box_mask(*box),) * FRAMES
        for track, box in zip(result.tracks, (RIGHT, LEFT), strict=True)
    )
    assert (result.num_candidates, result.num_tracked, result.num_left_out) == (2 * FRAMES, 2, 0)
    assert len(following.asked) == 1  # both were found in one frame


def test_nothing_found_is_no_error(segmenter):
    assert discovered(segmenter, [[] for _ in range(FRAMES)]) == Discovery((), 0, 0, 0)


def test_what_a_tubelet_shows_is_not_tracked_again(segmenter):
    moved = [candidate(index, (4 + 8 * index, 4, 18 + 8 * index, 20), scores(0.9 - 0.1 * index)) for index in range(5)]

    def along(shared, chosen):
        return [(*(each.mask for each in moved), None) for _ in chosen]

    result = segmenter.extended(None, frames_of(moved), along)
    assert result.num_tracked == 1
    assert len(result.tracks) == 1


def test_work_is_bounded_and_the_bound_is_said(segmenter):
    many = [candidate(0, (2 * i, 2 * j, 2 * i + 2, 2 * j + 2), scores(0.9)) for i in range(30) for j in range(20)]
    small = segmenter.with_rule(replace(RULE, most_candidates=50, most_tracked=8))
    result = discovered(small, [many, *([[]] * (FRAMES - 1))])
    assert result.num_candidates == 600
    assert result.num_tracked == 8
    assert result.num_left_out == 592
    assert len(result.tracks) == 8


def test_candidates_of_what_is_followed_are_no_work_left_undone(segmenter):
    many = [candidate(index, LEFT, scores(0.9 - 0.01 * index)) for index in range(FRAMES)] * 20
    other = candidate(3, RIGHT, scores(0.4))
    small = segmenter.with_rule(replace(RULE, most_candidates=10))
    result = discovered(small, frames_of(many, [other]))
    assert (result.num_tracked, result.num_left_out) == (2, 0)  # the other one is far down the list
    assert len(result.tracks) == 2


def test_what_cannot_be_followed_is_not_in_the_result(segmenter):
    def only_there(shared, chosen):
        return [tuple(each.mask if i == each.frame_index else None for i in range(FRAMES)) for each in chosen]

    found = frames_of([candidate(2, LEFT, scores(0.9))])
    assert segmenter.extended(None, found, only_there).tracks == ()
    assert len(segmenter.with_rule(replace(RULE, least_frames=1)).extended(None, found, only_there).tracks) == 1
    (still,) = segmenter.extended(None, [[candidate(0, LEFT, scores(0.9))]], lambda s, c: [(c[0].mask,)]).tracks
    assert still.num_frames == 1  # a clip of one frame has no more


def test_calibration_weakens_what_the_clip_does_not_show(segmenter):
    seen, once = everywhere(LEFT, scores(0.8)), [candidate(2, RIGHT, scores(0.0, 0.5))]
    with_it = discovered(segmenter.with_rule(replace(RULE, reliable=0.3)), frames_of(seen, once))
    without = discovered(segmenter.with_rule(replace(RULE, reliable=0.3, beta=1.0)), frames_of(seen, once))
    assert [track.category for track in with_it.tracks] == ["person"]
    assert [track.category for track in without.tracks] == ["person", "dog"]


def test_only_the_best_are_in_the_result(segmenter):
    found = frames_of(everywhere(LEFT, scores(0.6)), everywhere(RIGHT, scores(0.8)))
    result = discovered(segmenter.with_rule(replace(RULE, most_kept=1)), found)
    assert [(track.track_id, track.score) for track in result.tracks] == [(1, pytest.approx(0.8))]


def test_of_long_clips_some_frames_are_searched():
    rule = DetectionRule(most_searched=100)
    assert rule.searched(100).all()
    assert np.flatnonzero(rule.searched(250)).tolist() == list(range(0, 250, 3))
    assert replace(rule, every=4).searched(10).tolist() == [i % 4 == 0 for i in range(10)]
    assert rule.searched(0).shape == (0,)


def test_those_start_together_that_are_as_good_elsewhere():
    best = candidate(2, LEFT, scores(0.9))
    right_there, right_better = candidate(2, RIGHT, scores(0.7)), candidate(4, RIGHT, scores(0.8))
    worse = candidate(2, RIGHT, scores(0.3))
    waiting = [best, right_better]
    rule = DiscoveryRule(joins=0.7)
    assert starting_together(waiting, [best, right_there, right_better], rule) == [best, right_there]
    assert starting_together(waiting, [best, worse, right_better], rule) == [best]
    assert starting_together(waiting, [best, right_better, candidate(2, (20, 30, 30, 39), scores(0.5))], rule) == [best]


def test_covered_is_what_overlaps_in_its_own_frame():
    masks = (None, box_mask(*LEFT), None)
    assert is_covered(candidate(1, LEFT, scores(0.5)), [masks], 0.5)
    assert not is_covered(candidate(1, RIGHT, scores(0.5)), [masks], 0.5)
    assert not is_covered(candidate(0, LEFT, scores(0.5)), [masks], 0.5)
    assert not is_covered(candidate(0, LEFT, scores(0.5)), [], 0.5)


def test_linked_detections_are_the_baseline(segmenter):
    rows = [
        [candidate(index, LEFT, scores(0.6), look=0.0) for index in range(FRAMES)],
        [candidate(index, RIGHT, scores(0, 0.8), look=1.5) for index in range(1, FRAMES)],
    ]
    result = segmenter.linked(frames_of(*rows), LinkRules(min_hits=2))
    assert [track.category for track in result.tracks] == ["dog", "person"]
    assert result.tracks[0].segmentations[0] is None
    assert result.num_tracked == 0


def test_the_whole_system_runs_on_a_clip():
    rule = replace(RULE, detection=replace(RULE.detection, score=0.1, most=3), least_score=0.0, most_tracked=3)
    segmenter = tiny_segmenter(rule)
    with torch.no_grad():  # random masks may be empty ones
        segmenter.parts.finder.detector.network.roi_heads.mask_predictor[-1].bias += 3
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (*SIZE, 3), np.uint8) for _ in range(4)]
    reported = []
    result = segmenter.discover(Frames(images, missing=[2]), reported.append)
    assert reported == [1, 2, 4]
    assert result.num_candidates > 0
    assert 0 < result.num_tracked <= 3
    for track in result.tracks:
        assert track.category == segmenter.categories[track.category_id]
        assert track.num_frames == 4
        assert track.segmentations[2] is None
    again = segmenter.discover(Frames(images, missing=[2]))
    assert again == result
