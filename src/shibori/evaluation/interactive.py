"""The DAVIS interactive protocol (2018 to 2020): marks in, masks of all frames out, a robot that corrects, a clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.datasets.annotated_sequence import AnnotatedSequence
from shibori.errors import InputError
from shibori.evaluation.first_scribbles import read_truth, scribble_files, starting_scribbles
from shibori.evaluation.interactive_sample import Sample
from shibori.evaluation.interactive_scores import (
    DAVIS_RULES,
    InteractiveProgress,
    InteractiveRules,
    InteractiveScores,
    SampleScores,
)
from shibori.evaluation.next_frame import next_frame_of
from shibori.evaluation.sequence import require_truth, sequence_clip
from shibori.interfaces import Interaction, InteractiveSegmenter
from shibori.media.marks import marks_from_scribbles
from shibori.media.mask import FrameMasks
from shibori.media.palette import write_palette_png
from shibori.media.rounds import Rounds, rounds_from_marks
from shibori.media.scribble import Scribbles, write_scribbles

Ids = NDArray[Any]


class InteractiveSession:
    """The official order of calls, for anyone's model.

    ::

        session = InteractiveSession(read_davis(root), root / "Scribbles")
        while session.next():
            sequence, scribbles, is_new = session.get_scribbles()
            session.submit_masks(model(sequence, scribbles))
        scores = session.get_report()

    Each sequence is worked on once for each of its first scribbles. The clock runs from ``get_scribbles`` to
    ``submit_masks``; what the robot and the scoring take is not counted. All frames count. The objects are those of
    all frames of the ground truth.

    Args:
        sequences: annotated in every frame.
        scribbles: folder with ``<sequence>/001.json`` and so on, drawn by people. For a sequence it does not hold, and
            for None, the robot draws the first scribbles from the ground truth.
        rules: how long it goes on.
        seed: of the first scribbles the robot draws.
        clock: seconds since some fixed moment.

    Raises:
        InputError: there is no sequence, or one lacks ground truth. Later, from ``next``: one shows no object, or a
            scribble file does not fit its sequence.
    """

    def __init__(
        self,
        sequences: Sequence[AnnotatedSequence],
        scribbles: Path | None = None,
        *,
        rules: InteractiveRules = DAVIS_RULES,
        seed: int = 0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if not sequences:
            raise InputError("there is no sequence to evaluate")
        self.rules = rules
        for sequence in sequences:
            require_truth(sequence)
        if scribbles is not None and not scribbles.is_dir():
            raise InputError(f"expected a folder of scribbles, found none at {scribbles}: leave it out for the robot's")
        self.num_frames = rules.num_interactions * sum(
            sequence.num_frames * (len(scribble_files(sequence, scribbles)) or rules.num_starts)
            for sequence in sequences
        )
        """Masks that are to be handed in, if no sample runs out of time."""
        self._clock = clock
        self._pending = _samples(sequences, scribbles, rules, seed)
        self._done: list[SampleScores] = []
        self._sample: Sample | None = None
        self._began: float | None = None

    def next(self) -> bool:
        """Go on to the next interaction, of the same sample or the next one. False when all is done.

        Raises:
            RuntimeError: masks are due.
        """
        self._require(waiting=False)
        if self._sample is None or self._sample.is_over:
            self._finish_sample()
            self._sample = next(self._pending, None)
        return self._sample is not None

    def get_scribbles(self, only_last: bool = False) -> tuple[str, Scribbles, bool]:
        """What is marked, and start the clock.

        Args:
            only_last: what is new alone, instead of all that was drawn for this sample.

        Returns:
            Name of the sequence; scribbles (``scribbles_to_json`` gives the official dictionary); whether the sample
            is new.

        Raises:
            RuntimeError: masks are due, or ``next`` was not called or returned False.
        """
        self._require(waiting=False)
        sample = self.sample
        self._began = self._clock()
        return sample.sequence.name, sample.latest if only_last else sample.scribbles, not sample.rounds

    def submit_masks(self, masks: Iterable[Ids | FrameMasks], frames: Sequence[int] = ()) -> None:
        """Stop the clock and hand in the masks of all frames. Too late, they do not count and the sample is over.

        Args:
            masks: T maps of ids (H, W) in frame order, such as a (T, H, W) array. What makes them runs on the clock.
            frames: the frames that the robot may mark next; empty for all.

        Raises:
            RuntimeError: ``get_scribbles`` was not called.
            InputError: it is another number of frames or another size than the sequence has, or no such frame.
        """
        self._require(waiting=True)
        maps = [entry.ids if isinstance(entry, FrameMasks) else np.asarray(entry) for entry in masks]
        assert self._began is not None
        seconds, self._began = self._clock() - self._began, None
        self.sample.answer(maps, seconds, frames)

    def get_report(self) -> InteractiveScores:
        """The scores of the samples so far, the one at work included.

        Raises:
            RuntimeError: there is none yet.
        """
        samples = [*self._done, *([self._sample.scores()] if self._sample else [])]
        if not samples:
            raise RuntimeError("call next before asking for the report: nothing was evaluated yet")
        return InteractiveScores(self.rules, tuple(samples))

    @property
    def sample(self) -> Sample:
        """The sample at work. RuntimeError where there is none."""
        if self._sample is None:
            raise RuntimeError("call next first, and go on only if it returns True")
        return self._sample

    def _require(self, *, waiting: bool) -> None:
        if (self._began is not None) != waiting:
            raise RuntimeError("call get_scribbles and submit_masks in turn")

    def _finish_sample(self) -> None:
        if self._sample is not None:
            self._done.append(self._sample.scores())
            self._sample = None


def _samples(
    sequences: Sequence[AnnotatedSequence], folder: Path | None, rules: InteractiveRules, seed: int
) -> Iterator[Sample]:
    for sequence in sequences:
        truth = read_truth(sequence)
        for start, scribbles in enumerate(starting_scribbles(truth, folder, rules.num_starts, seed), 1):
            yield Sample(truth, start, scribbles, rules)


def evaluate_interactive(
    session: InteractiveSession,
    segmenter: InteractiveSegmenter,
    *,
    out_dir: Path | None = None,
    overwrite: bool = False,
    next_frame: str = "worst",
    progress: Callable[[InteractiveProgress], None] | None = None,
) -> InteractiveScores:
    """Run an interactive system through a session that has not begun, and score it.

    Args:
        session: the sequences and the rules.
        segmenter: the system. To begin on a clip and to read its pictures is on the clock.
        out_dir: gets the masks after the last interaction (``masks/<sequence>/<start>``) and all that was drawn
            (``scribbles/<sequence>/<start>.json``) of every sample.
        overwrite: write into a folder that holds results already.
        next_frame: which frame the robot marks next, a name in ``NEXT_FRAMES``. What it takes to tell is on the clock.
        progress: called after each interaction.

    Raises:
        InputError: a sequence cannot be evaluated; the folder holds other results or cannot be written; there is no
            such choice of the next frame, or the system does not suggest any.
    """
    choose = next_frame_of(next_frame)
    folder = None if out_dir is None else _ResultFolders(out_dir, overwrite=overwrite)
    interaction: Interaction | None = None
    rounds: Rounds = ()
    maps: list[Ids] = []
    frames_done = 0
    while session.next():
        _, latest, is_new = session.get_scribbles(only_last=True)
        if is_new:
            interaction, rounds = segmenter.begin(sequence_clip(session.sample.sequence)), ()
        assert interaction is not None
        if latest.frames:  # where the robot found nothing to draw the masks stay what they are
            rounds += rounds_from_marks(marks_from_scribbles(latest))
            maps = [masks.ids for masks in interaction.propagate(rounds, in_order=True)]
        session.submit_masks(maps, choose(interaction, rounds, len(maps)))
        frames_done += len(maps)
        if folder is not None and session.sample.is_over:
            folder.write(session, maps)
        if progress is not None:
            progress(InteractiveProgress(session.sample.sequence.name, frames_done, session.num_frames))
    return session.get_report()


class _ResultFolders:
    """Where the masks and scribbles of samples go."""

    def __init__(self, out_dir: Path, *, overwrite: bool) -> None:
        self.masks, self.scribbles = out_dir / "masks", out_dir / "scribbles"
        try:
            for folder in (self.masks, self.scribbles):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{out_dir} cannot be made: {error.strerror or error}") from error
        if not overwrite and any(self.masks.iterdir()):
            raise InputError(
                f"{self.masks} already holds results: give another folder, or say that they may be overwritten"
            )

    def write(self, session: InteractiveSession, maps: Sequence[Ids]) -> None:
        sample = session.sample
        name, start = sample.sequence.name, f"{sample.start:03d}"
        for folder in (self.masks / name / start, self.scribbles / name):
            folder.mkdir(parents=True, exist_ok=True)
        for index, ids in enumerate(maps):
            write_palette_png(self.masks / name / start / f"{sample.sequence.frame_name(index)}.png", ids)
        write_scribbles(self.scribbles / name / f"{start}.json", sample.scribbles)
