"""What every clip with ground truth can do, wherever it comes from."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class AnnotatedSequence(Protocol):
    """A clip with ground truth. ``DavisSequence``, ``CompositeSequence`` and ``MaskFolder`` are some."""

    @property
    def name(self) -> str:
        """What its results folder is called."""

    @property
    def num_frames(self) -> int:
        """How many frames it has."""

    def frame_name(self, index: int) -> str:
        """What the result of a frame is called, without suffix."""

    def read_image(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB."""

    def has_ids(self, index: int) -> bool:
        """Whether a frame has ground truth."""

    def read_ids(self, index: int, *, keep_void: bool = False) -> NDArray[Any]:
        """(H, W) object ids, 0 background; void is 255 (uint8) if it is kept, otherwise background."""
