"""Photographs whose objects have classes as far as anybody says, read when they are needed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.datasets.classes import KIND_OF_SET, REGION_SETS
from shibori.errors import InputError

_HELD_OUT = 10
VOID = 255


@dataclass(frozen=True)
class ClassedStill:
    """A photograph, its mask, and what is known of its objects."""

    image_path: Path
    mask_path: Path
    kind: str | None = None
    """Of all its objects, where they are of one kind."""
    kinds: Mapping[int, str] = field(default_factory=dict)
    """Object id -> kind, where they differ."""

    @property
    def set_name(self) -> str:
        """The set it comes from."""
        return self.image_path.parent.parent.name

    @property
    def is_held_out(self) -> bool:
        """Whether it is among the tenth that is for measuring, not for training."""
        return zlib.crc32(self.image_path.stem.encode()) % _HELD_OUT == 0

    def kind_of(self, object_id: int) -> str | None:
        """What an object is, or None where nobody says."""
        return self.kind or self.kinds.get(object_id)

    def read_image(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB. InputError where the file is no picture."""
        image = cv2.imread(str(self.image_path), cv2.IMREAD_COLOR)
        if image is None:
            raise InputError(f"{self.image_path} is not a picture that can be read")
        return np.ascontiguousarray(image[..., ::-1], np.uint8)

    def read_ids(self) -> NDArray[np.uint8]:
        """(H, W) uint8 object ids, 0 background, 255 ignored. InputError where the file is no mask."""
        ids = cv2.imread(str(self.mask_path), cv2.IMREAD_UNCHANGED)
        if ids is None or ids.ndim != 2:
            raise InputError(f"{self.mask_path} is no mask of one channel")
        return np.asarray(ids, np.uint8)


def read_classed_stills(root: str | Path) -> list[ClassedStill]:
    """The photographs of all sets of objects under ``root``, by name. No picture is opened.

    Raises:
        InputError: there is none.
    """
    found = []
    for folder in sorted(path for path in Path(root).glob("*") if path.name not in REGION_SETS):
        masks = {path.stem: path for path in (folder / "masks").glob("*.png")}
        listing = folder / "classes.json"
        kinds = json.loads(listing.read_text()) if listing.is_file() else {}
        for image in sorted((folder / "images").glob("*")):
            if image.stem in masks:
                own = {int(number): kind for number, kind in kinds.get(image.stem, {}).items()}
                found.append(ClassedStill(image, masks[image.stem], KIND_OF_SET.get(folder.name), own))
    if not found:
        raise InputError(f"expected folders <set>/images and <set>/masks with the same stems under {root}, found none")
    return found


@dataclass(frozen=True)
class ClassedObject:
    """An object of a photograph, and what it is."""

    still: ClassedStill
    object_id: int
    """Its number in the mask."""
    kind: str
    """Its class, as ``classes.json`` names it."""

    @property
    def name(self) -> str:
        """Unique in its set."""
        return f"{self.still.image_path.stem}.{self.object_id}"

    @property
    def is_held_out(self) -> bool:
        """Whether its photograph is."""
        return self.still.is_held_out


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
        still = ClassedStill(images[stem], mask_path, None, {int(number): kind for number, kind in kinds.items()})
        found += [ClassedObject(still, object_id, kind) for object_id, kind in still.kinds.items()]
    return found
