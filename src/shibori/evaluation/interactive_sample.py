"""One sequence on its way through the interactions of a session, from one of its first scribbles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.datasets.annotated_sequence import AnnotatedSequence
from shibori.errors import InputError
from shibori.evaluation import robot
from shibori.evaluation.first_scribbles import Truth, scribbles_of
from shibori.evaluation.interactive_scores import InteractiveRules, RoundScores, SampleScores
from shibori.evaluation.measures import ids_measures
from shibori.media.scribble import Scribbles

Ids = NDArray[Any]


class Sample:
    """What is marked and how good the answers were, so far.

    Args:
        truth: of the sequence.
        start: number of the first scribbles, from 1.
        scribbles: the first ones.
        rules: how long it goes on.
    """

    def __init__(self, truth: Truth, start: int, scribbles: Scribbles, rules: InteractiveRules) -> None:
        self.truth = truth
        self.start = start
        self.rules = rules
        self.scribbles = scribbles
        """All that was drawn."""
        self.latest = scribbles
        """What was drawn since the last answer; no stroke where the robot saw nothing worth one."""
        self.rounds: list[RoundScores] = []
        self.is_over = False
        self._used: list[int] = []

    @property
    def sequence(self) -> AnnotatedSequence:
        """The sequence."""
        return self.truth.sequence

    def answer(self, maps: Sequence[Ids], seconds: float, candidates: Sequence[int] = ()) -> None:
        """Score all frames and let the robot mark the next one, or end.

        Args:
            maps: T maps of ids (H, W).
            seconds: they took. If that is more than is left the answer does not count, and the sample is over.
            candidates: the only frames the robot may mark; empty for all.

        Raises:
            InputError: the maps do not fit the sequence, or there is no such frame.
        """
        self._check(maps, candidates)
        spent = sum(entry.seconds for entry in self.rounds) + seconds
        if spent > self.rules.object_seconds * len(self.truth.object_ids):
            self.is_over = True
            return
        pairs = zip(maps, self.truth.ids, strict=True)
        values = np.stack([ids_measures(pred, true, self.truth.object_ids) for pred, true in pairs])  # (T, N, 2)
        self.rounds.append(RoundScores(self.latest.frames, seconds, values[:, :, 0].T, values[:, :, 1].T))
        self.is_over = len(self.rounds) == self.rules.num_interactions
        if not self.is_over:
            self._correct(maps, candidates)

    def scores(self) -> SampleScores:
        """What it came to so far."""
        return SampleScores(self.sequence.name, self.start, self.truth.object_ids, tuple(self.rounds))

    def _correct(self, maps: Sequence[Ids], candidates: Sequence[int]) -> None:
        index = robot.frame_to_correct(self.rounds[-1].frame_scores, self._used, candidates)
        self._used.append(index)
        strokes = robot.correct(maps[index], self.truth.ids[index], self.truth.object_ids)
        self.latest = scribbles_of(self.truth, {index: strokes}, index)
        self.scribbles += self.latest

    def _check(self, maps: Sequence[Ids], candidates: Sequence[int]) -> None:
        name, num_frames, shape = self.sequence.name, len(self.truth.ids), self.truth.ids[0].shape
        others = {entry.shape for entry in maps} - {shape}
        if len(maps) != num_frames or others:
            found = f"one of {others.pop()}" if others else f"{len(maps)}"
            raise InputError(
                f"expected {num_frames} masks of {shape} (height, width), one a frame of {name}, found {found}: "
                "hand in a map of object ids for every frame"
            )
        beyond = [index for index in candidates if not 0 <= index < num_frames]
        if beyond:
            raise InputError(f"{name} has no frame {beyond[0]} to mark next: choose from 0 to {num_frames - 1}")
