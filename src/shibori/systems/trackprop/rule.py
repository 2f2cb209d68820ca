"""How trackprop goes about it: regions, thresholds, what of the marks spreads how far."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from shibori.ops.correction import CorrectionRule
from shibori.ops.window import WindowRule
from shibori.tracking.config import MATCHER_CONFIG, TrackerConfig

TRACKER = replace(MATCHER_CONFIG, window=WindowRule(area_side=256), search_widening=1.8)
"""Of the propagation: marked frames are never far, so that what was lost is looked for nearby."""


@dataclass(frozen=True)
class PropagationRule:
    """From frame to frame (Sec. 3.1 to 3.3)."""

    config: TrackerConfig = TRACKER
    """Regions, thresholds and what is remembered."""
    tracker: str = "none"
    """Whose box the region is put around: a name in ``trackers.TRACKERS``; ``none``: the previous mask's."""
    matching: bool = True
    """Whether the pixel tracker's memory of the marked frames takes part (ours), where the preset has one."""
    refined: bool = False
    """Whether the mask network has the last word on what the pixel tracker matches. Where that one takes no part, the
    mask is the network's in any case."""
    references: int = 2
    """Marked frames, the nearest ones, that an object is matched with."""
    margin: float | None = 0.15
    """Where the pixel tracker does not take part, a mask ends at the tracker's box, widened on each side by this share
    of its sides (ours); None: at the region alone, as in the paper."""
    inertia: float = 1.0
    """What the answer of an earlier round counts beside a new one, where the new marks do not speak against it (ours);
    0: earlier rounds count for nothing, and first marks are read again in every round."""


@dataclass(frozen=True)
class MarkingRule:
    """Interactive image segmentation (Sec. 3)."""

    window: WindowRule = field(default_factory=lambda: WindowRule(reach=1.6, area_side=224))
    """Of the networks that look at marks: how much around an object they see (Sec. 3.2)."""
    first_reach: float = 2.4
    """Side of the first crop of a new object to the longer side of its marks."""
    click_side: float = 0.25
    """Marks count as at least this large, in short sides of the frame: a click does not say how large a thing is."""
    logit_bias: float = 0.0
    """Added to the log-odds of a first mask: what is too much is easier to see, and to take away, than what is lost."""
    rounds: int = 2
    """How often the pixel tracker is asked what the marks mean."""
    thickness: int = 3
    """Pixels of a stroke that are obeyed, for a frame of 480 lines."""
    correction: CorrectionRule = field(default_factory=CorrectionRule)
    """What a correction may change."""


@dataclass(frozen=True)
class TrackpropRule:
    """All numbers of one preset."""

    propagation: PropagationRule = PropagationRule()
    marking: MarkingRule = MarkingRule()


PAPER_WINDOW = WindowRule(fixed_side=513)
TINY_WINDOW = WindowRule(area_side=64)

RULES: dict[str, TrackpropRule] = {
    "paper": TrackpropRule(
        PropagationRule(replace(TRACKER, window=PAPER_WINDOW), "atom", matching=False, margin=None, inertia=0.0),
        MarkingRule(window=PAPER_WINDOW),
    ),
    "compact": TrackpropRule(),  # with the pixel tracker's matches its own masks lead better than ATOM does, see docs
    "tiny": TrackpropRule(PropagationRule(replace(TRACKER, window=TINY_WINDOW)), MarkingRule(window=TINY_WINDOW)),
}
