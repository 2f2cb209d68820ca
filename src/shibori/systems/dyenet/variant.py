"""Which parts of DyeNet take part: one network, every row of the paper's Table 1."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Variant:
    """A choice of parts. The default is the whole of it; ``VARIANTS`` has the rows of Table 1."""

    hidden: bool = True
    """The hidden state is carried from frame to frame (Sec. 2.2, Eq. 1); without it only the mask is, as in MSK."""
    attention: bool = True
    """Region attention (Sec. 2.2)."""
    mask: bool = True
    """The warped mask is an input of the recurrent function besides the hidden state."""
    reid: bool = True
    """Re-identification finds starting points (Sec. 2.1); without it each object has the one that was given."""
    patches: bool = True
    """Size-normalised patches around each object are the input, not the whole frame (Sec. 3, "bbox input")."""
    flow_stream: bool = True
    """The optical flow is an input of the recurrent function (Sec. 3, "two-streams")."""
    pyramid: bool = True
    """Finer features sharpen the mask (Sec. 3; abstract, "feature pyramid technique")."""
    matching: bool = True
    """The pixel tracker's answer in the patch is a further input of the recurrent function (ours); asks for patches."""
    tracker_ahead: bool = True
    """The pixel tracker's own run is the pass forward (ours); where none is at hand, the recurrence's is."""


PLAIN = Variant(mask=False, patches=False, flow_stream=False, pyramid=False, matching=False, tracker_ahead=False)

VARIANTS: dict[str, Variant] = {
    "msk": replace(PLAIN, hidden=False, attention=False, mask=True, reid=False),
    "remp-no-attention": replace(PLAIN, attention=False, reid=False),
    "remp": replace(PLAIN, reid=False),
    "reid": PLAIN,
    "advanced": Variant(matching=False, tracker_ahead=False),
    "matched": Variant(tracker_ahead=False),
    "combined-no-reid": Variant(reid=False),
    "combined": Variant(),
}
"""Name -> variant: the rows of Table 1 in its order, and ours."""
