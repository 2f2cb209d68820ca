"""Single object tracking (Sec. 3.1) as the rest of the system sees it: where an object's box is in each frame.

A ``Tracker`` follows any number of objects; each is a ``Target`` of its own ("an independent tracker is applied for
each object"), and all targets of a frame share what was computed of it:

    frame = tracker.see(image)
    targets = {object_id: tracker.begin(frame, box) for object_id, box in boxes.items()}
    for image in later_images:
        frame = tracker.see(image)
        for object_id, target in targets.items():
            tracked = target.follow(frame)   # a region of interest for the mask
            ...                              # the mask of the object in it, where there is one:
            target.settle(box_of_the_mask)

``build.build_tracker`` gives the trackers by name: atom, siamese and none. Boxes are xyxy float64 in pixels of the
frame, half-open.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from shibori.boxtracking.views import FrameViews


class TargetState(Enum):
    """How sure a tracker is of the box it gives."""

    CERTAIN = "certain"
    """This is the object."""
    HARD_NEGATIVE = "hard negative"
    """This is the object, and something like it is beside it."""
    UNCERTAIN = "uncertain"
    """Either of two things may be the object; nothing is learnt from this frame."""
    LOST = "lost"
    """The object was not found: the box is where it was last, and it is looked for in the whole of later frames."""


@dataclass(frozen=True)
class TrackedBox:
    """One object in one frame."""

    box_xyxy: NDArray[np.float64]
    """(4,) pixels of the frame; may reach beyond it. The last known one where the object is lost."""
    score: float
    """How sure, in [0, 1]."""
    state: TargetState
    """What follows from it."""

    @property
    def is_found(self) -> bool:
        """Whether the object is in the frame, as far as the tracker can tell."""
        return self.state is not TargetState.LOST


class Target(ABC):
    """One object that is being followed."""

    @abstractmethod
    def follow(self, frame: FrameViews) -> TrackedBox:
        """Find the object in the next frame, and learn from it where that is sure enough."""

    @abstractmethod
    def settle(self, box_xyxy: NDArray[np.float64]) -> None:
        """Go on from this box, (4,) with an area, in the frame that was last followed: its mask says so.

        Do not call it where there is no mask, or nothing vouches for it: the tracker then keeps its own box.
        """


class Tracker(ABC):
    """Follows boxes."""

    @abstractmethod
    def see(self, image: NDArray[np.uint8]) -> FrameViews:
        """(H, W, 3) uint8 RGB -> what all targets of this tracker share of the frame; computed when first needed."""

    @abstractmethod
    def begin(self, frame: FrameViews, box_xyxy: NDArray[np.float64]) -> Target:
        """Start to follow the object that is in this box, (4,) with an area, of this frame."""
