"""What both ways over a clip as a whole have in common: a book of tracklets first, then the masks of each frame."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shibori.interfaces import ClipPropagation, FrameSource
from shibori.media.mask import FrameMasks
from shibori.media.track import Tracklet
from shibori.systems.dyenet.composition import References, composed, first_references
from shibori.systems.dyenet.tracklet import TrackletBook


class Task(NamedTuple):
    """What is asked of a clip; see ``ClipPropagator.propagate``."""

    frames: FrameSource
    references: References
    both_ways: bool
    progress: Callable[[int], None] | None


class OfflinePropagation(ClipPropagation):
    """One clip as a whole. The masks of all tracklets wait, packed, until those of each frame are put together.

    Args:
        task: what is asked.
    """

    def __init__(self, task: Task) -> None:
        self.frames, self.references, self.both_ways, self.progress = task
        self.first_given = first_references(self.references)
        self.came: list[int] = []
        """Frames that could be decoded."""
        self.found: tuple[Tracklet, ...] = ()

    @property
    def tracklets(self) -> tuple[Tracklet, ...]:
        """All tracklets, the linked and the others; empty until the first of the masks was given."""
        return self.found

    def masks(self) -> Iterator[FrameMasks]:
        """See ``ClipPropagation``."""
        book = TrackletBook()
        self._write(book)
        self.found = book.values()
        for index in [*range(self.came[0]), *self.came]:
            given = self.references.get(index, {})
            yield composed(book, self.first_given, given, self.frames.size_hw, index, self.both_ways)

    @abstractmethod
    def _write(self, book: TrackletBook) -> None:
        """Find all tracklets and link them. The pass forward goes over ``_forward()``, to its end."""

    def _forward(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Each frame that the pass forward asks about; progress is told when the next one is asked for."""
        begin = 0 if self.both_ways else min(self.references)
        for index, image in self.frames.forward(begin, self.frames.num_frames):
            self.came.append(index)
            yield index, image
            if self.progress is not None:
                self.progress(index + 1)

    def _is_wanted(self, object_id: int, frame: int) -> bool:
        """Whether an object may be found in a frame: before its first mask only where both ways are asked for."""
        return self.both_ways or frame > self.first_given[object_id]
