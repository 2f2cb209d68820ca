"""Marks as a person writes them on a command line: a scribble file, ``30:120,80``, ``1.2s:10,20,90,140:2``."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shibori.errors import InputError
from shibori.media.clip import Clip
from shibori.media.marks import BoxMark, Marks, click, join_marks, marks_from_scribbles
from shibori.media.reference import frame_index
from shibori.media.scribble import read_scribbles

MAX_OBJECT_ID = 65535
_MARK = re.compile(r"(?P<when>[^:]+):(?P<numbers>[^:]+)(:(?P<id>[^:]+))?")


def read_marks(
    clip: Clip, scribbles: Sequence[str | Path] = (), clicks: Sequence[str] = (), boxes: Sequence[str] = ()
) -> Marks:
    """Marks on a clip, drawn in this order: scribble files, boxes, clicks; each sort as given. The later one wins.

    Args:
        clip: that they are drawn on.
        scribbles: DAVIS scribble files, with as many frames as the clip.
        clicks: ``WHEN:X,Y`` or ``WHEN:X,Y:ID``; pixels from the upper left, ID 0 for background, 1 if it is left out.
        boxes: ``WHEN:X0,Y0,X1,Y1`` or with ``:ID``; pixel corners, half-open.

    Raises:
        InputError: one cannot be read, is on no frame of the clip or outside the frame, or has an id that no object
            has; there is no mark on an object, or later marks cover all marks on one.
    """
    marks = Marks()
    for path in scribbles:
        drawn = marks_from_scribbles(read_scribbles(path, clip.num_frames))
        if not drawn.frames:
            raise InputError(f"{path} holds no stroke: draw on an object first")
        marks = join_marks(marks, drawn)
    for text in boxes:
        marks = join_marks(marks, _box(clip, text))
    for text in clicks:
        marks = join_marks(marks, _click(clip, text))
    require_marks_left(marks, clip.size_hw)
    return marks


def require_marks_left(marks: Marks, size_hw: tuple[int, int]) -> None:
    """InputError where there is no mark on an object, or where every mark on one is covered by later ones."""
    if not marks.object_ids:
        raise InputError(
            "expected a mark on each object to segment, found marks on the background alone: mark an object as well"
        )
    left = {box.object_id for boxes in marks.boxes.values() for box in boxes}
    for index in marks.strokes:
        left |= set(np.unique(marks.rasterise(index, size_hw)).tolist())
    for object_id in marks.object_ids:
        if object_id not in left:
            raise InputError(
                f"later marks cover every mark on object {object_id}: where two cover one pixel the later one counts, "
                "so mark it where nothing else is marked"
            )


def _click(clip: Clip, text: str) -> Marks:
    index, (x, y), object_id = _parsed(clip, text, 2, "a click such as 30:120,80 or 1.2s:120,80:2")
    height, width = clip.size_hw
    if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
        raise InputError(
            f"the click {text!r} is outside the frame: columns go from 0 to {width - 1}, rows from 0 to {height - 1}"
        )
    return Marks({index: (click(object_id, x / max(width - 1, 1), y / max(height - 1, 1)),)})


def _box(clip: Clip, text: str) -> Marks:
    index, (x0, y0, x1, y1), object_id = _parsed(clip, text, 4, "a box such as 30:10,20,90,140 or 30:10,20,90,140:2")
    height, width = clip.size_hw
    if object_id == 0:
        raise InputError(f"the box {text!r} is drawn around object 0, the background: give an id of 1 or more")
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise InputError(
            f"the box {text!r} is no rectangle in the frame: expected 0 <= x0 < x1 <= {width} and "
            f"0 <= y0 < y1 <= {height}"
        )
    return Marks(boxes={index: (BoxMark(object_id, (x0 / width, y0 / height, x1 / width, y1 / height)),)})


def _parsed(clip: Clip, text: str, count: int, expected: str) -> tuple[int, list[float], int]:
    """Frame, numbers and object id of one mark."""
    found = _MARK.fullmatch(text.strip())
    numbers = _numbers(found["numbers"]) if found else []
    if found is None or len(numbers) != count:
        raise InputError(f"expected {expected} (frame, pixels, object), found {text!r}")
    label = (found["id"] or "1").strip()
    if not label.isdecimal() or int(label) > MAX_OBJECT_ID:
        raise InputError(
            f"expected an object id from 0 (background) to {MAX_OBJECT_ID} at the end of {text!r}, found {label!r}"
        )
    return frame_index(clip, found["when"]), numbers, int(label)


def _numbers(text: str) -> list[float]:
    """Finite numbers between commas; none at all where one is no number."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return []
    return numbers if all(map(math.isfinite, numbers)) else []
