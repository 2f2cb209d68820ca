"""Found instances: each a track of masks with a class and a score. On disk: the results JSON of YouTube-VIS."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.atomic import whole_file
from shibori.media.mask import masks_to_ids
from shibori.media.rle import decode_rle
from shibori.media.segmentation_code import Rle, check_totals, segmentation_to_rle

_KEYS = ("video_id", "category_id", "score", "segmentations")


@dataclass(frozen=True)
class InstanceTrack:
    """One instance through a video."""

    track_id: int
    """Its number in the video."""
    category_id: int
    category: str
    """The class's name; empty where the file does not tell."""
    score: float
    """In [0, 1] where the system says so; only the order of scores matters to AP."""
    segmentations: tuple[Rle | None, ...]
    """For each frame of the video a compressed run-length code, or None where the instance does not show."""

    @property
    def num_frames(self) -> int:
        """Frames of the video, not of the instance."""
        return len(self.segmentations)

    def mask(self, index: int) -> NDArray[np.bool_] | None:
        """(H, W) bool mask of a frame, or None."""
        code = self.segmentations[index]
        return None if code is None else decode_rle(code)


@dataclass(frozen=True)
class Discovery:
    """What was found in a clip, and how much work that was."""

    tracks: tuple[InstanceTrack, ...]
    """By falling score; ``track_id`` is 1, 2 ... in that order."""
    num_candidates: int
    """Detections in all frames."""
    num_tracked: int
    """Candidates that were tracked through the clip."""
    num_left_out: int
    """Candidates that would have been tracked, but were beyond the limit of work."""


def tracks_to_ids(tracks: Sequence[InstanceTrack], index: int, size_hw: tuple[int, int]) -> NDArray[Any]:
    """(H, W) ids map of a frame, track numbers as ids; where tracks overlap the earlier (better) one shows."""
    there = {track.track_id: track.mask(index) for track in reversed(tracks)}
    return masks_to_ids({number: mask for number, mask in there.items() if mask is not None}, size_hw)


def write_instances(path: str | Path, tracks_of: Mapping[int, Sequence[InstanceTrack]]) -> None:
    """Write tracks as YouTube-VIS results, all or nothing.

    Each is ``{"video_id", "category_id", "score", "segmentations": [{"size", "counts"} | null, ...]}``, and
    ``"track_id"`` and ``"category"``, which the official evaluator passes over.

    Args:
        path: the JSON file.
        tracks_of: video id -> its tracks.

    Raises:
        InputError: the disk refuses.
    """
    with whole_file(Path(path)) as partial, partial.open("w", encoding="ascii") as file:
        lines = (json.dumps(_record(video_id, track)) for video_id in tracks_of for track in tracks_of[video_id])
        file.write("[")
        for place, line in enumerate(lines):
            file.write((",\n" if place else "\n") + line)
        file.write("\n]\n")


def _record(video_id: int, track: InstanceTrack) -> dict[str, Any]:
    return {
        "video_id": video_id,
        "category_id": track.category_id,
        "score": track.score,
        "segmentations": [
            code and {"size": list(code["size"]), "counts": code["counts"]} for code in track.segmentations
        ],
        "track_id": track.track_id,
        "category": track.category,
    }


def read_instances(
    path: str | Path, sizes_hw: Mapping[int, tuple[int, int]] | None = None
) -> dict[int, list[InstanceTrack]]:
    """The tracks of each video of a results JSON, whoever wrote it; tracks without a number get the next of the file.

    Args:
        path: a list of ``{"video_id", "category_id", "score", "segmentations"}``.
        sizes_hw: video id -> the size its masks must have. Polygons need it. Videos it lacks may have any size.

    Raises:
        InputError: missing, no JSON, not such a list, damaged run-length codes, or masks of a video that differ in size
            or number.
    """
    tracks: dict[int, list[InstanceTrack]] = {}
    names, codes = [], []
    for name, record in _records(Path(path)):
        video_id = record["video_id"]
        known = tracks.setdefault(video_id, [])
        track = _track(record, name, len(known) + 1, (sizes_hw or {}).get(video_id))
        if known and track.num_frames != known[0].num_frames:
            raise InputError(
                f"{name} has {track.num_frames} segmentations, an earlier one of video {video_id} has "
                f"{known[0].num_frames}: each needs one for every frame of the video, null where it does not show"
            )
        known.append(track)
        for index, code in enumerate(track.segmentations):
            if code is not None:
                names.append(f"{name}, frame {index}")
                codes.append(code)
    check_totals(codes, names)
    _check_sizes(Path(path), tracks)
    return tracks


def read_json(path: Path) -> Any:
    """The content of a JSON file. InputError where it is missing or none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is no JSON: {error.msg} in line {error.lineno}") from error


def _records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    content = read_json(path)
    if not isinstance(content, list):
        kind = "annotations" if isinstance(content, dict) and "annotations" in content else type(content).__name__
        raise InputError(f"{path} holds {kind}: expected results, a list of tracks with {', '.join(_KEYS)}")
    for place, record in enumerate(content, 1):
        name = f"{path}, result {place}"
        missing = [key for key in _KEYS if not (isinstance(record, dict) and key in record)]
        if missing:
            raise InputError(f"{name} has no {' and no '.join(missing)}: expected {', '.join(_KEYS)}")
        for key in ("video_id", "category_id"):
            if not isinstance(record[key], int):
                raise InputError(f"{name} has the {key} {record[key]!r}: expected a whole number")
        yield name, record


def _track(record: dict[str, Any], name: str, number: int, size_hw: tuple[int, int] | None) -> InstanceTrack:
    score, segmentations = record["score"], record["segmentations"]
    if not isinstance(score, int | float) or not math.isfinite(score):
        raise InputError(f"{name} has the score {score!r}: expected a number")
    if not isinstance(segmentations, list):
        raise InputError(f"{name} has {type(segmentations).__name__} for segmentations: expected a list, one per frame")
    codes = tuple(
        None if each is None else segmentation_to_rle(each, size_hw, f"{name}, frame {index}")
        for index, each in enumerate(segmentations)
    )
    return InstanceTrack(
        record.get("track_id", number), record["category_id"], record.get("category", ""), float(score), codes
    )


def _check_sizes(path: Path, tracks_of: Mapping[int, Sequence[InstanceTrack]]) -> None:
    for video_id, tracks in tracks_of.items():
        sizes = {tuple(code["size"]) for track in tracks for code in track.segmentations if code is not None}
        if len(sizes) > 1:
            named = " and ".join(f"{width}x{height}" for height, width in sorted(sizes)[:3])
            raise InputError(f"{path} has masks of {named} pixels for video {video_id}: a video has one size")
