"""From a preset's name to a segmenter that is ready to run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from shibori.boxtracking.build import build_tracker
from shibori.boxtracking.target import Tracker
from shibori.errors import InputError
from shibori.nn.prepare import choose_device, choose_dtype, prepare_network
from shibori.nn.weights import load_state
from shibori.systems.trackprop.inference import TrackpropSegmenter
from shibori.systems.trackprop.mask_refiner import MaskRefiner
from shibori.systems.trackprop.model import RegionNetwork, build_trackprop
from shibori.systems.trackprop.rule import RULES, TrackpropRule
from shibori.systems.trackprop.size import SIZES
from shibori.tracking.shipped import load_shipped
from shibori.weights import locate_weights


def build_trackprop_segmenter(
    preset: str = "compact",
    device: str = "auto",
    size: int | None = None,
    weights: Path | None = None,
    rule: TrackpropRule | None = None,
) -> TrackpropSegmenter:
    """Build trackprop with its weights and those of its tracker.

    Args:
        preset: name of the networks' size.
        device: auto, cpu, cuda, cuda:N or mps.
        size: working side: each object's region is resized to about ``size`` squared pixels in the propagation.
        weights: a file to use instead of the shipped one.
        rule: in place of the preset's.

    Raises:
        InputError: on a preset, device, size or file that is not there.
    """
    if preset not in SIZES:
        raise InputError(f"expected a preset of trackprop ({', '.join(SIZES)}), found {preset!r}")
    state = load_state(locate_weights("trackprop", preset, weights), "trackprop", preset)
    rule = rule or RULES[preset]
    name = rule.propagation.tracker
    tracker = None if name == "none" else build_tracker(name, preset, device)
    return segmenter_from_state(state, preset, device, size, rule, tracker)


def segmenter_from_state(
    state: dict[str, Tensor],
    preset: str,
    device: str = "auto",
    size: int | None = None,
    rule: TrackpropRule | None = None,
    tracker: Tracker | None = None,
    dtype: torch.dtype | None = None,
) -> TrackpropSegmenter:
    """Build trackprop with parameters that are in memory; see ``build_trackprop_segmenter``.

    Without a tracker the box of the previous mask does.
    """
    rule = sized(rule or RULES[preset], size)
    network = build_trackprop(preset)
    network.load_own_state(state)
    load_shipped(network)
    chosen = choose_device(device)
    prepared = prepare_network(network, chosen, dtype or choose_dtype(chosen))
    assert isinstance(prepared, RegionNetwork)
    return TrackpropSegmenter(prepared, rule, tracker, chosen)


def sized(rule: TrackpropRule, size: int | None) -> TrackpropRule:
    """A rule with another working side. InputError for one that is too small."""
    if size is None:
        return rule
    config = rule.propagation.config.sized(size)
    return replace(rule, propagation=replace(rule.propagation, config=config))


def build_mask_refiner(device: str = "auto") -> MaskRefiner:
    """The interactive networks that ship, as a second prediction for others."""
    return MaskRefiner(build_trackprop_segmenter("compact", device, rule=TrackpropRule()))
