"""From a preset's name to a system that is ready to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.errors import InputError
from shibori.nn.flow import FLOWS
from shibori.nn.prepare import choose_device, choose_dtype, prepare_network
from shibori.nn.weights import load_state
from shibori.systems.dyenet.follow import Following
from shibori.systems.dyenet.inference import DyeNetPropagator
from shibori.systems.dyenet.matcher import load_matcher
from shibori.systems.dyenet.model import DyeNet, build_dyenet
from shibori.systems.dyenet.online import train_online
from shibori.systems.dyenet.rule import FollowRule
from shibori.systems.dyenet.size import SIZES
from shibori.systems.dyenet.variant import VARIANTS
from shibori.weights import locate_weights


def build_dyenet_propagator(
    preset: str = "compact",
    device: str = "auto",
    size: int | None = None,
    weights: Path | None = None,
    online_steps: int = 0,
) -> DyeNetPropagator:
    """DyeNet with its weights.

    Args:
        preset: name of the networks' size.
        device: auto, cpu, cuda, cuda:N or mps.
        size: working side: each object's patch is resized to about ``size`` squared pixels.
        weights: a file to use instead of the shipped one.
        online_steps: training steps on the first masks before the clip is segmented (Sec. 4).

    Raises:
        InputError: on a preset, device, size, number of steps or file that is not there.
    """
    if preset not in SIZES:
        raise InputError(f"expected a preset of dyenet ({', '.join(SIZES)}), found {preset!r}")
    if online_steps < 0:
        raise InputError(f"expected 0 or more steps of online training, found {online_steps}")
    if size is not None and size < 64:
        raise InputError(f"expected a working size of at least 64 pixels, found {size}; the default is 320")
    rule = FollowRule()
    if size is not None:
        rule = replace(rule, window=replace(rule.window, area_side=size))
    state = load_state(locate_weights("dyenet", preset, weights), "dyenet", preset)
    return propagator_from_state(state, preset, device, rule=rule, online_steps=online_steps)


def propagator_from_state(
    state: dict[str, Tensor],
    preset: str,
    device: str = "auto",
    variant: str = "combined",
    rule: FollowRule | None = None,
    dtype: torch.dtype | None = None,
    online_steps: int = 0,
) -> DyeNetPropagator:
    """DyeNet with parameters that are in memory.

    Args:
        state: of the networks, as ``DyeNet.own_state`` gives it.
        preset: whose parameters they are.
        device: auto, cpu, cuda, cuda:N or mps.
        variant: a name in ``VARIANTS``.
        rule: numbers of inference.
        dtype: of the convolutions; by default the fastest that is safe on the device.
        online_steps: see ``build_dyenet_propagator``.

    Raises:
        InputError: on a variant or device that is not there, and parameters that do not fit.
    """
    if variant not in VARIANTS:
        raise InputError(f"expected a variant of dyenet ({', '.join(VARIANTS)}), found {variant!r}")
    chosen = choose_device(device)
    parts, numbers = VARIANTS[variant], rule or FollowRule()
    precision = dtype or choose_dtype(chosen)

    def adapted(image: NDArray[np.uint8], masks: Mapping[int, NDArray[np.bool_]]) -> Following:
        network = _loaded(state, preset).to(chosen)
        train_online(network, image, masks, parts, online_steps, chosen)
        return Following(_prepared(network, chosen, precision), parts, numbers, chosen)

    following = Following(_prepared(_loaded(state, preset), chosen, precision), parts, numbers, chosen)
    return DyeNetPropagator(following, FLOWS["dis"](), adapted if online_steps else None)


def _loaded(state: dict[str, Tensor], preset: str) -> DyeNet:
    network = build_dyenet(preset)
    network.load_own_state(state)
    load_matcher(network)
    return network


def _prepared(network: DyeNet, device: torch.device, dtype: torch.dtype) -> DyeNet:
    prepared = prepare_network(network, device, dtype)
    assert isinstance(prepared, DyeNet)
    prepared.proposals.float()
    return prepared
