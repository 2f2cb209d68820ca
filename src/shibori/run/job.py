"""One job: a clip, masks of some of its frames and a system in; masks of every frame, in any formats, on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.interfaces import InteractiveSegmenter, Propagator
from shibori.media.clip import Clip, Frame
from shibori.media.instance_reference import read_instance_references
from shibori.media.kept_masks import KeptMasksWriter
from shibori.media.marking import read_marks
from shibori.media.marks import Marks
from shibori.media.mask import FrameMasks
from shibori.media.mask_writer import KEPT_NAME, Target
from shibori.media.reader import read_clip
from shibori.media.reference import frame_index, read_references
from shibori.media.rounds import rounds_from_marks
from shibori.media.track import Tracklet, write_tracklets
from shibori.media.track_log import TrackLog
from shibori.media.writer import FORMATS, ONE_FILE_NAMES, MaskWriter, open_writer
from shibori.run.choice import AUTO, SystemChoice, check_system, load_interactive_system, load_system, settled_choice
from shibori.run.interact import mark_clip
from shibori.run.plan import FrameRange, make_plan
from shibori.run.progress import FrameCounter, Progress
from shibori.run.propagate import Watch, frames_ahead, run_plan, segment_frames

System = Propagator | InteractiveSegmenter


@dataclass(frozen=True)
class SegmentJob(SystemChoice):
    """Segment objects in every frame of CLIP, given masks of some frames, or marks on some frames."""

    clip: Path = field(kw_only=True, metadata={"help": "A video file or a folder of images.", "argument": True})
    mask: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "Mask file for the first frame; WHEN:FILE for another (30:fix.png is frame 30, 1.2s:fix.png the "
            "frame at 1.2 seconds); or a folder of masks named by their frames. Repeatable."
        },
    )
    scribbles: tuple[Path, ...] = field(
        default=(), metadata={"help": "Instead of masks: a DAVIS scribble file. Repeatable."}
    )
    click: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "Instead of masks: WHEN:X,Y or WHEN:X,Y:ID, a pixel of an object (30:120,80:2); ID 0 is "
            "background. Repeatable."
        },
    )
    box: tuple[str, ...] = field(
        default=(),
        metadata={"help": "Instead of masks: WHEN:X0,Y0,X1,Y1 or with :ID, a box around an object. Repeatable."},
    )
    found: Path | None = field(
        default=None,
        metadata={
            "help": "Instances that were found in this clip (shibori discover): start from their masks, by number.",
            "flags": ("--from",),
        },
    )
    keep: str | None = field(
        default=None, metadata={"help": "Numbers of the instances to start from, such as 1,4; without it, all of them."}
    )
    out: Path = field(
        kw_only=True,
        metadata={"help": f"Folder for the results, or a file for {', '.join(ONE_FILE_NAMES)}."},
    )
    format: tuple[str, ...] = field(
        default=("palette",), metadata={"help": f"One of {', '.join(FORMATS)}. Repeatable."}
    )
    start: str | None = field(default=None, metadata={"help": "First frame: an index, or seconds such as 1.2s."})
    end: str | None = field(default=None, metadata={"help": "Frame to stop before: an index, or seconds such as 4s."})
    every: int = field(default=1, metadata={"help": "Step between frames."})
    both_ways: bool = field(
        default=False, metadata={"help": "Also segment the frames before an object's first mask, backward from it."}
    )
    keep_soft: bool = field(
        default=False,
        metadata={
            "help": f"Also keep the masks with their probabilities in {KEPT_NAME}, from which shibori export makes any "
            "format later."
        },
    )
    resume: bool = field(
        default=False, metadata={"help": "Keep the finished frames of a run that was stopped, and write the others."}
    )
    overwrite: bool = field(default=False, metadata={"help": "Replace results that are already there."})

    @property
    def is_marked(self) -> bool:
        """Whether scribbles, clicks or boxes show the objects."""
        return bool(self.scribbles or self.click or self.box)


@dataclass(frozen=True)
class SegmentSummary:
    """What a job did."""

    clip: str
    frames: int
    objects: tuple[int, ...]
    seconds: float
    """Decoding and writing included, loading of the network not."""
    frames_per_second: float
    outputs: tuple[str, ...]
    tracks: str
    lost_frames: dict[int, int]
    """object_id -> number of frames in which the system had lost it."""
    first_lost: dict[int, int]
    """object_id -> index of the first of these frames, for objects that were ever lost."""
    shortfall: str | None
    """Which of the frames asked for could not be decoded, in a sentence; None if all could."""


def run_job(
    job: SegmentJob, progress: Progress = lambda done, total: None, system: System | None = None
) -> SegmentSummary:
    """Do the job, frame by frame in bounded memory. If it is stopped, the frames finished so far stay on disk.

    Args:
        job: what is asked for.
        progress: called after each frame, with the number of frames done and of all frames to do.
        system: one that is loaded already; then what the job says of its system, preset, weights, device, size and
            online steps is not looked at.

    Raises:
        InputError: anything wrong with the clip, the masks, the system or the place for the results.
    """
    job = settled_job(job, system)
    clip = read_clip(job.clip)
    start = frame_index(clip, job.start) if job.start else 0
    stop = _end_index(clip, job.end) if job.end else clip.num_frames
    prepare = _marked_work if job.is_marked else _masked_work
    work = prepare(job, clip, (start, stop), system)
    with ExitStack() as stack:
        # Places that cannot take the results are refused before the network is loaded.
        tracks = stack.enter_context(_track_log(job, clip, work.object_ids))
        writers = [stack.enter_context(writer) for writer in open_writers(job, clip, work.object_ids)]
        answers = work.begin(progress)
        began = time.perf_counter()
        for frame, masks in answers:
            for writer in writers:
                writer.write(frame, masks)
            tracks.write(frame, masks)
    # What lies behind the frames that were asked for is nobody's concern.
    complete = stop < clip.num_frames and tracks.num_frames == work.num_frames
    return _summary(job, tracks, time.perf_counter() - began, None if complete else clip.shortfall)


def settled_job(job: SegmentJob, system: System | None = None) -> SegmentJob:
    """The job with the name of its system; that of one which is loaded already is its class's.

    Raises:
        InputError: marks beside masks or found instances, options that only those have, a system for the other.
    """
    if job.is_marked:
        if job.mask or job.found or job.keep is not None:
            raise InputError(
                "expected masks, found instances or marks (--scribbles, --click, --box), found two of them"
            )
        if job.both_ways or job.online_steps:
            raise InputError(
                "--both-ways and --online-steps are for masks: marks are answered in all frames, leave them out"
            )
    if system is None:
        return settled_choice(job, job.is_marked)
    check_system(system, job.is_marked)
    return replace(job, system=type(system).__name__)


@dataclass(frozen=True)
class _Work:
    """What a job comes down to, checked, before its system is loaded."""

    object_ids: tuple[int, ...]
    num_frames: int
    begin: Callable[[Progress], Iterator[tuple[Frame, FrameMasks]]]
    """Load the system; give the frames with their masks, one at a time."""


def _masked_work(job: SegmentJob, clip: Clip, bounds: tuple[int, int], system: System | None) -> _Work:
    plan = make_plan(clip, _starting_masks(job, clip, *bounds), *bounds, job.every)

    def begin(progress: Progress) -> Iterator[tuple[Frame, FrameMasks]]:
        propagator = system if isinstance(system, Propagator) else load_system(job)
        counter = FrameCounter(progress, plan.num_frames, frames_ahead(plan, propagator, job.both_ways))
        watch = Watch(counter.seen, partial(_write_tracklets, job, clip))
        return counter.counted(run_plan(clip, plan, propagator, job.both_ways, watch))

    return _Work(tuple(plan.first_frames), plan.num_frames, begin)


def _marked_work(job: SegmentJob, clip: Clip, bounds: tuple[int, int], system: System | None) -> _Work:
    frames = FrameRange.of(clip, *bounds, job.every)
    marks = read_marks(clip, job.scribbles, job.click, job.box)

    def begin(progress: Progress) -> Iterator[tuple[Frame, FrameMasks]]:
        segmenter = system if isinstance(system, InteractiveSegmenter) else load_interactive_system(job)
        counter = FrameCounter(progress, len(frames.indices))
        return counter.counted(mark_clip(clip, rounds_from_marks(marks), segmenter, frames))

    return _Work(marks.object_ids, len(frames.indices), begin)


def _starting_masks(job: SegmentJob, clip: Clip, start: int, stop: int) -> dict[int, NDArray[Any]]:
    """What the objects are: masks from files, or instances that were found."""
    if job.found is None:
        if not job.mask:
            raise InputError(
                "There is nothing to start from: give --mask, --from instances.json, --click, --box or --scribbles."
            )
        if job.keep is not None:
            raise InputError("expected --keep beside --from instances.json, found it alone: it chooses among instances")
        return read_references(clip, job.mask, start)
    if job.mask:
        raise InputError("expected --mask or --from, found both: their numbers could mean different objects")
    return read_instance_references(clip, job.found, job.keep, start, stop)


def open_writers(job: SegmentJob, clip: Clip, object_ids: Sequence[int]) -> Iterator[MaskWriter]:
    """A writer for each format; several that write a file per frame get a folder each, named by the format."""
    for name in job.format:
        place = place_of(job.out, job.format, name)
        yield open_writer(name, place, clip, object_ids, resume=job.resume, overwrite=job.overwrite)
    if job.keep_soft:
        yield KeptMasksWriter(Target(kept_path(job.out), clip, tuple(object_ids), job.resume, job.overwrite))


def place_of(out: Path, formats: Sequence[str], name: str) -> Path:
    """Where the results of ``name`` go, one of the formats that are written."""
    if name not in FORMATS:
        raise InputError(f"there is no format {name!r}: choose one of {', '.join(FORMATS)}")
    if out.suffix and not out.is_dir():
        suffix = Path(ONE_FILE_NAMES.get(name, "")).suffix
        if len(formats) > 1 or suffix != out.suffix.lower():
            raise InputError(f"{out} is the name of one file, which {' and '.join(formats)} cannot be: give a folder")
        return out
    if name in ONE_FILE_NAMES:
        return out / ONE_FILE_NAMES[name]
    frame_formats = [other for other in formats if other not in ONE_FILE_NAMES]
    return out / name if len(frame_formats) > 1 else out


def kept_path(out: Path) -> Path:
    """``masks.shibori`` in an output folder, ``NAME.shibori`` beside an output file."""
    return out.with_suffix(Path(KEPT_NAME).suffix) if out.suffix and not out.is_dir() else out / KEPT_NAME


def tracks_path(out: Path) -> Path:
    """``tracks.json`` in an output folder, ``NAME.tracks.json`` beside an output file."""
    return out.with_suffix(".tracks.json") if out.suffix and not out.is_dir() else out / "tracks.json"


def _track_log(job: SegmentJob, clip: Clip, object_ids: Sequence[int]) -> TrackLog:
    return TrackLog(tracks_path(job.out), clip, job.system, object_ids, may_replace=job.resume or job.overwrite)


def _write_tracklets(job: SegmentJob, clip: Clip, tracklets: tuple[Tracklet, ...]) -> None:
    """``tracklets.json`` beside ``tracks.json``."""
    path = tracks_path(job.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name.replace("tracks.json", "tracklets.json"))
    write_tracklets(beside, clip.name, clip.num_frames, tracklets)


def _end_index(clip: Clip, when: str) -> int:
    """Like a slice's end: one past the last frame, and what lies beyond the clip means its end."""
    if when.strip().isdecimal() and int(when) >= clip.num_frames:
        return clip.num_frames
    return frame_index(clip, when)


