"""Objects cut out of pictures and laid over others: decoded once within a bound, blended only where they are."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.datasets.davis import DavisSequence
from shibori.datasets.scene.composite_sequence import ImageAndIds
from shibori.datasets.scene.cutting import feathered, fitted, object_mask, tight_box
from shibori.datasets.scene.motion import there_and_back

_MARGIN = 3  # source pixels kept around an object, for its soft edge
_RIM = 4  # picture pixels that a soft edge reaches beyond the mask

Kept = TypeVar("Kept")


class BoundedCache:
    """Keeps what was used last, within a number of bytes. A copy in another process starts empty."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Kept], size_of: Callable[[Kept], int]) -> Kept:
        """What is kept under ``key``; made, and kept, where nothing is."""
        if key in self._kept:
            self._kept.move_to_end(key)
            kept: Kept = self._kept[key][0]
            return kept
        value = make()
        self._kept[key] = (value, size_of(value))
        self.num_bytes += self._kept[key][1]
        while self.num_bytes > self.max_bytes:
            self.num_bytes -= self._kept.popitem(last=False)[1][1]
        return value

    def __reduce__(self) -> tuple[type[BoundedCache], tuple[int]]:
        return BoundedCache, (self.max_bytes,)


@dataclass(frozen=True, eq=False)
class Silhouette:
    """An object's mask, cut to its box and a margin."""

    mask: NDArray[np.uint8]
    """(h, w) 0 or 255; no pixel where the object does not show."""
    corner_xy: tuple[int, int]
    """Where the cut begins in its picture."""
    box_xyxy: tuple[int, int, int, int]
    """The mask's tight box in its picture, half-open; zeros where the object does not show."""


class Sprite(Protocol):
    """An object that can be laid into a picture, frame by frame."""

    @property
    def name(self) -> str:
        """Unique among the sprites of a clip."""

    @property
    def is_rigid(self) -> bool:
        """Whether it is the same in every frame."""

    def silhouette(self, index: int) -> Silhouette:
        """Its mask in composite frame ``index``."""

    def colours(self, index: int) -> NDArray[np.uint8]:
        """(h, w, 3) uint8 RGB of the silhouette's cut."""


