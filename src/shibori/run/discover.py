"""Find every instance of a clip without any mark: tracks as YouTube-VIS JSON, masks as PNGs, an overlay to look at."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from shibori.errors import InputError
from shibori.interfaces import FrameSource, InstanceSegmenter
from shibori.media.clip import Clip
from shibori.media.instances import Discovery, InstanceTrack, tracks_to_ids, write_instances
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.reader import read_clip
from shibori.media.writer import open_writer
from shibori.run.choice import SegmenterChoice, load_instance_segmenter
from shibori.run.plan import FrameRange, Plan, PlannedFrames
from shibori.run.progress import FrameCounter, Progress

VIDEO_ID = 1
"""Of the clip in its results file."""


@dataclass(frozen=True)
class DiscoverJob(SegmenterChoice):
    """Find, classify, track and segment every instance in CLIP, without any mark."""

    clip: Path = field(kw_only=True, metadata={"help": "A video file or a folder of images.", "argument": True})
    out: Path = field(
        kw_only=True,
        metadata={
            "help": "Results file (.json, YouTube-VIS); masks and the overlay go into a folder of the same name beside "
            "it. Or a folder for all three."
        },
    )
    classes: tuple[str, ...] = field(default=(), metadata={"help": "Keep instances of this class only. Repeatable."})
    most: int = field(default=20, metadata={"help": "Most instances in the result, the best ones."})
    overwrite: bool = field(default=False, metadata={"help": "Replace results that are already there."})


@dataclass(frozen=True)
class FoundInstance:
    """One line of the summary."""

    track_id: int
    category: str
    score: float
    frames: int
    """In which it shows."""
    first: int
    """Of them."""


@dataclass(frozen=True)
class DiscoverSummary:
    """What a job found and did."""

    clip: str
    frames: int
    instances: tuple[FoundInstance, ...]
    candidates: int
    """Detections in all frames."""
    tracked: int
    """Of them, tracked through the clip."""
    left_out: int
    """Of them, not tracked for want of time: they were beyond the limit."""
    seconds: float
    """Decoding and writing included, loading of the networks not."""
    frames_per_second: float
    outputs: tuple[str, ...]


def run_discovery(
    job: DiscoverJob, progress: Progress = lambda done, total: None, segmenter: InstanceSegmenter | None = None
) -> DiscoverSummary:
    """Do the job. A clip in which nothing is found gives an empty results file.

    Args:
        job: what is asked for.
        progress: called with the number of frames searched and of all frames.
        segmenter: a system that is loaded already, instead of the one the job names.

    Raises:
        InputError: anything wrong with the clip, the system, the classes or the place for the results.
    """
    clip = read_clip(job.clip)
    if job.most < 1:
        raise InputError(f"expected at least 1 instance to be kept, found {job.most}")
    path, folder = _places(job)
    segmenter = segmenter or load_instance_segmenter(job)
    check_classes(job.classes, segmenter)
    began = time.perf_counter()
    frames = frames_of(clip)
    found = segmenter.discover(frames, FrameCounter(progress, frames.num_frames).seen)
    tracks = chosen_tracks(found, job.classes, job.most)
    write_instances(path, {VIDEO_ID: tracks})
    outputs = [str(path), *write_pictures(clip, tracks, folder, job.overwrite)]
    seconds = time.perf_counter() - began
    return DiscoverSummary(
        str(job.clip),
        frames.num_frames,
        tuple(_line(track) for track in tracks),
        found.num_candidates,
        found.num_tracked,
        found.num_left_out,
        round(seconds, 3),
        round(frames.num_frames / seconds, 2),
        tuple(outputs),
    )


def frames_of(clip: Clip) -> FrameSource:
    """All frames of a clip."""
    return PlannedFrames(clip, Plan({}, FrameRange(0, clip.num_frames)))


def check_classes(classes: Sequence[str], segmenter: InstanceSegmenter) -> None:
    """InputError where a class is asked for that the system does not know."""
    known = list(segmenter.categories.values())
    for name in classes:
        if name not in known:
            raise InputError(f"expected a class of this system ({', '.join(known)}), found {name!r}")


def chosen_tracks(found: Discovery, classes: Sequence[str], most: int) -> list[InstanceTrack]:
    """The best tracks of the classes asked for, of all classes where none is; numbered from 1 by falling score."""
    wanted = [track for track in found.tracks if not classes or track.category in classes][:most]
    return [replace(track, track_id=number) for number, track in enumerate(wanted, 1)]


def _places(job: DiscoverJob) -> tuple[Path, Path]:
    """The results file, and the folder of pictures."""
    if job.out.suffix.lower() == ".json":
        path, folder = job.out, job.out.with_suffix("")
    elif job.out.suffix and not job.out.is_dir():
        raise InputError(f"{job.out} is no place for results: give a file that ends in .json, or a folder")
    else:
        path, folder = job.out / "instances.json", job.out
    if path.exists() and not job.overwrite:
        raise InputError(f"{path} is there already: choose another --out, or use --overwrite")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror or error}") from error
    return path, folder


def write_pictures(clip: Clip, tracks: Sequence[InstanceTrack], folder: Path, overwrite: bool) -> list[str]:
    """Palette PNGs in ``masks`` and ``overlay.mp4``; where tracks overlap the better one shows. Their paths."""
    places = {"palette": folder / "masks", "overlay": folder / "overlay.mp4"}
    object_ids = [track.track_id for track in tracks]
    with ExitStack() as stack:
        writers = [
            stack.enter_context(open_writer(name, place, clip, object_ids, overwrite=overwrite))
            for name, place in places.items()
        ]
        for frame in clip.frames(0, clip.num_frames, 1):
            masks = frame_masks(tracks, frame.index, clip.size_hw)
            for writer in writers:
                writer.write(frame, masks)
    return [str(place) for place in places.values()]


def frame_masks(tracks: Sequence[InstanceTrack], index: int, size_hw: tuple[int, int]) -> FrameMasks:
    """The masks of one frame, and which instances show. They are hard: a track is a run-length code a frame."""
    statuses = tuple(
        ObjectStatus(track.track_id, track.score, "absent" if track.segmentations[index] is None else "tracked")
        for track in tracks
    )
    return FrameMasks(index, tracks_to_ids(tracks, index, size_hw), statuses, None)


def _line(track: InstanceTrack) -> FoundInstance:
    shown = [index for index, code in enumerate(track.segmentations) if code is not None]
    return FoundInstance(track.track_id, track.category, round(track.score, 4), len(shown), shown[0] if shown else 0)
