"""How quantities change over a run. ``progress`` runs from 0 to 1."""

from __future__ import annotations


def warm_stable_decay(step: int, steps: int, warmup: int, decay_share: float) -> float:
    """Factor on the learning rate: a linear rise, a plateau, a linear fall to zero over the last ``decay_share``.

    A plateau lets a run be lengthened, or brought to its end, without having planned for it.
    """
    rising = min((step + 1) / warmup, 1.0)
    falling = min((steps - step) / max(decay_share * steps, 1), 1.0)
    return rising * falling


def linear(progress: float, start: float, end: float, until: float = 1.0) -> float:
    """From ``start`` to ``end`` while progress goes from 0 to ``until``; ``end`` afterwards."""
    return start + (end - start) * min(progress / until, 1.0)
