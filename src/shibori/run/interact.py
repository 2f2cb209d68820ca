"""A clip, what a person said of some of its frames and an interactive system: the masks of every frame, in order.

Knows no system: anything that implements ``InteractiveSegmenter`` will do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shibori.interfaces import InteractiveSegmenter
from shibori.media.clip import Clip, Frame
from shibori.media.mask import FrameMasks
from shibori.media.rounds import Rounds
from shibori.run.plan import FrameRange


def mark_clip(
    clip: Clip,
    rounds: Rounds,
    segmenter: InteractiveSegmenter,
    frames: FrameRange | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[Frame, FrameMasks]]:
    """The frames of a range with their masks, as an interactive system has them.

    Args:
        clip: where the frames come from.
        rounds: about any frames of the clip, also outside the range.
        segmenter: the system. It sees the whole clip.
        frames: those that are asked for; all by default.
        report: see ``Interaction.propagate``.

    Yields:
        Frames that can be decoded, in order, each decoded once more than the system needs.

    Raises:
        InputError: at the call, where the rounds do not fit the clip, or show no object.
    """
    frames = frames or FrameRange.of(clip)
    answers = segmenter.begin(clip).propagate(rounds, frames.indices, report, in_order=True)
    return _paired(clip, frames, answers)


def _paired(clip: Clip, frames: FrameRange, answers: Iterator[FrameMasks]) -> Iterator[tuple[Frame, FrameMasks]]:
    images = clip.frames(frames.start, frames.stop, frames.every)
    for masks in answers:
        yield next(frame for frame in images if frame.index >= masks.index), masks
