"""The rows of Table 2: each does what it says, and they share what they have in common."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shibori.errors import InputError
from shibori.systems.ipdt import ablation
from shibori.systems.ipdt.ablation import ablation_rows, rows_from_states
from shibori.systems.ipdt.detection import CandidateFinder
from shibori.systems.ipdt.rule import DetectionRule, DiscoveryRule

from .made import SIZE, Frames, candidate, tiny_detector, tiny_siamese

LEFT = (4, 4, 24, 24)
FRAMES = 5


@pytest.fixture
def rows(monkeypatch):
    found = []

    def find(self, frame, frame_index):
        found.append(frame_index)
        return [candidate(frame_index, LEFT, [0.9 - 0.1 * abs(frame_index - 2), 0, 0, 0, 0, 0, 0], look=0.0)]

    monkeypatch.setattr(CandidateFinder, "find", find)
    rule = DiscoveryRule(DetectionRule(), reliable=0.0, covered_iou=0.99, same_iou=0.99, least_frames=1)
    made = rows_from_states(tiny_detector().own_state(), tiny_siamese(), "tiny", torch.device("cpu"), rule)
    return made, found


@pytest.fixture
def clip() -> Frames:
    rng = np.random.default_rng(0)
    return Frames([rng.integers(0, 255, (*SIZE, 3), np.uint8) for _ in range(FRAMES)])


def test_the_papers_figures_stand_beside_its_rows(rows):
    published = [row[1] for row in rows[0] if row[1] is not None]
    assert published == [0.257, 0.376, 0.45]


def test_a_clip_is_searched_once_for_all_rows(rows, clip):
    made, found = rows
    for _, _, discover in made:
        assert discover(clip).num_candidates == FRAMES
    assert found == list(range(FRAMES))
    made[0][2](Frames(clip.images))
    assert len(found) == 2 * FRAMES


def test_the_same_candidate_is_tracked_once_a_way(rows, clip, monkeypatch):
    made, _ = rows
    tracked = []
    real = ablation.track

    def counting(tracker, frames, candidates):
        tracked.extend((tracker.way, each.frame_index) for each in candidates)
        return real(tracker, frames, candidates)

    monkeypatch.setattr(ablation, "track", counting)
    for _, _, discover in made:
        discover(clip)
    assert len(tracked) == len(set(tracked))
    assert {way for way, _ in tracked} == {"whole", "pixel", "dual"}


def test_forward_only_has_no_mask_before_its_candidate(rows, clip):
    (forward,) = [discover for text, _, discover in rows[0] if "forward" in text]
    (track, *_) = forward(clip).tracks
    assert track.segmentations[0] is None


def test_at_least_one_candidate_is_followed():
    with pytest.raises(InputError, match="expected at least one candidate that is tracked, found 0"):
        ablation_rows("compact", "cpu", most_tracked=0)
