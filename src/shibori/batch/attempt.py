"""One try at one clip, wherever it runs: what is loaded stays loaded for the next one."""

from __future__ import annotations

import json
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from shibori.batch.task import ClipResult, ClipTask, LostFrames, Strip
from shibori.errors import InputError
from shibori.media.atomic import disk_errors
from shibori.media.instances import read_instances
from shibori.media.reader import address_of
from shibori.run.choice import Loaders, SegmenterChoice, SystemChoice
from shibori.run.discover import VIDEO_ID, DiscoverJob, run_discovery
from shibori.run.job import SegmentJob, run_job
from shibori.run.progress import Progress

Built = TypeVar("Built")
STRIP_LENGTH = 120
"""Letters in the strip of an object, at most."""
_LETTERS = {"tracked": "t", "lost": "l", "absent": "a"}


@dataclass(frozen=True)
class Failure:
    """Why a try came to nothing."""

    reason: str
    is_final: bool
    """Whether another one would come to the same."""
    is_defect: bool = False
    """Whether it is not known what state the process is in now."""


def keeping(loaders: Loaders) -> Loaders:
    """The same, but the last system of each kind stays loaded until another one is asked for."""
    return Loaders(
        _keeping(loaders.propagator, SystemChoice),
        _keeping(loaders.interactive, SystemChoice),
        _keeping(loaders.instances, SegmenterChoice),
    )


def _keeping(load: Callable[[Any], Built], choice_class: type[Any]) -> Callable[[Any], Built]:
    kept: dict[Any, Built] = {}

    def load_or_keep(job: Any) -> Built:
        choice = choice_class(**{each.name: getattr(job, each.name) for each in fields(choice_class)})
        if choice not in kept:
            kept.clear()
            kept[choice] = load(choice)
        return kept[choice]

    return load_or_keep


def try_task(task: ClipTask, folder: Path, loaders: Loaders, progress: Progress) -> ClipResult | Failure:
    """Do a task, with its results in a folder that is not there yet. Nothing is left of one that fails."""
    try:
        with disk_errors(folder):
            folder.mkdir(parents=True)
        with _local_clip(task.job) as job:
            job = replace(job, out=folder)
            return _segment(job, loaders, progress) if isinstance(job, SegmentJob) else _find(job, loaders, progress)
    except InputError as error:
        shutil.rmtree(folder, ignore_errors=True)
        # What a disk or a network refuses now it may grant later.
        return Failure(str(error), is_final=not isinstance(error.__cause__, OSError))
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        reason = f"this went wrong inside shibori ({type(error).__name__}: {error}, {where})"
        return Failure(reason, is_final=False, is_defect=True)


@contextmanager
def _local_clip(job: SegmentJob | DiscoverJob) -> Iterator[SegmentJob | DiscoverJob]:
    """The job with its clip on this machine; a fetched one goes away again."""
    address = address_of(job.clip)
    if address is None:
        yield job
        return
    from shibori.media.address import fetched_into

    with tempfile.TemporaryDirectory(prefix="shibori-") as folder:
        yield replace(job, clip=fetched_into(Path(folder), address))


def _segment(job: SegmentJob, loaders: Loaders, progress: Progress) -> ClipResult:
    summary = run_job(job, progress, loaders=loaders)
    return ClipResult(
        frames=summary.frames,
        objects=summary.objects,
        seconds=summary.seconds,
        frames_per_second=summary.frames_per_second,
        outputs=_within(job.out, (*summary.outputs, summary.tracks)),
        strips=strips_of_tracks(json.loads(Path(summary.tracks).read_text())),
        lost=tuple(
            LostFrames(object_id, summary.lost_frames[object_id], first)
            for object_id, first in summary.first_lost.items()
        ),
        notes=summary.notes,
        shortfall=summary.shortfall,
    )


def _find(job: DiscoverJob, loaders: Loaders, progress: Progress) -> ClipResult:
    summary = run_discovery(job, progress, loaders.instances(job))
    tracks = read_instances(summary.outputs[0]).get(VIDEO_ID, [])
    strips = (
        Strip(track.track_id, _strip(["absent" if code is None else "tracked" for code in track.segmentations]))
        for track in tracks
    )
    return ClipResult(
        frames=summary.frames,
        objects=tuple(each.track_id for each in summary.instances),
        seconds=summary.seconds,
        frames_per_second=summary.frames_per_second,
        outputs=_within(job.out, summary.outputs),
        strips=tuple(strips),
        notes=() if summary.instances else ("nothing was found in it",),
    )


def _within(folder: Path, paths: Sequence[str]) -> tuple[str, ...]:
    return tuple(Path(path).relative_to(folder).as_posix() for path in paths)


def strips_of_tracks(tracks: Mapping[str, Any]) -> tuple[Strip, ...]:
    """The strip of every object of a ``tracks.json``."""
    return tuple(
        Strip(object_id, _strip([_state(frame["objects"].get(str(object_id))) for frame in tracks["frames"]]))
        for object_id in tracks["objects"]
    )


def _state(said: Mapping[str, Any] | None) -> str:
    return "absent" if said is None else str(said["state"])


def _strip(states: Sequence[str]) -> str:
    """A letter for each of at most ``STRIP_LENGTH`` equal spans."""
    letters = "".join(_LETTERS[state] for state in states)
    count = min(len(letters), STRIP_LENGTH)
    bounds = [len(letters) * place // count for place in range(count + 1)] if count else []
    return "".join(_worst(letters[begin:end]) for begin, end in pairwise(bounds))


def _worst(letters: str) -> str:
    return "l" if "l" in letters else "a" if "a" in letters else "t"
