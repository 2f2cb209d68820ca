"""J, F and their statistics, against a pixel-by-pixel twin and against the official tool's values."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

from shibori.datasets.davis import read_davis
from shibori.evaluation.measures import (
    Statistics,
    boundary_measure,
    boundary_radius,
    boundary_with_margin,
    decay,
    disk_rectangles,
    ids_measures,
    mask_measures,
    mean_statistics,
    region_similarity,
    summarize,
)
from shibori.media.mask import read_ids


def slow_boundary(mask: np.ndarray) -> set[tuple[int, int]]:
    """Boundary pixels, one by one, straight from the definition."""
    height, width = mask.shape
    found = set()
    for y, x in itertools.product(range(height), range(width)):
        neighbours = [(y, x + 1), (y + 1, x), (y + 1, x + 1)]
        clipped = [(min(b, height - 1), min(a, width - 1)) for b, a in neighbours]
        if any(mask[place] != mask[y, x] for place in clipped):
            found.add((y, x))
    return found


def slow_region_similarity(pred: np.ndarray, true: np.ndarray) -> float:
    pairs = list(zip(pred.ravel().tolist(), true.ravel().tolist(), strict=True))
    union = sum(p or t for p, t in pairs)
    return sum(p and t for p, t in pairs) / union if union else 1.0


def slow_boundary_measure(pred: np.ndarray, true: np.ndarray, tolerance: float = 0.008) -> float:
    radius = math.ceil(tolerance * math.sqrt(pred.shape[0] ** 2 + pred.shape[1] ** 2))
    ours, theirs = slow_boundary(pred), slow_boundary(true)

    def near(place: tuple[int, int], others: set[tuple[int, int]]) -> bool:
        return any((place[0] - y) ** 2 + (place[1] - x) ** 2 <= radius**2 for y, x in others)

    if not ours and not theirs:
        return 1.0
    precision = sum(near(place, theirs) for place in ours) / len(ours) if ours else 1.0
    recall = sum(near(place, ours) for place in theirs) / len(theirs) if theirs else 1.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def blob(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """A few ellipses with speckle, anywhere, over the edge too."""
    y, x = np.mgrid[: size_hw[0], : size_hw[1]]
    mask = np.zeros(size_hw, bool)
    for _ in range(rng.integers(1, 4)):
        centre = rng.uniform(0, 1, 2) * size_hw
        radii = rng.uniform(0.05, 0.5, 2) * size_hw
        mask |= ((y - centre[0]) / radii[0]) ** 2 + ((x - centre[1]) / radii[1]) ** 2 < 1
    return mask ^ (rng.random(size_hw) < 0.01)


SIZES = [(1, 1), (1, 9), (7, 1), (2, 2), (23, 31), (40, 25), (33, 64)]
TOLERANCES = [0.008, 0.03, 0.08]


@pytest.mark.parametrize("size_hw", SIZES)
@pytest.mark.parametrize("tolerance", TOLERANCES)
def test_both_measures_equal_their_twins(size_hw: tuple[int, int], tolerance: float):
    rng = np.random.default_rng(size_hw[0] * 100 + size_hw[1])
    for _ in range(6):
        pred, true = blob(rng, size_hw), blob(rng, size_hw)
        assert boundary_measure(pred, true, tolerance=tolerance) == pytest.approx(
            slow_boundary_measure(pred, true, tolerance), abs=1e-12
        )
        assert region_similarity(pred, true) == pytest.approx(slow_region_similarity(pred, true), abs=1e-12)


@pytest.mark.parametrize("size_hw", SIZES)
def test_boundary_equals_its_twin(size_hw: tuple[int, int]):
    rng = np.random.default_rng(3)
    for share in (0.02, 0.5, 0.9):
        mask = rng.random(size_hw) < share
        assert set(
            zip(*(i.tolist() for i in np.nonzero(boundary_with_margin(mask, 1)[1:-1, 1:-1])), strict=True)
        ) == slow_boundary(mask)


def test_measures_at_once_equal_measures_one_by_one():
    rng = np.random.default_rng(7)
    for size_hw in SIZES:
        pred, true = blob(rng, size_hw), blob(rng, size_hw)
        assert mask_measures(pred, true) == (region_similarity(pred, true), boundary_measure(pred, true))


def test_measures_of_ids_equal_measures_of_masks():
    rng = np.random.default_rng(8)
    pred, true = (np.zeros((60, 90), np.uint8) for _ in range(2))
    for object_id in (1, 2, 5):
        pred[blob(rng, pred.shape)] = object_id
        true[blob(rng, true.shape)] = object_id
    asked = [5, 1, 9, 2]
    expected = [mask_measures(pred == object_id, true == object_id) for object_id in asked]
    np.testing.assert_array_equal(ids_measures(pred, true, asked), expected)
    assert expected[2] == (1.0, 1.0)
    np.testing.assert_array_equal(ids_measures(pred, true.astype(np.uint16), [2]), expected[3:])
    nothing = np.zeros_like(pred)
    np.testing.assert_array_equal(ids_measures(nothing, nothing, [1, 2]), np.ones((2, 2)))


def test_a_view_of_a_larger_mask_is_fine():
    rng = np.random.default_rng(5)
    pred, true = blob(rng, (50, 70)), blob(rng, (50, 70))
    crops = pred[5:40:2, 3:60:3], true[5:40:2, 3:60:3]
    assert mask_measures(*crops) == mask_measures(*(np.ascontiguousarray(crop) for crop in crops))


def test_empty_masks():
    empty, full = np.zeros((20, 30), bool), np.zeros((20, 30), bool)
    full[5:9, 6:20] = True
    assert (region_similarity(empty, empty), boundary_measure(empty, empty)) == (1.0, 1.0)
    assert (region_similarity(empty, full), boundary_measure(empty, full)) == (0.0, 0.0)
    assert (region_similarity(full, empty), boundary_measure(full, empty)) == (0.0, 0.0)
    everything = np.ones((20, 30), bool)  # has no boundary at all
    assert boundary_measure(everything, empty) == 1.0
    assert boundary_measure(everything, full) == 0.0


def test_void_does_not_count():
    rng = np.random.default_rng(11)
    pred, true, void = blob(rng, (40, 50)), blob(rng, (40, 50)), blob(rng, (40, 50))
    for measure in (region_similarity, boundary_measure):
        expected = measure(pred & ~void, true & ~void)
        assert measure(pred, true, void) == expected
        assert measure(pred | void, true & ~void, void) == expected
        assert measure(pred, true) != expected


def test_shapes_must_agree():
    small, large = np.zeros((3, 4), bool), np.zeros((4, 3), bool)
    for measure in (region_similarity, boundary_measure, mask_measures):
        with pytest.raises(ValueError, match=r"\(3, 4\), \(4, 3\)"):
            measure(small, large)
    with pytest.raises(ValueError, match="differ in shape"):
        region_similarity(small, small, large)
    with pytest.raises(ValueError, match="differ in shape"):
        ids_measures(small.astype(np.uint8), large.astype(np.uint8), [1])


def test_radius_of_the_usual_size():
    assert boundary_radius((480, 854)) == 8
    assert boundary_radius((1080, 1920)) == 18


@pytest.mark.parametrize("radius", range(40))
def test_rectangles_cover_the_disk_exactly(radius: int):
    span = range(-radius, radius + 1)
    disk = {(y, x) for y in span for x in span if y * y + x * x <= radius * radius}
    rectangles = disk_rectangles(radius)
    assert {(y, x) for h, w in rectangles for y in range(-h, h + 1) for x in range(-w, w + 1)} == disk
    assert len({w for _, w in rectangles}) == len(rectangles)


def slow_decay(values: list[float]) -> float:
    """The official definition with indices that are large enough."""
    count = len(values)
    cuts = [round(1 + quarter * (count - 1) / 4 + 1e-10) - 1 for quarter in range(5)]
    quarters = [values[cuts[q] : cuts[q + 1] + 1] for q in range(4)]
    return sum(quarters[0]) / len(quarters[0]) - sum(quarters[3]) / len(quarters[3])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 67, 255, 256, 257, 300, 1000])
def test_decay_equals_its_twin_at_any_length(count: int):
    values = np.random.default_rng(count).random(count)
    assert decay(values) == pytest.approx(slow_decay(values.tolist()), abs=1e-12)


def test_decay_past_256_frames_does_not_wrap_around():
    values = np.linspace(1, 0, 400)  # the official tool, with eight-bit indices, gives another value here
    assert decay(values) == pytest.approx(0.75, abs=0.01)


def test_summary():
    assert summarize(np.array([0.5, 0.5])) == Statistics(0.5, 0.0, 0.0)  # recall is strict
    assert summarize(np.array([0.50001])).recall == 1.0
    with pytest.raises(ValueError, match="no frame"):
        summarize(np.zeros(0))
    assert mean_statistics([Statistics(1.0, 0.5, 0.2), Statistics(0.0, 0.5, 0.0)]) == Statistics(0.5, 0.5, 0.1)
    with pytest.raises(ValueError, match="no object"):
        mean_statistics([])


@pytest.mark.parametrize("folder", ["davis2016", "davis2017-multi"])
def test_every_frame_equals_the_official_value(shared: Path, folder: str):
    official = json.loads((shared / "reference/davis/official.json").read_text())["per_sequence_object"]
    compared = 0
    for sequence in read_davis(shared / "data" / folder, split="dev"):
        objects = official[sequence.name]
        results = sorted((shared / "reference/davis/predictions" / sequence.name).glob("*.png"))
        object_ids = [int(object_id) for object_id in objects]
        for index in range(1, sequence.num_frames - 1):
            values = ids_measures(read_ids(results[index]), sequence.read_ids(index), object_ids)
            expected = [(entry["J"][index - 1], entry["F"][index - 1]) for entry in objects.values()]
            np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9)
            compared += len(object_ids)
        for entry in objects.values():
            for measure in "JF":
                got = summarize(np.array(entry[measure]))
                np.testing.assert_allclose(
                    (got.mean, got.recall, got.decay), entry[f"{measure}_mean_recall_decay"], rtol=0, atol=1e-9
                )
    assert compared == {"davis2016": 451, "davis2017-multi": 7 * 78}[folder]
