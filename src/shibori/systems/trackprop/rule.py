"""How trackprop goes about it: regions, thresholds, what of the marks spreads how far."""

from __future__ import annotations

from dataclasses import dataclass, field

from shibori.ops.correction import CorrectionRule
from shibori.ops.window import WindowRule


@dataclass(frozen=True)
class RegionRule:
    """The region of interest around an object (Sec. 3.2)."""

    window: WindowRule = field(default_factory=lambda: WindowRule(area_side=256))
    """How much around the object's box is looked at, and how finely."""
    fixed_side: int | None = None
    """Every region is resized to a square of this side, whatever its shape, as the paper has it; None: as ``window``
    says, its shape kept."""


@dataclass(frozen=True)
class PropagationRule:
    """From frame to frame (Sec. 3.1 to 3.3)."""

    tracker: str = "none"
    """Whose box the region is put around: a name in ``trackers.TRACKERS``; ``none``: the previous mask's."""
    matching: bool = True
    """Whether the pixel tracker's memory of the marked frames takes part (ours), where the preset has one."""
    refined: bool = False
    """Whether the mask network has the last word on what the pixel tracker matches. Where that one takes no part, the
    mask is the network's in any case."""
    references: int = 2
    """Marked frames, the nearest ones, that an object is matched with."""
    remember_every: int = 2
    """Frames from one that is remembered to the next; the last of them is matched too."""
    confident: float = 0.8
    """Confidence from which a frame is remembered."""
    seen: float = 0.35
    """Confidence below which there is no mask."""
    strange: float = 0.15
    """Likeness to the marked frames at and below which there is no confidence."""
    familiar: float = 0.45
    """Likeness from which it does not limit confidence."""
    leaning: float = 0.5
    """Added to the log-odds: a limb that is lost is lost for good, so doubt counts for the object."""
    min_shrink: float = 0.92
    """The box shrinks at most to this share from one frame to the next."""
    max_growth: float = 1.25
    """The box grows at most to this share from one frame to the next."""
    margin: float | None = 0.15
    """Where the pixel tracker does not take part, a mask ends at the tracker's box, widened on each side by this share
    of its sides (ours); None: at the region alone, as in the paper."""
    inertia: float = 1.0
    """What the answer of an earlier round counts beside a new one, where the new marks do not speak against it (ours);
    0: earlier rounds count for nothing, and first marks are read again in every round."""
    widen: float = 1.8
    """How much wider than usual the region of an object is that was not seen in the previous frame."""
    context: float = 2.5
    """How much wider than usual the surroundings of a marked frame are remembered, as background; 1 for not at all."""


@dataclass(frozen=True)
class MarkingRule:
    """Interactive image segmentation (Sec. 3)."""

    region: RegionRule = field(default_factory=lambda: RegionRule(WindowRule(reach=1.6, area_side=224)))
    """Of the networks that look at marks."""
    first_reach: float = 2.4
    """Side of the first look at a new object to the longer side of its marks."""
    click_side: float = 0.25
    """Marks count as at least this large, in short sides of the frame: a click does not say how large a thing is."""
    leaning: float = 0.0
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

    region: RegionRule = RegionRule()
    """Of the propagation."""
    propagation: PropagationRule = PropagationRule()
    marking: MarkingRule = MarkingRule()


PAPER_REGION = RegionRule(WindowRule(), fixed_side=513)
TINY_REGION = RegionRule(WindowRule(area_side=64))

RULES: dict[str, TrackpropRule] = {
    "paper": TrackpropRule(
        PAPER_REGION,
        PropagationRule(tracker="atom", matching=False, margin=None, inertia=0.0),
        MarkingRule(region=PAPER_REGION),
    ),
    "compact": TrackpropRule(),  # with the pixel tracker's matches its own masks lead better than ATOM does, see docs
    "tiny": TrackpropRule(TINY_REGION, PropagationRule(), MarkingRule(region=TINY_REGION)),
}
