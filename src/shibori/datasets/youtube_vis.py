"""YouTube-VIS: videos with the masks and classes of all instances, from its JSON files; results read against them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from shibori.errors import InputError
from shibori.media.atomic import whole_file
from shibori.media.instances import InstanceTrack, read_instances, read_json
from shibori.media.segmentation_code import Rle, check_totals, segmentation_to_rle


@dataclass(frozen=True)
class Video:
    """A video of the set."""

    video_id: int
    size_hw: tuple[int, int]
    num_frames: int
    file_names: tuple[str, ...] = ()
    """Of its frames, under the set's folder of pictures."""

    @property
    def name(self) -> str:
        """The folder of its frames, or its number."""
        return Path(self.file_names[0]).parent.name if self.file_names else str(self.video_id)


@dataclass(frozen=True)
class InstanceAnnotation:
    """One true instance through its video."""

    annotation_id: int
    video_id: int
    category_id: int
    segmentations: tuple[Rle | None, ...]
    """For each frame of the video a compressed run-length code, or None where the instance does not show."""
    boxes_xyxy: tuple[tuple[float, float, float, float] | None, ...]
    """For each frame its box, half-open; empty where the file has none."""
    areas: tuple[float | None, ...]
    """For each frame its area in pixels, as the file says; empty where the file has none."""
    is_crowd: bool = False
    """Whether it is a group, which is neither missed nor a false find."""


@dataclass(frozen=True)
class InstanceDataset:
    """An annotation file."""

    path: Path
    videos: Mapping[int, Video]
    """By video id, ascending."""
    categories: Mapping[int, str]
    """Category id -> name, ascending."""
    annotations: tuple[InstanceAnnotation, ...]

    @cached_property
    def annotations_of(self) -> dict[int, list[InstanceAnnotation]]:
        """The annotations of each video."""
        found: dict[int, list[InstanceAnnotation]] = {video_id: [] for video_id in self.videos}
        for annotation in self.annotations:
            found[annotation.video_id].append(annotation)
        return found


def read_youtube_vis(path: str | Path) -> InstanceDataset:
    """An annotation file: ``{"videos", "categories", "annotations"}``; the test sets, without annotations, too.

    Raises:
        InputError: missing, no JSON, not such a file, or its parts contradict each other.
    """
    path = Path(path)
    content = read_json(path)
    if not isinstance(content, dict) or not {"videos", "categories"} <= set(content):
        kind = "a list, as results are" if isinstance(content, list) else "something else"
        raise InputError(f"{path} holds {kind}: expected annotations, an object with videos, categories, annotations")
    videos = {video.video_id: video for video in _each(content["videos"], _video, f"{path}, video")}
    if len(videos) < len(content["videos"]):
        raise InputError(f"{path} lists {len(content['videos'])} videos with {len(videos)} ids: ids must differ")
    categories = dict(_each(content["categories"], _category, f"{path}, category"))
    records = content.get("annotations") or []
    annotations = tuple(_annotation(r, videos, f"{path}, annotation {place}") for place, r in enumerate(records, 1))
    dataset = InstanceDataset(path, dict(sorted(videos.items())), dict(sorted(categories.items())), annotations)
    _check(dataset)
    return dataset


def read_vis_results(path: str | Path, dataset: InstanceDataset) -> dict[int, list[InstanceTrack]]:
    """Tracks by video id, checked against the annotations they are results for.

    Raises:
        InputError: besides what ``read_instances`` refuses: a video or category the annotations do not have, or masks
            of another size or number of frames.
    """
    found = read_instances(path, {video_id: video.size_hw for video_id, video in dataset.videos.items()})
    unknown = sorted(set(found) - set(dataset.videos))
    if unknown:
        raise InputError(
            f"{path} has tracks of video {unknown[0]} ({len(unknown)} of its {len(found)} videos are unknown), but "
            f"{dataset.path} has {_some(list(dataset.videos))}: are these the results of another clip or set?"
        )
    for video_id, tracks in found.items():
        _check_tracks(Path(path), tracks, dataset, dataset.videos[video_id])
    return found


def _check_tracks(path: Path, tracks: Sequence[InstanceTrack], dataset: InstanceDataset, video: Video) -> None:
    if tracks[0].num_frames != video.num_frames:
        raise InputError(
            f"{path} has {tracks[0].num_frames} masks a track for video {video.video_id}, which has "
            f"{video.num_frames} frames: each track needs one for every frame, null where it does not show"
        )
    unknown = [track.category_id for track in tracks if track.category_id not in dataset.categories]
    if unknown:
        known = _some([f"{category_id} {name}" for category_id, name in dataset.categories.items()])
        raise InputError(
            f"{path} has a track of category {unknown[0]} in video {video.video_id}: the categories of {dataset.path} "
            f"are {known}"
        )


def _each(records: Any, read: Any, name: str) -> list[Any]:
    if not isinstance(records, list):
        raise InputError(f"{name} list expected, found {type(records).__name__}")
    return [read(record, f"{name} {place}") for place, record in enumerate(records, 1)]


