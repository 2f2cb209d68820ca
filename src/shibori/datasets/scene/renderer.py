"""The renderer of all made clips: layers are laid over a ground with soft coverage; what shows of each is its mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.datasets.scene.blending import Picture, feathered, over_in_8_bits
from shibori.datasets.scene.composite_sequence import ImageAndIds
from shibori.datasets.scene.sprite import Footage, Sprite

_RIM = 4  # picture pixels that a soft edge reaches beyond the mask

Ground = Callable[[int], Picture]
"""Frame index -> what lies below all layers, of the scene's size. Nobody writes to it."""


@dataclass(frozen=True, eq=False)
class Patch:
    """What a layer does to a picture, and where."""

    place: tuple[slice, slice]
    """Rows and columns of the picture."""
    coverage: NDArray[np.float32]
    """(h, w) in [0, 1]; the layer's where it is above one half, unless another lies over it."""
    over: Callable[[Picture], Picture]
    """(h, w, 3) of the picture below -> the same with the layer over it, of the same type."""


class Layer(Protocol):
    """What can be laid over a picture, frame by frame."""

    @property
    def object_id(self) -> int:
        """Its number in the masks; 0 for what only hides others."""

    def patch(self, index: int, size_hw: tuple[int, int]) -> Patch | None:
        """What it does to a picture of this size in frame ``index``; None where it does not show."""


def as_composed(image: Picture, index: int) -> NDArray[np.uint8]:
    """A picture that is composed in 8 bits needs no more work."""
    return image


@dataclass(frozen=True, eq=False)
class Scene:
    """A ground and the layers over it, back to front. Calling it composes a frame."""

    ground: Ground
    layers: Sequence[Layer]
    size_hw: tuple[int, int]
    develop: Callable[[Picture, int], NDArray[np.uint8]] = as_composed
    """The composed picture and the number of its frame -> (H, W, 3) uint8 RGB."""

    def __call__(self, index: int) -> ImageAndIds:
        """(H, W, 3) uint8 RGB and (H, W) uint8 ids of frame ``index``."""
        image, ids = self.ground(index).copy(), np.zeros(self.size_hw, np.uint8)
        for layer in self.layers:
            lay_over(image, ids, layer, index)
        return self.develop(image, index), ids

    def ids(self, index: int) -> NDArray[np.uint8]:
        """(H, W) uint8 ids of frame ``index``, without decoding a picture."""
        ids = np.zeros(self.size_hw, np.uint8)
        for layer in self.layers:
            lay_over(None, ids, layer, index)
        return ids

    def areas(self, num_frames: int, num_objects: int) -> NDArray[np.int64]:
        """(T, N) pixels that show of each of the objects 1 to N in the first frames."""
        return visible_areas(self.ids, num_frames)[:, 1 : num_objects + 1]


def lay_over(image: Picture | None, ids: NDArray[np.uint8], layer: Layer, index: int) -> None:
    """Lay a layer over a picture (if there is one) and its (H, W) ids, in place."""
    height, width = ids.shape
    patch = layer.patch(index, (height, width))
    if patch is None:
        return
    if image is not None:
        image[patch.place] = patch.over(image[patch.place])
    ids[patch.place][patch.coverage > 0.5] = layer.object_id


def visible_areas(read_ids: Callable[[int], NDArray[np.uint8]], num_frames: int) -> NDArray[np.int64]:
    """(T, 256) pixels of each id in the frames of a clip."""
    return np.array([np.bincount(read_ids(index).ravel(), minlength=256) for index in range(num_frames)])


@dataclass(frozen=True, eq=False)
class FittedFootage:
    """The pictures of some footage at another size."""

    footage: Footage
    size_hw: tuple[int, int]
    dtype: type[np.uint8] | type[np.float32] = np.uint8
    """float32 for scenes that are composed in finer steps."""

    def __call__(self, index: int) -> Picture:
        """See ``Ground``."""
        return fitted(self.footage.picture(index), self.size_hw, cv2.INTER_AREA).astype(self.dtype, copy=False)


