"""Rows that find instances, side by side on the same clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shibori.datasets.classes import category_id
from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.instance_composites import InstanceComposite, annotations_of
from shibori.errors import InputError
from shibori.instance_ablation import InstanceClips, InstanceRow, coarse_tracks, run_instance_ablation
from shibori.media.instances import Discovery, InstanceTrack
from shibori.media.rle import encode_rle

SIZE, FRAMES = (48, 64), 4


def ids_at(index: int) -> np.ndarray:
    ids = np.zeros(SIZE, np.uint8)
    ids[4:24, 4 + index : 24 + index] = 1
    ids[26:46, 30:60] = 2
    return ids


CLIPS = [
    InstanceComposite(
        CompositeSequence(name, FRAMES, (1, 2), SIZE, lambda i: (np.zeros((*SIZE, 3), np.uint8), ids_at(i))),
        {1: "dog", 2: "car"},
    )
    for name in ("one", "two")
]


def track(number: int, category: str, object_id: int, num_frames: int = FRAMES) -> InstanceTrack:
    codes = tuple(encode_rle(ids_at(i) == object_id) if i < num_frames else None for i in range(FRAMES))
    return InstanceTrack(number, 99, category, 0.9, codes)


def test_rows_are_scored_against_the_same_truth():
    seen = []

    def right(frames):
        seen.append(("right", frames))
        return Discovery((track(1, "dog", 1), track(2, "car", 2)), 9, 2, 0)

    def half(frames):
        seen.append(("half", frames))
        return Discovery((track(1, "dog", 1),), 9, 1, 0)

    told = []
    rows = [InstanceRow("right", 0.45, right), InstanceRow("half", None, half)]
    results = run_instance_ablation(rows, CLIPS, lambda done, total: told.append((done, total)))
    assert [result.scores.summary["AP"] for result in results] == pytest.approx([1, 0.5])
    assert [result.alike.summary["AP"] for result in results] == pytest.approx([1, 0.5], abs=0.01)
    assert [(result.text, result.published) for result in results] == [("right", 0.45), ("half", None)]
    assert told == [(1, 2), (2, 2)]
    # Clip after clip, the same frames for all rows: they can share what was computed of them.
    assert [name for name, _ in seen] == ["right", "half"] * 2
    assert seen[0][1] is seen[1][1] is not seen[2][1]


def test_of_one_class_a_wrong_class_is_no_fault():
    found = Discovery((track(1, "cat", 1), track(2, "car", 2)), 9, 2, 0)
    result = run_instance_ablation([InstanceRow("wrong", None, lambda frames: found)], CLIPS)[0]
    assert result.scores.summary["AP"] == pytest.approx(0.5)
    assert result.alike.summary["AP"] == pytest.approx(1)


def test_classes_are_made_coarse_and_strangers_left_out():
    found = coarse_tracks([track(1, "horse", 1), track(2, "person", 2), track(3, "toaster", 2)])
    assert [(each.category, each.category_id) for each in found] == [
        ("large animal", category_id("large animal")),
        ("person", category_id("person")),
    ]


def test_truth_has_the_coarse_classes():
    assert {each.category_id for each in annotations_of(CLIPS).annotations} == {
        category_id("dog"),
        category_id("vehicle"),
    }


def test_a_folder_without_material_is_refused(tmp_path: Path):
    with pytest.raises(InputError):
        InstanceClips(tmp_path).read()


def test_made_clips_are_the_same_again(shared):
    wanted = InstanceClips(shared / "data", clips=1, frames=32, objects=3, size_hw=(96, 170))
    (one,), (other,) = wanted.read(), wanted.read()
    assert one.sequence.name == other.sequence.name
    assert np.array_equal(one.sequence.read_ids(9), other.sequence.read_ids(9))
