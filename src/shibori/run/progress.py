"""How far a job is: frames done and frames to do, the ones that are seen before any answer included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

Answer = TypeVar("Answer")
Progress = Callable[[int, int], None]
"""Called with the number of frames done and the number of all frames to do."""


class FrameCounter:
    """Frames that are seen ahead of the first answer, then frames that are answered, as one count.

    Args:
        progress: called after each frame.
        num_frames: to be answered.
        num_ahead: to be seen before.
    """

    def __init__(self, progress: Progress, num_frames: int, num_ahead: int = 0) -> None:
        self.progress, self.num_ahead, self.total = progress, num_ahead, num_ahead + num_frames

    def seen(self, frames: int) -> None:
        """Report the number of frames that were seen so far."""
        self.progress(frames, self.total)

    def counted(self, answers: Iterator[Answer]) -> Iterator[Answer]:
        """The answers, each reported once the next is asked for: by then it was written."""
        for done, answer in enumerate(answers, 1):
            yield answer
            self.progress(self.num_ahead + done, self.total)