@dataclass(frozen=True, eq=False)
class MovingSprite:
    """A sprite and its way through a clip, laid over only where it is, in 8 bits."""

    object_id: int
    sprite: Sprite
    matrices: NDArray[np.float64]
    """(T, 2, 3) affine, pixels of the sprite's picture -> pixels of the clip."""
    home: Ground | None = None
    """The ground, where the sprite is a part of it: there its mask is exact and needs no pulling inwards."""

    def patch(self, index: int, size_hw: tuple[int, int]) -> Patch | None:
        """See ``Layer``."""
        cut, matrix = self.sprite.silhouette(index), self.matrices[index]
        if not cut.mask.size:
            return None
        matrix = np.column_stack([matrix[:, :2], matrix[:, :2] @ cut.corner_xy + matrix[:, 2]])
        x0, y0, x1, y1 = covered_box(matrix, cut.mask.shape, size_hw, _RIM)
        if x1 <= x0 or y1 <= y0:
            return None
        matrix[:, 2] -= x0, y0
        place = slice(y0, y1), slice(x0, x1)
        if self.home is not None:
            coverage = _warped(cut.mask, matrix, (y1 - y0, x1 - x0))
            return Patch(place, coverage, partial(self._over_home, place, coverage, index))
        # The rim at the picture's border needs to know what lies beyond it.
        beyond = matrix + np.array([[0, 0, _RIM], [0, 0, _RIM]])
        soft = feathered(_warped(cut.mask, beyond, (y1 - y0 + 2 * _RIM, x1 - x0 + 2 * _RIM)))
        coverage = np.ascontiguousarray(soft[_RIM:-_RIM, _RIM:-_RIM])
        return Patch(place, coverage, partial(self._over, matrix, coverage, index))

    def boxes(self, num_frames: int) -> NDArray[np.float64]:
        """(T, 4) xyxy boxes in the clip, of the turned source box; zeros where the sprite does not show."""
        boxes = np.zeros((num_frames, 4))
        for index in range(num_frames):
            x0, y0, x1, y1 = self.sprite.silhouette(index).box_xyxy
            if x1 > x0:
                corners = np.array([(x0, y0), (x1, y0), (x0, y1), (x1, y1)]) @ self.matrices[index, :, :2].T
                corners += self.matrices[index, :, 2]
                boxes[index] = *corners.min(axis=0), *corners.max(axis=0)
        return boxes

    def _over(
        self, matrix: NDArray[np.float64], coverage: NDArray[np.float32], index: int, below: Picture
    ) -> NDArray[np.uint8]:
        size_wh = coverage.shape[::-1]
        colours = cv2.warpAffine(self.sprite.colours(index), matrix, size_wh, borderMode=cv2.BORDER_REPLICATE)
        return over_in_8_bits(coverage, colours, below)

    def _over_home(
        self, place: tuple[slice, slice], coverage: NDArray[np.float32], index: int, below: Picture
    ) -> NDArray[np.uint8]:
        assert self.home is not None
        return over_in_8_bits(feathered(coverage), self.home(index)[place], below)


def covered_box(
    matrix: NDArray[np.float64], shape: tuple[int, ...], size_hw: tuple[int, int], rim: int = 0
) -> tuple[int, int, int, int]:
    """The rectangle of a picture (xyxy) that a piece of ``shape`` and ``rim`` pixels around it can cover."""
    height, width = shape[:2]
    corners = np.array([(0, 0), (width, 0), (0, height), (width, height)]) @ matrix[:, :2].T + matrix[:, 2]
    low, high = np.floor(corners.min(axis=0)) - rim, np.ceil(corners.max(axis=0)) + rim
    x0, y0 = (int(max(side, 0)) for side in low)
    return x0, y0, int(min(high[0], size_hw[1])), int(min(high[1], size_hw[0]))


def fitted(picture: NDArray[np.uint8], size_hw: tuple[int, int], interpolation: int) -> NDArray[np.uint8]:
    """A picture or map at another size; as it is where it has that size."""
    if picture.shape[:2] == tuple(size_hw):
        return picture
    return cv2.resize(picture, size_hw[::-1], interpolation=interpolation).astype(np.uint8)


def _warped(mask: NDArray[np.uint8], matrix: NDArray[np.float64], size_hw: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(cv2.warpAffine(mask, matrix, size_hw[::-1]), np.float32) / np.float32(255)
