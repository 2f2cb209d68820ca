"""The numbers of IPDT at work: those of the paper where it gives them, the others tuned on the dev clips."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.ops.window import WindowRule
from shibori.systems.ipdt.calibration import BETA
from shibori.tracking.config import MATCHER_CONFIG, TrackerConfig


@dataclass(frozen=True)
class DetectionRule:
    """What counts as a candidate (Sec. 3.1)."""

    score: float = 0.2
    """Least probability of being an object (Sec. 4)."""
    nms_iou: float = 0.5
    """Of two boxes of one frame with a larger IoU the one that is less probably an object is dropped."""
    most: int = 20
    """Candidates of a frame, at most."""
    every: int = 1
    """Step between frames that are searched; the paper's is 1."""
    most_searched: int = 1200
    """Frames of a clip that are searched, at most: in longer ones every second, third ... frame is."""

    def searched(self, num_frames: int) -> NDArray[np.bool_]:
        """(T,) which frames of a clip are searched."""
        step = max(self.every, -(-num_frames // self.most_searched))
        return np.arange(num_frames) % step == 0


TRACKER = replace(MATCHER_CONFIG, window=WindowRule(area_side=256))
"""The pixel-level tracker: the numbers of the tracker on its own, in smaller windows, for many are followed."""


@dataclass(frozen=True)
class InstanceRule:
    """The instance-level tracker: where the Siamese network looks, and what it prefers (SiamRPN, Sec. 3.3 and 4.2)."""

    reach: float = 3.0
    """Side of the search region, in sizes of the object."""
    most_cells: int = 96
    """Cells along the side of the region in which a lost object is searched."""
    scale_penalty: float = 0.08
    """How much changes of size and shape from one frame to the next count against a box."""
    window_share: float = 0.3
    """Weight of the cosine window around the last place."""
    inertia: float = 0.6
    """Share of the last size that is kept."""


@dataclass(frozen=True)
class DualRule:
    """How box and mask are kept in step (Sec. 3.3)."""

    tracker: TrackerConfig = TRACKER
    """Of the pixel-level half; it says as well when an object is lost and found again."""
    instance: InstanceRule = field(default_factory=InstanceRule)
    same: float = 0.6
    """Probability of being the target from which a box is believed."""
    near: float = 0.3
    """IoU of the box and the expected one from which they are at the same place."""
    same_again: float = 0.6
    """Probability from which a box of a lost object is looked into."""
    margin: float = 0.15
    """Of its sides, by which the box is widened before the mask is multiplied with it."""
    agreed: float = 0.35
    """Share of the mask that must be in the widened box for the two to agree; else the mask is not multiplied."""
    least_area: float = 1e-4
    """Share of the frame; a smaller mask is none."""


@dataclass(frozen=True)
class DiscoveryRule:
    """The whole system."""

    detection: DetectionRule = field(default_factory=DetectionRule)
    dual: DualRule = field(default_factory=DualRule)
    reliable: float = 0.1
    """th_cc: mean score above which a class shows up in the clip, as a share of the highest mean (Sec. 3.2)."""
    beta: float = BETA
    """What the scores of the other classes are multiplied with; 1 is no calibration."""
    same_iou: float = 0.4
    """th_IoU: two candidates with a larger IoU are the same instance (Sec. 3.2)."""
    covered_iou: float = 0.5
    """A candidate that overlaps more than this with a tubelet in its own frame is not tracked again."""
    joins: float = 0.85
    """A candidate starts together with the best one of its frame, if its score is at least this share of the score of
    the best candidate that it overlaps."""
    same_tubelet: float = 0.5
    """th_seq: of two tubelets with a larger mean IoU the better is kept (Sec. 3.3)."""
    most_candidates: int = 400
    """Candidates that are compared with each other at once; the next ones follow where those leave room."""
    most_tracked: int = 12
    """Candidates that are tracked."""
    most_kept: int = 20
    """Tubelets in the result, the best ones."""
    least_score: float = 0.05
    """Final score of a tubelet below which it is not in the result."""
    least_frames: int = 3
    """A tubelet that shows in fewer frames of a longer clip is not in the result: what cannot be followed is none."""
    backward: bool = True
    """Whether candidates are tracked against time as well."""

    def tracking(self, most: int) -> DiscoveryRule:
        """The same numbers with at most so many candidates tracked. InputError where that is none."""
        if most < 1:
            raise InputError(
                f"expected at least one candidate that is tracked, found {most}; leave it out for the default"
            )
        return replace(self, most_tracked=most)


def rule_of(preset: str) -> DiscoveryRule:
    """The numbers of a preset. ``compact`` does without class calibration.

    With a detector that takes one animal for another, classes that a clip does not show have almost the mean scores of
    those that it shows, and calibration costs more than it gives (``docs/experiments/ipdt.md``, "Table 2").
    """
    return replace(DiscoveryRule(), beta=1.0) if preset == "compact" else DiscoveryRule()
