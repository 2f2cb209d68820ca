"""One pass over the frames that are out of date, forward or backward, from the marked frames on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shibori.media.clip import Clip, Frame
from shibori.ops.overlap import WindowedLogits
from shibori.systems.trackprop.propagation import Followed, Propagating
from shibori.systems.trackprop.spans import Span, Track, merged, nearest
from shibori.tracking.logit_store import Answer
from shibori.tracking.window_tracker import TrackState

Mask = NDArray[np.bool_]


@dataclass
class Job:
    """One object over one span in one direction."""

    track: Track
    span: Span
    source: int
    """The marked frame it starts from."""
    followed: Followed | None = field(default=None, init=False)

    def covers(self, index: int) -> bool:
        """Whether a frame is in the span."""
        start, stop = self.span.bounds(self.track.num_frames)
        return start <= index < stop


@dataclass(frozen=True)
class Surroundings:
    """What a sweep asks of the interaction it belongs to."""

    anchor: Callable[[int, int], TrackState]
    """Of an object in a marked frame where it is: (object_id, frame)."""
    known: Callable[[int, set[int]], tuple[list[WindowedLogits], dict[int, Mask]]]
    """What is known in a frame of objects other than those given: answers, and masks taken for true."""


def jobs_of(tracks: Sequence[Track], forward: bool) -> list[Job]:
    """What is to be done in one direction."""
    jobs = []
    for track in tracks:
        for span in track.due():
            source = track.sources(span)[0 if forward else 1]
            if source is not None:
                jobs.append(Job(track, span, source))
    return jobs


def sweep(
    clip: Clip, propagating: Propagating, jobs: Sequence[Job], around: Surroundings, forward: bool
) -> Iterator[tuple[int, Mapping[int, Answer]]]:
    """Do the jobs, all objects of a frame together.

    Yields:
        Frame index, and object_id -> answer; for every frame of the jobs that can be decoded, in the direction's order.
    """
    ranges = merged(job.span.bounds(job.track.num_frames) for job in jobs)
    for start, stop in ranges if forward else reversed(ranges):
        for frame in clip.frames(start, stop) if forward else clip.backward(stop - 1, start - 1):
            active = [job for job in jobs if job.covers(frame.index)]
            yield frame.index, _step(clip, propagating, active, around, frame)
            for job in jobs:
                if not job.covers(frame.index):
                    job.followed = None  # frees what is remembered


def _step(
    clip: Clip, propagating: Propagating, active: Sequence[Job], around: Surroundings, frame: Frame
) -> dict[int, Answer]:
    for job in active:
        if job.followed is None:
            job.followed = _begin(clip, propagating, job, around)
    followed = [job.followed for job in active if job.followed is not None]
    answers, given = around.known(frame.index, {job.track.object_id for job in active})
    return propagating.step(frame.image, followed, answers, given)


def _begin(clip: Clip, propagating: Propagating, job: Job, around: Surroundings) -> Followed:
    track, count = job.track, propagating.rule.references
    ends = [end for end in track.sources(job.span) if end is not None]
    there = [frame for frame, is_there in track.marked.items() if is_there and frame not in ends]
    ends.sort(key=lambda end: end != job.source)
    chosen = [*ends, *nearest(there, job.source, count)][:count]
    nearby = [around.anchor(track.object_id, index) for index in chosen]
    image = clip.frame(job.source).image if propagating.box_tracker is not None else None
    return propagating.begin(around.anchor(track.object_id, job.source), nearby, image)
