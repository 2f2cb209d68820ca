"""From a preset's name to a segmenter of marked frames that is ready to run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from shibori.errors import InputError
from shibori.nn.prepare import choose_device
from shibori.nn.weights import load_fitting, load_state
from shibori.prompting.presets import RULES, SIZES, build_prompt_network
from shibori.prompting.rule import PromptRule
from shibori.prompting.segmenter import PromptSegmenter
from shibori.prompting.view import GRID
from shibori.weights import locate_weights


def build_prompt_segmenter(
    preset: str = "compact", device: str = "auto", size: int | None = None, weights: Path | None = None
) -> PromptSegmenter:
    """The promptable network with its weights.

    Args:
        preset: name of the network's size.
        device: auto, cpu, cuda, cuda:N or mps.
        size: longer side in pixels to which the window around an object is resized, a multiple of 32.
        weights: a file to use instead of the shipped one.

    Raises:
        InputError: on a preset, device, size or file that is not there.
    """
    if preset not in SIZES:
        raise InputError(f"expected a preset of the promptable network ({', '.join(SIZES)}), found {preset!r}")
    state = load_state(locate_weights("prompt", preset, weights), "prompt", preset)
    return segmenter_from_state(state, preset, device, sized(RULES[preset], size))


def segmenter_from_state(
    state: dict[str, Tensor], preset: str, device: str = "auto", rule: PromptRule | None = None
) -> PromptSegmenter:
    """The promptable network with parameters that are in memory; see ``build_prompt_segmenter``."""
    network = build_prompt_network(preset)
    load_fitting(network, state, f"weights of the preset {preset}")
    return PromptSegmenter(network, torch.device(choose_device(device)), rule or RULES[preset])


def sized(rule: PromptRule, size: int | None) -> PromptRule:
    """The rule for windows of another size. InputError for one that is no multiple of ``GRID``."""
    if size is None:
        return rule
    if size < GRID or size % GRID:
        raise InputError(f"expected a size that is a multiple of {GRID}, found {size}; give one such as 448")
    return replace(rule, side=size, first_side=min(rule.first_side, size), near_side=min(rule.near_side, size))
