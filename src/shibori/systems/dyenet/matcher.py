"""The pixel tracker inside DyeNet: the shipped one, and the same that the networks were trained on."""

from __future__ import annotations

import torch
from torch import Tensor

from shibori.errors import InputError
from shibori.nn.weights import load_state, state_digest
from shibori.systems.dyenet.model import DyeNet
from shibori.tracking.compact import build_pixel_tracker
from shibori.weights import locate_weights


def load_matcher(network: DyeNet) -> None:
    """Give the network the shipped pixel tracker of its preset, and note which one that is.

    Raises:
        InputError: if the network was trained on top of another one.
    """
    if network.size.matcher is None or network.matcher is None:
        return
    state = _matcher_state(network)
    network.matcher.load_state_dict(state)
    digest = state_digest(state)
    if bool(network.matcher_digest.any()) and not torch.equal(network.matcher_digest.cpu(), digest):
        raise InputError(
            "expected dyenet weights that were trained with this version's pixel tracker, found others; "
            "train them on from it (shibori train dyenet --start) or use those that ship with this version"
        )
    network.matcher_digest.copy_(digest)


def _matcher_state(network: DyeNet) -> dict[str, Tensor]:
    preset = network.size.matcher
    assert preset is not None
    if preset == "tiny":  # for tests: random, and always the same
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return build_pixel_tracker(preset).state_dict()
    return load_state(locate_weights("pixel", preset), "pixel", preset)
