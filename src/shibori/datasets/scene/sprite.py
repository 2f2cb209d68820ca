"""Objects that can be laid into a picture, frame by frame: of annotated clips, of photographs, cut out beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.datasets.classed_stills import ClassedObject
from shibori.datasets.davis import DavisSequence
from shibori.datasets.scene.cache import BoundedCache
from shibori.datasets.scene.motion import there_and_back
from shibori.media.box import boxes_from_masks
from shibori.media.mask import VOID

_MARGIN = 3  # source pixels kept around an object, for its soft edge
_EDGE, _LEAST_SIDE, _LEAST_SHARE = 2, 60, 0.03  # of an object that is cut out of a photograph


@dataclass(frozen=True, eq=False)
class Silhouette:
    """An object's mask, cut to its box and a margin."""

    mask: NDArray[np.uint8]
    """(h, w) coverage, 0 to 255; no pixel where the object does not show."""
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
        """Its mask in frame ``index`` of the clip."""

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
        """(H, W, 3) uint8 RGB of frame ``index`` of the clip."""
        source = self._source(index)
        key = ("picture", self.sequence.name, source)
        return self.cache.get(key, lambda: self.sequence.read_image(source), lambda image: image.nbytes)

    def mask(self, index: int) -> NDArray[np.uint8]:
        """(H, W) 0/1, the object in frame ``index`` of the clip."""
        cut, mask = self.silhouette(index), np.zeros(self.picture(index).shape[:2], np.uint8)
        (height, width), (x, y) = cut.mask.shape, cut.corner_xy
        mask[y : y + height, x : x + width] = cut.mask > 0
        return mask

    def silhouette(self, index: int) -> Silhouette:
        """The object's mask in frame ``index`` of the clip."""
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


@dataclass(frozen=True)
class StillSprite:
    """An object of a photograph, the same in every frame."""

    source: ClassedObject
    cache: BoundedCache

    is_rigid = True

    @property
    def name(self) -> str:
        """Its photograph and number."""
        return self.source.name

    def silhouette(self, index: int) -> Silhouette:
        """Its mask; ``index`` does not matter."""
        return self.cache.get(("still", self.name), self._cut, lambda cut: cut.mask.nbytes)

    def colours(self, index: int) -> NDArray[np.uint8]:
        """(h, w, 3) uint8 RGB of the silhouette's cut."""
        return self.cache.get(("still colours", self.name), self._colours, lambda image: image.nbytes)

    def is_whole(self) -> bool:
        """Whether it is large enough, in one piece, and not cut off by its picture's edge."""
        cut = self.silhouette(0)
        height, width = self.source.still.read_ids().shape
        x0, y0, x1, y1 = cut.box_xyxy
        inside = min(x0, y0) >= _EDGE and x1 <= width - _EDGE and y1 <= height - _EDGE
        area = int(np.count_nonzero(cut.mask))
        if not inside or min(x1 - x0, y1 - y0) < _LEAST_SIDE or area < _LEAST_SHARE * height * width:
            return False
        largest = cv2.connectedComponentsWithStats(cut.mask, connectivity=8)[2][1:, cv2.CC_STAT_AREA].max()
        return bool(largest > 0.95 * area)

    def _cut(self) -> Silhouette:
        return cut_mask(self.source.still.read_ids() == self.source.object_id)

    def _colours(self) -> NDArray[np.uint8]:
        cut = self.silhouette(0)
        (x, y), (height, width) = cut.corner_xy, cut.mask.shape
        return self.source.still.read_image()[y : y + height, x : x + width].copy()


@dataclass(frozen=True, eq=False)
class CutOut:
    """A picture with its coverage, the same in every frame."""

    name: str
    rgba: NDArray[np.uint8]
    """(h, w, 4) colours and coverage."""

    is_rigid = True

    def silhouette(self, index: int) -> Silhouette:
        """Its coverage; ``index`` does not matter."""
        height, width = self.rgba.shape[:2]
        return Silhouette(np.ascontiguousarray(self.rgba[..., 3]), (0, 0), (0, 0, width, height))

    def colours(self, index: int) -> NDArray[np.uint8]:
        """(h, w, 3) uint8 RGB."""
        return np.ascontiguousarray(self.rgba[..., :3])


def source_boxes(sprite: Sprite, num_frames: int) -> NDArray[np.float64]:
    """(T, 4) xyxy tight boxes in its own pictures, half-open; zeros where it does not show."""
    return np.array([sprite.silhouette(index).box_xyxy for index in range(num_frames)], np.float64)


def object_mask(sequence: DavisSequence, index: int) -> NDArray[np.bool_]:
    """(H, W) bool: all objects of the sequence as one, void left out."""
    ids = sequence.read_ids(index)
    return (ids > 0) & (ids < VOID)


def cut_mask(mask: NDArray[np.bool_]) -> Silhouette:
    """The silhouette of an (H, W) mask."""
    left, top, right, bottom = (int(side) for side in boxes_from_masks(mask[None])[0])
    box = left, top, right, bottom
    if right == left:
        return Silhouette(np.zeros((0, 0), np.uint8), (0, 0), box)
    x, y = max(left - _MARGIN, 0), max(top - _MARGIN, 0)
    cut = mask[y : bottom + _MARGIN, x : right + _MARGIN]
    return Silhouette(cut.astype(np.uint8) * 255, (x, y), box)
