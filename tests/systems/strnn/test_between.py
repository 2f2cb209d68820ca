"""Runs between key frames: who starts where, what is shown to whom, and that nothing is run twice."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from shibori.evaluation.sequence import sequence_clip
from shibori.interfaces import Propagation, Propagator
from shibori.media.clip import Clip
from shibori.media.mask import FrameMasks
from shibori.systems.strnn.between import Carrier, Key

from ...evaluation.made import ArraySequence
from ...holder import Holder

SIZE_HW = (8, 12)


class Numbered(ArraySequence):
    def read_image(self, index: int) -> np.ndarray:
        return np.full((*SIZE_HW, 3), index, np.uint8)


class Diary(Propagator):
    """Holds the latest references; ``runs`` has the frames of each run, negative where references came with them."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []

    def begin(self, size_hw: tuple[int, int]) -> Writing:
        self.runs.append([])
        return Writing(self.runs[-1], size_hw)


class Writing(Propagation):
    def __init__(self, run: list[int], size_hw: tuple[int, int]) -> None:
        self.run, self.inner = run, Holder().begin(size_hw)

    def step(self, image: np.ndarray, references: Mapping[int, np.ndarray] | None = None) -> FrameMasks:
        index = int(image[0, 0, 0])
        self.run.append(-index if references else index)
        return self.inner.step(image, references)


@pytest.fixture
def clip() -> Clip:
    return sequence_clip(Numbered("numbers", tuple(np.zeros(SIZE_HW, np.uint8) for _ in range(11))))


def key(column: int, version: int = 0, object_id: int = 1) -> Key:
    ids = np.zeros(SIZE_HW, np.uint8)
    ids[:, column] = object_id
    return Key(ids, (object_id,), version)


def test_one_key_frame_is_carried_both_ways(clip):
    carrier = Carrier(Diary(), clip)
    found = dict(carrier.sides({4: key(3)}))
    assert sorted(found) == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert all((sides.after is None) == (index > 4) for index, sides in found.items())
    assert found[0].after[0] == found[10].before[0] == 4
    np.testing.assert_array_equal(found[0].after[1].ids, key(3).ids)
    assert found[0].after[1].confidence(1) == 0.9
    assert found[0].after[1].confidence(2) == 0
    assert carrier.propagator.runs == [[-4, 3, 2, 1, 0], [-4, 5, 6, 7, 8, 9, 10]]


def test_between_two_key_frames_there_are_two_answers(clip):
    carrier = Carrier(Diary(), clip)
    found = dict(carrier.sides({2: key(1), 7: key(5)}))
    assert [index for index, sides in found.items() if None not in sides] == [3, 4, 5, 6]
    for index in (3, 4, 5, 6):
        before, after = found[index]
        assert (before[0], after[0]) == (2, 7)
        assert (before[1].ids[0].argmax(), after[1].ids[0].argmax()) == (1, 5)
    # Every run has seen both key frames, the one it starts from last.
    assert carrier.propagator.runs == [[-7, -2, 1, 0], [-7, -2, 3, 4, 5, 6], [-2, -7, 6, 5, 4, 3], [-2, -7, 8, 9, 10]]


def said(carrier: Carrier, keys: Mapping[int, Key]) -> list[object]:
    """All that is carried, as values that can be compared."""
    return [
        (index, [side and (side[0], side[1].index, side[1].ids.tolist(), side[1].statuses) for side in sides])
        for index, sides in carrier.sides(keys)
    ]


def test_what_did_not_change_is_not_run_again(clip):
    carrier = Carrier(Diary(), clip)
    keys = {0: key(1), 3: key(2), 6: key(3), 10: key(4)}
    first = said(carrier, keys)
    count = carrier.num_runs
    assert count == 6  # two in each of the three gaps, none outside
    assert said(carrier, keys) == first
    assert carrier.num_runs == count
    keys[10] = key(7, version=1)
    dict(carrier.sides(keys))
    # Key frame 10 is one of the two nearest of 6 alone, and is itself one that a run starts from.
    assert carrier.propagator.runs[count:] == [[-10, -3, -6, 5, 4], [-10, -3, -6, 7, 8, 9], [-3, -6, -10, 9, 8, 7]]


def test_neighbours_need_no_run(clip):
    carrier = Carrier(Diary(), clip)
    assert list(carrier.sides({index: key(1) for index in range(11)})) == []
    assert carrier.propagator.runs == []


@pytest.mark.parametrize(("source", "target", "frames"), [(2, 5, [3, 4, 5]), (5, 3, [4, 3])])
def test_one_object_is_fetched_from_another_key_frame(clip, source, target, frames):
    carrier = Carrier(Diary(), clip)
    keys = {source: key(4, object_id=9), target: key(2)}
    np.testing.assert_array_equal(carrier.fetch(keys, source, target, 9), keys[source].ids == 9)
    assert carrier.propagator.runs == [[-source, *frames]]
