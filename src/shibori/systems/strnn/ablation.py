"""The rows of strnn's own ablation. The paper has none; its figures for the whole are beside the row they belong to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from shibori.errors import InputError
from shibori.interfaces import MarkSegmenter, Propagator
from shibori.nn.prepare import choose_device, choose_dtype, prepare_network
from shibori.systems.strnn.build import build_carrier, build_strnn_segmenter
from shibori.systems.strnn.hybrid import HybridSegmenter, Refiner
from shibori.systems.strnn.inference import StrnnSegmenter
from shibori.systems.strnn.model import StrnnNetwork, build_strnn
from shibori.systems.strnn.size import SIZES
from shibori.systems.strnn.tracker import start_from_tracker
from shibori.tracking.shipped import load_shipped

PAPER_FIGURES = (0.621, 0.601)
"""AUC and J&F@60s on the test-dev set of the DAVIS Challenge 2019."""

LAST_ROUND = 8
"""Of a session of the challenge; the paper refines in that one (Sec. 2.4.2)."""

Row = tuple[str, tuple[float, float] | None, Callable[[], MarkSegmenter]]


def ablation_rows(
    preset: str = "compact",
    device: str = "auto",
    weights: Path | None = None,
    propagator: Callable[[], Propagator] | None = None,
    refiner: Callable[[], Refiner | None] = lambda: None,
) -> list[Row]:
    """What takes part; the paper's AUC and J&F@60s; what builds it.

    Args:
        preset: one that stands on the pixel tracker.
        device: of the networks.
        weights: instead of the shipped ones.
        propagator: carries masks between marked frames, in place of the tracker.
        refiner: betters the masks of marked frames.

    Raises:
        InputError: on a preset that is not there, or several.
    """
    if preset not in SIZES:
        raise InputError(f"expected one preset of strnn ({', '.join(SIZES)}), found {preset!r}")

    carrier = propagator or partial(build_carrier, device)

    def trained() -> StrnnSegmenter:
        return build_strnn_segmenter(preset, device, None, weights)

    def pixels(linked: bool = True, **changes: Any) -> StrnnSegmenter:
        found = trained()
        return replace(found, rule=replace(found.rule, **changes), linked=linked)

    paper: dict[str, Any] = {"kernel": None, "approved_samples": 0}
    drawn = paper | {"resample": False}
    return [
        ("plain features, ridge", None, lambda: replace(pixels(**drawn), network=_plain(preset, device))),
        ("+ spatial RNN", None, lambda: pixels(linked=False, **drawn)),
        ("+ temporal link", None, lambda: pixels(**drawn)),
        ("+ random background in later rounds", None, lambda: pixels(**paper)),
        (
            f"+ masks carried from round {LAST_ROUND} on",
            PAPER_FIGURES,
            lambda: HybridSegmenter(pixels(**paper), carrier(), first_round=LAST_ROUND, prompts=False),
        ),
        ("Gaussian kernels, approved pixels (ours; nothing carried)", None, trained),
        (
            "+ masks carried in every round (ours)",
            None,
            lambda: HybridSegmenter(trained(), carrier(), prompts=False),
        ),
        (
            "+ marked frames by the pixel tracker (ours)",
            None,
            lambda: HybridSegmenter(trained(), carrier()),
        ),
        (
            "+ a second prediction of them by trackprop's networks (ours; the default)",
            None,
            lambda: HybridSegmenter(trained(), carrier(), refiner=refiner()),
        ),
    ]


def _plain(preset: str, device: str) -> StrnnNetwork:
    """Features without any RNN: the pixel tracker's embedding."""
    network = build_strnn(preset)
    start_from_tracker(network)
    torch.nn.init.zeros_(network.rnn.leave.bias)  # type: ignore[arg-type]
    load_shipped(network)
    chosen = choose_device(device)
    prepared = prepare_network(network, chosen, choose_dtype(chosen))
    assert isinstance(prepared, StrnnNetwork)
    return prepared
