"""From a preset's name to a system that is ready to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shibori.errors import InputError
from shibori.interfaces import Propagator
from shibori.nn.prepare import choose_device, choose_dtype, prepare_network
from shibori.nn.weights import load_state
from shibori.systems.dyenet.ensemble import Ensemble
from shibori.systems.dyenet.inference import DyeNetPropagator
from shibori.systems.dyenet.model import DyeNet, build_dyenet
from shibori.systems.dyenet.recurrent_tracker import RecurrentTracker
from shibori.systems.dyenet.rule import DyeNetRule
from shibori.systems.dyenet.size import SIZES
from shibori.systems.dyenet.variant import VARIANTS
from shibori.tracking.config import MATCHER_CONFIG
from shibori.tracking.shipped import load_shipped
from shibori.weights import locate_weights

Tracker = Callable[[], Propagator]


def build_dyenet_propagator(
    preset: str = "compact",
    device: str = "auto",
    size: int | None = None,
    weights: Path | None = None,
    online_steps: int = 0,
    tracker: Tracker | None = None,
) -> DyeNetPropagator:
    """DyeNet with its weights.

    Args:
        preset: name of the networks' size; several joined by ``+`` make an ensemble (Sec. 3).
        device: auto, cpu, cuda, cuda:N or mps.
        size: working side: each object's patch is resized to about ``size`` squared pixels.
        weights: a file to use instead of the shipped one; for a single preset.
        online_steps: training steps on the first masks before the clip is segmented (Sec. 4).
        tracker: see ``with_tracker``.

    Raises:
        InputError: on a preset, device, size, number of steps or file that is not there.
    """
    presets = preset.split("+")
    for name in presets:
        if name not in SIZES:
            raise InputError(f"expected a preset of dyenet ({', '.join(SIZES)}), found {name!r}")
    if weights is not None and len(presets) > 1:
        raise InputError(f"expected one preset with a file of weights, found {preset!r}; name one of them")
    if online_steps < 0:
        raise InputError(f"expected 0 or more steps of online training, found {online_steps}")
    rule = DyeNetRule(tracker=MATCHER_CONFIG.sized(size))
    states = [(name, load_state(locate_weights("dyenet", name, weights), "dyenet", name)) for name in presets]
    members = [(name, state, "combined") for name, state in states]
    return with_tracker(tracker, _propagator(members, device, rule, None, online_steps))


def propagator_from_state(
    state: dict[str, Tensor],
    preset: str,
    device: str = "auto",
    variant: str = "combined",
    rule: DyeNetRule | None = None,
    dtype: torch.dtype | None = None,
    online_steps: int = 0,
) -> DyeNetPropagator:
    """DyeNet with parameters that are in memory.

    Args:
        state: of the networks, as ``DyeNet.own_state`` gives it.
        preset: whose parameters they are.
        device: auto, cpu, cuda, cuda:N or mps.
        variant: a name in ``VARIANTS``; several joined by ``+`` make an ensemble (Sec. 3).
        rule: numbers of inference.
        dtype: of the convolutions; by default the fastest that is safe on the device.
        online_steps: see ``build_dyenet_propagator``.

    Raises:
        InputError: on a variant or device that is not there, and parameters that do not fit.
    """
    members = [(preset, state, name) for name in variant.split("+")]
    return _propagator(members, device, rule or DyeNetRule(), dtype, online_steps)


def with_tracker(tracker: Tracker | None, propagator: DyeNetPropagator) -> DyeNetPropagator:
    """DyeNet with the tracker whose run is the pass forward over a whole clip, if its variant is ``tracker_ahead``."""
    recurrent = propagator.recurrent
    if tracker is None or not (recurrent.variant.tracker_ahead and recurrent.matches):
        return propagator
    return DyeNetPropagator(recurrent, propagator.flow, propagator.adapt, tracker())


def _propagator(
    members: Sequence[tuple[str, dict[str, Tensor], str]],
    device: str,
    rule: DyeNetRule,
    dtype: torch.dtype | None,
    online_steps: int,
) -> DyeNetPropagator:
    """Members are preset, state and variant."""
    for _, _, name in members:
        if name not in VARIANTS:
            raise InputError(f"expected a variant of dyenet ({', '.join(VARIANTS)}), found {name!r}")
    chosen = choose_device(device)
    precision = dtype or choose_dtype(chosen)

    def joined(networks: Sequence[DyeNet]) -> RecurrentTracker:
        trackers = [
            RecurrentTracker(_prepared(network, chosen, precision), VARIANTS[name], rule, chosen)
            for network, (_, _, name) in zip(networks, members, strict=True)
        ]
        return trackers[0] if len(trackers) == 1 else Ensemble(trackers)

    def adapt(image: NDArray[np.uint8], masks: Mapping[int, NDArray[np.bool_]]) -> RecurrentTracker:
        from shibori.systems.dyenet.online import train_online  # brings in all that is needed to train

        networks = [_loaded(state, preset).to(chosen) for preset, state, _ in members]
        for network, (_, _, name) in zip(networks, members, strict=True):
            train_online(network, image, masks, VARIANTS[name], online_steps, chosen)
        return joined(networks)

    recurrent = joined([_loaded(state, preset) for preset, state, _ in members])
    return DyeNetPropagator(recurrent, recurrent.network.flow, adapt if online_steps else None)


def _loaded(state: dict[str, Tensor], preset: str) -> DyeNet:
    network = build_dyenet(preset)
    network.load_own_state(state)
    load_shipped(network)
    return network


def _prepared(network: DyeNet, device: torch.device, dtype: torch.dtype) -> DyeNet:
    prepared = prepare_network(network, device, dtype)
    assert isinstance(prepared, DyeNet)
    for exact in (prepared.proposals, prepared.raft):
        if exact is not None:
            exact.float()
    return prepared
