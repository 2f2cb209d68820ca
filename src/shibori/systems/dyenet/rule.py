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
    seed_similarity: float = 0.7
    """Cosine similarity with a template from which a proposal can be a starting point (Sec. 2.1)."""
    margin_level: float = 0.72
    """Mean similarity margin (``Comparison``) of a proposal's mask that tells as much as a cosine of
    ``seed_similarity``."""
    margin_level_close: float = 0.75
    """The same of a mask that was made in a patch of its own."""
    margin_slope: float = 2.0
    """Similarity to one more of the margin."""
    margin_share: float = 0.9
    """How much of a similarity is the margin's, where the pixel tracker takes part; the cosine's is the rest."""
    kept_similarity: float = 0.6
    """Mean similarity along a tracklet that was found below which it is dropped again."""
    check_every: int = 6
    """Frames between the masks of such a tracklet that are compared."""
    kept_confidence: float = 0.7
    """Mean confidence from which such a tracklet is kept: on something else the propagation falters."""
    kept_sum: float = 0.85
    """It is kept as well where mean confidence and similarity, less ``seed_similarity``, add up to this."""
    min_length: int = 3
    """Frames such a tracklet must last: what is gone at once was nothing."""
    short_confidence: float = 0.8
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
    """Similarity margin at and below which a mask has a seed score of 0 (``Identities.seed_score``)."""
    margin_high: float = 0.9
    """Similarity margin from which it does not lower the seed score."""
    full_area: float = 0.7
    """Share of its usual area from which an object is all there; a smaller mask scores lower."""
    excess_area: float = 2.0
    """The same above which a mask scores lower."""
    search_every: int = 6
    """Behind a tracker, re-identification looks at every so many frames in which an object is missing or doubtful."""
    max_close_ups: int = 3
    """Most proposals of a frame that are segmented in patches of their own for one object."""
    candidate_similarity: float = 0.4
    """Similarity from which a proposal is."""
    seed_share: float = 0.55
    """Share of an object's usual seed score from which a starting point is propagated, and its tracklet kept."""
    refound_share: float = 0.4
    """The same from which what the tracker found again is kept, and a mask contradicts what is known of a frame."""
    end_share: float = 0.15
    """The same below which propagation into what is missing ends."""
    refound_lead: float = 0.1
    """By how much the seed score of a starting point must exceed that of a refound tracklet that holds its frame."""
