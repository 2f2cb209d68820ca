"""Masks as annotation tools see them: objects with a name, in each frame a shape, a flag and a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.box import boxes_from_masks
from shibori.media.mask import FrameMasks, ObjectStatus, masks_to_ids
from shibori.media.mask_source import MaskSource
from shibori.media.rle import decode_rle, encode_rle, rle_area
from shibori.media.segmentation_code import Rle


@dataclass(frozen=True)
class Shape:
    """An object in one frame."""

    code: Rle
    """Compressed COCO run-length code, of the clip's size."""
    occluded: bool = False
    """Whether a part of the object is hidden."""

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W)."""
        return decode_rle(self.code)

    @property
    def box_xywh(self) -> list[int]:
        """Left, top, width, height; what COCO calls a bbox."""
        left, top, right, bottom = boxes_from_masks(self.mask[None])[0].tolist()
        return [left, top, right - left, bottom - top]


@dataclass(frozen=True)
class AnnotatedObject:
    """One object through a clip."""

    object_id: int
    name: str
    """Its label; several objects may have the same."""
    shapes: Mapping[int, Shape]
    """Frame index -> shape; it is outside of frames that are not there."""


@dataclass(frozen=True)
class Annotations:
    """All objects of a clip."""

    clip: str
    size_hw: tuple[int, int]
    frame_names: tuple[str, ...]
    """Of every frame's file, without suffix."""
    objects: tuple[AnnotatedObject, ...]
    frame_numbers: tuple[int, ...] = ()
    """Of the source, where they do not begin at 0."""

    @property
    def num_frames(self) -> int:
        """Of the clip."""
        return len(self.frame_names)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names that occur, in the order of the objects."""
        return tuple(dict.fromkeys(each.name for each in self.objects))

    def number(self, index: int) -> int:
        """Of a frame in the source."""
        return self.frame_numbers[index] if self.frame_numbers else index

    def in_frame(self, index: int) -> Iterator[tuple[AnnotatedObject, Shape]]:
        """The objects that show in a frame."""
        return ((each, each.shapes[index]) for each in self.objects if index in each.shapes)

    def ids(self, index: int) -> NDArray[Any]:
        """(H, W) ids of a frame; where two overlap, the later object shows."""
        return masks_to_ids({each.object_id: shape.mask for each, shape in self.in_frame(index)}, self.size_hw)


@dataclass
class AnnotationsBuilder:
    """Collects shapes one by one, in any order."""

    clip: str
    size_hw: tuple[int, int]
    frame_names: Sequence[str]
    frame_numbers: Sequence[int] = ()
    names: dict[int, str] = field(default_factory=dict)
    shapes: dict[int, dict[int, Shape]] = field(default_factory=dict)

    def add(self, object_id: int, name: str, index: int, code: Rle, occluded: bool = False) -> None:
        """One object in one frame; empty masks are left out."""
        self.names.setdefault(object_id, name)
        shapes = self.shapes.setdefault(object_id, {})
        if rle_area(code):
            shapes[index] = Shape(code, occluded)

    def add_mask(self, object_id: int, name: str, index: int, mask: NDArray[np.bool_], occluded: bool = False) -> None:
        """The same, from an (H, W) mask; parts of one object in one frame are joined."""
        earlier = self.shapes.get(object_id, {}).get(index)
        whole = mask if earlier is None else mask | earlier.mask
        self.add(object_id, name, index, encode_rle(whole), occluded)

    def built(self) -> Annotations:
        """All of them, objects by rising id."""
        objects = tuple(AnnotatedObject(i, self.names[i], self.shapes[i]) for i in sorted(self.names))
        return Annotations(self.clip, self.size_hw, tuple(self.frame_names), objects, tuple(self.frame_numbers))


class AnnotatedMasks(MaskSource):
    """Annotations as the masks of a clip."""

    def __init__(self, path: Path, annotations: Annotations) -> None:
        self.path, self.is_soft, self.annotations = path, False, annotations
        self.size_hw = annotations.size_hw
        self.object_ids = tuple(each.object_id for each in annotations.objects)
        self.names: Mapping[int, str] = {each.object_id: each.name for each in annotations.objects}

    @property
    def frames(self) -> list[int]:
        return list(range(self.annotations.num_frames))

    def masks(self, index: int) -> FrameMasks | None:
        if index >= self.annotations.num_frames:
            return None
        there = {each.object_id for each, _ in self.annotations.in_frame(index)}
        statuses = tuple(
            ObjectStatus(i, 1.0, "tracked") if i in there else ObjectStatus(i, 0.0, "absent") for i in self.object_ids
        )
        return FrameMasks(index, self.annotations.ids(index), statuses)


def check_ids(annotations: Annotations, largest: int, what: str) -> None:
    """InputError where an id is too large for a format. ``what`` names it in the sentence."""
    for each in annotations.objects:
        if each.object_id > largest:
            raise InputError(f"object id {each.object_id} does not fit {what}, which ends at {largest}")
