"""Which frames are propagated to from which marked frames (ours; the paper leaves it open).

A span lies between two neighbouring marked frames of an object, or between one and an end of the clip.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

RIGHT_POWER = 4.0
"""An IoU to this power is how right a mark finds what was said of its frame: .97 is .89, .8 is .41, .5 is .06."""


@dataclass(frozen=True)
class Span:
    """The frames strictly between two marked ones."""

    before: int | None
    """The marked frame that is propagated forward; None where the clip begins."""
    after: int | None
    """The marked frame that is propagated backward; None where the clip ends."""

    def bounds(self, num_frames: int) -> tuple[int, int]:
        """First frame, and one past the last."""
        return 0 if self.before is None else self.before + 1, num_frames if self.after is None else self.after

    def share_of_after(self, index: int) -> float:
        """How much the mask that comes from ``after`` counts in a frame, by distance: in [0, 1]."""
        if self.before is None:
            return 1.0
        if self.after is None:
            return 0.0
        return (index - self.before) / (self.after - self.before)

    def share_that_stands(self, index: int, num_frames: int, found_right: Mapping[int, float]) -> float:
        """How much of what was said of a frame before still stands after new marks at the ends, in [0, 1].

        Where the marks changed nothing all of it does; where they changed much, the more the further from them.

        Args:
            index: of the frame.
            num_frames: of the clip.
            found_right: newly marked frame -> IoU of its mask with what was said of it before; 0 where it was lost.
        """
        start, stop = self.bounds(num_frames)
        share = 1.0
        for end in (self.before, self.after):
            if end is not None and end in found_right:
                right = found_right[end] ** RIGHT_POWER
                share *= right + (1 - right) * abs(index - end) / (stop - start + 1)
        return share


def span_of(marked: Sequence[int], index: int) -> Span:
    """The span of a frame that is not marked; ``marked`` ascends."""
    place = bisect_left(marked, index)
    return Span(marked[place - 1] if place > 0 else None, marked[place] if place < len(marked) else None)


def nearest(marked: Iterable[int], index: int, count: int) -> list[int]:
    """The marked frames that are nearest to a frame, nearest first; the earlier one among equals."""
    return sorted(marked, key=lambda frame: (abs(frame - index), frame))[:count]


@dataclass
class Track:
    """One object: the frames that it is marked or approved of in, and those whose masks are out of date."""

    object_id: int
    num_frames: int
    marked: dict[int, bool] = field(default_factory=dict)
    """Frame -> whether the object is there."""
    stale: set[int] = field(default_factory=set)

    def approve(self, index: int, is_there: bool, changed: bool) -> None:
        """Take a frame for right. If that changes its mask the frames around it, up to the next marked ones, do too."""
        if not self.marked:
            changed = True
        self.marked[index] = is_there
        if changed:
            self.spoil_beside(index)
        self.stale.discard(index)

    def spoil_beside(self, index: int) -> None:
        """The frames around a marked one are out of date."""
        for beside in self._beside(index):
            self.stale.update(range(*self.span(beside).bounds(self.num_frames)))

    def is_fresh(self, index: int) -> bool:
        """Whether the frames around a marked one are up to date."""
        return not any(beside in self.stale for beside in self._beside(index))

    def _beside(self, index: int) -> list[int]:
        """The neighbours of a marked frame that are not marked."""
        return [i for i in (index - 1, index + 1) if 0 <= i < self.num_frames and i not in self.marked]

    def span(self, index: int) -> Span:
        """The span of a frame that is not marked."""
        return span_of(sorted(self.marked), index)

    def due(self) -> list[Span]:
        """The spans with frames out of date, ascending."""
        spans = {self.span(index) for index in self.stale}
        return sorted(spans, key=lambda span: span.bounds(self.num_frames))

    def sources(self, span: Span) -> tuple[int | None, int | None]:
        """The ends of a span in which the object is there: where its mask comes from."""
        before = span.before if span.before is not None and self.marked[span.before] else None
        after = span.after if span.after is not None and self.marked[span.after] else None
        return before, after


def merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Half-open ranges of frames as few disjoint ones, ascending."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        elif start < stop:
            joined.append((start, stop))
    return joined
