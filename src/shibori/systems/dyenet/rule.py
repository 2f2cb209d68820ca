"""Numbers of DyeNet at inference."""

from __future__ import annotations

from dataclasses import dataclass

from shibori.tracking.config import MATCHER_CONFIG, TrackerConfig


@dataclass(frozen=True)
class DyeNetRule:
    """When an object counts as seen, where it is looked for, and what starts it anew."""

    tracker: TrackerConfig = MATCHER_CONFIG
    """Windows, thresholds and what is remembered: a tracklet ends where its object is lost, and a starting point is
    taken where it is found again."""
    frame_side: int = 288
    """Short side in pixels to which the whole frame is resized for proposals and re-identification."""
    roi_side: int = 384
    """The same where RoIs of the whole frame are the input instead of patches."""
    own_mask_threshold: float = 0.7
    """Confidence of the pixel tracker from which its own mask stands, if it leads by ``own_mask_lead``."""
    own_mask_lead: float = 0.03
    """By how much its similarity margin exceeds that of the mask that the recurrence made of it, at least."""
    similar: float = 0.7
    """Cosine similarity with a template from which a proposal can be a starting point (Sec. 2.1)."""
    margin_level: float = 0.72
    """Mean similarity margin (``Comparison``) of a proposal's mask that is as telling as a cosine of ``similar``."""
    margin_level_close: float = 0.75
    """The same of a mask that was made in a patch of its own."""
    margin_slope: float = 2.0
    """Similarity to one more of the margin."""
    margin_share: float = 0.9
    """How much of a similarity is the margin's, where the pixel tracker takes part; the cosine's is the rest."""
    similar_on: float = 0.6
    """Mean similarity along a tracklet that was found below which it is dropped again."""
    ask_every: int = 6
    """Frames between the masks of such a tracklet that are compared."""
    steady: float = 0.7
    """Mean confidence of such a tracklet below which it is dropped: on something else the propagation falters."""
    steady_alike: float = 0.85
    """The same of mean confidence and what its similarity is above ``similar``, together: one of both will do."""
    min_length: int = 3
    """Frames such a tracklet must last, unless it is ``certain``: what is gone at once was nothing."""
    certain: float = 0.8
    """Mean confidence from which a shorter tracklet is kept."""
    min_area: float = 0.15
    """Share of its usual area that an object must show to be found again: less is a fragment of something else."""
    top_m: int = 12
    """M: proposals a frame."""
    reid_every: int = 2
    """Re-identification looks at every so many frames in which an object is missing; the paper at all."""
    max_candidates: int = 2
    """Most proposals that are tried for one object in one frame."""
    expand_from: float = 0.85
    """Confidence from which a mask joins the templates."""
    expand_every: int = 12
    """Frames between such additions, and no more than ``max_templates`` of them are kept."""
    max_templates: int = 12
    max_iterations: int = 3
    """Rounds of re-identification and propagation; they end earlier when nothing new is found."""
    margin_low: float = 0.65
    """Similarity margin at and below which a mask is worth nothing (``Identities.seed_score``)."""
    margin_high: float = 0.9
    """Similarity margin from which it is worth all it can be."""
    full: float = 0.7
    """Share of its usual area from which an object is all there; a smaller mask is worth less."""
    overfull: float = 2.0
    """The same above which a mask is worth less."""
    look_every: int = 6
    """Behind a tracker, re-identification looks at every so many frames in which an object is missing or doubtful."""
    looks: int = 3
    """Most proposals of a frame that are looked at closely for one object."""
    plausible: float = 0.4
    """Similarity from which a proposal is worth that look."""
    worthy: float = 0.55
    """Of what an object's masks are usually worth, the share from which a starting point is propagated, and with which
    its tracklet is kept."""
    bearable: float = 0.4
    """The same with which what the tracker found again is kept, and contradicts what is known of a frame."""
    fading: float = 0.15
    """The same below which propagation into what is missing ends."""
    gives_way: float = 0.1
    """How much more a starting point must be worth than a doubtful tracklet that holds its frame."""
