"""Objects of photographs as sprites: rigid, with a class, decoded when they are needed."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.datasets.scene.sprite import BoundedCache, Silhouette, cut_mask
from shibori.errors import InputError

_HELD_OUT = 10
_LEAST_SIDE = 60
_LEAST_SHARE = 0.03
_EDGE = 2


@dataclass(frozen=True)
class ClassedObject:
    """An object of a photograph."""

    image_path: Path
    mask_path: Path
    object_id: int
    """Its number in the mask."""
    kind: str
    """Its class, as ``classes.json`` names it."""

    @property
    def name(self) -> str:
        """Unique in its set."""
        return f"{self.image_path.stem}.{self.object_id}"

    @property
    def is_held_out(self) -> bool:
        """Whether its photograph is among the tenth that is for measuring, not for training."""
        return zlib.crc32(self.image_path.stem.encode()) % _HELD_OUT == 0


def read_classed_objects(folder: str | Path) -> list[ClassedObject]:
    """The objects of a set ``{images,masks,classes.json}`` by name. No picture is opened.

    Raises:
        InputError: the folder lacks one of the three, or ``classes.json`` names what is not there.
    """
    folder = Path(folder)
    listing = folder / "classes.json"
    if not listing.is_file():
        raise InputError(f"{folder} has no classes.json: expected a set of photographs with images, masks and classes")
    images = {path.stem: path for path in (folder / "images").glob("*")}
    found = []
    for stem, kinds in sorted(json.loads(listing.read_text()).items()):
        mask_path = folder / "masks" / f"{stem}.png"
        if stem not in images or not mask_path.is_file():
            raise InputError(f"{listing} names {stem}, of which {folder} has no picture and mask")
        found += [ClassedObject(images[stem], mask_path, int(number), kind) for number, kind in kinds.items()]
    return found


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
        height, width = _read(self.source.mask_path).shape
        x0, y0, x1, y1 = cut.box_xyxy
        inside = min(x0, y0) >= _EDGE and x1 <= width - _EDGE and y1 <= height - _EDGE
        area = int(np.count_nonzero(cut.mask))
        if not inside or min(x1 - x0, y1 - y0) < _LEAST_SIDE or area < _LEAST_SHARE * height * width:
            return False
        largest = cv2.connectedComponentsWithStats(cut.mask, connectivity=8)[2][1:, cv2.CC_STAT_AREA].max()
        return bool(largest > 0.95 * area)

    def _cut(self) -> Silhouette:
        return cut_mask(_read(self.source.mask_path) == self.source.object_id)

    def _colours(self) -> NDArray[np.uint8]:
        cut = self.silhouette(0)
        (x, y), (height, width) = cut.corner_xy, cut.mask.shape
        image = cv2.imread(str(self.source.image_path), cv2.IMREAD_COLOR)
        if image is None:
            raise InputError(f"{self.source.image_path} is not a picture that can be read")
        return np.ascontiguousarray(image[y : y + height, x : x + width, ::-1], np.uint8)


def _read(path: Path) -> NDArray[np.uint8]:
    ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if ids is None or ids.ndim != 2:
        raise InputError(f"{path} is no mask of one channel")
    return np.asarray(ids, np.uint8)
