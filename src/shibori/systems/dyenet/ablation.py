"""The rows of the paper's Table 1, to be run with whichever weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from shibori.errors import InputError
from shibori.interfaces import Propagator
from shibori.nn.weights import load_state
from shibori.systems.dyenet.build import Tracker, propagator_from_state, with_tracker
from shibori.systems.dyenet.size import SIZES
from shibori.weights import locate_weights

ROWS = (
    ("msk", "MSK: mask propagation without recurrence", 0.517),
    ("remp-no-attention", "Re-MP, no attention", 0.580),
    ("remp", "Re-MP", 0.610),
    ("reid", "Re-MP + Re-ID", 0.682),
    ("advanced", "advanced: patches, two streams, pyramid", 0.693),
    ("matched", "+ the pixel tracker's matches (ours)", None),
    ("combined-no-reid", "combined: + its own run as the pass forward (ours), without Re-ID", None),
    ("combined", "combined (ours)", None),
    ("combined+advanced", "ensemble of combined and advanced", None),
)
"""Variant, what it is, and the paper's J&F on DAVIS 2017 test-dev."""


def ablation_rows(
    preset: str = "compact",
    device: str = "auto",
    weights: Path | None = None,
    tracker: Tracker | None = None,
) -> list[tuple[str, float | None, Callable[[], Propagator]]]:
    """For each row what it is, the paper's J&F, and what builds it; all with the same weights.

    Args:
        preset: of the networks.
        device: auto, cpu, cuda, cuda:N or mps.
        weights: a file to use instead of the shipped one.
        tracker: see ``build.with_tracker``.

    Raises:
        InputError: on a preset or file that is not there.
    """
    if preset not in SIZES:
        raise InputError(f"expected a preset of dyenet ({', '.join(SIZES)}), found {preset!r}")
    state = load_state(locate_weights("dyenet", preset, weights), "dyenet", preset)

    def build(variant: str) -> Propagator:
        return with_tracker(tracker, propagator_from_state(state, preset, device, variant))

    return [(text, published, partial(build, variant)) for variant, text, published in ROWS]
