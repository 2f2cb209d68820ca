"""The masks of a project brought up to date: only those that are not, kept as they come, so that it can go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from shibori.interfaces import Interaction
from shibori.media.mask import FrameMasks
from shibori.media.rounds import Rounds, check_rounds
from shibori.session.freshness import frame_keys
from shibori.session.store import ProjectStore, PropagationJob

SECONDS_AT_STAKE = 0.5
"""Of work, that is lost where the program is killed."""


class PropagationWork:
    """One propagation over the rounds as they are now; somebody else computes.

    Args:
        store: of the project.
        job: the frames that are asked for, and where somebody looks.
        is_local: of the system, see ``frame_keys``.

    Raises:
        InputError: nothing was marked yet.
    """

    def __init__(self, store: ProjectStore, job: PropagationJob, is_local: bool) -> None:
        self.store, self.job = store, job
        self.rounds: Rounds = store.project.rounds
        clip = store.project.clip
        check_rounds(self.rounds, clip.num_frames, clip.size_hw)
        self.keys = frame_keys(self.rounds, clip.num_frames, is_local)
        self.runs = nearest_first(runs_of(stale_frames(store, self.keys, range(job.first, job.last + 1))), job.frame)
        """Frames that are not up to date, in the order in which they are wanted."""
        self.num_frames = sum(map(len, self.runs))
        self._unsaved: list[tuple[str, FrameMasks]] = []
        self._saved_at = time.monotonic()

    def keep(self, masks: FrameMasks) -> None:
        """The masks of one more frame. They are on the disk soon, and all of them after ``close``."""
        self._unsaved.append((self.keys[masks.index], masks))
        if time.monotonic() - self._saved_at > SECONDS_AT_STAKE:
            self._save()

    def _save(self) -> None:
        pairs, self._unsaved = self._unsaved, []
        self.store.save_masks(pairs)
        self._saved_at = time.monotonic()

    def close(self, is_over: bool) -> None:
        """No more will come; with ``is_over`` there is nothing to go on with after a restart."""
        self._save()
        if is_over:
            self.store.set_job(None)


def bring_up_to_date(
    store: ProjectStore,
    interaction: Interaction,
    job: PropagationJob,
    report: Callable[[int, int], None] = lambda done, total: None,
    is_local: bool = True,
) -> Iterator[FrameMasks]:
    """Do a propagation here, frame by frame. Leaving it early leaves what came, and the job to go on with.

    Args:
        store: of the project.
        interaction: with its clip.
        job: what is asked for.
        report: called with the number of frames done and of all.
        is_local: of the system, see ``frame_keys``.

    Raises:
        InputError: nothing was marked yet, or the disk refuses.
    """
    work = PropagationWork(store, job, is_local)
    store.set_job(job)
    done, is_over = 0, False
    try:
        for run in work.runs:
            for masks in interaction.propagate(work.rounds, run):
                work.keep(masks)
                yield masks
                done += 1
                report(done, work.num_frames)
        is_over = True
    finally:
        work.close(is_over)


def stale_frames(store: ProjectStore, keys: list[str], span: range) -> list[int]:
    """The frames of a span of which there are no masks for their keys, ascending."""
    fresh = set(store.frames_with(keys))
    return [frame for frame in span if frame not in fresh]


def runs_of(frames: Sequence[int]) -> list[range]:
    """Ascending frames as stretches of frames in a row."""
    ends = [0, *(place for place, (one, other) in enumerate(pairwise(frames), 1) if other > one + 1), len(frames)]
    return [range(frames[i], frames[j - 1] + 1) for i, j in pairwise(ends) if i < j]


def nearest_first(runs: list[range], frame: int) -> list[range]:
    """The stretches by how far they are from a frame."""
    return sorted(runs, key=lambda run: max(run.start - frame, frame - run.stop + 1, 0))
