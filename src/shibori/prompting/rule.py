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
    least_share: float = 0.25
    """Share of an embedded window's side that an object must fill to be looked at in it again."""
    certainty: float = 6.0
    """Log-odds that a previous mask without any is given."""
    kept: int = 12
    """Embeddings that are kept, the last used ones."""
