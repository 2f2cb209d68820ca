"""Variants side by side on the same clips: those that carry masks, that take marks, that find instances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shibori.datasets.classes import category_id
from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.instance_composites import InstanceComposite, annotations_of
from shibori.errors import InputError
from shibori.evaluation.ablation import InstanceAblation, MarkAblation, MaskAblation, Row, table_lines
from shibori.evaluation.ablation_clips import InstanceClips
from shibori.evaluation.coarse_tracks import coarse_tracks
from shibori.evaluation.interactive_scores import InteractiveRules
from shibori.media.instances import Discovery, InstanceTrack
from shibori.media.rle import encode_rle

from ..lookahead import Lookahead
from ..squares import Squares
from .made import ColourPropagator, moving_boxes

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

    counts = []
    rows = [Row("right", 0.45, right), Row("half", None, half)]
    results = list(InstanceAblation(CLIPS).run(rows, lambda *count: counts.append(count)))
    assert [result.values["AP"] for result in results] == pytest.approx([1, 0.5])
    assert [result.values["one_class_AP"] for result in results] == pytest.approx([1, 0.5], abs=0.01)
    assert [(result.text, result.values["paper_map"]) for result in results] == [("right", 0.45), ("half", None)]
    assert counts == [(1, 2), (2, 2)]
    # Clip after clip, the same frames for all rows: they can share what was computed of them.
    assert [name for name, _ in seen] == ["right", "half"] * 2
    assert seen[0][1] is seen[1][1] is not seen[2][1]


def test_of_one_class_a_wrong_class_is_no_fault():
    found = Discovery((track(1, "cat", 1), track(2, "car", 2)), 9, 2, 0)
    (result,) = InstanceAblation(CLIPS).run([Row("wrong", None, lambda frames: found)])
    assert result.values["AP"] == pytest.approx(0.5)
    assert result.values["one_class_AP"] == pytest.approx(1)


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
    wanted = InstanceClips(shared / "data", clips=1, frames=32, objects=3, height=96)
    assert wanted.size_hw == (96, 170)
    (one,), (other,) = wanted.read(), wanted.read()
    assert one.sequence.name == other.sequence.name
    assert np.array_equal(one.sequence.read_ids(9), other.sequence.read_ids(9))


def test_marks_come_in_the_same_rounds_to_every_row():
    taken = [Squares(), Squares()]
    rows = [Row("first", (0.1, 0.2), lambda: taken[0]), Row("second", None, lambda: taken[1])]
    first, second = MarkAblation([moving_boxes()], InteractiveRules(2, num_starts=1)).run(rows)
    assert (first.text, first.values["paper_auc"], first.values["paper_j_and_f_at_threshold"]) == ("first", 0.1, 0.2)
    assert second.values["paper_auc"] is None
    assert taken[0].told[0] == taken[1].told[0]
    assert first.values["j_and_f"] == second.values["j_and_f"] > 0


def composite() -> CompositeSequence:
    """Object 2 is hidden in frames 6 to 17 and comes back."""

    def compose(index: int) -> tuple[np.ndarray, np.ndarray]:
        ids = ids_at(0)
        if 6 <= index < 18:
            ids[ids == 2] = 0
        return np.zeros((*SIZE, 3), np.uint8), ids

    return CompositeSequence("hidden", 26, (1, 2), SIZE, compose)


def test_masks_are_scored_beside_what_the_paper_says():
    spoil = ColourPropagator(lambda index, ids: np.zeros_like(ids))
    rows = [Row("nothing", 0.5, lambda: spoil), Row("colours", 0.7, ColourPropagator)]
    counts = []
    nothing, colours = MaskAblation([moving_boxes()]).run(rows, lambda *count: counts.append(count))
    assert colours.values["j_and_f"] > nothing.values["j_and_f"] + 0.5
    assert (nothing.values["paper_j_and_f"], colours.values["paper_j_and_f"]) == (0.5, 0.7)
    assert colours.values["reappearances"] == 0
    assert counts[-1][0] == counts[-1][1]


def test_objects_that_come_back_are_counted():
    (held,) = MaskAblation([composite()]).run([Row("held", None, Lookahead)])
    assert (held.values["found_again"], held.values["reappearances"]) == (1, 1)


def test_the_table_has_the_difference_to_the_row_before():
    spoil = ColourPropagator(lambda index, ids: np.zeros_like(ids))
    rows = [
        Row("nothing", 0.5, lambda: spoil),
        Row("colours", 0.7, ColourPropagator),
        Row("again", None, ColourPropagator),
    ]
    ablation = MaskAblation([moving_boxes()])
    heading, rule, *lines = table_lines(ablation.columns, ablation.run(rows))
    assert heading == "| variant | J | F | J&F | delta | paper J&F | paper delta | found again | frames/s |"
    assert rule == "|---|---|---|---|---|---|---|---|---|"
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[0] for row in cells] == ["nothing", "colours", "again"]
    assert [row[4][:1] for row in cells] == ["", "+", "+"]
    assert [row[5:8] for row in cells] == [["0.500", "", ""], ["0.700", "+0.200", ""], ["", "", ""]]
