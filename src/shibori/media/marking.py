"""What a person says on a command line: ``30:fix.png``, ``30:120,80``, ``1.2s:10,20,90,140:2``, ``50-80:2``, files."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np

from shibori.errors import InputError
from shibori.media.clip import Clip
from shibori.media.instance_reference import read_instance_references
from shibori.media.marks import marks_from_scribbles
from shibori.media.reference import frame_index, read_references
from shibori.media.rounds import (
    Absence,
    Mark,
    Round,
    Rounds,
    check_rounds,
    marks_of,
    rounds_from_maps,
    rounds_from_marks,
)
from shibori.media.scribble import read_scribbles

MAX_OBJECT_ID = 65535
_MARK = re.compile(r"(?P<when>[^:]+):(?P<numbers>[^:]+)(:(?P<id>[^:]+))?")
_ABSENCE = re.compile(r"(?P<first>[^:-]+)(?P<dash>-(?P<last>[^:-]*))?(:(?P<id>[^:]+))?")


def read_rounds(
    clip: Clip,
    said: Iterable[tuple[str, str | Path]],
    start: int = 0,
    stop: int | None = None,
    keep: str | None = None,
) -> Rounds:
    """All that was said, in the order in which it was said.

    Args:
        clip: that it is about.
        said: what kind of thing each is, and its text. ``mask``: a file or folder, see ``read_references``; ``found``:
            a file of instances, see ``read_instance_references``; ``scribbles``: a DAVIS scribble file with as many
            frames as the clip; ``click``: ``WHEN:X,Y`` or ``WHEN:X,Y:ID``, pixels from the upper left, ID 0 for
            background, 1 if it is left out; ``box``: ``WHEN:X0,Y0,X1,Y1`` or with ``:ID``, pixel corners, half-open;
            ``absent``: ``WHEN``, ``WHEN-WHEN`` or ``WHEN-`` (to the end), or with ``:ID``.
        start: the frame of a mask file given without a frame, and the first that an instance may be started from.
        stop: one past the last of these; None: the clip's end.
        keep: numbers of the instances to start from; None: all.

    Raises:
        InputError: one cannot be read, is on no frame of the clip or outside the frame, or has an id that no object
            has; nothing shows an object, or later marks cover all that is said of one.
    """
    readers: dict[str, Callable[[Clip, str], Rounds]] = {
        "mask": partial(_masks, start=start),
        "found": partial(_instances, start=start, stop=stop, keep=keep),
        "scribbles": _scribbles,
        "box": _box,
        "click": _click,
        "absent": _absence,
    }
    rounds: Rounds = ()
    for kind, text in said:
        rounds += readers[kind](clip, str(text))
    check_rounds(rounds, clip.num_frames, clip.size_hw)
    _require_marks_left(rounds, clip.size_hw)
    return rounds


def _require_marks_left(rounds: Rounds, size_hw: tuple[int, int]) -> None:
    """InputError where later marks cover all there is of an object that nothing but strokes and clicks show."""
    drawn = marks_of(tuple(each for each in rounds if isinstance(each.what, Mark)))
    left = {each.object_id for each in rounds if not isinstance(each.what, Mark) or each.what.box is not None}
    for index in drawn.strokes:
        left |= set(np.unique(drawn.rasterise(index, size_hw)).tolist())
    for object_id in drawn.object_ids:
        if object_id not in left:
            raise InputError(
                f"later marks cover every mark on object {object_id}: where two cover one pixel the later one counts, "
                "so mark it where nothing else is marked"
            )


def _masks(clip: Clip, text: str, start: int) -> Rounds:
    return rounds_from_maps(read_references(clip, [text], start))


def _instances(clip: Clip, text: str, start: int, stop: int | None, keep: str | None) -> Rounds:
    return rounds_from_maps(read_instance_references(clip, text, keep, start, stop))


def _scribbles(clip: Clip, text: str) -> Rounds:
    drawn = marks_from_scribbles(read_scribbles(text, clip.num_frames))
    if not drawn.frames:
        raise InputError(f"{text} holds no stroke: draw on an object first")
    return rounds_from_marks(drawn)


def _click(clip: Clip, text: str) -> Rounds:
    index, (x, y), object_id = _parsed(clip, text, 2, "a click such as 30:120,80 or 1.2s:120,80:2")
    height, width = clip.size_hw
    if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
        raise InputError(
            f"the click {text!r} is outside the frame: columns go from 0 to {width - 1}, rows from 0 to {height - 1}"
        )
    return (Round(index, object_id, Mark((((x / max(width - 1, 1), y / max(height - 1, 1)),),))),)


def _box(clip: Clip, text: str) -> Rounds:
    index, (x0, y0, x1, y1), object_id = _parsed(clip, text, 4, "a box such as 30:10,20,90,140 or 30:10,20,90,140:2")
    height, width = clip.size_hw
    if object_id == 0:
        raise InputError(f"the box {text!r} is drawn around object 0, the background: give an id of 1 or more")
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise InputError(
            f"the box {text!r} is no rectangle in the frame: expected 0 <= x0 < x1 <= {width} and "
            f"0 <= y0 < y1 <= {height}"
        )
    return (Round(index, object_id, Mark(box=(x0 / width, y0 / height, x1 / width, y1 / height))),)


def _absence(clip: Clip, text: str) -> Rounds:
    found = _ABSENCE.fullmatch(text.strip())
    if found is None:
        raise InputError(f"expected frames without an object such as 50:2, 50-80:2 or 50-:2, found {text!r}")
    object_id = _object_id(found["id"], text)
    if object_id == 0:
        raise InputError(f"{text!r} says that object 0, the background, is absent: give an id of 1 or more")
    first = last = frame_index(clip, found["first"])
    if found["dash"]:
        last = frame_index(clip, found["last"]) if found["last"] else clip.num_frames - 1
    if last < first:
        raise InputError(f"{text!r} ends before it begins: give the earlier frame first")
    return (Round(first, object_id, Absence(last)),)


def _parsed(clip: Clip, text: str, count: int, expected: str) -> tuple[int, list[float], int]:
    """Frame, numbers and object id of one mark."""
    found = _MARK.fullmatch(text.strip())
    numbers = _numbers(found["numbers"]) if found else []
    if found is None or len(numbers) != count:
        raise InputError(f"expected {expected} (frame, pixels, object), found {text!r}")
    return frame_index(clip, found["when"]), numbers, _object_id(found["id"], text)


def _object_id(label: str | None, text: str) -> int:
    label = (label or "1").strip()
    if not label.isdecimal() or int(label) > MAX_OBJECT_ID:
        raise InputError(
            f"expected an object id from 0 (background) to {MAX_OBJECT_ID} at the end of {text!r}, found {label!r}"
        )
    return int(label)


def _numbers(text: str) -> list[float]:
    """Finite numbers between commas; none at all where one is no number."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return []
    return numbers if all(map(math.isfinite, numbers)) else []
