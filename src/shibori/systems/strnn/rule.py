"""How the online adaption goes about it: working size, samples, classifier."""

from __future__ import annotations

from dataclasses import dataclass, field

from shibori.ops.correction import CorrectionRule


@dataclass(frozen=True)
class KernelRule:
    """A classifier on Gaussian kernels instead of a linear one, by random Fourier features.

    The metric loss (Eq. 4) brings each pixel near to the nearest pixel of its object. An object of several parts is
    then not linearly separable, but it is by a Gaussian kernel on the same distance. Two kernels are summed: one on
    features alone, which knows the object wherever it goes; one on features, place and time together, by which a
    correction is local.
    """

    num_waves: int = 160
    """Random features of each of the two."""
    feature_width: float = 0.5
    """Width of the first kernel, as a distance of unit features."""
    near_feature_width: float = 0.8
    """Width of the second kernel along features."""
    place_width: float = 0.1
    """Width of the second kernel along rows and columns, in heights of the frame."""
    time_width: float = 16.0
    """Width of the second kernel along frames."""


@dataclass(frozen=True)
class PromptRule:
    """How a hybrid segments marked frames and settles the others. Lengths are in short sides of the frame."""

    click_radius: float = 0.01
    """A click stands for a disk of this radius."""
    first_side: float = 0.3
    """An object of which only a line is known is first looked for in a box of this side at least."""
    box_growths: tuple[tuple[float, float], ...] = ((1.0, 0.0), (1.0, 1.0), (1.0, 2.0))
    """By how much the box around first marks grows, in shares of its own sides and of its longer side; what lies
    outside is background. The next pair is tried where little more than the marks was found."""
    box_margin: float = 0.06
    """How much it grows on each side besides."""
    click_margin: float = 0.2
    """The same for a click, which does not say how large a thing is."""
    least_area: float = 1.5
    """From this many times the area of the marks an object counts as found."""
    first_thickness: int = 17
    """First marks count as lines this thick, in pixels of the resized window."""
    later_thickness: int = 13
    """The same for corrections."""
    first_logit_bias: float = 0.5
    """Added to the log-odds after first marks: a line shows less than the object."""
    doubt_reach: float = 0.06
    """The last answer is doubted this near to a correction."""
    elsewhere_reach: float = 0.15
    """Where fresh marks of the object are mostly further than this from the last answer, it may have to begin anew."""
    inner_margin: float = 0.008
    """What was said to be the object is believed this far inside its edge."""
    outer_margin: float = 0.12
    """What was said to be background is believed this far outside the object's edge."""
    flood_share: float = 0.35
    """A mask has flooded if the lines that cross it out are this long, in sides of a square of its area."""
    recalled_confidence: float = 0.82
    """Expected IoU from which other marked frames are then believed, if what they say has less than ..."""
    recalled_overlap: float = 0.75
    """... this IoU with what was said before."""
    correction: CorrectionRule = field(default_factory=CorrectionRule)
    """What a correction may change of a marked frame."""
    inertia: float = 0.05
    """What was said of a frame in the round before, and does not hang together with what was corrected, counts as much
    as both runs to it, and this much more."""
    trust: float = 0.5
    """What the classifier's probability counts where two runs disagree; nearness counts 1 in all."""


@dataclass(frozen=True)
class AdaptionRule:
    """The online adaption of one preset (Sec. 2.3)."""

    short_side: int = 384
    """Short side of the working frame in pixels; the long one follows, both rounded to multiples of 16."""
    penalty: float = 0.3
    """Lambda of Eq. 3."""
    kernel: KernelRule | None = KernelRule()
    """None: linear in the features, as the paper has it."""
    box_growth: float = 1.2
    """By how much the box around a stroke grows; no background is sampled inside."""
    box_margin: float = 0.05
    """Least growth of a box on each side, in short sides of the frame."""
    click_margin: float = 0.2
    """The same for a click, which does not say how large a thing is."""
    click_radius: float = 0.01
    """A click stands for a disk of this radius, in short sides of the frame."""
    resample: bool = True
    """Whether later rounds, too, bring random background (conditions i to iii); else only what is drawn."""
    approved_samples: int = 300
    """Pixels of each object in a corrected frame that are learned because nobody corrected them; 0 is the paper's."""
    approved_distance: float = 0.03
    """How far from the new strokes they are at least, in short sides of the frame."""
    sharpness: float = 6.0
    """Factor from the classifier's scores, about 0 and 1, to log-odds."""
    cache_bytes: int = 512 << 20
    """Features of a clip that are kept in memory; what is more goes to disk."""


RULES: dict[str, AdaptionRule] = {
    "paper": AdaptionRule(short_side=480, kernel=None, penalty=1.0, approved_samples=0),
    "compact": AdaptionRule(),
    "tiny": AdaptionRule(short_side=96, kernel=KernelRule(num_waves=64)),
}
