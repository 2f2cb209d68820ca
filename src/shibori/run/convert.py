"""Annotations of one format as those of another. No clip is decoded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from shibori.errors import InputError
from shibori.media.annotation.annotations import Annotations
from shibori.media.annotation.formats import ANNOTATION_FORMATS, format_of, read_annotations
from shibori.media.annotation.writer import write_annotations
from shibori.media.reader import read_clip


@dataclass(frozen=True)
class ConvertJob:
    """Turn the annotations in SOURCE into those of another format, at TARGET."""

    source: Path = field(kw_only=True, metadata={"help": "A file or folder of annotations.", "argument": True})
    target: Path = field(kw_only=True, metadata={"help": "The file or folder to write.", "argument": True})
    format: str = field(kw_only=True, metadata={"help": f"One of {', '.join(ANNOTATION_FORMATS)}.", "flags": ("--to",)})
    source_format: str | None = field(
        default=None, metadata={"help": "Format of SOURCE; without it, found out.", "flags": ("--from",)}
    )
    clip: Path | None = field(
        default=None,
        metadata={
            "help": "The clip, for the names of its frames and, with YOLO, its size. Its frames are not decoded."
        },
    )
    overwrite: bool = field(default=False, metadata={"help": "Replace what is already there."})


@dataclass(frozen=True)
class ConvertSummary:
    """What was converted."""

    source_format: str
    format: str
    frames: int
    objects: int
    shapes: int
    loss: str
    """What the new format cannot hold; empty where it holds everything."""
    output: str


def convert(job: ConvertJob) -> ConvertSummary:
    """Do the job.

    Raises:
        InputError: a format that is none, a damaged source, a clip it does not belong to, a place that is taken.
    """
    if job.format not in ANNOTATION_FORMATS:
        raise InputError(f"there is no annotation format {job.format!r}: choose one of {', '.join(ANNOTATION_FORMATS)}")
    form = ANNOTATION_FORMATS[job.format]
    is_taken = any(job.target.iterdir()) if job.target.is_dir() else job.target.exists()
    if is_taken and not job.overwrite:
        raise InputError(f"{job.target} is there already: choose another place, or use --overwrite")
    if form.is_folder == bool(job.target.suffix) and not job.target.is_dir():
        kind = "a folder" if form.is_folder else f"a file that ends in {Path(form.file_name).suffix}"
        raise InputError(f"{job.target} is no place for {job.format}: give {kind}")
    if not job.source.exists():
        raise InputError(f"there is no file or folder {job.source}")
    source_format = job.source_format or format_of(job.source)
    annotations = _read(job, source_format)
    target = job.target / form.file_name if job.target.is_dir() and not form.is_folder else job.target
    write_annotations(target, annotations, form)
    num_shapes = sum(len(each.shapes) for each in annotations.objects)
    counts = annotations.num_frames, len(annotations.objects), num_shapes
    return ConvertSummary(source_format, job.format, *counts, form.loss, str(target))


def _read(job: ConvertJob, source_format: str) -> Annotations:
    if job.clip is None:
        return read_annotations(job.source, source_format)
    clip = read_clip(job.clip)
    annotations = read_annotations(job.source, source_format, clip.size_hw)
    if (annotations.size_hw, annotations.num_frames) != (clip.size_hw, clip.num_frames):
        height, width = annotations.size_hw
        raise InputError(
            f"{job.source} is about {annotations.num_frames} frames of {width}x{height}, but {clip.name} has "
            f"{clip.num_frames} of {clip.size_hw[1]}x{clip.size_hw[0]}"
        )
    return replace(annotations, frame_names=tuple(clip.frame_name(index) for index in range(clip.num_frames)))
