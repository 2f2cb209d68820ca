"""Cells of the tables of scores."""

from __future__ import annotations

from collections.abc import Sequence

from shibori.evaluation.empty_masks import empty_masks
from shibori.evaluation.scores import SequenceScores


def each_object(sequence: SequenceScores) -> str:
    """J&F of each object in order."""
    return " ".join(f"{entry.j_and_f:.2f}" for entry in sequence.objects)


def count_empty(sequences: Sequence[SequenceScores]) -> str:
    """How many visible objects of all frames have an empty mask, and their share."""
    counted = empty_masks(sequences)
    return f"{counted.empty} of {counted.visible} ({counted.share:.1%})"
