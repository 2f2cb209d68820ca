"""How the promptable network is asked: every number of inference."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PromptRule:
    """How the network is asked."""

    first_side: int = 448
    """Longer side in pixels to which a whole frame is resized, to find the object that a click or a stroke is on."""
    side: int = 512
    """Longer side in pixels to which the window around the object is resized."""
    reach: float = 1.3
    """Least side of the window, in longer sides of what is known of the object."""
    whole_margin: float = 0.15
    """Of the candidates for a click the largest is shown whose expected IoU is less than the best by at most this."""
    edge_radius: int = 3
    """Of the filter that moves the edges of masks to those of the picture, in pixels of half the view; 0 for none."""
    first_marks: int = 3
    """As long as a frame has no more clicks and strokes than this, each is answered for the whole object."""
    near_widths: float = 3.0
    """How far a later mark reaches, in half widths of the mistake that it is in the middle of."""
    near_least: float = 0.06
    """The same, at least, in short sides of the frame."""
    near_resistance: float = 2.0
    """Log-odds that an answer must have to change what was before where the reach of a mark ends; at the mark none."""
    near_reach: float = 1.5
    """Least side of the window that is looked at, in sides of the box around all that it reaches."""
    near_share: float = 0.7
    """It is not looked at where its longer side is more than this share of that of the window around the object."""
    near_side: int = 512
    """Longer side in pixels to which that window is resized."""
    disc_radius: float = 8.0
    """Around a later mark this many pixels, or its half width if that is less, are surely as it says."""
    least_share: float = 0.25
    """Share of an embedded window's side that an object must fill to be looked at in it again."""
    certainty: float = 6.0
    """Log-odds that a previous mask without any is given."""
    kept: int = 12
    """Embeddings that are kept, the last used ones."""
