"""A clip, marks on some of its frames and an interactive system: the masks of every frame, in order.

Knows no system: anything that implements ``InteractiveSegmenter`` will do.
"""

from __future__ import annotations

from collections.abc import Iterator

from shibori.interfaces import InteractiveSegmenter
from shibori.media.clip import Clip, Frame
from shibori.media.marks import Marks
from shibori.media.mask import FrameMasks
from shibori.run.plan import FrameRange


def mark_clip(
    clip: Clip, marks: Marks, segmenter: InteractiveSegmenter, frames: FrameRange | None = None
) -> Iterator[tuple[Frame, FrameMasks]]:
    """The frames of a range with their masks, as an interactive system has them after one round of marks.

    Args:
        clip: where the frames come from.
        marks: on any frames of the clip, also outside the range.
        segmenter: the system. It sees the whole clip.
        frames: those that are asked for; all by default.

    Yields:
        Frames that can be decoded, in order, each decoded once more than the system needs.

    Raises:
        InputError: at the call, where the marks do not fit the clip, or mark no object.
    """
    frames = frames or FrameRange.of(clip)
    interaction = segmenter.begin(clip)
    interaction.mark(marks)
    return _paired(clip, frames, interaction.masks())


def _paired(clip: Clip, frames: FrameRange, answers: Iterator[FrameMasks]) -> Iterator[tuple[Frame, FrameMasks]]:
    for frame in clip.frames(frames.start, frames.stop, frames.every):
        yield frame, next(masks for masks in answers if masks.index >= frame.index)
