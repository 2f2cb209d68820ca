"""One job: a clip, masks of some of its frames and a system in; masks of every frame, in any formats, on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.interfaces import InteractiveSegmenter, Propagator
from shibori.media.clip import Clip, Frame
from shibori.media.instance_reference import read_instance_references
from shibori.media.kept_masks import KeptMasksWriter
from shibori.media.marking import read_rounds
from shibori.media.mask import FrameMasks
from shibori.media.mask_writer import KEPT_NAME, Target
from shibori.media.reader import read_clip
from shibori.media.reference import frame_index, mark_parts, read_references
from shibori.media.rounds import contradictions, known_objects
from shibori.media.track import Tracklet, write_tracklets
from shibori.media.track_log import TrackLog
from shibori.media.writer import FORMATS, ONE_FILE_NAMES, MaskWriter, open_writer
from shibori.run.choice import USUAL_LOADERS, Loaders, SystemChoice, check_system, is_for_rounds, settled_choice
from shibori.run.interact import mark_clip
from shibori.run.plan import FrameRange, make_plan
from shibori.run.progress import FrameCounter, Progress
from shibori.run.propagate import Watch, frames_ahead, run_plan

System = Propagator | InteractiveSegmenter
REPEATED = ("mask", "scribbles", "box", "click", "absent")
"""Options of a job that say something of the clip, each any number of times."""


@dataclass(frozen=True)
class SegmentJob(SystemChoice):
    """Segment objects in every frame of CLIP, given masks of some frames, or marks on some frames."""

    clip: Path = field(kw_only=True, metadata={"help": "A video file or a folder of images.", "argument": True})
    mask: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "Mask file for the first frame; WHEN:FILE for another (30:fix.png is frame 30, 1.2s:fix.png the "
            "frame at 1.2 seconds); or a folder of masks named by their frames. alpha:, grey: or colours: before a "
            "picture, folder or video says how it shows its masks. Repeatable."
        },
    )
    scribbles: tuple[Path, ...] = field(default=(), metadata={"help": "A DAVIS scribble file. Repeatable."})
    click: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "WHEN:X,Y or WHEN:X,Y:ID, a pixel of an object (30:120,80:2); ID 0 is background. Repeatable."
        },
    )
    box: tuple[str, ...] = field(
        default=(), metadata={"help": "WHEN:X0,Y0,X1,Y1 or with :ID, a box around an object. Repeatable."}
    )
    absent: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "Frames in which an object is not: 50:2 (object 2 in frame 50), 50-80:2, or 50-:2 to the end. "
            "Repeatable."
        },
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
        default=False,
        metadata={
            "help": "Masks alone: like --forward-only, and then the frames before an object's first mask, back from it."
        },
    )
    forward_only: bool = field(
        default=False,
        metadata={"help": "Masks alone: each holds from its frame on, and changes nothing before it."},
    )
    deinterlace: bool = field(default=False, metadata={"help": "Make whole pictures of an interlaced clip's fields."})
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

    order: tuple[str, ...] = field(default=(), metadata={"order": True})
    """Names of the options that say something of the clip, each as often as it was given, in the order in which they
    were; what is missing here comes after that, option by option."""

    @property
    def is_marked(self) -> bool:
        """Whether anything is said of the clip that is no mask."""
        return bool(self.scribbles or self.click or self.box or self.absent)

    def said(self) -> Iterator[tuple[str, str | Path]]:
        """All that is said of the clip, in order: what kind of thing it is, and its text; see ``read_rounds``."""
        given: dict[str, list[str | Path]] = {name: [*getattr(self, name)] for name in REPEATED}
        given["found"] = [] if self.found is None else [self.found]
        for option in self.order:
            if given.get(option):
                yield option, given[option].pop(0)
        for option, texts in given.items():
            yield from ((option, text) for text in texts)


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
    notes: tuple[str, ...] = ()
    """What was said twice and differently, and which of the two counts: one sentence each."""


def run_job(
    job: SegmentJob,
    progress: Progress = lambda done, total: None,
    system: System | None = None,
    loaders: Loaders = USUAL_LOADERS,
) -> SegmentSummary:
    """Do the job, frame by frame in bounded memory. If it is stopped, the frames finished so far stay on disk.

    Args:
        job: what is asked for.
        progress: called after each frame, with the number of frames done and of all frames to do.
        system: one that is loaded already; then what the job says of its system, preset, weights, device, size and
            online steps is not looked at.
        loaders: what loads the system that the job names.

    Raises:
        InputError: anything wrong with the clip, the masks, the system or the place for the results.
    """
    clip = read_clip(job.clip, deinterlace=job.deinterlace)
    start = frame_index(clip, job.start) if job.start else 0
    stop = _end_index(clip, job.end) if job.end else clip.num_frames
    takes_rounds = is_for_rounds(job, _has_later_masks(job, clip, (start, stop)), job.is_marked, system)
    job = settled_job(job, takes_rounds, system)
    _refuse_masks_as_results(job)
    load: Callable[[SegmentJob], Any] = loaders.interactive if takes_rounds else loaders.propagator
    get_system = partial(load, job) if system is None else lambda: system
    work = (_rounds_work if takes_rounds else _masked_work)(job, clip, (start, stop), get_system)
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
    summary = _summary(job, tracks, time.perf_counter() - began, None if complete else clip.shortfall)
    return replace(summary, notes=(*clip.remarks, *work.notes))


def settled_job(job: SegmentJob, takes_rounds: bool, system: System | None = None) -> SegmentJob:
    """The job with the name of its system; that of one which is loaded already is its class's.

    Raises:
        InputError: options that only masks have beside marks, a system that does not take what is given.
    """
    if job.keep is not None and job.found is None:
        raise InputError("expected --keep beside --from instances.json, found it alone: it chooses among instances")
    if job.is_marked and (job.both_ways or job.forward_only or job.online_steps):
        raise InputError(
            "--both-ways, --forward-only and --online-steps are for masks: marks are answered in all frames, leave "
            "them out"
        )
    if system is None:
        return settled_choice(job, takes_rounds)
    if job.is_marked:
        check_system(system, True)
    return replace(job, system=type(system).__name__)


def _refuse_masks_as_results(job: SegmentJob) -> None:
    """InputError where a folder of masks that are given would be replaced by the results."""
    for mask in job.mask if job.overwrite else ():
        folder = mark_parts(mask)[2]
        if folder.is_dir() and folder.resolve() == job.out.resolve():
            raise InputError(f"the masks that are given are in the output {job.out}: choose another --out")


def _has_later_masks(job: SegmentJob, clip: Clip, bounds: tuple[int, int]) -> bool:
    """Whether there are masks of other frames than the first, or several of one frame, that count for all frames.

    Raises:
        InputError: nothing is given at all, or a mask cannot be read.
    """
    if not (job.mask or job.found or job.is_marked):
        raise InputError(
            "There is nothing to start from: give --mask, --from instances.json, --click, --box or --scribbles."
        )
    frames = [index for mask in job.mask for index in read_references(clip, [mask], bounds[0])]
    if job.found is not None:
        frames += read_instance_references(clip, job.found, job.keep, *bounds)
    return not (job.forward_only or job.both_ways) and (
        len(frames) > len({*frames}) or any(index != bounds[0] for index in frames)
    )


@dataclass(frozen=True)
class _Work:
    """What a job comes down to, checked, before its system is loaded."""

    object_ids: tuple[int, ...]
    num_frames: int
    begin: Callable[[Progress], Iterator[tuple[Frame, FrameMasks]]]
    """Load the system; give the frames with their masks, one at a time."""
    notes: tuple[str, ...] = ()
    """See ``SegmentSummary``."""


def _masked_work(job: SegmentJob, clip: Clip, bounds: tuple[int, int], get_system: Callable[[], Any]) -> _Work:
    plan = make_plan(clip, _starting_masks(job, clip, *bounds), *bounds, job.every)

    def begin(progress: Progress) -> Iterator[tuple[Frame, FrameMasks]]:
        propagator: Propagator = get_system()
        counter = FrameCounter(progress, plan.num_frames, frames_ahead(plan, propagator, job.both_ways))
        watch = Watch(counter.seen, partial(_write_tracklets, job, clip))
        return counter.counted(run_plan(clip, plan, propagator, job.both_ways, watch))

    return _Work(tuple(plan.first_frames), plan.num_frames, begin)


def _rounds_work(job: SegmentJob, clip: Clip, bounds: tuple[int, int], get_system: Callable[[], Any]) -> _Work:
    frames = FrameRange.of(clip, *bounds, job.every)
    rounds = read_rounds(clip, job.said(), *bounds, job.keep)

    def begin(progress: Progress) -> Iterator[tuple[Frame, FrameMasks]]:
        segmenter: InteractiveSegmenter = get_system()
        return mark_clip(clip, rounds, segmenter, frames, progress)

    return _Work(known_objects(rounds), len(frames.indices), begin, contradictions(rounds))


def _starting_masks(job: SegmentJob, clip: Clip, start: int, stop: int) -> dict[int, NDArray[Any]]:
    """What the objects are: masks from files, or instances that were found."""
    given = read_references(clip, job.mask, start)
    found = {} if job.found is None else read_instance_references(clip, job.found, job.keep, start, stop)
    for index, ids in found.items():
        given[index] = np.where(ids == 0, given[index], ids) if index in given else ids
    return given


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
