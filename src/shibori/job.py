"""One job: a clip, masks of some of its frames and a system in; masks of every frame, in any formats, on disk."""

from __future__ import annotations

import json
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO, TypeVar

from numpy.typing import NDArray

import shibori.systems as systems
from shibori.errors import InputError
from shibori.interfaces import ClipPropagator, InteractiveSegmenter, Propagation, Propagator
from shibori.media.clip import Clip, Frame
from shibori.media.mask import FrameMasks
from shibori.media.reader import read_clip
from shibori.media.reference import frame_index, read_references
from shibori.media.track import Tracklet, write_tracklets
from shibori.media.writer import FORMATS, ONE_FILE_NAMES, MaskWriter, open_writer
from shibori.segmentation import Plan, Watch, make_plan, run_plan, segment_frames

Built = TypeVar("Built")


@dataclass(frozen=True)
class SystemChoice:
    """Which system is to do the work, and how it is set up."""

    system: str = field(default="pixel", metadata={"help": "Segmentation system."})
    preset: str = field(default="compact", metadata={"help": "Size of the system's network."})
    weights: Path | None = field(
        default=None, metadata={"help": "Weights file; without one, those that ship with the package."}
    )
    device: str = field(
        default="auto",
        metadata={"help": "auto, cpu, cuda or mps: where the network runs; auto takes the fastest there is."},
    )
    size: int | None = field(
        default=None,
        metadata={"help": "Working side in pixels; less is faster. Results always have the clip's own size."},
    )
    online_steps: int = field(
        default=0, metadata={"help": "Training steps on the first masks before the clip is segmented; dyenet only."}
    )


