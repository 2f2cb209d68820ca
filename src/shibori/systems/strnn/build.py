"""From a preset's name to a segmenter that is ready to run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from shibori.errors import InputError
from shibori.nn.prepare import choose_device, choose_dtype, prepare_network
from shibori.nn.weights import load_state
from shibori.systems.strnn.inference import StrnnSegmenter
from shibori.systems.strnn.model import StrnnNetwork, build_strnn
from shibori.systems.strnn.rule import RULES, AdaptionRule
from shibori.systems.strnn.size import SIZES
from shibori.weights import locate_weights


def build_strnn_segmenter(
    preset: str = "compact", device: str = "auto", size: int | None = None, weights: Path | None = None
) -> StrnnSegmenter:
    """The system with its weights.

    Args:
        preset: name of the network's size.
        device: auto, cpu, cuda, cuda:N or mps.
        size: short side of the working frame in pixels.
        weights: a file to use instead of the shipped one.

    Raises:
        InputError: on a preset, device, size or file that is not there.
    """
    if preset not in SIZES:
        raise InputError(f"expected a preset of strnn ({', '.join(SIZES)}), found {preset!r}")
    state = load_state(locate_weights("strnn", preset, weights), "strnn", preset)
    return segmenter_from_state(state, preset, device, size)


def segmenter_from_state(
    state: dict[str, Tensor],
    preset: str,
    device: str = "auto",
    size: int | None = None,
    rule: AdaptionRule | None = None,
    dtype: torch.dtype | None = None,
) -> StrnnSegmenter:
    """The system with parameters that are in memory; see ``build_strnn_segmenter``."""
    rule = rule or RULES[preset]
    if size is not None:
        if size < 64:
            raise InputError(f"expected a working size of at least 64 pixels, found {size}; try {rule.short_side}")
        rule = replace(rule, short_side=size)
    network = build_strnn(preset)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(f"expected weights of the preset {preset}, found parameters that do not fit it") from error
    chosen = choose_device(device)
    prepared = prepare_network(network, chosen, dtype or choose_dtype(chosen))
    assert isinstance(prepared, StrnnNetwork)
    return StrnnSegmenter(prepared, rule, chosen)