@dataclass(frozen=True)
class Footage:
    """A sequence whose marked pixels are one object, played there and back."""

    sequence: DavisSequence
    cache: BoundedCache
    """Shared by all footage, so that there is one bound."""

    is_rigid = False

    @property
    def name(self) -> str:
        """The sequence's."""
        return self.sequence.name

    def picture(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB of composite frame ``index``."""
        source = self._source(index)
        key = ("picture", self.sequence.name, source)
        return self.cache.get(key, lambda: self.sequence.read_image(source), lambda image: image.nbytes)

    def silhouette(self, index: int) -> Silhouette:
        """The object's mask in composite frame ``index``."""
        source = self._source(index)
        key = ("silhouette", self.sequence.name, source)
        return self.cache.get(key, lambda: cut_mask(object_mask(self.sequence, source)), lambda cut: cut.mask.nbytes)

    def colours(self, index: int) -> NDArray[np.uint8]:
        """(h, w, 3) uint8 RGB of the silhouette's cut."""
        cut, source = self.silhouette(index), self._source(index)
        (height, width), (x, y) = cut.mask.shape, cut.corner_xy

        def make() -> NDArray[np.uint8]:
            return self.sequence.read_image(source)[y : y + height, x : x + width].copy()

        return self.cache.get(("colours", self.sequence.name, source), make, lambda image: image.nbytes)

    def _source(self, index: int) -> int:
        return there_and_back(index, self.sequence.num_frames)


def cut_mask(mask: NDArray[np.bool_]) -> Silhouette:
    """The silhouette of an (H, W) mask."""
    left, top, right, bottom = box = tight_box(mask)
    if right == left:
        return Silhouette(np.zeros((0, 0), np.uint8), (0, 0), box)
    x, y = max(left - _MARGIN, 0), max(top - _MARGIN, 0)
    cut = mask[y : bottom + _MARGIN, x : right + _MARGIN]
    return Silhouette(cut.astype(np.uint8) * 255, (x, y), box)


@dataclass(frozen=True, eq=False)
class Patch:
    """What a layer covers of a picture: a rectangle of coverage, and the way there from the sprite's cut."""

    place: tuple[slice, slice]
    """Rows and columns of the picture."""
    coverage: NDArray[np.float32]
    """(h, w) in [0, 1]."""
    matrix: NDArray[np.float64]
    """(2, 3) affine, pixels of the cut -> pixels of the rectangle."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A sprite and its way through a clip."""

    object_id: int
    """Its number in the truth; 0 for what only hides others."""
    sprite: Sprite
    matrices: NDArray[np.float64]
    """(T, 2, 3) affine, pixels of the sprite's picture -> pixels of the composite."""
    at_home: bool = False
    """Whether it lies in its own picture, where its mask is exact and needs no pulling inwards."""

    def patch(self, index: int, size_hw: tuple[int, int]) -> Patch | None:
        """Where it is in frame ``index``; None where it does not show."""
        cut, matrix = self.sprite.silhouette(index), self.matrices[index]
        if not cut.mask.size:
            return None
        matrix = np.column_stack([matrix[:, :2], matrix[:, :2] @ cut.corner_xy + matrix[:, 2]])
        x0, y0, x1, y1 = _covered(matrix, cut.mask.shape, size_hw)
        if x1 <= x0 or y1 <= y0:
            return None
        place = slice(y0, y1), slice(x0, x1)
        matrix[:, 2] -= x0, y0
        if self.at_home:
            return Patch(place, _warped(cut.mask, matrix, (y1 - y0, x1 - x0)), matrix)
        # The rim at the picture's border needs to know what lies beyond it.
        beyond = matrix + np.array([[0, 0, _RIM], [0, 0, _RIM]])
        coverage = feathered(_warped(cut.mask, beyond, (y1 - y0 + 2 * _RIM, x1 - x0 + 2 * _RIM)))
        return Patch(place, np.ascontiguousarray(coverage[_RIM:-_RIM, _RIM:-_RIM]), matrix)

    def boxes(self, num_frames: int) -> NDArray[np.float64]:
        """(T, 4) xyxy boxes in the composite, of the turned source box; zeros where the sprite does not show."""
        boxes = np.zeros((num_frames, 4))
        for index in range(num_frames):
            x0, y0, x1, y1 = self.sprite.silhouette(index).box_xyxy
            if x1 > x0:
                corners = np.array([(x0, y0), (x1, y0), (x0, y1), (x1, y1)]) @ self.matrices[index, :, :2].T
                corners += self.matrices[index, :, 2]
                boxes[index] = *corners.min(axis=0), *corners.max(axis=0)
        return boxes


def _warped(mask: NDArray[np.uint8], matrix: NDArray[np.float64], size_hw: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(cv2.warpAffine(mask, matrix, size_hw[::-1]), np.float32) / np.float32(255)


def _covered(
    matrix: NDArray[np.float64], shape: tuple[int, ...], size_hw: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The rectangle of the picture (xyxy) that a cut of ``shape`` and its soft rim can cover."""
    height, width = shape
    corners = np.array([(0, 0), (width, 0), (0, height), (width, height)]) @ matrix[:, :2].T + matrix[:, 2]
    low, high = np.floor(corners.min(axis=0)) - _RIM, np.ceil(corners.max(axis=0)) + _RIM
    x0, y0 = (int(max(side, 0)) for side in low)
    return x0, y0, int(min(high[0], size_hw[1])), int(min(high[1], size_hw[0]))


@dataclass(frozen=True, eq=False)
class Stage:
    """A ground and the layers over it, back to front. Calling it composes a frame."""

    ground: Footage
    layers: tuple[Layer, ...]
    size_hw: tuple[int, int]

    def __call__(self, index: int) -> ImageAndIds:
        """(H, W, 3) uint8 RGB and (H, W) uint8 ids of frame ``index``."""
        base = fitted(self.ground.picture(index), self.size_hw, cv2.INTER_AREA)
        image, ids = base.copy(), np.zeros(self.size_hw, np.uint8)
        for layer in self.layers:
            patch = layer.patch(index, self.size_hw)
            if patch is not None:
                self._blend(image, base, layer, patch, index)
                ids[patch.place][patch.coverage > 0.5] = layer.object_id
        return image, ids

    def ids(self, index: int) -> NDArray[np.uint8]:
        """(H, W) uint8 ids of frame ``index``, without decoding a picture."""
        ids = np.zeros(self.size_hw, np.uint8)
        for layer in self.layers:
            patch = layer.patch(index, self.size_hw)
            if patch is not None:
                ids[patch.place][patch.coverage > 0.5] = layer.object_id
        return ids

    def _blend(self, image: NDArray[np.uint8], base: NDArray[np.uint8], layer: Layer, patch: Patch, index: int) -> None:
        below, coverage = image[patch.place], patch.coverage
        if layer.at_home:
            coverage = feathered(coverage)
            colour: NDArray[Any] = base[patch.place]
        else:
            size = coverage.shape[::-1]
            colour = cv2.warpAffine(layer.sprite.colours(index), patch.matrix, size, borderMode=cv2.BORDER_REPLICATE)
        below[:] = cv2.blendLinear(colour, below, coverage, 1 - coverage)
