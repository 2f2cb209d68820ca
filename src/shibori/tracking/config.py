"""The numbers of the tracker: when an object counts as seen, where it is looked for, what is remembered of it.

No threshold of tracking stands anywhere else. A system that needs another value says ``replace(TrackerConfig(), ...)``,
in one place.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from shibori.errors import InputError
from shibori.ops.window import WindowRule

LEAST_SIDE = 64


@dataclass(frozen=True)
class TrackerConfig:
    """One way to go about it."""

    window: WindowRule = field(default_factory=WindowRule)
    """How much around an object is looked at, and how finely."""
    max_references: int = 3
    """Given masks of an object that are kept, at least 2: the first and the latest ones."""
    max_remembered: int = 6
    """Confident past frames matched globally besides the references, the ones that differ most; the last frame is
    matched locally only."""
    remember_every: int = 5
    """Frames between additions to them."""
    remember_threshold: float = 0.65
    """Confidence from which a frame is remembered."""
    similarity_low: float = 0.05
    """Foreground share in the references at and below which no confidence is left: looking back one frame only
    drifts."""
    similarity_high: float = 0.3
    """Foreground share in the references from which it does not limit confidence any more."""
    lost_threshold: float = 0.08
    """Confidence below which an object counts as lost."""
    doubt_threshold: float = 0.35
    """Confidence below which an object is looked for more widely in the same frame: it may have left its window."""
    redetect_threshold: float = 0.2
    """Confidence from which a lost object counts as found again: more than it takes to be kept."""
    redetect_margin: float = 0.45
    """Mean similarity margin of a mask from which a lost object counts as found again."""
    trust_threshold: float = 0.5
    """Confidence without the previous mask from which an object that was found again is trusted; below, nothing of it
    is remembered, and it is still looked for elsewhere."""
    rivals_every: int = 2
    """Frames between looks for something that fits better than an object that is not trusted yet."""
    search_widening: float = 2.2
    """How much wider than usual a lost object is looked for where it was lost."""
    search_side: int = 288
    """Short side in pixels to which the whole frame is resized to see where else a lost object might be."""
    search_margin: float = 0.4
    """Similarity margin from which a place of the whole frame might be a lost object."""
    search_places: int = 3
    """Places of the whole frame that are looked at for one lost object."""
    logit_bias: float = 0.25
    """Added to the log-odds: masks that lose a limb lose it for good, so doubt counts for the object."""
    min_shrink: float = 0.92
    """The box that is followed shrinks at most to this share from one frame to the next."""
    max_growth: float = 1.25
    """The box that is followed grows at most to this share from one frame to the next."""
    momentum: float = 0.5
    """Share of the last displacement by which the next window is moved ahead."""
    context: float = 2.5
    """How much wider than usual the surroundings of a reference are remembered, as background; 1 for not at all."""

    def sized(self, side: int | None) -> TrackerConfig:
        """With windows of about ``side`` squared pixels, once resized; None changes nothing.

        Raises:
            InputError: on a side that is too small to see anything.
        """
        if side is None:
            return self
        usual = self.window.fixed_side or self.window.area_side
        if side < LEAST_SIDE:
            raise InputError(
                f"expected a working size of at least {LEAST_SIDE} pixels, found {side}; the default is {usual}"
            )
        kind = "area_side" if self.window.fixed_side is None else "fixed_side"
        return replace(self, window=replace(self.window, **{kind: side}))


MATCHER_CONFIG = replace(
    TrackerConfig(),
    max_remembered=1,
    remember_every=2,
    remember_threshold=0.8,
    similarity_low=0.15,
    similarity_high=0.45,
    lost_threshold=0.35,
    doubt_threshold=0.35,
    redetect_threshold=0.6,
    redetect_margin=0.7,
    trust_threshold=0.0,
    search_margin=0.72,
    search_places=1,
    logit_bias=0.5,
)
"""The numbers for ``matcher.py``, whose features are others: those the heads of the systems were trained with."""

BETWEEN_MARKS_CONFIG = replace(TrackerConfig(), lost_threshold=0.05, redetect_threshold=0.15)
"""The numbers between frames which a person has marked, who sees where the masks are wrong."""
