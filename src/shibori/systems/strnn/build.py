"""From a preset's name to a segmenter that is ready to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from shibori.errors import InputError
from shibori.interfaces import Propagator
from shibori.nn.prepare import choose_device, choose_dtype, prepare_network
from shibori.nn.weights import load_state
from shibori.systems.strnn.hybrid import HybridSegmenter, Refiner
from shibori.systems.strnn.inference import StrnnSegmenter
from shibori.systems.strnn.model import StrnnNetwork, build_strnn
from shibori.systems.strnn.rule import AdaptionRule
from shibori.systems.strnn.size import SIZES, rule_of
from shibori.tracking.build import build_mask_propagator
from shibori.tracking.config import BETWEEN_MARKS_CONFIG
from shibori.tracking.shipped import load_shipped
from shibori.weights import locate_weights


def build_strnn_segmenter(
    preset: str = "compact", device: str = "auto", size: int | None = None, weights: Path | None = None
) -> StrnnSegmenter:
    """The system with its weights.

    Args:
        preset: name of the network's size; of several joined by ``+`` the scores are averaged (footnote 1).
        device: auto, cpu, cuda, cuda:N or mps.
        size: short side of the working frame in pixels.
        weights: a file to use instead of the shipped one; for a single preset.

    Raises:
        InputError: on a preset, device, size or file that is not there.
    """
    presets = preset.split("+")
    for name in presets:
        if name not in SIZES:
            raise InputError(f"expected a preset of strnn ({', '.join(SIZES)}), found {name!r}")
    if weights is not None and len(presets) > 1:
        raise InputError(f"expected one preset with a file of weights, found {preset!r}; name one of them")
    states = [(name, load_state(locate_weights("strnn", name, weights), "strnn", name)) for name in presets]
    first, *partners = (segmenter_from_state(state, name, device, size) for name, state in states)
    return replace(first, partners=tuple(partners))


def build_hybrid_segmenter(
    preset: str = "compact",
    device: str = "auto",
    size: int | None = None,
    weights: Path | None = None,
    refiner: Callable[[], Refiner | None] = lambda: None,
) -> HybridSegmenter:
    """The system with its weights, and the tracker between marked frames; see ``build_strnn_segmenter``.

    Args:
        preset: name of the network's size.
        device: as above.
        size: as above; of the classifier of pixels, not of the propagator.
        weights: as above.
        refiner: makes what betters the masks of marked frames.
    """
    pixels = build_strnn_segmenter(preset, device, size, weights)
    return HybridSegmenter(pixels, build_carrier(device), refiner=refiner())


def build_carrier(device: str) -> Propagator:
    """What carries masks from one marked frame to the next."""
    return build_mask_propagator("compact", device, config=BETWEEN_MARKS_CONFIG)


def segmenter_from_state(
    state: dict[str, Tensor],
    preset: str,
    device: str = "auto",
    size: int | None = None,
    rule: AdaptionRule | None = None,
    dtype: torch.dtype | None = None,
) -> StrnnSegmenter:
    """The system with parameters that are in memory; see ``build_strnn_segmenter``."""
    rule = rule or rule_of(preset)
    if size is not None:
        if size < 64:
            raise InputError(f"expected a working size of at least 64 pixels, found {size}; try {rule.short_side}")
        rule = replace(rule, short_side=size)
    network = build_strnn(preset)
    network.load_own_state(state)
    load_shipped(network)
    chosen = choose_device(device)
    prepared = prepare_network(network, chosen, dtype or choose_dtype(chosen))
    assert isinstance(prepared, StrnnNetwork)
    return StrnnSegmenter(prepared, rule, chosen)