def _summary(job: SegmentJob, tracks: TrackLog, seconds: float, shortfall: str | None) -> SegmentSummary:
    return SegmentSummary(
        clip=str(job.clip),
        frames=tracks.num_frames,
        objects=tracks.object_ids,
        seconds=round(seconds, 3),
        frames_per_second=round(tracks.num_frames / seconds, 2),
        outputs=(
            *(str(place_of(job.out, job.format, name)) for name in job.format),
            *([str(kept_path(job.out))] * job.keep_soft),
        ),
        tracks=str(tracks.path),
        lost_frames={object_id: tracks.lost[object_id] for object_id in tracks.object_ids},
        first_lost=tracks.first_lost,
        shortfall=shortfall,
    )


def segment(source: str | Path | Clip, marks: Any, system: str | System = AUTO, **options: Any) -> Iterator[FrameMasks]:
    """Segment a clip: the short form of ``segment_clip`` and of ``mark_clip``.

    Args:
        source: a video file, a folder of images, or an open ``Clip``.
        marks: a mask file, a list of ``WHEN:FILE`` marks (see ``read_references``), an (H, W) ids map for the first
            frame, or a mapping of frame index to ids map or mask file; or ``Marks`` (strokes, clicks, boxes), for an
            interactive system.
        system: a name, or a system that is already loaded.
        options: ``start``, ``stop``, ``every``, and for masks ``both_ways``, of ``segment_clip``; ``preset``,
            ``weights``, ``device``, ``size`` of ``SystemChoice``.

    Yields:
        FrameMasks in frame order, one at a time.
    """
    bounds = {name: options.pop(name) for name in ("start", "stop", "every", "both_ways") if name in options}
    clip = source if isinstance(source, Clip) else read_clip(source)
    for_marks = isinstance(marks, Marks)
    if not isinstance(system, str):
        check_system(system, for_marks)
    choice = SystemChoice(system if isinstance(system, str) else AUTO, **options)
    if for_marks:
        segmenter = system if isinstance(system, InteractiveSegmenter) else load_interactive_system(choice)
        frames = FrameRange.of(clip, **bounds)
        return (masks for _, masks in mark_clip(clip, rounds_from_marks(marks), segmenter, frames))
    references = _references(clip, marks, bounds.get("start", 0))
    propagator = system if isinstance(system, Propagator) else load_system(choice)
    return (masks for _, masks in segment_frames(clip, references, propagator, **bounds))


def _references(clip: Clip, marks: Any, start: int) -> dict[int, NDArray[Any]]:
    if isinstance(marks, str | Path):
        return read_references(clip, [marks], start)
    if hasattr(marks, "shape"):
        return {start: marks}
    if isinstance(marks, Sequence):
        return read_references(clip, marks, start)
    found: dict[int, NDArray[Any]] = {}
    for index, mark in marks.items():
        found |= read_references(clip, [mark], index) if isinstance(mark, str | Path) else {index: mark}
    return found
