from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import ndimage

from shibori.ops.skeleton import bezier_curve, disk, longest_paths, medial_axis, opening

EIGHT = np.ones((3, 3))


def blobs(seed: int, size_hw: tuple[int, int] = (40, 50), share: float = 0.5) -> np.ndarray:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=size_hw), (0, 0), 3)
    return noise > np.quantile(noise, 1 - share)


def picture(text: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in line] for line in text.split()])


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_a_disk_of_whole_radius_is_centred(radius):
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    np.testing.assert_array_equal(disk(radius), x**2 + y**2 <= radius**2)


def opening_twin(mask: np.ndarray, radius: float) -> np.ndarray:
    kernel = disk(radius)
    offsets = np.argwhere(kernel) - len(kernel) // 2

    def extreme(values, choose):
        result = np.zeros_like(values)
        for place in np.ndindex(values.shape):
            around = offsets + place
            around = around[((around >= 0) & (around < values.shape)).all(1)]
            result[place] = choose(values[tuple(around.T)])
        return result

    return extreme(extreme(mask, np.all), np.any)


@pytest.mark.parametrize("radius", [1.5, 2.0, 2.3, 3.9])
def test_opening_is_the_loops(radius):
    mask = blobs(1, (24, 30))
    np.testing.assert_array_equal(opening(mask, radius), opening_twin(mask, radius))


def thinning_twin(mask: np.ndarray) -> np.ndarray:
    """The rule applied pixel by pixel, each decision by labelling."""
    padded = np.pad(mask, 1)
    distance = ndimage.distance_transform_edt(padded)
    filled = ndimage.convolve(padded.astype(int), EIGHT.astype(int), mode="constant")
    places = np.argwhere(padded)
    ties = np.random.RandomState(0).permutation(len(places))
    at = tuple(places.T)
    for row, column in places[np.lexsort((ties, -filled[at], distance[at]))]:
        square = padded[row - 1 : row + 2, column - 1 : column + 2]
        without = square.copy()
        without[1, 1] = False
        joins = ndimage.label(square, EIGHT)[1] != ndimage.label(without, EIGHT)[1]
        padded[row, column] = joins or without.sum() < 2
    return padded[1:-1, 1:-1]


@pytest.mark.parametrize("seed", range(4))
def test_medial_axis_is_the_rule_pixel_by_pixel(seed):
    mask = blobs(seed)
    np.testing.assert_array_equal(medial_axis(mask), thinning_twin(mask))


@pytest.mark.parametrize("seed", range(4))
def test_medial_axis_joins_and_parts_nothing(seed):
    mask = blobs(seed, (90, 120))
    skeleton = medial_axis(mask)
    assert not (skeleton & ~mask).any()
    assert skeleton.sum() < 0.3 * mask.sum()
    assert ndimage.label(skeleton, EIGHT)[1] == ndimage.label(mask, EIGHT)[1]
    holes, holes_before = (ndimage.label(np.pad(~part, 1, constant_values=True))[1] for part in (skeleton, mask))
    assert holes >= holes_before  # the rule looks for what falls apart, so it may pierce a plateau


def test_medial_axis_of_a_bar_is_its_middle():
    bar = np.zeros((11, 41), bool)
    bar[3:8, 5:36] = True
    skeleton = medial_axis(bar)
    assert skeleton[5, 8:33].all()
    assert not skeleton[[4, 6], 10:31].any()
    line = np.zeros((5, 9), bool)
    line[2, 1:8] = True
    np.testing.assert_array_equal(medial_axis(line), line)


def test_the_longest_path_of_a_t_leaves_its_short_arm():
    skeleton = picture(
        """
        #########
        ....#....
        ....#....
        """
    )
    (path,) = longest_paths(skeleton, 4)
    assert sorted(path.tolist()) == [[x, 0] for x in range(9)]
    assert np.abs(np.diff(path, axis=0)).max() == 1


def test_a_ring_is_cut_once():
    skeleton = picture(
        """
        .####.
        #....#
        #....#
        .####.
        """
    )
    (path,) = longest_paths(skeleton, 4)
    assert len(path) == skeleton.sum()
    assert len(np.unique(path, axis=0)) == len(path)
    assert np.abs(np.diff(path, axis=0)).max() == 1


def test_small_pieces_are_left_out():
    skeleton = picture(
        """
        ###....#
        .....#.#
        .#...#.#
        .....#.#
        """
    )
    (path,) = longest_paths(skeleton, 4)
    assert set(path[:, 0].tolist()) == {7}
    assert len(longest_paths(skeleton, 3)) == 3
    assert longest_paths(np.zeros((5, 5), bool), 4) == []


def de_casteljau(points: np.ndarray, share: float) -> np.ndarray:
    while len(points) > 1:
        points = share * points[:-1] + (1 - share) * points[1:]
    return points[0]


def test_bezier_is_de_casteljau():
    points = np.random.default_rng(0).uniform(0, 100, (9, 2))
    curve = bezier_curve(points, 50)
    expected = [de_casteljau(points, share) for share in np.linspace(0, 1, 50)]
    np.testing.assert_allclose(curve, expected, atol=1e-9)


def test_bezier_of_very_many_points():
    x = np.arange(3000.0)
    curve = bezier_curve(np.stack([x, 2 * x], 1), 1000)
    np.testing.assert_allclose(curve[:, 0], np.linspace(2999, 0, 1000), atol=1e-6)
    np.testing.assert_allclose(curve[:, 1], 2 * curve[:, 0], atol=1e-6)