@dataclass(frozen=True)
class SegmentJob(SystemChoice):
    """Segment objects in every frame of CLIP, given masks of some frames."""

    clip: Path = field(kw_only=True, metadata={"help": "A video file or a folder of images.", "argument": True})
    mask: tuple[str, ...] = field(
        kw_only=True,
        metadata={
            "help": "Mask file for the first frame; WHEN:FILE for another (30:fix.png is frame 30, 1.2s:fix.png the "
            "frame at 1.2 seconds); or a folder of masks named by their frames. Repeatable."
        },
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
    resume: bool = field(
        default=False, metadata={"help": "Keep the finished frames of a run that was stopped, and write the others."}
    )
    overwrite: bool = field(default=False, metadata={"help": "Replace results that are already there."})


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


Progress = Callable[[int, int], None]
"""Called with the number of frames done and the number of all frames to do, backward ones included."""


def load_system(choice: SystemChoice = SystemChoice()) -> Propagator:
    """The propagator of a choice, its weights verified and loaded.

    Raises:
        InputError: there is no such system, preset, device or weights file.
    """
    return _load(choice, systems.PROPAGATORS, online_steps=choice.online_steps)


def load_interactive_system(choice: SystemChoice) -> InteractiveSegmenter:
    """The interactive segmenter of a choice; see ``load_system``."""
    return _load(choice, systems.INTERACTIVE_SEGMENTERS)


def _load(choice: SystemChoice, table: Mapping[str, Callable[..., Built]], **more: int) -> Built:
    if choice.system not in table:
        raise InputError(f"there is no system {choice.system!r}: choose one of {', '.join(table)}")
    if choice.device not in ("auto", "cpu"):
        from shibori.nn.prepare import choose_device

        choose_device(choice.device)  # before the weights are read
    build = table[choice.system]
    return build(preset=choice.preset, device=choice.device, size=choice.size, weights=choice.weights, **more)


def facts_of(choice: SystemChoice) -> dict[str, str]:
    """What a report should say of how its masks were made."""
    import torch

    return {
        "system": f"{choice.system} {choice.preset}",
        "weights": str(choice.weights or "shipped"),
        "working size": str(choice.size or "default"),
        "device": choice.device,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
    }


def run_job(job: SegmentJob, progress: Progress = lambda done, total: None) -> SegmentSummary:
    """Do the job, frame by frame in bounded memory. If it is stopped, the frames finished so far stay on disk.

    Raises:
        InputError: anything wrong with the clip, the masks, the system or the place for the results.
    """
    clip = read_clip(job.clip)
    start = frame_index(clip, job.start) if job.start else 0
    stop = _end_index(clip, job.end) if job.end else clip.num_frames
    references = read_references(clip, job.mask, start)
    plan = make_plan(clip, references, start, stop, job.every)
    counter = _Counter(plan, job.both_ways, progress)
    with ExitStack() as stack:
        # Places that cannot take the results are refused before the network is loaded.
        tracks = stack.enter_context(TrackLog(tracks_path(job.out), clip, job, list(plan.first_frames)))
        writers = [stack.enter_context(writer) for writer in open_writers(job, clip, list(plan.first_frames))]
        system = load_system(job)
        propagator = counter.counted(system)
        watch = Watch(counter.seen, partial(_write_tracklets, job, clip))
        began = time.perf_counter()
        for frame, masks in run_plan(clip, plan, propagator, job.both_ways, watch):
            for writer in writers:
                writer.write(frame, masks)
            tracks.write(frame, masks)
            counter.wrote()
    # What lies behind the frames that were asked for is nobody's concern.
    complete = stop < clip.num_frames and tracks.num_frames == plan.num_frames
    return _summary(job, tracks, time.perf_counter() - began, None if complete else clip.shortfall)


def open_writers(job: SegmentJob, clip: Clip, object_ids: Sequence[int]) -> Iterator[MaskWriter]:
    """A writer for each format; several that write a file per frame get a folder each, named by the format."""
    for name in job.format:
        place = place_of(job, name)
        yield open_writer(name, place, clip, object_ids, resume=job.resume, overwrite=job.overwrite)


def place_of(job: SegmentJob, name: str) -> Path:
    """Where a format's results go."""
    if name not in FORMATS:
        raise InputError(f"there is no format {name!r}: choose one of {', '.join(FORMATS)}")
    if job.out.suffix and not job.out.is_dir():
        suffix = Path(ONE_FILE_NAMES.get(name, "")).suffix
        if len(job.format) > 1 or suffix != job.out.suffix.lower():
            raise InputError(
                f"{job.out} is the name of one file, which {' and '.join(job.format)} cannot be: give a folder"
            )
        return job.out
    if name in ONE_FILE_NAMES:
        return job.out / ONE_FILE_NAMES[name]
    frame_formats = [other for other in job.format if other not in ONE_FILE_NAMES]
    return job.out / name if len(frame_formats) > 1 else job.out


def tracks_path(out: Path) -> Path:
    """``tracks.json`` in an output folder, ``NAME.tracks.json`` beside an output file."""
    return out.with_suffix(".tracks.json") if out.suffix and not out.is_dir() else out / "tracks.json"


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


class TrackLog:
    """``tracks.json``: for each frame, every object's confidence and state. Streamed, and whole whenever it is there.

    It appears under its name when it is closed, after an interruption too: then it tells of the finished frames.
    """

    def __init__(self, path: Path, clip: Clip, job: SegmentJob, object_ids: list[int]) -> None:
        if path.exists() and not (job.resume or job.overwrite):
            raise InputError(f"{path} is there already: choose another --out, or use --resume or --overwrite")
        self.path = path
        self.num_frames = 0
        self.object_ids = tuple(object_ids)
        self.lost: Counter[int] = Counter()
        self.first_lost: dict[int, int] = {}
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._head = {"clip": clip.name, "size_hw": clip.size_hw, "system": job.system, "objects": object_ids}
        self._file: TextIO | None = None

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Note one frame."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._partial.open("w", encoding="utf-8")
            self._file.write(json.dumps(self._head)[:-1] + ', "frames": [\n')
        objects = {
            str(status.object_id): {"state": status.state, "confidence": round(float(status.confidence), 4)}
            for status in masks.statuses
        }
        line = {"frame": frame.index, "time": None if frame.time is None else float(frame.time), "objects": objects}
        self._file.write((",\n" if self.num_frames else "") + json.dumps(line))
        for status in masks.statuses:
            if status.state == "lost":
                self.lost[status.object_id] += 1
                self.first_lost.setdefault(status.object_id, frame.index)
        self.num_frames += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        try:
            self._file.write("\n]}\n")
            self._file.close()
            self._partial.replace(self.path)
        except OSError:
            # A full disk: the error that is already on its way says so.
            self._partial.unlink(missing_ok=True)
            if error is None:
                raise


def _summary(job: SegmentJob, tracks: TrackLog, seconds: float, shortfall: str | None) -> SegmentSummary:
    return SegmentSummary(
        clip=str(job.clip),
        frames=tracks.num_frames,
        objects=tracks.object_ids,
        seconds=round(seconds, 3),
        frames_per_second=round(tracks.num_frames / seconds, 2),
        outputs=tuple(str(place_of(job, name)) for name in job.format),
        tracks=str(tracks.path),
        lost_frames={object_id: tracks.lost[object_id] for object_id in tracks.object_ids},
        first_lost=tracks.first_lost,
        shortfall=shortfall,
    )


class _Counter:
    """Steps of the backward run first, then frames of the forward run, as one count."""

    def __init__(self, plan: Plan, both_ways: bool, progress: Progress) -> None:
        last = max(plan.first_frames.values(), default=plan.start)
        runs_backward = both_ways and last > plan.start
        self.backward = sum(plan.is_due(index) for index in range(plan.start, last + 1)) if runs_backward else 0
        self.total = self.backward + plan.num_frames
        self.steps = self.written = 0
        self.plan, self.progress = plan, progress

    def counted(self, system: Propagator) -> Propagator:
        """The system, its steps counted: those of a whole clip tell of themselves, and come before all others."""
        if isinstance(system, ClipPropagator):
            self.backward = self.plan.num_frames
            self.total = 2 * self.plan.num_frames
            return system
        return CountedPropagator(system, self.step)

    def seen(self, frames: int) -> None:
        self.progress(frames, self.total)

    def step(self) -> None:
        self.steps += 1
        if self.written == 0 and self.steps <= self.backward:
            self.progress(self.steps, self.total)

    def wrote(self) -> None:
        self.written += 1
        self.progress(self.backward + self.written, self.total)


@dataclass(frozen=True)
class CountedPropagator(Propagator):
    """Another propagator, and a call after each of its steps."""

    inner: Propagator
    stepped: Callable[[], None]

    def begin(self, size_hw: tuple[int, int]) -> Propagation:
        """Start a run of the inner propagator."""
        return _CountedPropagation(self.inner.begin(size_hw), self.stepped)


@dataclass(frozen=True)
class _CountedPropagation(Propagation):
    inner: Propagation
    stepped: Callable[[], None]

    def step(self, image: NDArray[Any], references: Any = None) -> FrameMasks:
        masks = self.inner.step(image, references)
        self.stepped()
        return masks


def segment(
    source: str | Path | Clip, marks: Any, system: str | Propagator = "pixel", **options: Any
) -> Iterator[FrameMasks]:
    """Segment a clip: the short form of ``segment_clip``.

    Args:
        source: a video file, a folder of images, or an open ``Clip``.
        marks: a mask file, a list of ``WHEN:FILE`` marks (see ``read_references``), an (H, W) ids map for the first
            frame, or a mapping of frame index to ids map or mask file.
        system: a name, or a propagator that is already loaded.
        options: ``start``, ``stop``, ``every``, ``both_ways`` of ``segment_clip``; ``preset``, ``weights``,
            ``device``, ``size`` of ``SystemChoice``.

    Yields:
        FrameMasks in frame order, one at a time.
    """
    span = {name: options.pop(name) for name in ("start", "stop", "every", "both_ways") if name in options}
    clip = source if isinstance(source, Clip) else read_clip(source)
    references = _references(clip, marks, span.get("start", 0))
    chosen = load_system(replace(SystemChoice(system=system), **options)) if isinstance(system, str) else system
    return (masks for _, masks in segment_frames(clip, references, chosen, **span))


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
