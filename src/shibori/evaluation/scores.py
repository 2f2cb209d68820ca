"""What scoring gives: values per frame, object, sequence and set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shibori.datasets.annotated_sequence import AnnotatedSequence
from shibori.evaluation.measures import Statistics, mean_statistics, summarize
from shibori.evaluation.sequence import ResultFolder

ProtocolName = Literal["semi-supervised", "unsupervised"]


@dataclass(frozen=True, eq=False)
class ObjectScores:
    """One true object over the frames that count."""

    object_id: int
    """The ground truth's number."""
    result_id: int | None
    """The number it has in the results; None where no proposal was left for it (unsupervised)."""
    first_index: int
    """Frame of the first value; the others follow without gaps."""
    j_values: NDArray[np.float64]
    """(T,) J of each frame."""
    f_values: NDArray[np.float64]
    """(T,) F of each frame."""
    switches: int
    """Identity switches, see ``identity.identity_switches``."""

    @cached_property
    def j(self) -> Statistics:
        """Mean, recall and decay of J."""
        return summarize(self.j_values)

    @cached_property
    def f(self) -> Statistics:
        """Mean, recall and decay of F."""
        return summarize(self.f_values)

    @property
    def j_and_f(self) -> float:
        """Mean of the two means."""
        return (self.j.mean + self.f.mean) / 2


@dataclass(frozen=True, eq=False)
class SequenceScores:
    """The objects of one sequence."""

    truth: AnnotatedSequence
    results: ResultFolder
    objects: tuple[ObjectScores, ...]
    """At least one."""
    seconds: float | None = None
    """What the system took for all frames, decoding and writing included; None where only files were scored."""

    @property
    def name(self) -> str:
        """The sequence's name."""
        return self.truth.name

    @cached_property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the truth in pixels."""
        height, width = self.truth.read_ids(0).shape
        return height, width

    def read_result(self, index: int) -> NDArray[Any]:
        """(H, W) object ids of the results in a frame. InputError where they have no mask of it that can be read."""
        return self.results.read_ids(self.truth.frame_name(index), self.size_hw)

    @property
    def j(self) -> Statistics:
        """J averaged over the objects."""
        return mean_statistics([entry.j for entry in self.objects])

    @property
    def f(self) -> Statistics:
        """F averaged over the objects."""
        return mean_statistics([entry.f for entry in self.objects])

    @property
    def j_and_f(self) -> float:
        """Mean of the two means."""
        return (self.j.mean + self.f.mean) / 2

    @property
    def switches(self) -> int:
        """Identity switches of all objects."""
        return sum(entry.switches for entry in self.objects)

    @property
    def frames_per_second(self) -> float | None:
        """Speed of the system on this sequence; None where only files were scored."""
        return self.truth.num_frames / self.seconds if self.seconds else None


@dataclass(frozen=True, eq=False)
class Scores:
    """A set of sequences. Its means are over all objects of the set, not over sequences."""

    protocol: ProtocolName
    sequences: tuple[SequenceScores, ...]
    """At least one."""
    unscored: tuple[str, ...] = ()
    """Sequences of the ground truth for which there are no results."""

    @property
    def objects(self) -> list[tuple[SequenceScores, ObjectScores]]:
        """Every object of the set with its sequence."""
        return [(sequence, entry) for sequence in self.sequences for entry in sequence.objects]

    @property
    def j(self) -> Statistics:
        """J averaged over the objects of the set."""
        return mean_statistics([entry.j for _, entry in self.objects])

    @property
    def f(self) -> Statistics:
        """F averaged over the objects of the set."""
        return mean_statistics([entry.f for _, entry in self.objects])

    @property
    def j_and_f(self) -> float:
        """The set's score: mean of J's and F's means."""
        return (self.j.mean + self.f.mean) / 2

    @property
    def switches(self) -> int:
        """Identity switches of all objects."""
        return sum(sequence.switches for sequence in self.sequences)

    @property
    def frames_per_second(self) -> float | None:
        """Frames of all sequences over the seconds they took; None where only files were scored."""
        seconds = [sequence.seconds for sequence in self.sequences if sequence.seconds is not None]
        if len(seconds) < len(self.sequences) or not sum(seconds):
            return None
        return sum(sequence.truth.num_frames for sequence in self.sequences) / sum(seconds)


@dataclass(frozen=True)
class Progress:
    """How far a set is."""

    sequence: str
    """The sequence at work, or just done."""
    frames_done: int
    num_frames: int
    """Frames of the whole set."""
    frames_per_second: float | None = None
    """Speed of the system so far; None where only files are scored."""


ProgressCallback = Callable[[Progress], None]
