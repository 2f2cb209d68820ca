"""What a segmentation system must be able to do. Abstract classes, nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shibori.media.mask import FrameMasks


class Propagation(ABC):
    """One run over one stream of frames. Frames are pushed in order; each answer depends on the past alone."""

    @abstractmethod
    def step(self, image: NDArray[np.uint8], references: Mapping[int, NDArray[np.bool_]] | None = None) -> FrameMasks:
        """Segment the next frame.

        Args:
            image: (H, W, 3) uint8 RGB, of the size given to ``Propagator.begin``.
            references: object_id -> (H, W) bool mask that is true of this very frame. Starts objects that are new
                and corrects those that are known; an all-false mask says the object is not in this frame.

        Returns:
            The masks of every object known so far; ``index`` counts the frames pushed, from 0.
        """


class Propagator(ABC):
    """First mask in, masks of all later frames out."""

    @abstractmethod
    def begin(self, size_hw: tuple[int, int]) -> Propagation:
        """Start a run over frames of ``size_hw`` (height, width in pixels) that knows no object yet."""
