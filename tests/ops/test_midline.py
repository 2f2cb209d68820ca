"""Lines along the middle of regions: where they lie, and that they go along with the region."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.ops.midline import MAX_RADIUS, SHRINK, opened_region, region_paths
from shibori.ops.skeleton import opening

SIZE_HW = (80, 120)


def rectangle(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    region = np.zeros(SIZE_HW, np.bool_)
    region[top:bottom, left:right] = True
    return region


def blob(seed: int) -> np.ndarray:
    """A bent body with an arm."""
    rows, columns = np.indices(SIZE_HW)
    bend = 12 * np.sin(columns / 14 + seed)
    body = (np.abs(rows - 40 - bend) < 11) & (columns > 25) & (columns < 95)
    return body | ((np.abs(columns - 60 - 4 * seed) < 7) & (rows > 12) & (rows < 50))


def pixels(path: tuple[tuple[float, float], ...]) -> np.ndarray:
    """(n, 2) x, y in pixels."""
    return np.array(path) * (SIZE_HW[1] - 1, SIZE_HW[0] - 1)


def test_the_line_of_a_bar_is_its_middle():
    (path,) = region_paths(rectangle(30, 20, 51, 100), 50)
    points = pixels(path)
    assert len(path) == 50
    assert np.abs(points[5:-5, 1] - 40).max() < 1.5  # its ends turn to the corners
    assert points[:, 0].min() < 35
    assert points[:, 0].max() > 85
    assert (np.diff(points[:, 0]) > 0).all() or (np.diff(points[:, 0]) < 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_lines_lie_in_the_region(seed: int):
    region = blob(seed)
    paths = region_paths(region, 100)
    assert paths
    for path in paths:
        columns, rows = np.rint(pixels(path)).astype(int).T
        assert region[rows, columns].mean() > 0.95


@pytest.mark.parametrize("shift", [(0, -20), (9, 13), (-12, 24)])
def test_a_region_that_moves_takes_its_lines_along(shift: tuple[int, int]):
    region = blob(1)
    moved = np.roll(region, shift, (0, 1))
    for before, after in zip(region_paths(region, 40), region_paths(moved, 40), strict=True):
        np.testing.assert_allclose(pixels(after) - pixels(before), np.tile(shift[::-1], (40, 1)), atol=1e-9)


def test_a_region_at_the_rim_keeps_its_line_in_the_frame():
    (path,) = region_paths(rectangle(0, 0, 20, SIZE_HW[1]), 30)
    assert (np.array(path) >= 0).all()
    assert (np.array(path) <= 1).all()


def test_every_part_has_a_line_unless_it_is_small():
    parts = rectangle(5, 5, 30, 50) | rectangle(45, 60, 75, 110)
    assert len(region_paths(parts)) == 2
    assert len(region_paths(parts | rectangle(70, 5, 72, 7))) == 2
    assert region_paths(np.zeros(SIZE_HW, np.bool_)) == []
    assert region_paths(rectangle(40, 40, 41, 42)) == []


def opened_twin(region: np.ndarray) -> np.ndarray:
    """The rule as it is written, radius by radius."""
    radii = [min(0.1 * np.sqrt(region.sum()), MAX_RADIUS)]
    while radii[-1] > 1:
        radii.append(radii[-1] * SHRINK)
    opened = [opening(region, radius) for radius in radii[:-1]]
    return next((each for each in opened if each.any()), region)


@pytest.mark.parametrize(
    "region",
    [blob(0), rectangle(10, 10, 12, 100), rectangle(2, 3, 78, 115), rectangle(9, 9, 13, 13), blob(2)[::2, ::2]],
)
def test_the_opening_shrinks_until_something_is_left(region: np.ndarray):
    opened = opened_region(region)
    np.testing.assert_array_equal(opened, opened_twin(region))
    assert opened.any()
