"""What a clip is: frames in order, decoded on demand, never all in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a clip."""

    index: int
    """Position in the clip, from 0."""
    time: Fraction | None
    """Seconds since the clip's first frame, exact; None where the source has no clock (a folder of images)."""
    image: NDArray[np.uint8]
    """(H, W, 3) uint8 RGB, upright (display rotation applied)."""
    picture: Any = None
    """The picture as it was decoded, for writers that keep its depth and colours; None where the source has none."""


class Clip(ABC):
    """A sequence of frames of one size.

    Every iterator reads the source on its own, so several may run at once. A frame the source holds but that cannot
    be decoded is left out of the iterators (indices jump) and counted in ``shortfall``.
    """

    name: str
    """File name without suffix, or the folder's name."""
    path: Path
    size_hw: tuple[int, int]
    """Height and width in pixels, upright."""
    num_frames: int
    frame_rate: Fraction | None
    """Average frames per second; None where the source has no clock."""
    time_base: Fraction | None
    """Unit every ``Frame.time`` is a whole multiple of; None where the source has no clock."""
    timecode: str | None = None
    """SMPTE timecode of the first frame, where the source has one."""
    has_sound: bool = False
    remarks: tuple[str, ...] = ()
    """What a user should know of the source, in a sentence each: gaps in its numbers, fields instead of frames."""

    @property
    @abstractmethod
    def shortfall(self) -> str | None:
        """A sentence about what could not be decoded, complete once the clip was streamed; None if all could."""

    @abstractmethod
    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[Frame]:
        """Frames ``range(start, stop, step)`` (step > 0) as a forward stream in bounded memory.

        Raises:
            ValueError: the range leaves the clip or the step is not positive.
        """

    @abstractmethod
    def frame(self, index: int) -> Frame:
        """One frame by its index (random access).

        Raises:
            IndexError: no such frame.
            InputError: the frame cannot be decoded.
        """

    @abstractmethod
    def backward(self, start: int, stop: int = -1) -> Iterator[Frame]:
        """Frames start, start - 1, ..., stop + 1 in bounded memory (``range(start, stop, -1)``)."""

    def frame_name(self, index: int) -> str:
        """File name without suffix for results of a frame: the source's own where frames are files, else 00000."""
        return f"{index:05d}"

    def check_range(self, start: int, stop: int | None, step: int) -> tuple[int, int]:
        """Start and stop of a valid forward range; ValueError for one that leaves the clip."""
        stop = self.num_frames if stop is None else stop
        if step < 1:
            raise ValueError(f"step must be positive, got {step}")
        if not 0 <= start <= self.num_frames or not 0 <= stop <= self.num_frames:
            raise ValueError(f"frames {start}..{stop} leave the clip {self.name}, which has {self.num_frames} frames")
        return start, stop

    def check_backward_range(self, start: int, stop: int) -> None:
        """ValueError for a backward range that leaves the clip."""
        if not -1 <= start < self.num_frames or stop < -1:
            raise ValueError(f"frames {start} down to {stop} leave the clip {self.name} of {self.num_frames} frames")

    def __len__(self) -> int:
        return self.num_frames

    def __repr__(self) -> str:
        height, width = self.size_hw
        return f"<{type(self).__name__} {self.name}: {self.num_frames} frames, {width}x{height}>"
