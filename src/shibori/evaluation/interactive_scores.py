"""What an interactive session comes to: the curve of J&F over time, the area under it, and J&F at 60 seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError


@dataclass(frozen=True)
class InteractiveRules:
    """How long a session goes on. The defaults are those of the DAVIS challenges 2018 to 2020."""

    num_interactions: int = 8
    """Rounds of marks and masks a sample, the first included."""
    seconds: float = 30.0
    """Time for an interaction and object. What one interaction leaves of it the later ones may use."""
    threshold: float = 60.0
    """Seconds at which J&F is read off the curve."""
    num_starts: int = 3
    """Samples a sequence for which nobody has drawn first scribbles."""

    def __post_init__(self) -> None:
        if self.num_interactions < 1 or self.num_starts < 1 or self.seconds <= 0:
            raise InputError(
                "expected at least one interaction, one start and some time, found "
                f"{self.num_interactions} interactions, {self.num_starts} starts and {self.seconds:g} seconds"
            )

    @property
    def object_seconds(self) -> float:
        """Time for all interactions of a sample with one object."""
        return self.num_interactions * self.seconds


DAVIS_RULES = InteractiveRules()


@dataclass(frozen=True, eq=False)
class RoundScores:
    """One interaction: what was marked before it, and how good all frames were after it."""

    marked_frames: tuple[int, ...]
    seconds: float
    """From getting the marks to handing in the masks of all frames."""
    j_values: NDArray[np.float64]
    """(N, T) J of each object in each frame."""
    f_values: NDArray[np.float64]
    """(N, T) F of each object in each frame."""

    @property
    def j_means(self) -> NDArray[np.float64]:
        """(N,) mean J of each object over all frames."""
        return np.asarray(self.j_values.mean(axis=1))

    @property
    def f_means(self) -> NDArray[np.float64]:
        """(N,) mean F of each object over all frames."""
        return np.asarray(self.f_values.mean(axis=1))

    @property
    def object_scores(self) -> NDArray[np.float64]:
        """(N,) J&F of each object."""
        return (self.j_means + self.f_means) / 2

    @property
    def frame_scores(self) -> NDArray[np.float64]:
        """(T,) J&F of each frame, the mean over the objects."""
        return np.asarray((self.j_values + self.f_values).mean(axis=0) / 2)


@dataclass(frozen=True, eq=False)
class SampleScores:
    """A sequence worked on from one start."""

    sequence: str
    start: int
    """Number of the first scribbles, from 1."""
    object_ids: tuple[int, ...]
    rounds: tuple[RoundScores, ...]
    """Those that were answered in time: fewer than the rules allow, or none, where time ran out."""

    def after(self, interaction: int) -> NDArray[np.float64]:
        """(N,) J&F of each object after an interaction (from 1): of the last answer in time, zero if there was none."""
        return self.rounds[min(interaction, len(self.rounds)) - 1].object_scores if self.rounds else self._nothing

    def seconds_of(self, interaction: int) -> float:
        """Time of an interaction (from 1); none where it is missing."""
        return self.rounds[interaction - 1].seconds if interaction <= len(self.rounds) else 0.0

    @property
    def _nothing(self) -> NDArray[np.float64]:
        return np.zeros(len(self.object_ids))


@dataclass(frozen=True, eq=False)
class Curve:
    """J&F over accumulated time, from (0, 0) to the end of the time there was."""

    seconds: NDArray[np.float64]
    """(R + 2,) ascending."""
    j_and_f: NDArray[np.float64]
    """(R + 2,)."""

    @property
    def auc(self) -> float:
        """Area under the curve by trapezoids, over the time there was."""
        return float(np.trapezoid(self.j_and_f, self.seconds) / self.seconds[-1])

    def at(self, seconds: float) -> float:
        """J&F at a time, linear between the points."""
        return float(np.interp(seconds, self.seconds, self.j_and_f))


@dataclass(frozen=True, eq=False)
class InteractiveScores:
    """A set of samples. Its means are over (sequence, start, object)."""

    rules: InteractiveRules
    samples: tuple[SampleScores, ...]
    """At least one."""

    @cached_property
    def curve(self) -> Curve:
        """A point for each interaction: mean seconds of the samples so far, mean J&F of all objects.

        It begins in (0, 0). A missing interaction repeats the last answer at no cost. The last value holds until the
        time for a sequence of average size is over.
        """
        interactions = range(1, self.rules.num_interactions + 1)
        seconds = [np.mean([sample.seconds_of(i) for sample in self.samples]) for i in interactions]
        values = [np.concatenate([sample.after(i) for sample in self.samples]).mean() for i in interactions]
        return Curve(np.array([0, *np.cumsum(seconds), self._total_seconds]), np.array([0, *values, values[-1]]))

    @property
    def auc(self) -> float:
        """Area under the curve over its length, in [0, 1]."""
        return self.curve.auc

    @property
    def at_threshold(self) -> float:
        """J&F at 60 seconds (or what the rules say)."""
        return self.curve.at(self.rules.threshold)

    @property
    def j_and_f(self) -> float:
        """J&F after the last interaction."""
        return float(self.curve.j_and_f[-1])

    @property
    def rise_share(self) -> float | None:
        """Share of the corrections after which the sample's mean J&F was higher; None where there was none."""
        changes = [
            np.mean(after.object_scores) - np.mean(before.object_scores) for before, after in self._corrections()
        ]
        return float(np.mean(np.array(changes) > 0)) if changes else None

    @property
    def marked_changes(self) -> NDArray[np.float64]:
        """(K,) change of the mean J of each frame that was corrected, by that correction."""
        pairs = [
            (before.j_values[:, frame].mean(), after.j_values[:, frame].mean())
            for before, after in self._corrections()
            for frame in after.marked_frames
        ]
        values = np.array(pairs).reshape(-1, 2)
        return np.asarray(values[:, 1] - values[:, 0])

    def _corrections(self) -> Iterator[tuple[RoundScores, RoundScores]]:
        """The rounds before and after each correction that was drawn."""
        for sample in self.samples:
            yield from ((before, after) for before, after in pairwise(sample.rounds) if after.marked_frames)

    @property
    def _total_seconds(self) -> float:
        num_objects = {sample.sequence: len(sample.object_ids) for sample in self.samples}
        return self.rules.object_seconds * float(np.mean([*num_objects.values()]))


@dataclass(frozen=True)
class InteractiveProgress:
    """How far a session is."""

    sequence: str
    """The sequence at work."""
    frames_done: int
    """Masks handed in so far."""
    num_frames: int
    """Masks of the whole session, if no sample runs out of time."""
