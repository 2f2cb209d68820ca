"""How training clips are drawn: the numbers, and a draw by one of their shares."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.random import Generator


@dataclass(frozen=True)
class SamplingPlan:
    """How training clips are drawn."""

    num_frames: int = 3
    """Frames a clip."""
    size: int = 208
    """Side of the square windows after resizing, in pixels."""
    real_share: float = 0.4
    """Share of clips drawn from real sequences."""
    max_gap: int = 4
    """Largest distance between neighbouring frames of a real clip."""
    gap_growth: int = 0
    """Number of clips over which that distance grows up to ``max_gap`` from 1; 0: it is ``max_gap`` from the start."""
    jump_share: float = 0.3
    """Share of clips whose first step is a long jump, so that only matching with the reference can help."""
    noisy_share: float = 0.0
    """Share of clips whose first mask is not the true one but such as a detector gives."""
    twin_share: float = 0.0
    """Share of clips in which copies of the object itself move beside it: only its place tells it from them. Of clips
    of a whole photograph none."""
    tiny_share: float = 0.0
    """Share of clips of a cut-out in which it is a few pixels across in a frame of usual size."""
    thin_share: float = 0.0
    """Share of clips of a cut-out in which it has thin parts."""
    cut_share: float = 0.0
    """Share of clips with a hard cut to a scene that does not show the object."""
    coarse_share: float = 0.0
    """Share of clips seen as enlarged from fewer pixels, as small objects are."""
    longest_jump: int = 40
    """Distance in frames that a long jump stays below, unless ``max_gap`` is no less."""


def chance(rng: Generator, share: float) -> bool:
    """Whether it happens this time; draws nothing where it never does."""
    return bool(share) and bool(rng.random() < share)
