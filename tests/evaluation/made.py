"""Small annotated sequences, folders of masks, and a system that needs no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shibori.interfaces import Propagation, Propagator
from shibori.media.mask import FrameMasks, ObjectStatus, masks_to_ids
from shibori.media.palette import write_palette_png

SIZE_HW = (48, 80)
COLOURS = np.array([[30, 30, 30], [250, 10, 10], [10, 250, 10], [10, 10, 250]], np.uint8)


@dataclass(frozen=True)
class ArraySequence:
    """A sequence in memory whose pictures show each object in a colour of its own."""

    name: str
    ids: tuple[np.ndarray, ...]

    @property
    def num_frames(self) -> int:
        return len(self.ids)

    def frame_name(self, index: int) -> str:
        return f"{index:05d}"

    def read_image(self, index: int) -> np.ndarray:
        return COLOURS[self.ids[index] % 255]

    def has_ids(self, index: int) -> bool:
        return True

    def read_ids(self, index: int, *, keep_void: bool = False) -> np.ndarray:
        ids = self.ids[index]
        return ids if keep_void else np.where(ids == 255, np.uint8(0), ids)


def moving_boxes(name: str = "boxes", num_frames: int = 8, late: bool = False) -> ArraySequence:
    """Object 1 walks right, object 2 down; object 3 appears in frame 3 if ``late``."""
    frames = []
    for index in range(num_frames):
        ids = np.zeros(SIZE_HW, np.uint8)
        ids[8:20, 4 + 3 * index : 18 + 3 * index] = 1
        ids[22 + index : 34 + index, 40:60] = 2
        if late and index >= 3:
            ids[2:7, 60:75] = 3
        frames.append(ids)
    return ArraySequence(name, tuple(frames))


@dataclass(frozen=True)
class ColourPropagator(Propagator):
    """Takes an object to be wherever its colour in its reference is; ``spoil`` may damage each answer."""

    spoil: Callable[[int, np.ndarray], np.ndarray] = lambda index, ids: ids

    def begin(self, size_hw: tuple[int, int]) -> Propagation:
        return _ColourPropagation(size_hw, self.spoil)


class _ColourPropagation(Propagation):
    def __init__(self, size_hw: tuple[int, int], spoil: Callable[[int, np.ndarray], np.ndarray]) -> None:
        self.size_hw, self.spoil = size_hw, spoil
        self.colours: dict[int, np.ndarray] = {}
        self.index = -1

    def step(self, image: np.ndarray, references: Mapping[int, np.ndarray] | None = None) -> FrameMasks:
        self.index += 1
        assert image.shape[:2] == self.size_hw
        for object_id, mask in (references or {}).items():
            self.colours[object_id] = np.median(image[mask], axis=0)
        masks = {object_id: (image == colour).all(axis=-1) for object_id, colour in self.colours.items()}
        ids = self.spoil(self.index, masks_to_ids(masks, self.size_hw))
        return FrameMasks(self.index, ids, tuple(ObjectStatus(object_id, 1.0, "tracked") for object_id in masks))


def write_masks(folder: Path, frames: list[np.ndarray] | tuple[np.ndarray, ...]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, ids in enumerate(frames):
        write_palette_png(folder / f"{index:05d}.png", ids)
    return folder
