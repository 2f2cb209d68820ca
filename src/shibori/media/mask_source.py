"""Where masks that are already known come from: a kept file, a folder of pictures, a file of annotations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from shibori.media.mask import FrameMasks


class MaskSource(ABC):
    """The masks of a clip, by frame, in any order. Only one frame's need to be in memory at a time."""

    path: Path
    size_hw: tuple[int, int]
    object_ids: tuple[int, ...]
    """Every object, by rising id."""
    names: Mapping[int, str]
    """object_id -> what people call it, for those that have a name."""
    is_soft: bool
    """Whether there are probabilities, so that edges are soft."""

    @property
    @abstractmethod
    def frames(self) -> list[int]:
        """Indices of the clip's frames that have masks here, ascending; a frame may show no object."""

    @abstractmethod
    def masks(self, index: int) -> FrameMasks | None:
        """The masks of a frame; None where there are none.

        Raises:
            InputError: the file is damaged there, or is no mask.
        """
