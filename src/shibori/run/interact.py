"""A clip, marks on some of its frames and an interactive system: the masks of every frame, in order.

Knows no system: anything that implements ``InteractiveSegmenter`` will do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shibori.errors import InputError
from shibori.interfaces import InteractiveSegmenter
from shibori.media.clip import Clip, Frame
from shibori.media.marks import Marks
from shibori.media.mask import FrameMasks


@dataclass(frozen=True)
class Span:
    """The frames that are asked for: ``start``, ``start + every``, ... before ``stop``."""

    start: int
    stop: int
    every: int = 1

    @classmethod
    def of(cls, clip: Clip, start: int = 0, stop: int | None = None, every: int = 1) -> Span:
        """The same with a clip's end for None, checked. InputError where no frame is left."""
        span = cls(start, clip.num_frames if stop is None else min(stop, clip.num_frames), every)
        span.check(clip)
        return span

    @property
    def indices(self) -> range:
        """Of the frames."""
        return range(self.start, self.stop, self.every)

    def check(self, clip: Clip) -> None:
        """InputError where it holds no frame of a clip."""
        if self.every < 1:
            raise InputError(f"The step between frames must be at least 1, but it is {self.every}.")
        if not 0 <= self.start < self.stop <= clip.num_frames:
            raise InputError(
                f"No frames to segment: the range starts at {self.start} and ends before {self.stop}, but {clip.name} "
                f"has {clip.num_frames} frames, numbered 0 to {clip.num_frames - 1}."
            )


def mark_clip(
    clip: Clip, marks: Marks, segmenter: InteractiveSegmenter, span: Span | None = None
) -> Iterator[tuple[Frame, FrameMasks]]:
    """The frames of a span with their masks, as an interactive system has them after one round of marks.

    Args:
        clip: where the frames come from.
        marks: on any frames of the clip, also outside the span.
        segmenter: the system. It sees the whole clip.
        span: the frames that are asked for; all by default.

    Yields:
        Frames that can be decoded, in order, each decoded once more than the system needs.

    Raises:
        InputError: at the call, where the marks do not fit the clip, or mark no object.
    """
    span = span or Span.of(clip)
    interaction = segmenter.begin(clip)
    interaction.mark(marks)
    return _paired(clip, span, interaction.masks())


def _paired(clip: Clip, span: Span, answers: Iterator[FrameMasks]) -> Iterator[tuple[Frame, FrameMasks]]:
    for frame in clip.frames(span.start, span.stop, span.every):
        yield frame, next(masks for masks in answers if masks.index >= frame.index)
