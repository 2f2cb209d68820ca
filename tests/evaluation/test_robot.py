from __future__ import annotations

import json
import time

import numpy as np
import pytest

from shibori.evaluation.robot import correct, frame_to_correct, start
from shibori.media.mask import read_ids
from shibori.media.scribble import rasterise
from shibori.ops.midline import opened_region, region_paths

SIZE_HW = (120, 200)


def box_ids(*boxes: tuple[int, int, int, int, int]) -> np.ndarray:
    ids = np.zeros(SIZE_HW, np.uint8)
    for object_id, top, left, bottom, right in boxes:
        ids[top:bottom, left:right] = object_id
    return ids


def test_nothing_is_wrong():
    ids = box_ids((1, 20, 20, 60, 90))
    assert correct(ids, ids, [1]) == ()


def test_a_missed_object_is_marked_along_its_middle():
    true = box_ids((1, 20, 20, 60, 120))
    (stroke,) = correct(np.zeros_like(true), true, [1])
    assert stroke.object_id == 1
    assert len(stroke.path) == 1000
    drawn = rasterise([stroke], SIZE_HW) == 1
    assert not (drawn & (true == 0)).any()
    rows, columns = np.nonzero(drawn)
    assert 35 < np.median(rows) < 45
    assert np.ptp(columns) > 60


def test_too_much_is_marked_as_background_and_a_swap_as_the_true_object():
    true = box_ids((1, 10, 10, 50, 80), (2, 60, 100, 100, 180))
    pred = box_ids((2, 10, 10, 50, 80), (2, 60, 100, 100, 180), (1, 70, 10, 110, 60))
    strokes = correct(pred, true, [1, 2])
    assert [stroke.object_id for stroke in strokes] == [0, 1]
    background, first = (rasterise([stroke], SIZE_HW) >= 0 for stroke in strokes)
    assert pred[background].tolist() == [1] * background.sum()
    assert true[background].tolist() == [0] * background.sum()
    assert true[first].tolist() == [1] * first.sum()


def test_an_object_in_two_parts_gets_two_strokes():
    true = box_ids((3, 10, 10, 40, 60), (3, 70, 100, 110, 180))
    assert [stroke.object_id for stroke in correct(np.zeros_like(true), true, [3])] == [3, 3]


def test_an_object_the_list_does_not_have_is_background_to_nobody():
    true = box_ids((5, 10, 10, 40, 60))
    assert correct(np.zeros_like(true), true, [1]) == ()


def test_strokes_do_not_depend_on_where_the_region_lies():
    rng = np.random.default_rng(0)
    blob = np.zeros((60, 60), bool)
    for _ in range(6):
        y, x = rng.integers(12, 48, 2)
        blob[y - 10 : y + 10, x - 8 : x + 8] = True
    paths = []
    for top, left in ((0, 0), (30, 70), (60, 140)):
        region = np.zeros(SIZE_HW, bool)
        region[top : top + 60, left : left + 60] = blob
        last = np.array([SIZE_HW[1] - 1, SIZE_HW[0] - 1])
        paths.append([np.array(path) * last - (left, top) for path in region_paths(region)])
    assert paths[0]
    for other in paths[1:]:
        np.testing.assert_allclose(other, paths[0], atol=1e-9)


def test_the_opening_takes_thin_parts_away_but_never_everything():
    fat = np.zeros(SIZE_HW, bool)
    fat[20:80, 20:80] = True
    with_hair = fat.copy()
    with_hair[50, 80:120] = True
    np.testing.assert_array_equal(opened_region(with_hair)[30:70, 90:], False)
    assert opened_region(with_hair)[30:70, 30:70].all()
    comb = np.zeros(SIZE_HW, bool)
    comb[10:110, 10:190:6] = comb[10:110, 11:190:6] = comb[10:110, 12:190:6] = True
    assert opened_region(comb).any()
    speck = np.zeros(SIZE_HW, bool)
    speck[5, 5:60] = True
    np.testing.assert_array_equal(opened_region(speck), speck)


def test_maps_of_other_sizes():
    with pytest.raises(ValueError, match="differ in shape"):
        correct(np.zeros((3, 4)), np.zeros((4, 3)), [1])


