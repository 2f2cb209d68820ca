"""When objects of a made clip were out of sight and came back, from the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.renderer import visible_areas

HIDDEN_SHARE = 0.05
"""An object that shows less than this share of its typical area is hidden."""
_GLIMPSE = 2  # frames


@dataclass(frozen=True)
class Episode:
    """An object was there, could not be seen for a while, and came back."""

    object_id: int
    first_hidden: int
    """The first frame without it."""
    first_back: int
    """The first frame that shows it again."""

    @property
    def num_hidden(self) -> int:
        """Frames without it."""
        return self.first_back - self.first_hidden


def episodes(sequence: CompositeSequence, shortest: int = 10, longest: int = 40) -> list[Episode]:
    """The times objects of a clip were hidden for ``shortest`` to ``longest`` frames and came back, in order.

    Computed from the truth, see ``episodes_of_areas``.
    """
    areas = visible_areas(sequence.read_ids, sequence.num_frames)
    found = [e for k in sequence.object_ids for e in episodes_of_areas(k, areas[:, k], shortest, longest)]
    return sorted(found, key=lambda episode: (episode.first_hidden, episode.object_id))


def episodes_of_areas(
    object_id: int, areas: NDArray[np.integer], shortest: int = 10, longest: int = 40, settled: int = 5
) -> list[Episode]:
    """The times one object was hidden for ``shortest`` to ``longest`` frames and came back.

    Hidden is an area below ``HIDDEN_SHARE`` of the median of its areas where it shows at all. It is back where it
    then shows in ``settled`` frames on end. A glimpse of a frame or two belongs to the time it is hidden; a time with
    longer ones is left out: it is neither hidden nor back.

    Args:
        object_id: its number.
        areas: (T,) visible pixels in each frame.
        shortest: least number of hidden frames.
        longest: most.
        settled: frames it must show on end, before and after.
    """
    if not areas.any():
        return []
    shown = areas >= HIDDEN_SHARE * np.median(areas[areas > 0])
    runs = [run for run in _runs(shown) if run[1] - run[0] >= settled]
    gaps = zip((stop for _, stop in runs[:-1]), (start for start, _ in runs[1:]), strict=True)
    return [
        Episode(object_id, gone, back)
        for gone, back in gaps
        if shortest <= back - gone <= longest and shown[gone:back].sum() <= _GLIMPSE
    ]


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open stretches of true."""
    steps = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return list(zip(steps[::2].tolist(), steps[1::2].tolist(), strict=True))
