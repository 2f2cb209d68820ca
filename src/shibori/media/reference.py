"""Which mask belongs to which frame: ``first.png``, ``30:fix.png``, ``1.2s:fix.png``, a folder named by frames ..."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.clip import Clip
from shibori.media.mask import check_size, object_ids, read_ids, require_objects
from shibori.media.mask_file import stated_kind
from shibori.media.mask_folder import mask_files
from shibori.media.mask_source import MaskSource
from shibori.media.picture import IMAGE_SUFFIXES
from shibori.media.result import read_result
from shibori.media.stated_masks import VIDEO_SUFFIXES, stated_masks

_MOST_PIXELS = 1 << 30
"""Of the masks that a run starts from, which are all held at once."""
_OTHER_SUFFIXES = {".xml", ".json", *VIDEO_SUFFIXES}
"""Of files that are no pictures."""

_WHEN = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<seconds>s?)")


def read_references(clip: Clip, marks: Sequence[str | Path], start: int = 0) -> dict[int, NDArray[Any]]:
    """Frame index -> (H, W) ids map, from mask files.

    Args:
        clip: whose frames the masks belong to.
        marks: each a mask file for frame ``start``; ``WHEN:FILE`` for another frame, where ``WHEN`` is a frame index
            (``30``) or seconds (``1.2s``); a folder whose files carry the names of their frames (``00030.png``); a file
            of annotations (CVAT, COCO ...); or ``KIND:`` before a picture, a folder or a video, also after ``WHEN:``,
            see ``stated_masks``. A video without a frame begins with the clip.
        start: the frame of a mask file given without a frame.

    Raises:
        InputError: a file is missing or is no mask, its frame is outside the clip, it has another size than the clip
            or shows no object, or two masks belong to one frame.
    """
    references: dict[int, NDArray[Any]] = {}
    for mark in marks:
        for index, path, ids in _masks(clip, str(mark), start):
            if index in references:
                raise InputError(f"{path} is a second mask for frame {index}: put all objects of a frame in one file")
            references[index] = ids
    return references


def frame_index(clip: Clip, when: str) -> int:
    """The frame that ``when`` means: ``30`` is an index, ``1.2s`` the frame that shows after 1.2 seconds.

    Raises:
        InputError: neither of the two, or no such frame in the clip.
    """
    found = _WHEN.fullmatch(when.strip())
    if not found or (not found["seconds"] and "." in found["number"]):
        raise InputError(f"expected a frame index such as 30 or seconds such as 1.2s, found {when!r}")
    if found["seconds"]:
        return _index_at(clip, float(found["number"]))
    index = int(found["number"])
    if index >= clip.num_frames:
        raise InputError(
            f"there is no frame {index} in {clip.name}: it has {clip.num_frames} frames, numbered from 0 to "
            f"{clip.num_frames - 1}"
        )
    return index


def mark_parts(mark: str) -> tuple[str | None, str | None, Path]:
    """``30:alpha:cut.png`` as frame, kind and file, None for what it does not state. A file called just so wins."""
    when, colon, rest = mark.partition(":")
    is_placed = bool(colon and _WHEN.fullmatch(when.strip()) and not Path(mark).exists())
    return (when if is_placed else None, *stated_kind(rest if is_placed else mark))


def _masks(clip: Clip, mark: str, start: int) -> Iterator[tuple[int, Path, NDArray[Any]]]:
    """Frame index, where the mask is, and its ids, of all masks of a mark."""
    when, kind, path = mark_parts(mark)
    first = None if when is None else frame_index(clip, when)
    if kind is not None:
        is_picture = path.suffix.lower() in IMAGE_SUFFIXES
        first = first if first is not None else start if is_picture else 0
        yield from _of_source(clip, stated_masks(path, kind, clip, first))
    elif path.suffix.lower() in _OTHER_SUFFIXES and path.is_file():
        yield from _of_source(clip, read_result(path, clip))
    else:
        is_folder = path.is_dir() and first is None
        files = mask_files(clip, path) if is_folder else [(start if first is None else first, path)]
        for index, file in files:
            yield index, file, _read_mask(clip, file)


def _of_source(clip: Clip, source: MaskSource) -> Iterator[tuple[int, Path, NDArray[Any]]]:
    """The frames in which something shows."""
    height, width = clip.size_hw
    if len(source.frames) * height * width > _MOST_PIXELS:
        raise InputError(
            f"{source.path} has masks of {len(source.frames)} frames, too many to start from at {width}x{height}: give "
            "those of a few frames, or make other formats of them with shibori export"
        )
    shown = 0
    for index in source.frames:
        masks = source.masks(index)
        if masks is not None and object_ids(masks.ids):
            shown += 1
            yield index, source.path, masks.ids
    if not shown:
        raise InputError(f"{source.path} shows no object in any of its {len(source.frames)} frames")


def _read_mask(clip: Clip, path: Path) -> NDArray[Any]:
    ids = read_ids(path)
    check_size(ids, clip.size_hw, str(path))
    require_objects(ids, str(path))
    return ids


def _index_at(clip: Clip, seconds: float) -> int:
    """The last frame that starts at or before a time, found by halving: frame rates vary."""
    last = clip.frame(clip.num_frames - 1).time
    if last is None:
        raise InputError(f"{clip.path} is a folder of images and has no clock: give the frame's index, not seconds")
    period = 1 / clip.frame_rate if clip.frame_rate else 0
    if seconds >= last + period:
        raise InputError(f"there is no frame at {seconds:g} s in {clip.name}: it lasts {float(last + period):.2f} s")
    low, high = 0, clip.num_frames - 1
    while low < high:
        middle = (low + high + 1) // 2
        time = clip.frame(middle).time
        # Typed seconds are rounded: 0.33 means the frame at 1/3 s.
        low, high = (middle, high) if time is not None and time <= seconds + 0.005 else (low, middle - 1)
    return low
