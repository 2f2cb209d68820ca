"""The pixel tracker of this version, as other networks stand on it; for ``tiny`` a random one, always the same."""

from __future__ import annotations

import torch
from torch import Tensor

from shibori.nn.frozen import FrozenTrunkNetwork
from shibori.nn.weights import load_state
from shibori.tracking.matcher import build_matcher
from shibori.tracking.network import PixelNetwork
from shibori.weights import locate_weights


def shipped_tracker(preset: str) -> PixelNetwork:
    """The network with its parameters.

    Raises:
        InputError: if none ships for the preset, or it is not as it was shipped.
    """
    if preset == "tiny":
        return _random_tracker(preset)
    tracker = build_matcher(preset)
    tracker.load_state_dict(shipped_state(preset))
    return tracker


def shipped_state(preset: str) -> dict[str, Tensor]:
    """Its parameters alone; see ``shipped_tracker``."""
    if preset == "tiny":
        return _random_tracker(preset).state_dict()
    return load_state(locate_weights("matcher", preset), "matcher", preset)


def load_shipped(network: FrozenTrunkNetwork) -> None:
    """Give a network that stands on a whole pixel tracker the shipped one, and note which one that is.

    Raises:
        InputError: if the network was trained on top of another one.
    """
    if network.frozen_preset is not None:
        network.load_frozen(shipped_state(network.frozen_preset))


def _random_tracker(preset: str) -> PixelNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_matcher(preset)
