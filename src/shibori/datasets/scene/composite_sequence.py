"""A made clip with its truth, of the same shape as an annotated sequence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

ImageAndIds = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True)
class CompositeSequence:
    """A made clip with its truth, of the same shape as ``DavisSequence``. Frames are composed when asked for."""

    name: str
    num_frames: int
    object_ids: tuple[int, ...]
    size_hw: tuple[int, int]
    compose: Callable[[int], ImageAndIds] = field(repr=False)
    """Frame index -> (H, W, 3) uint8 RGB image and (H, W) uint8 ids."""
    compose_ids: Callable[[int], NDArray[np.uint8]] | None = field(default=None, repr=False)
    """Frame index -> the ids alone, where they can be had for less."""

    def read_image(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB."""
        return self.compose(self._checked(index))[0]

    def has_ids(self, index: int) -> bool:
        """Every frame has its truth."""
        return 0 <= index < self.num_frames

    def frame_name(self, index: int) -> str:
        """The name of a frame's files without suffix, such as ``00000``."""
        return f"{index:05d}"

    def read_ids(self, index: int, *, keep_void: bool = False) -> NDArray[np.uint8]:
        """(H, W) uint8, 0 background; there is no void."""
        index = self._checked(index)
        return self.compose(index)[1] if self.compose_ids is None else self.compose_ids(index)

    def _checked(self, index: int) -> int:
        if not 0 <= index < self.num_frames:
            raise IndexError(f"frame {index} of {self.name}, which has {self.num_frames} frames")
        return index