def test_the_worst_frame_that_was_not_used():
    values = np.array([0.5, 0.1, 0.9, 0.1, 0.3])
    assert frame_to_correct(values, []) == 1
    assert frame_to_correct(values, [1]) == 3
    assert frame_to_correct(values, [1, 3]) == 4
    assert frame_to_correct(values, [], candidates=[2, 0]) == 0
    assert frame_to_correct(values, [0, 2], candidates=[2, 0]) == 0
    assert frame_to_correct(values, range(5)) == 1


def frames_of_two() -> list[np.ndarray]:
    """Frame 0 shows a corner of object 1, frames 2 and 3 both objects, frame 4 object 2 alone."""
    first, second = (1, 10, 10, 60, 80), (2, 60, 100, 110, 180)
    return [
        box_ids((1, 10, 10, 15, 15)),
        box_ids(first),
        box_ids(first, second),
        box_ids(first, second),
        box_ids(second),
    ]


def test_the_first_strokes_are_on_a_frame_that_shows_all():
    chosen = set()
    for seed in range(12):
        strokes = start(frames_of_two(), [1, 2], np.random.default_rng(seed))
        (index,) = strokes
        chosen.add(index)
        assert [stroke.object_id for stroke in strokes[index]] == [1, 2]
        assert strokes == start(frames_of_two(), [1, 2], np.random.default_rng(seed))
    assert chosen == {2, 3}


def test_objects_that_are_never_together_are_marked_in_turn():
    frames = frames_of_two()
    strokes = start([frames[1], frames[4]], [1, 2], np.random.default_rng(0))
    assert {index: [s.object_id for s in frame] for index, frame in strokes.items()} == {0: [1], 1: [2]}


def test_an_object_too_small_for_a_line_is_clicked():
    ids = box_ids((1, 30, 50, 31, 52))
    strokes = start([ids], [1], np.random.default_rng(0))
    assert len(strokes[0][0].path) == 1
    assert ids[rasterise(strokes[0], SIZE_HW) == 1].tolist() == [1]


@pytest.fixture(scope="module")
def official(shared):
    """Each scene of the official robot's scribbles: what it drew, prediction and truth."""
    scenes = []
    for entry in json.loads((shared / "reference" / "robot" / "scribbles.json").read_text()):
        name, file = entry["sequence"], f"{entry['frame']:05d}.png"
        true = (read_ids(shared / "data/davis2016/Annotations/480p" / name / file) > 0).astype(np.uint8)
        empty = entry["prediction"] == "empty"
        pred = np.zeros_like(true) if empty else read_ids(shared / entry["prediction"] / name / file)
        scenes.append((entry["scribbles"], pred, true))
    return scenes


def test_it_draws_what_the_official_robot_draws(official):
    """Measured: all 26 scenes the same number of strokes; half of the strokes within 0.2 pixels, 95 % within 2."""
    same_ids, same_counts, distances = 0, 0, []
    for scribbles, pred, true in official:
        strokes = correct(pred, true, [1])
        counts = [sum(stroke.object_id == i for stroke in strokes) for i in (0, 1)]
        expected = [sum(scribble["object_id"] == i for scribble in scribbles) for i in (0, 1)]
        same_ids += [count > 0 for count in counts] == [count > 0 for count in expected]
        same_counts += counts == expected
        distances += [nearest_distance(scribble, strokes, true.shape) for scribble in scribbles]
    assert same_ids == len(official)
    assert same_counts >= 0.95 * len(official)
    assert np.median(distances) < 0.5
    assert np.mean(np.array(distances) < 2) > 0.92
    assert np.mean(np.array(distances) < 5) > 0.97


def nearest_distance(scribble: dict, strokes, shape) -> float:
    """Mean distance in pixels, in the worse of both directions, to the nearest stroke of the same object."""
    height, width = shape
    theirs = np.array(scribble["path"]) * (width, height)  # the official tool divides by the size
    found = []
    for stroke in strokes:
        if stroke.object_id == scribble["object_id"]:
            ours = np.array(stroke.path)[::25] * (width - 1, height - 1)
            apart = np.linalg.norm(ours[:, None] - theirs, axis=2)
            found.append(max(apart.min(0).mean(), apart.min(1).mean()))
    return min(found, default=np.inf)


def test_it_is_quick(official):
    _, pred, true = official[2]
    assert true.shape == (480, 854)
    times = []
    for _ in range(3):
        began = time.process_time()
        correct(pred, true, [1])
        times.append(time.process_time() - began)
    assert min(times) < 0.15
