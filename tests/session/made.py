"""A small clip, a project of it, and a segmenter that paints boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shibori.media.clip import Clip
from shibori.media.picture import encode_png
from shibori.media.reader import read_clip
from shibori.media.rounds import Absence, Mark, Round, Rounds
from shibori.session.store import ProjectStore

from ..painted import Painted

NUM_FRAMES, SIZE_HW = 12, (24, 32)


def make_clip(folder: Path, num_frames: int = NUM_FRAMES) -> Clip:
    """A folder of pictures, as a clip."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(num_frames):
        image = np.full((*SIZE_HW, 3), 10 * index % 250, np.uint8)
        (folder / f"{index:05d}.png").write_bytes(encode_png(image))
    return read_clip(folder)


def make_store(folder: Path, num_frames: int = NUM_FRAMES) -> ProjectStore:
    """A new project of a new clip."""
    return ProjectStore.create(folder / "project", make_clip(folder / "clip", num_frames))


def click(frame: int, object_id: int = 1, x: float = 0.5, y: float = 0.5, is_object: bool = True) -> Round:
    """One click."""
    return Round(frame, object_id, Mark((((x, y),),), is_object=is_object))


class Boxes(Painted):
    """Each object is a box around the nearest click on it, and nothing where it is said to be absent."""

    confidence = 0.9

    def mask(self, rounds: Rounds, frame: int) -> np.ndarray:
        mask = np.zeros(self.clip.size_hw, np.bool_)
        if not any(frame in each.frames and isinstance(each.what, Absence) for each in rounds):
            mask[_box(rounds, frame, self.clip.size_hw)] = True
        return mask


def _box(rounds: Rounds, frame: int, size_hw: tuple[int, int]) -> tuple[slice, slice]:
    own = [each for each in rounds if each.begins and isinstance(each.what, Mark)]
    nearest = min(own, key=lambda each: abs(each.frame - frame)).what
    x, y = nearest.lines[0][0] if nearest.lines else nearest.box[:2]
    row, column = int(y * (size_hw[0] - 1)), int(x * (size_hw[1] - 1))
    return slice(max(0, row - 4), row + 4), slice(max(0, column - 5), column + 5)
