"""Whether an object that was hidden for a while is found again, under its own number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from shibori.datasets.annotated_sequence import AnnotatedSequence
from shibori.datasets.scene.episodes import Episode
from shibori.evaluation.measures import region_similarity

FOUND_J = 0.5
"""An object is found where its J is above this."""
WINDOW = 5
"""Frames it may take, the one it is back in counted."""


@dataclass(frozen=True)
class Reappearance:
    """An object came back, and a result showed it or not."""

    episode: Episode
    j_values: tuple[float, ...]
    """J in the first ``WINDOW`` frames that show it again."""

    @property
    def first_found(self) -> int | None:
        """The first of these frames in which it is found."""
        found = (step for step, j in enumerate(self.j_values) if j > FOUND_J)
        return next((self.episode.first_back + step for step in found), None)


def reappearances(
    sequence: AnnotatedSequence, result_ids: Callable[[int], NDArray[Any]], episodes: Sequence[Episode]
) -> list[Reappearance]:
    """What a result shows of each object that came back.

    Args:
        sequence: the truth.
        result_ids: frame index -> (H, W) ids of the result, of the truth's size and with its numbers.
        episodes: when objects were hidden, such as ``scene.episodes.episodes`` tells.
    """
    return [Reappearance(episode, _j_values(sequence, result_ids, episode)) for episode in episodes]


def _j_values(
    sequence: AnnotatedSequence, result_ids: Callable[[int], NDArray[Any]], episode: Episode
) -> tuple[float, ...]:
    frames = range(episode.first_back, min(episode.first_back + WINDOW, sequence.num_frames))
    k = episode.object_id
    return tuple(region_similarity(result_ids(i) == k, sequence.read_ids(i) == k) for i in frames)
