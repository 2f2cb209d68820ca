"""The trackers at work on made clips: they hold a target that moves and grows beside another; what is lost is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from shibori.boxtracking.build import TRACKERS, build_tracker, tracker_from_state
from shibori.boxtracking.presets import build_trunk
from shibori.boxtracking.siamese_search import SearchRule
from shibori.boxtracking.target import TargetState, Tracker
from shibori.boxtracking.untracked import NoTracker
from shibori.errors import InputError
from shibori.nn.frozen import state_digest
from shibori.nn.weights import load_state

from .moving import box_at, clip, painted, trained, write_heads


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heads")
    write_heads(folder, state_digest(build_trunk("tiny").state_dict()))
    return folder


SEARCH = SearchRule(least_score=0.55, least_score_again=0.7)
"""For a discriminator that was trained for seconds: it is too sure of itself."""


def built(name: str, weights: Path) -> Tracker:
    state = load_state(weights / f"{name}.safetensors", name, "tiny")
    return tracker_from_state(name, state, "tiny", "cpu", search_rule=SEARCH)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    sides = np.clip(np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]), 0, None)
    areas = [(box[2:] - box[:2]).prod() for box in (first, second)]
    return float(sides.prod() / (sum(areas) - sides.prod()))


def followed(tracker: Tracker, images: list[np.ndarray], box: np.ndarray):
    target = tracker.begin(tracker.see(images[0]), box)
    return [target.follow(tracker.see(image)) for image in images[1:]]


@pytest.mark.parametrize("name", ["atom", "siamese"])
def test_a_target_is_held_while_it_moves_and_grows_beside_another(name: str, weights: Path):
    images, boxes = clip()
    tracked = followed(built(name, weights), images, boxes[0])
    ious = [overlap(each.box_xyxy, box) for each, box in zip(tracked, boxes[1:], strict=True)]
    still = np.mean([overlap(boxes[0], box) for box in boxes[1:]])
    assert np.mean(ious) > {"atom": 0.7, "siamese": 0.5}[name]
    assert min(ious) > {"atom": 0.4, "siamese": 0.25}[name]
    assert np.mean(ious) > 2 * still
    assert all(0 <= each.score <= 1 and each.is_found for each in tracked)
    if name == "atom":
        unchanged = box_at(*_middle(boxes[-1]), *_sides(boxes[0]))
        assert overlap(tracked[-1].box_xyxy, boxes[-1]) > overlap(unchanged, boxes[-1])


def _middle(box: np.ndarray) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _sides(box: np.ndarray) -> tuple[float, float]:
    return box[2] - box[0], box[3] - box[1]


@pytest.mark.parametrize("name", ["atom", "siamese"])
def test_what_is_hidden_is_lost_and_found_again_elsewhere(name: str, weights: Path):
    here, there = box_at(40, 60, 32, 34), box_at(140, 55, 32, 34)
    images = [painted((0, here))] * 4 + [painted()] * 5 + [painted((0, there))] * 5
    tracked = followed(built(name, weights), images, here)
    assert tracked[6].state is TargetState.LOST
    np.testing.assert_allclose(tracked[6].box_xyxy, tracked[7].box_xyxy)
    assert tracked[-1].is_found
    assert overlap(tracked[-1].box_xyxy, there) > 0.5


@pytest.mark.parametrize("name", ["atom", "siamese"])
def test_targets_of_one_frame_do_not_disturb_each_other(name: str, weights: Path):
    images, boxes = clip(6)
    other = box_at(130, 30, 30, 34)
    tracker = built(name, weights)
    alone = followed(tracker, images, boxes[0])
    frame = tracker.see(images[0])
    targets = [tracker.begin(frame, boxes[0]), tracker.begin(frame, other)]
    for image, wanted in zip(images[1:], alone, strict=True):
        frame = tracker.see(image)
        both = [target.follow(frame) for target in targets]
        np.testing.assert_array_equal(both[0].box_xyxy, wanted.box_xyxy)


@pytest.mark.parametrize("name", ["atom", "siamese"])
def test_a_settled_box_is_gone_on_from(name: str, weights: Path):
    here, there = box_at(40, 60, 32, 34), box_at(150, 90, 32, 34)
    tracker = built(name, weights)
    target = tracker.begin(tracker.see(painted((0, here))), here)
    target.settle(there)
    assert overlap(target.follow(tracker.see(painted((0, there)))).box_xyxy, there) > 0.5


def test_the_same_frames_give_the_same_boxes(weights: Path):
    images, boxes = clip(6)
    first, second = (followed(built("atom", weights), images, boxes[0]) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.box_xyxy, other.box_xyxy)


def test_no_tracker_stays_where_the_mask_was():
    images, boxes = clip(4)
    tracker = build_tracker("none")
    target = tracker.begin(tracker.see(images[0]), boxes[0])
    np.testing.assert_array_equal(target.follow(tracker.see(images[1])).box_xyxy, boxes[0])
    target.settle(boxes[1])
    tracked = target.follow(tracker.see(images[2]))
    np.testing.assert_array_equal(tracked.box_xyxy, boxes[1])
    assert isinstance(tracker, NoTracker)
    assert tracked.is_found


def test_names_that_are_there():
    assert TRACKERS == ("atom", "siamese", "none")
    with pytest.raises(InputError, match="expected a tracker"):
        build_tracker("kcf")
    with pytest.raises(InputError, match="expected a preset of the trackers"):
        build_tracker("atom", "huge")


def test_heads_of_another_trunk_are_refused(tmp_path: Path):
    trained()
    write_heads(tmp_path, torch.zeros(8, dtype=torch.uint8))
    with pytest.raises(InputError, match="trained on this version's trunk"):
        build_tracker("atom", "tiny", "cpu", tmp_path / "atom.safetensors")
