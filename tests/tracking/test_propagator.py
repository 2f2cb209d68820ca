"""The tracker at work, with random parameters: what must hold whatever the network says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from shibori.errors import InputError
from shibori.media.mask import FrameMasks
from shibori.media.reader import read_clip
from shibori.nn.weights import save_state
from shibori.ops.window import GRID
from shibori.run.propagate import segment_clip
from shibori.tracking.build import build_mask_propagator, propagator_from_state
from shibori.tracking.config import TrackerConfig
from shibori.tracking.presets import build_pixel_tracker
from shibori.tracking.propagator import MaskPropagator
from shibori.tracking.window_tracker import TrackState

SIZE_HW = (60, 84)
CREDULOUS = TrackerConfig(
    lost_threshold=-1, redetect_threshold=-1, remember_threshold=-1, remember_every=2, max_remembered=2
)
"""Believes every answer and remembers it."""
DOUBTFUL = replace(CREDULOUS, lost_threshold=2, redetect_threshold=2)
"""Believes none, so that every object is searched for from its second frame on."""


def made_propagator(config: TrackerConfig | None = CREDULOUS, bias: float = 0.0) -> MaskPropagator:
    """A tracker with random parameters and strong opinions; ``bias`` is added to the log-odds of every pixel."""
    torch.manual_seed(0)
    state = build_pixel_tracker("tiny").state_dict()
    state["mask.weight"] *= 100
    state["mask.bias"][:] = bias
    return propagator_from_state(state, "tiny", "cpu", size=64, config=config, dtype=torch.float32)


@pytest.fixture(scope="module")
def propagator() -> MaskPropagator:
    return made_propagator()


def frame(index: int, size_hw: tuple[int, int] = SIZE_HW) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (*size_hw, 3)).astype(np.uint8)


def rectangle(left: int, top: int, right: int, bottom: int, size_hw: tuple[int, int] = SIZE_HW) -> np.ndarray:
    mask = np.zeros(size_hw, bool)
    mask[top:bottom, left:right] = True
    return mask


def run(propagator: MaskPropagator, num_frames: int, references: dict[int, dict[int, np.ndarray]]) -> list[FrameMasks]:
    size_hw = next(iter(references[min(references)].values())).shape
    propagation = propagator.begin(size_hw)
    return [propagation.step(frame(t, size_hw), references.get(t)) for t in range(num_frames)]


def assert_sound(results: list[FrameMasks], references: dict[int, dict[int, np.ndarray]]) -> None:
    known: list[int] = []
    for t, result in enumerate(results):
        known += [object_id for object_id in references.get(t, {}) if object_id not in known]
        assert result.index == t
        assert [status.object_id for status in result.statuses] == known
        assert all(0 <= status.confidence <= 1 for status in result.statuses)
        assert set(np.unique(result.ids).tolist()) <= {0, *known}


@pytest.mark.parametrize("config", [CREDULOUS, DOUBTFUL, TrackerConfig()])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_number_of_objects(config: TrackerConfig, count: int):
    references = {0: {7 * i + 1: rectangle(15 * i, 10, 15 * i + 12, 40) for i in range(count)}}
    results = run(made_propagator(config), 4, references)
    assert_sound(results, references)
    for object_id, mask in references[0].items():
        np.testing.assert_array_equal(results[0].ids == object_id, mask)
    assert results[0].ids.dtype == np.uint8
    assert all(result.ids.shape == SIZE_HW for result in results)


def test_no_object_yet_is_an_empty_answer(propagator: MaskPropagator):
    result = propagator.begin(SIZE_HW).step(frame(0))
    assert not result.ids.any()
    assert result.statuses == ()


def test_objects_that_start_later(propagator: MaskPropagator):
    references = {1: {3: rectangle(5, 5, 30, 30)}, 3: {1: rectangle(40, 20, 70, 50), 9: rectangle(0, 40, 10, 60)}}
    results = run(propagator, 6, references)
    assert_sound(results, references)
    for object_id, mask in references[3].items():
        np.testing.assert_array_equal(results[3].ids == object_id, mask)


def test_a_corrected_reference_is_obeyed_and_only_for_its_object(propagator: MaskPropagator):
    first = {0: {1: rectangle(5, 5, 30, 30), 2: rectangle(40, 5, 70, 40)}}
    corrected = {**first, 2: {1: rectangle(10, 30, 30, 55)}}
    results, before = run(propagator, 4, corrected), run(propagator, 4, first)
    assert_sound(results, corrected)
    np.testing.assert_array_equal(results[2].ids == 1, corrected[2][1])
    np.testing.assert_array_equal(results[1].ids, before[1].ids)
    np.testing.assert_array_equal((results[2].ids == 2)[:, 60:], (before[2].ids == 2)[:, 60:])


def test_references_kept_are_the_first_and_the_latest(propagator: MaskPropagator):
    propagation = propagator.begin(SIZE_HW)
    labels = []
    for t in range(TrackerConfig().max_references + 3):
        propagation.step(frame(t), {1: rectangle(5 + t, 5, 30 + t, 30)})
        labels.append(propagation.states[1].references[-1].label)
    kept = propagation.states[1].references
    assert len(kept) == TrackerConfig().max_references
    for memory, label in zip(kept, [labels[0], *labels[-(TrackerConfig().max_references - 1) :]], strict=True):
        assert memory.label.equal(label)


@pytest.mark.parametrize("config", [CREDULOUS, DOUBTFUL])
def test_an_all_false_reference_says_the_object_is_not_there(config: TrackerConfig):
    nowhere = np.zeros(SIZE_HW, bool)
    references = {0: {1: rectangle(5, 5, 30, 30), 2: nowhere}, 2: {1: nowhere}, 4: {2: rectangle(40, 20, 70, 50)}}
    results = run(made_propagator(config), 6, references)
    assert_sound(results, references)
    assert not (results[2].ids == 1).any()
    assert [s.state == "tracked" for s in results[2].statuses] == [False, False]
    assert [s.confidence for s in results[2].statuses] == [0, 0]
    for t in range(4):
        assert not (results[t].ids == 2).any()
    np.testing.assert_array_equal(results[4].ids == 2, references[4][2])


@pytest.mark.parametrize(
    "mask",
    [
        rectangle(40, 30, 41, 31),
        rectangle(40, 30, 42, 32),
        rectangle(0, 0, 2, 60),
        rectangle(0, 0, 84, 1),
        rectangle(80, 56, 84, 60),
        rectangle(0, 0, 84, 60),
        rectangle(0, 0, 20, 20) | rectangle(70, 50, 84, 60),
    ],
    ids=["one pixel", "four pixels", "left border", "one row", "corner", "whole frame", "two corners"],
)
@pytest.mark.parametrize("config", [CREDULOUS, DOUBTFUL])
def test_objects_of_awkward_shape(mask: np.ndarray, config: TrackerConfig):
    references = {0: {1: mask, 2: rectangle(30, 20, 50, 40) & ~mask}}
    results = run(made_propagator(config), 4, references)
    assert_sound(results, references)
    np.testing.assert_array_equal(results[0].ids == 1, mask)


@pytest.mark.parametrize("size_hw", [(1, 1), (3, 200), (16, 16), (700, 20), (600, 1100)])
def test_frames_of_awkward_size(propagator: MaskPropagator, size_hw: tuple[int, int]):
    height, width = size_hw
    left = rectangle(0, 0, (width + 1) // 2, height, size_hw)
    references = {0: {1: left, 2: ~left}}
    results = run(propagator, 3, references)
    assert_sound(results, references)
    assert all(result.ids.shape == size_hw for result in results)


def test_thirty_objects(propagator: MaskPropagator):
    references = {
        0: {10 * i + 5: rectangle(14 * (i % 6), 12 * (i // 6), 14 * (i % 6) + 10, 12 * (i // 6) + 9) for i in range(30)}
    }
    results = run(propagator, 3, references)
    assert_sound(results, references)
    assert len(set(np.unique(results[0].ids).tolist()) - {0}) == 30
    assert results[0].ids.dtype == np.uint16  # the last id is 295


def test_the_order_in_which_objects_are_named_does_not_matter(propagator: MaskPropagator):
    masks = {1: rectangle(5, 5, 30, 30), 2: rectangle(40, 5, 70, 40), 3: rectangle(20, 42, 60, 58)}
    forward = run(propagator, 4, {0: masks})
    backward = run(propagator, 4, {0: dict(reversed(masks.items()))})
    for one, other in zip(forward, backward, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)


def test_the_same_run_gives_the_same_masks(propagator: MaskPropagator):
    references = {0: {1: rectangle(5, 5, 30, 30), 2: rectangle(40, 5, 70, 40)}}
    first, second = run(propagator, 5, references), run(made_propagator(), 5, references)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        assert one.statuses == other.statuses


def test_runs_side_by_side_do_not_meet(propagator: MaskPropagator):
    first = {0: {1: rectangle(5, 5, 30, 30)}}
    alone = run(propagator, 4, first)
    left, right = propagator.begin(SIZE_HW), propagator.begin((40, 50))
    for t in range(4):
        found = left.step(frame(t), first.get(t))
        right.step(frame(t, (40, 50)), {1: rectangle(t, 5, 20, 30, (40, 50))})
        np.testing.assert_array_equal(found.ids, alone[t].ids)


def held_positions(state: TrackState) -> int:
    memories = [*state.references, *state.remembered, state.memory()]
    return sum(memory.label.shape[1] for memory in memories)


@pytest.mark.parametrize("config", [CREDULOUS, DOUBTFUL])
def test_memory_stops_growing(config: TrackerConfig):
    propagation = made_propagator(config).begin(SIZE_HW)
    held = []
    for t in range(40):
        references = {1: rectangle(5, 5, 30, 30), 2: rectangle(40, 5, 70, 40)} if t % 10 == 0 else None
        propagation.step(frame(t), references)
        held.append(max(held_positions(state) for state in propagation.states.values()))
    most = (TrackerConfig().max_references + config.max_remembered + 1) * (64 + GRID) ** 2 // 8**2
    assert max(held[20:]) <= most
    assert len(propagation.states) == 2
    assert all(len(state.remembered) <= config.max_remembered for state in propagation.states.values())


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (CREDULOUS, [0, 0, 1, 1, 2, 2, 2, 2]),
        (replace(CREDULOUS, remember_every=1), [0, 1, 2, 2, 2, 2, 2, 2]),
        (replace(CREDULOUS, max_remembered=0), [0] * 8),
        (replace(CREDULOUS, remember_threshold=2), [0] * 8),
        (DOUBTFUL, [0] * 8),
    ],
)
def test_confident_frames_are_remembered_every_so_often(config: TrackerConfig, expected: list[int]):
    propagation = made_propagator(config, bias=5.0).begin(SIZE_HW)
    counts = []
    for t in range(8):
        propagation.step(frame(t), {1: rectangle(20, 10, 60, 50)} if t == 0 else None)
        counts.append(len(propagation.states[1].remembered))
    assert counts == expected


def test_an_object_lost_for_a_day_is_still_looked_for():
    propagation = made_propagator(DOUBTFUL).begin(SIZE_HW)
    propagation.step(frame(0), {1: rectangle(20, 10, 40, 30)})
    propagation.states[1].lost_for = 2_000_000
    (status,) = propagation.step(frame(1)).statuses
    assert status.state == "lost"


def test_a_lost_object_paints_nothing_and_comes_back_with_a_reference():
    references = {0: {1: rectangle(20, 10, 40, 30)}, 3: {1: rectangle(22, 10, 42, 30)}}
    results = run(made_propagator(DOUBTFUL), 5, references)
    assert [result.statuses[0].state for result in results] == ["tracked", "lost", "lost", "tracked", "lost"]
    assert [bool(result.ids.any()) for result in results] == [True, False, False, True, False]


def test_frames_pushed_one_by_one_give_what_the_file_gives(propagator: MaskPropagator, tmp_path: Path):
    for t in range(5):
        Image.fromarray(frame(t)).save(tmp_path / f"{t:05d}.png")
    clip = read_clip(tmp_path)
    ids = rectangle(5, 5, 30, 30).astype(np.uint8)
    from_file = list(segment_clip(clip, {0: ids}, propagator))
    online = run(propagator, 5, {0: {1: ids == 1}})
    assert len(from_file) == 5
    for one, other in zip(from_file, online, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "huge"}, "expected a preset of the pixel tracker"),
        ({"size": 8}, "working size of at least 64"),
        ({"device": "abacus"}, "expected a device"),
        ({"preset": "compact"}, "expected weights of pixel/compact, found pixel/tiny"),
    ],
)
def test_bad_options_are_refused(tmp_path: Path, options: dict, message: str):
    save_state(tmp_path / "w.safetensors", build_pixel_tracker("tiny").state_dict(), "pixel", "tiny")
    with pytest.raises(InputError, match=message):
        build_mask_propagator(**{"preset": "tiny", "device": "cpu", "weights": tmp_path / "w.safetensors"} | options)


def test_weights_from_a_file_track_like_those_in_memory(tmp_path: Path):
    torch.manual_seed(0)
    state = {
        k: v.half().float() if v.is_floating_point() else v for k, v in build_pixel_tracker("tiny").state_dict().items()
    }
    save_state(tmp_path / "w.safetensors", state, "pixel", "tiny")
    references = {0: {1: rectangle(5, 5, 30, 30)}}
    from_file = run(build_mask_propagator("tiny", "cpu", 64, tmp_path / "w.safetensors"), 3, references)
    in_memory = run(propagator_from_state(state, "tiny", "cpu", 64), 3, references)
    for one, other in zip(from_file, in_memory, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        assert one.statuses == other.statuses


def test_an_object_that_is_said_to_be_absent_is_absent_until_it_is_marked_again():
    nothing = np.zeros(SIZE_HW, bool)
    references = {0: {1: rectangle(20, 10, 40, 30)}, 2: {1: nothing}, 4: {1: rectangle(22, 10, 42, 30)}}
    results = run(made_propagator(DOUBTFUL), 5, references)
    assert [result.statuses[0].state for result in results] == ["tracked", "lost", "absent", "absent", "tracked"]
