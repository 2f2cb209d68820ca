"""Masks that a run left, written again in other formats. No network runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from shibori.errors import InputError
from shibori.media.calm import calm_masks
from shibori.media.clip import Clip, Frame
from shibori.media.edges import EdgeControls, shape_edges
from shibori.media.mask import FrameMasks
from shibori.media.mask_folder import no_masks
from shibori.media.mask_source import MaskSource
from shibori.media.reader import read_clip
from shibori.media.result import read_result
from shibori.media.writer import FORMATS, ONE_FILE_NAMES, WriterOptions, open_writer
from shibori.run.job import place_of
from shibori.run.progress import FrameCounter, Progress


@dataclass(frozen=True)
class ExportJob(EdgeControls, WriterOptions):
    """Write the masks of RESULT in other formats, without segmenting again."""

    result: Path = field(
        kw_only=True,
        metadata={
            "help": "What shibori segment wrote: its folder, masks.shibori (of --keep-soft) or masks.json; "
            "annotations; or alpha:, grey: or colours: before a picture, folder or video of masks.",
            "argument": True,
        },
    )
    clip: Path = field(kw_only=True, metadata={"help": "The clip that the masks belong to."})
    out: Path = field(
        kw_only=True, metadata={"help": f"Folder for the results, or a file for {', '.join(ONE_FILE_NAMES)}."}
    )
    format: tuple[str, ...] = field(
        default=("palette",), metadata={"help": f"One of {', '.join(FORMATS)}. Repeatable."}
    )
    objects: str | None = field(
        default=None, metadata={"help": "Ids of the objects to write, such as 1,3; without it, all of them."}
    )
    deinterlace: bool = field(default=False, metadata={"help": "Make whole pictures of an interlaced clip's fields."})
    resume: bool = field(
        default=False, metadata={"help": "Keep the finished frames of a run that was stopped, and write the others."}
    )
    overwrite: bool = field(default=False, metadata={"help": "Replace results that are already there."})


@dataclass(frozen=True)
class ExportSummary:
    """What an export did."""

    clip: str
    frames: int
    without_masks: int
    """Frames of the clip of which the result says nothing; they were written empty."""
    objects: tuple[int, ...]
    soft: bool
    """Whether the result holds probabilities; without them, edges are hard."""
    seconds: float
    outputs: tuple[str, ...]
    remarks: tuple[str, ...]
    """What a format could not take along, in a sentence each."""
    shortfall: str | None
    """Which frames of the clip could not be decoded, in a sentence; None if all could."""


def run_export(job: ExportJob, progress: Progress = lambda done, total: None) -> ExportSummary:
    """Do the job, frame by frame in bounded memory.

    Args:
        job: what is asked for.
        progress: called after each frame, with the number of frames done and of all frames.

    Raises:
        InputError: anything wrong with the result, the clip, the objects or the place for what is written.
    """
    clip = read_clip(job.clip, deinterlace=job.deinterlace, exact=True)
    source = read_result(job.result, clip)
    object_ids = chosen_objects(source, job.objects)
    counter = FrameCounter(progress, clip.num_frames)
    began, written = time.perf_counter(), 0
    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                open_writer(
                    name,
                    place_of(job.out, job.format, name),
                    clip,
                    object_ids,
                    resume=job.resume,
                    overwrite=job.overwrite,
                    options=replace(job, label=(*(f"{i}={name}" for i, name in source.names.items()), *job.label)),
                )
            )
            for name in job.format
        ]
        pairs = shaped_masks(masks_of_clip(clip, source, object_ids), job, object_ids)
        for frame, masks in counter.counted(pairs):
            for writer in writers:
                writer.write(frame, masks)
            written += 1
    return ExportSummary(
        clip=str(job.clip),
        frames=written,
        without_masks=clip.num_frames - len(source.frames),
        objects=object_ids,
        soft=source.is_soft,
        seconds=round(time.perf_counter() - began, 3),
        outputs=tuple(str(place_of(job.out, job.format, name)) for name in job.format),
        remarks=(*clip.remarks, *(remark for writer in writers for remark in writer.remarks)),
        shortfall=clip.shortfall,
    )


def chosen_objects(source: MaskSource, wanted: str | None) -> tuple[int, ...]:
    """Ids such as ``1,3``; all where it is None. InputError for what is no list of ids of the source."""
    if wanted is None:
        return source.object_ids
    parts = [part.strip() for part in wanted.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise InputError(f"expected ids of objects such as 1,3, found {wanted!r}")
    chosen = tuple(sorted({int(part) for part in parts}))
    for object_id in chosen:
        if object_id not in source.object_ids:
            known = ", ".join(map(str, source.object_ids)) or "none"
            raise InputError(f"{source.path} has no object {object_id}: it has {known}")
    return chosen


def shaped_masks(
    pairs: Iterator[tuple[Frame, FrameMasks]], controls: EdgeControls, object_ids: tuple[int, ...]
) -> Iterator[tuple[Frame, FrameMasks]]:
    """The same frames with their edges shaped."""
    if controls.calm:
        pairs = calm_masks(pairs, object_ids, controls.calm)
    if replace(controls, calm=0).is_idle:
        return pairs
    return ((frame, shape_edges(masks, frame.image, controls, object_ids)) for frame, masks in pairs)


def masks_of_clip(clip: Clip, source: MaskSource, object_ids: tuple[int, ...]) -> Iterator[tuple[Frame, FrameMasks]]:
    """Every frame that decodes, with the masks of some objects; empty ones where the source has none."""
    for frame in clip.frames():
        masks = source.masks(frame.index)
        yield frame, no_masks(frame.index, clip.size_hw, object_ids) if masks is None else _only(masks, object_ids)


def _only(masks: FrameMasks, object_ids: tuple[int, ...]) -> FrameMasks:
    """Without the other objects. Their shares of a pixel go on counting: edges between two stay where they are."""
    kept = np.isin(masks.ids, object_ids)
    statuses = tuple(status for status in masks.statuses if status.object_id in object_ids)
    return replace(masks, ids=np.where(kept, masks.ids, 0).astype(masks.ids.dtype), statuses=statuses)
