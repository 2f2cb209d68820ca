"""The rows of Table 1: what gives the regions. As in the paper, every round by itself, and with what is ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from shibori.errors import InputError
from shibori.interfaces import MarkSegmenter
from shibori.systems.trackprop.build import build_trackprop_segmenter
from shibori.systems.trackprop.rule import RULES
from shibori.systems.trackprop.size import SIZES

ROWS: tuple[tuple[str, bool, str, tuple[float, float] | None], ...] = (
    ("none", False, "without tracker", (0.635, 0.670)),
    ("siamese", False, "DaSiamRPN-style tracker", (0.702, 0.731)),
    ("atom", False, "ATOM", (0.766, 0.780)),
    ("none", True, "without tracker + matches of the pixel tracker (ours)", None),
    ("siamese", True, "DaSiamRPN-style + matches (ours)", None),
    ("atom", True, "ATOM + matches (ours)", None),
)
"""Tracker, whether the pixel tracker takes part in the propagation and earlier rounds count, what it is, the paper's
AUC and J&F@60s on the DAVIS 2017 validation set."""


def ablation_rows(
    preset: str = "compact", device: str = "auto", weights: Path | None = None
) -> list[tuple[str, tuple[float, float] | None, Callable[[], MarkSegmenter]]]:
    """For each row what it is, the paper's AUC and J&F@60s, and what builds it; all with the same networks.

    Rows in which the pixel tracker takes part are left out for a preset that has none.

    Raises:
        InputError: on a preset that is not there.
    """
    if preset not in SIZES:
        raise InputError(f"expected a preset of trackprop ({', '.join(SIZES)}), found {preset!r}")
    rows: list[tuple[str, tuple[float, float] | None, Callable[[], MarkSegmenter]]] = []
    for tracker, matching, text, published in ROWS:
        if matching and not RULES[preset].propagation.matching:
            continue
        own = RULES[preset].propagation
        inertia = own.inertia if matching else 0.0
        propagation = replace(own, tracker=tracker, matching=matching, inertia=inertia)
        rule = replace(RULES[preset], propagation=propagation)
        build = partial(build_trackprop_segmenter, preset, device, None, weights, rule)
        rows.append((text, published, build))
    return rows
