"""From a region to the lines a person would draw in it: opening, medial axis, and the longest path of each piece.

These are the steps of the DAVIS interactive robot. Its libraries decide details that the papers leave open (where a
disk of fractional radius has its centre, in which order pixels are taken away). Here they are decided in the same way,
so that the strokes are the same.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from scipy.special import gammaln

Mask = NDArray[np.bool_]


def disk(radius: float) -> Mask:
    """(D, D) bool, D = ceil(2 radius + 1): the places -radius, 1 - radius, ... whose distance from 0 is within radius.

    With a fractional radius 0 lies between the places, up to half a pixel left of and above the middle one.

    >>> disk(1.5).astype(int)
    array([[0, 0, 0, 0],
           [0, 1, 1, 0],
           [0, 1, 1, 0],
           [0, 0, 0, 0]])
    """
    squares = np.arange(-radius, radius + 1) ** 2
    return squares[:, None] + squares <= radius**2


def opening(mask: Mask, radius: float) -> Mask:
    """(H, W) bool: erosion, then dilation, by ``disk(radius)``. What lies outside the picture does not count."""
    kernel = disk(radius).astype(np.uint8)
    anchor = (len(kernel) // 2, len(kernel) // 2)
    eroded = cv2.erode(mask.astype(np.uint8), kernel, anchor=anchor)
    # OpenCV mirrors nothing and the robot's library neither, so both disks lean the same way.
    return np.asarray(cv2.dilate(eroded, kernel, anchor=anchor)) > 0


def medial_axis(mask: Mask) -> Mask:
    """(H, W) bool: the skeleton of a mask, by thinning from its rim inwards.

    Pixels are taken away in order of their distance from the background (outside the picture is background), the most
    exposed first among equals, the rest in a fixed random order; one stays if it joins what would fall apart without
    it, or has at most one neighbour left.
    """
    padded = np.pad(mask, 1)
    width = padded.shape[1]
    present = bytearray(padded.astype(np.uint8).tobytes())
    stays = _stays()
    for place in _thinning_order(padded):
        above, below = place - width, place + width
        # This loop is the whole cost of the robot: no call, no array, about 0.3 microseconds a pixel.
        around = (
            present[above - 1]
            | present[above] << 1
            | present[above + 1] << 2
            | present[place - 1] << 3
            | present[place + 1] << 4
            | present[below - 1] << 5
            | present[below] << 6
            | present[below + 1] << 7
        )
        present[place] = stays[around]
    return np.frombuffer(present, np.bool_).reshape(padded.shape)[1:-1, 1:-1]


def longest_paths(skeleton: Mask, min_nodes: int) -> list[NDArray[np.int64]]:
    """The longest path through each piece of a skeleton, its cycles cut.

    Args:
        skeleton: (H, W) bool.
        min_nodes: pieces with fewer pixels give nothing.

    Returns:
        (L, 2) pixels x, y of each path, pieces in the order of their first pixel.
    """
    rows, columns = np.nonzero(skeleton)
    # Cutting the heaviest link of each cycle is what leaves the lightest tree.
    tree = csgraph.minimum_spanning_tree(_neighbour_graph(skeleton))
    tree = (tree + tree.T).tocsr()
    tree.sort_indices()
    num_pieces, pieces = csgraph.connected_components(tree, directed=False)
    points = np.stack([columns, rows], axis=1)
    members = [np.flatnonzero(pieces == piece) for piece in range(num_pieces)]
    return [points[_longest_path(tree, int(nodes[0]))] for nodes in members if len(nodes) >= min_nodes]


def bezier_curve(points: NDArray[np.floating | np.integer], num_points: int) -> NDArray[np.float64]:
    """(num_points, 2): the Bezier curve whose control points are (L, 2) ``points``, last to first.

    The Bernstein polynomials are computed by their logarithms, so any number of control points will do.
    """
    degree = len(points) - 1
    step = np.arange(degree + 1)
    share = np.linspace(0, 1, num_points)[1:-1, None]
    choices = gammaln(degree + 1) - gammaln(step + 1) - gammaln(degree - step + 1)
    weights = np.exp(choices + (degree - step) * np.log(share) + step * np.log1p(-share))
    return np.concatenate([points[-1:], weights @ points, points[:1]])


def _thinning_order(mask: Mask) -> list[int]:
    """Places in the flattened mask, first to be taken away first."""
    picture = mask.astype(np.uint8)
    distance = cv2.distanceTransform(picture, cv2.DIST_L2, cv2.DIST_MASK_PRECISE).ravel()
    # Roots of whole numbers, of which some processors get the last bit wrong, depending on where they stand.
    squares = np.rint(distance.astype(np.float64) ** 2).astype(np.int64)
    filled = cv2.boxFilter(picture, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT).ravel()
    places = np.flatnonzero(mask)
    # The robot's library breaks ties by this very permutation.
    ties = np.random.RandomState(0).permutation(len(places))
    exposure = 9 - filled[places].astype(np.int64)
    ordered: list[int] = places[np.lexsort((ties, exposure, squares[places]))].tolist()
    return ordered


@cache
def _stays() -> bytes:
    """For each of the 256 sets of neighbours, bit 0 top left to bit 7 bottom right, whether a pixel amid them stays."""
    return bytes(_is_needed(around) for around in range(256))


def _is_needed(around: int) -> bool:
    bits = [around >> bit & 1 for bit in range(8)]
    with_it, without_it = (np.array([*bits[:4], centre, *bits[4:]]).reshape(3, 3) for centre in (1, 0))
    touching = np.ones((3, 3))
    pieces = [ndimage.label(square, touching)[1] for square in (with_it, without_it)]
    return pieces[0] != pieces[1] or sum(bits) < 2


def _neighbour_graph(skeleton: Mask) -> sparse.csr_matrix:
    """Pixels of the skeleton in reading order as nodes, linked where they touch, weighted by their distance."""
    rows, columns = np.nonzero(skeleton)
    number = np.full((skeleton.shape[0] + 2, skeleton.shape[1] + 2), -1)
    number[rows + 1, columns + 1] = np.arange(len(rows))
    begins, ends, weights = [], [], []
    for down, right in ((0, 1), (1, -1), (1, 0), (1, 1)):
        other = number[rows + 1 + down, columns + 1 + right]
        linked = np.flatnonzero(other >= 0)
        begins.append(linked)
        ends.append(other[linked])
        weights.append(np.full(len(linked), np.hypot(down, right)))
    links = (np.concatenate(begins), np.concatenate(ends))
    return sparse.csr_matrix((np.concatenate(weights), links), shape=(len(rows), len(rows)))


def _longest_path(tree: sparse.csr_matrix, start: int) -> list[int]:
    """Nodes of the longest path in the piece of a tree that ``start`` is in: from one farthest node to the next."""
    end, _ = _farthest(tree, start)
    node, before = _farthest(tree, end)
    path = [node]
    while path[-1] != end:
        path.append(int(before[path[-1]]))
    return path[::-1]


def _farthest(tree: sparse.csr_matrix, start: int) -> tuple[int, NDArray[np.int32]]:
    """The first of the nodes most steps away from ``start``, and the node before each on the way there."""
    steps, before = csgraph.dijkstra(tree, True, start, return_predecessors=True, unweighted=True)
    order = csgraph.breadth_first_order(tree, start, True, return_predecessors=False)
    return int(order[np.argmax(steps[order])]), before
