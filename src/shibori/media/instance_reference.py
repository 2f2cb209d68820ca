"""Found instances as starting points: which of them are kept, and the frame whose mask stands for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.clip import Clip
from shibori.media.instances import InstanceTrack, read_instances
from shibori.media.mask import masks_to_ids
from shibori.media.rle import rle_area

WHOLE = 0.7
"""Share of its largest area from which an instance shows well enough to be started from."""


def read_instance_references(
    clip: Clip, path: str | Path, keep: str | None = None, start: int = 0, stop: int | None = None
) -> dict[int, NDArray[Any]]:
    """Frame index -> (H, W) ids map, of instances that ``shibori discover`` or anyone else found in the clip.

    An instance's id is its track number. Each stands in one frame: the first in which it shows well.

    Args:
        clip: that they were found in.
        path: a YouTube-VIS results file with tracks of one video.
        keep: track numbers such as ``1,4``; None keeps all.
        start: the first frame that may be used.
        stop: one past the last; None: the clip's end.

    Raises:
        InputError: the file is none, is of another clip or of several, lacks a track that is to be kept, or none shows
            between the frames.
    """
    tracks = kept_tracks(read_tracks_of(clip, path), keep, path)
    masks: dict[int, dict[int, NDArray[np.bool_]]] = {}
    for track in tracks:
        index = best_frame(track, start, clip.num_frames if stop is None else stop)
        mask = None if index is None else track.mask(index)
        if index is not None and mask is not None:
            masks.setdefault(index, {})[track.track_id] = mask
    if not masks:
        raise InputError(f"{path} has no instance that shows in the frames asked for: keep others, or widen the range")
    return {index: masks_to_ids(of_frame, clip.size_hw) for index, of_frame in sorted(masks.items())}


def read_tracks_of(clip: Clip, path: str | Path) -> list[InstanceTrack]:
    """The tracks of a results file that is about this clip.

    Raises:
        InputError: there is none, there are several videos in it, or its frames differ from the clip's in size or
            number.
    """
    found = read_instances(path)
    if len(found) != 1:
        what = "no instance at all" if not found else f"instances of {len(found)} videos"
        raise InputError(f"{path} holds {what}: expected those of one clip, as shibori discover writes them")
    (tracks,) = found.values()
    if tracks[0].num_frames != clip.num_frames:
        raise InputError(
            f"{path} is about a clip of {tracks[0].num_frames} frames, but {clip.name} has {clip.num_frames}: it was "
            "made for another clip"
        )
    sizes = {tuple(code["size"]) for track in tracks for code in track.segmentations if code is not None}
    for height, width in sizes - {tuple(clip.size_hw)}:
        raise InputError(
            f"{path} is about a clip of {width}x{height} pixels, but {clip.name} has {clip.size_hw[1]}x"
            f"{clip.size_hw[0]}: it was made for another clip"
        )
    return tracks


def kept_tracks(tracks: Sequence[InstanceTrack], keep: str | None, path: str | Path) -> list[InstanceTrack]:
    """Those whose numbers are in ``keep``, such as ``1,4``; all where it is None. InputError for others."""
    if keep is None:
        return list(tracks)
    parts = [part.strip() for part in keep.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise InputError(f"expected numbers of instances such as 1,4, found {keep!r}")
    wanted = {int(part) for part in parts}
    known = {track.track_id for track in tracks}
    if wanted - known:
        numbers = ", ".join(map(str, sorted(known)))
        raise InputError(f"{path} has no instance {min(wanted - known)}: it has {numbers}")
    return [track for track in tracks if track.track_id in wanted]


def best_frame(track: InstanceTrack, start: int, stop: int) -> int | None:
    """The first frame from ``start`` to before ``stop`` with nearly the largest area in between; None where none."""
    areas = {
        index: rle_area(code)
        for index, code in enumerate(track.segmentations[start:stop], start)
        if code is not None and rle_area(code)
    }
    if not areas:
        return None
    return next(index for index, area in areas.items() if area >= WHOLE * max(areas.values()))