def _field(record: Any, key: str, kind: type, name: str) -> Any:
    if not isinstance(record, dict) or key not in record:
        raise InputError(f"{name} has no {key}")
    if not isinstance(record[key], kind):
        raise InputError(f"{name} has the {key} {str(record[key])[:40]!r}: expected {kind.__name__}")
    return record[key]


def _video(record: Any, name: str) -> Video:
    video_id, height, width = (_field(record, key, int, name) for key in ("id", "height", "width"))
    files = tuple(map(str, record.get("file_names") or ()))
    length = _field(record, "length", int, name) if "length" in record or not files else len(files)
    if files and len(files) != length:
        raise InputError(f"{name} has {len(files)} file names, but a length of {length} frames")
    return Video(video_id, (height, width), length, files)


def _category(record: Any, name: str) -> tuple[int, str]:
    return _field(record, "id", int, name), _field(record, "name", str, name)


def _annotation(record: Any, videos: Mapping[int, Video], name: str) -> InstanceAnnotation:
    annotation_id, video_id, category_id = (_field(record, key, int, name) for key in ("id", "video_id", "category_id"))
    if video_id not in videos:
        raise InputError(f"{name} is of video {video_id}, which the file does not list")
    video = videos[video_id]
    segmentations = _field(record, "segmentations", list, name)
    if len(segmentations) != video.num_frames:
        raise InputError(f"{name} has {len(segmentations)} segmentations, its video {video.num_frames} frames")
    codes = tuple(
        # An empty list of polygons is how some converters say that nothing is there.
        segmentation_to_rle(each, video.size_hw, f"{name}, frame {index}") if each else None
        for index, each in enumerate(segmentations)
    )
    boxes = tuple(_box(box, name) for box in _per_frame(record, "bboxes", video, name))
    areas = _per_frame(record, "areas", video, name)
    if not all(area is None or isinstance(area, int | float) for area in areas):
        raise InputError(f"{name} has areas that are no numbers")
    return InstanceAnnotation(annotation_id, video_id, category_id, codes, boxes, areas, bool(record.get("iscrowd", 0)))


def _per_frame(record: dict[str, Any], key: str, video: Video, name: str) -> tuple[Any, ...]:
    """What a record has for every frame; nothing where it does not have the key."""
    values = tuple(_field(record, key, list, name)) if record.get(key) else ()
    if values and len(values) != video.num_frames:
        raise InputError(f"{name} has {len(values)} {key}, its video {video.num_frames} frames")
    return values


def _box(box: Any, name: str) -> tuple[float, float, float, float] | None:
    if not box:
        return None
    if not (isinstance(box, list) and len(box) == 4 and all(isinstance(side, int | float) for side in box)):
        raise InputError(f"{name} has the box {str(box)[:40]}: expected [x, y, width, height]")
    x, y, width, height = box
    return x, y, x + width, y + height


def _check(dataset: InstanceDataset) -> None:
    names, codes = [], []
    for place, annotation in enumerate(dataset.annotations, 1):
        if annotation.category_id not in dataset.categories:
            raise InputError(
                f"{dataset.path}, annotation {place} is of category {annotation.category_id}, which the file does "
                "not list"
            )
        for index, code in enumerate(annotation.segmentations):
            if code is not None:
                names.append(f"{dataset.path}, annotation {place}, frame {index}")
                codes.append(code)
    check_totals(codes, names)


def write_youtube_vis(path: str | Path, dataset: InstanceDataset) -> None:
    """Write annotations as ``read_youtube_vis`` reads them, all or nothing. ``dataset.path`` is not used.

    Raises:
        InputError: the disk refuses.
    """
    content = {
        "info": {"description": "made by shibori"},
        "licenses": [],
        "videos": [_video_record(video) for video in dataset.videos.values()],
        "categories": [{"id": key, "name": name} for key, name in dataset.categories.items()],
        "annotations": [_annotation_record(each, dataset.videos[each.video_id]) for each in dataset.annotations],
    }
    with whole_file(Path(path)) as partial:
        partial.write_text(json.dumps(content), encoding="ascii")


def _video_record(video: Video) -> dict[str, Any]:
    height, width = video.size_hw
    return {
        "id": video.video_id,
        "width": width,
        "height": height,
        "length": video.num_frames,
        "file_names": list(video.file_names),
    }


def _annotation_record(annotation: InstanceAnnotation, video: Video) -> dict[str, Any]:
    return {
        "id": annotation.annotation_id,
        "video_id": annotation.video_id,
        "category_id": annotation.category_id,
        "iscrowd": int(annotation.is_crowd),
        "height": video.size_hw[0],
        "width": video.size_hw[1],
        "length": 1,
        "segmentations": [code and dict(code) for code in annotation.segmentations],
        "bboxes": [box and [box[0], box[1], box[2] - box[0], box[3] - box[1]] for box in annotation.boxes_xyxy],
        "areas": list(annotation.areas),
    }


def _some(names: Sequence[Any]) -> str:
    shown = ", ".join(map(str, names[:5]))
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")
