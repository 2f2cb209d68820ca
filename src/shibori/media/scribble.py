"""DAVIS interactive scribbles: strokes of object ids on frames, as JSON and as pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.atomic import write_whole

REFERENCE_LINES = 480
"""Height of a frame in which thicknesses of lines are given."""


@dataclass(frozen=True)
class Stroke:
    """One line drawn on one frame."""

    object_id: int
    """0 is background."""
    path: tuple[tuple[float, float], ...]
    """Points (x, y) in [0, 1]: pixel column is x * (W - 1), row y * (H - 1)."""
    start_time: int = 0
    """Milliseconds, as the DAVIS tool counts them."""
    end_time: int = 0

    def __post_init__(self) -> None:
        if not self.path:
            raise ValueError("a stroke has at least one point")
        if self.object_id < 0:
            raise ValueError(f"an object id is 0 (background) or more, got {self.object_id}")
        if not all(0 <= x <= 1 and 0 <= y <= 1 for x, y in self.path):
            raise ValueError("the points of a stroke lie in 0..1 of the frame's width and height")


@dataclass(frozen=True)
class Scribbles:
    """All strokes of a clip."""

    sequence: str
    strokes: tuple[tuple[Stroke, ...], ...]
    """One tuple for each frame of the clip, empty where nothing was drawn."""
    annotated_frame: int | None = None

    @property
    def num_frames(self) -> int:
        return len(self.strokes)

    @property
    def frames(self) -> tuple[int, ...]:
        """Indices of frames with strokes."""
        return tuple(index for index, strokes in enumerate(self.strokes) if strokes)

    def rasterise(self, frame_index: int, size_hw: tuple[int, int]) -> NDArray[np.int32]:
        """(H, W) int32: the object id of the last stroke over a pixel, -1 where there is none."""
        return rasterise(self.strokes[frame_index], size_hw)

    def __add__(self, later: Scribbles) -> Scribbles:
        """The strokes of both, the later ones drawn over the others. ValueError for those of another clip."""
        if (self.sequence, self.num_frames) != (later.sequence, later.num_frames):
            raise ValueError(f"scribbles of {self.sequence} and of {later.sequence} do not belong to one clip")
        strokes = tuple(first + second for first, second in zip(self.strokes, later.strokes, strict=True))
        return Scribbles(self.sequence, strokes, later.annotated_frame)


def rasterise(strokes: Sequence[Stroke], size_hw: tuple[int, int]) -> NDArray[np.int32]:
    """(H, W) int32: strokes drawn in order as one-pixel Bresenham lines of their object id, -1 elsewhere."""
    drawn = np.full(size_hw, -1, np.int32)
    scale = np.array([size_hw[1] - 1, size_hw[0] - 1])
    for stroke in strokes:
        points = np.rint(np.asarray(stroke.path) * scale).astype(np.int64)
        drawn[points[:, 1], points[:, 0]] = stroke.object_id
        for begin, end in pairwise(points):
            line = line_pixels(begin, end)
            drawn[line[:, 1], line[:, 0]] = stroke.object_id
    return drawn


def scaled_thickness(thickness: float, size_hw: tuple[int, int]) -> int:
    """Pixels of a line that is so thick in a frame of ``REFERENCE_LINES`` lines; at least one."""
    return max(round(thickness * min(size_hw) / REFERENCE_LINES), 1)


def drawn_labels(strokes: Sequence[Stroke], size_hw: tuple[int, int], thickness: int) -> NDArray[np.int32]:
    """(H, W) int32: the object id of the last stroke over a pixel, ``thickness`` pixels wide; -1 elsewhere."""
    labels = np.full(size_hw, -1, np.int32)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thickness, thickness))
    for stroke in strokes:
        line = (rasterise([stroke], size_hw) >= 0).astype(np.uint8)
        labels[cv2.dilate(line, kernel) > 0] = stroke.object_id
    return labels


def line_pixels(begin_xy: NDArray[np.int64], end_xy: NDArray[np.int64]) -> NDArray[np.int64]:
    """(L, 2) pixels (x, y) of the Bresenham line between two pixels, both included.

    Bresenham's error term written as a division: step k of n along the longer axis is at (2 k d + n) // (2 n) of the
    shorter one, so a pixel exactly between two lies on the far side, whichever way the line runs.
    """
    delta = end_xy - begin_xy
    steps = int(np.abs(delta).max())
    if steps == 0:
        return np.asarray(begin_xy)[None]
    along = np.arange(steps + 1)[:, None]
    return begin_xy + np.sign(delta) * ((2 * along * np.abs(delta) + steps) // (2 * steps))


def read_scribbles(path: str | Path, num_frames: int | None = None) -> Scribbles:
    """Read and check a DAVIS scribble file.

    Args:
        path: a JSON file.
        num_frames: frames of the clip it belongs to, if it must match one.

    Raises:
        InputError: missing, not such a file, or of another number of frames.
    """
    try:
        content = json.loads(Path(path).read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"there is no scribble file {path}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a JSON file of scribbles: {error}") from error
    try:
        scribbles = _scribbles_of(content)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path} does not hold DAVIS scribbles: {reason}") from error
    if num_frames is not None and scribbles.num_frames != num_frames:
        raise InputError(f"{path} is for {scribbles.num_frames} frames, but the clip has {num_frames}")
    return scribbles


def _scribbles_of(content: Mapping[str, Any]) -> Scribbles:
    strokes = tuple(tuple(_stroke_of(stroke) for stroke in frame) for frame in content["scribbles"])
    annotated = content.get("annotated_frame")
    if annotated is not None and not 0 <= int(annotated) < len(strokes):
        raise ValueError(f"annotated_frame is {annotated}, and there are {len(strokes)} frames")
    return Scribbles(str(content["sequence"]), strokes, None if annotated is None else int(annotated))


def _stroke_of(content: Mapping[str, Any]) -> Stroke:
    path = tuple((float(x), float(y)) for x, y in content["path"])
    return Stroke(int(content["object_id"]), path, int(content.get("start_time", 0)), int(content.get("end_time", 0)))


def write_scribbles(path: str | Path, scribbles: Scribbles) -> None:
    """Write the DAVIS JSON form, atomically. InputError where the disk refuses."""
    write_whole(Path(path), json.dumps(scribbles_to_json(scribbles)).encode())


def scribbles_to_json(scribbles: Scribbles) -> dict[str, Any]:
    """The DAVIS JSON form as plain values, which is what the official package hands to a model."""
    content: dict[str, Any] = {
        "scribbles": [[_stroke_content(stroke) for stroke in frame] for frame in scribbles.strokes],
        "sequence": scribbles.sequence,
    }
    if scribbles.annotated_frame is not None:
        content["annotated_frame"] = scribbles.annotated_frame
    return content


def _stroke_content(stroke: Stroke) -> dict[str, Any]:
    return {
        "path": [list(point) for point in stroke.path],
        "object_id": stroke.object_id,
        "start_time": stroke.start_time,
        "end_time": stroke.end_time,
    }
