"""The clips of the golden masks, drawn here from nothing, as folders of PNGs, with what a person marks on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.media.palette import write_palette_png
from shibori.media.scribble import Scribbles, Stroke, scribbles_to_json

SIZE_HW = (120, 200)
EGG, BALL, BOX = 1, 2, 3
PILLAR = slice(72, 128)
"""The columns it covers."""
Place = tuple[float, float]
"""(x, y) in pixels."""


def crossing_scene(frame: int) -> dict[int, Place]:
    """The ball passes behind the egg from right to left; the box comes into the picture from below, at frame 3."""
    return {BALL: (150 - 9 * frame, 58), EGG: (60 + 5 * frame, 64), BOX: (158, 136 - 9 * min(frame, 5))}


def returning_scene(frame: int) -> dict[int, Place]:
    """The ball goes behind the pillar, is hidden for three frames, and comes out on the other side."""
    return {BALL: (34 + 9 * frame, 42), EGG: (164 - 2 * frame, 94 - frame)}


def draw(places: Mapping[int, Place], has_pillar: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(H, W, 3) uint8 RGB and (H, W) uint8 ids of a scene; later objects hide earlier ones, the pillar all."""
    image, ids = _texture(0, SIZE_HW, (96, 122, 78), 26, 3), np.zeros(SIZE_HW, np.uint8)
    for object_id, place in places.items():
        inside = _shape(object_id, place)
        image = np.where(inside[..., None], _moved(_skin(object_id), place), image)
        ids[inside] = object_id
    if has_pillar:
        image[:, PILLAR] = _texture(9, SIZE_HW, (128, 118, 110), 16, 1)[:, PILLAR]
        ids[:, PILLAR] = 0
    soft = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 0.7)
    return soft.round().astype(np.uint8), ids


def _shape(object_id: int, place: Place) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    x, y = columns - place[0], rows - place[1]
    if object_id == BOX:
        return (np.abs(x) < 17) & (np.abs(y) < 15)
    wide, high = (26, 18) if object_id == EGG else (16, 16)
    return (x / wide) ** 2 + (y / high) ** 2 < 1


def _skin(object_id: int) -> NDArray[np.uint8]:
    """What an object's surface looks like, its centre in the middle of (64, 64) pixels."""
    colours = {EGG: (214, 170, 60), BALL: (52, 84, 190), BOX: (176, 44, 60)}
    skin = _texture(object_id, (64, 64), colours[object_id], 30, 4)
    mark = {EGG: (122, 62, 20), BALL: (226, 226, 214), BOX: (30, 24, 40)}[object_id]
    cv2.line(skin, (18, 26), (46, 38), mark, 5)
    cv2.circle(skin, (38, 24), 4, mark, -1)
    return skin


def _moved(skin: NDArray[np.uint8], place: Place) -> NDArray[np.uint8]:
    move = np.array([[1, 0, place[0] - 32], [0, 1, place[1] - 32]], np.float32)
    moved: NDArray[np.uint8] = cv2.warpAffine(skin, move, SIZE_HW[::-1], flags=cv2.INTER_NEAREST)
    return moved


def _texture(
    seed: int, size_hw: tuple[int, int], colour: tuple[int, int, int], contrast: float, grain: float
) -> NDArray[np.uint8]:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal(size_hw).astype(np.float32), (0, 0), grain)
    bright = noise[..., None] / noise.std() * contrast
    textured: NDArray[np.uint8] = (np.array(colour) + bright).clip(0, 255).astype(np.uint8)
    return textured


class MadeClip:
    """A drawn clip in a folder, its frames in ``clip/``; marks are written beside it.

    Args:
        folder: where it is written.
        scene: where the objects are in each frame.
        num_frames: of the clip.
        has_pillar: whether something stands in front of everything.
    """

    def __init__(
        self, folder: Path, scene: Callable[[int], dict[int, Place]], num_frames: int, has_pillar: bool = False
    ) -> None:
        self.folder, self.num_frames = folder, num_frames
        self.truth: list[NDArray[np.uint8]] = []
        (folder / "clip").mkdir()
        for index in range(num_frames):
            image, ids = draw(scene(index), has_pillar)
            self.truth.append(ids)
            cv2.imwrite(str(folder / "clip" / f"{index:05d}.png"), np.ascontiguousarray(image[..., ::-1]))

    def write_mask(self, name: str, index: int, *object_ids: int) -> None:
        """A palette PNG of some objects' true masks in a frame."""
        self._write(name, np.where(np.isin(self.truth[index], object_ids), self.truth[index], 0))

    def write_half_mask(self, name: str, index: int, object_id: int) -> None:
        """The left half of an object: what a careless person would draw."""
        ids = np.where(self.truth[index] == object_id, object_id, 0)
        ids[:, np.flatnonzero(ids.any(axis=0)).mean().astype(int) :] = 0
        self._write(name, ids)

    def write_scribbles(self, name: str, strokes: Mapping[int, Sequence[tuple[int, Sequence[Place]]]]) -> None:
        """A DAVIS scribble file; ``strokes`` are, for a frame's index, object ids and paths of (x, y) pixels."""
        drawn = [
            tuple(Stroke(object_id, tuple(map(_share, path))) for object_id, path in strokes.get(index, ()))
            for index in range(self.num_frames)
        ]
        (self.folder / name).write_text(json.dumps(scribbles_to_json(Scribbles("clip", tuple(drawn)))))

    def _write(self, name: str, ids: NDArray[np.integer]) -> None:
        write_palette_png(self.folder / name, ids.astype(np.uint8))


def _share(place: Place) -> tuple[float, float]:
    return place[0] / (SIZE_HW[1] - 1), place[1] / (SIZE_HW[0] - 1)
