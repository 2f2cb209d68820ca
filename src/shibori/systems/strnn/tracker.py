"""The pixel tracker inside strnn: the shipped one, and the same that the network was trained on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from shibori.errors import InputError
from shibori.nn.weights import load_state, state_digest
from shibori.systems.strnn.model import StrnnNetwork
from shibori.systems.strnn.size import TrackerSize
from shibori.weights import locate_weights


def load_tracker(network: StrnnNetwork) -> None:
    """Give a network that stands on the pixel tracker the shipped one, and note which one that is.

    Raises:
        InputError: if the network was trained on top of another one.
    """
    if network.tracker is None:
        return
    assert isinstance(network.size.extractor, TrackerSize)
    preset = network.size.extractor.preset
    state = tracker_state(preset)
    network.tracker.load_state_dict(state)
    digest = state_digest(state)
    if bool(network.tracker_digest.any()) and not torch.equal(network.tracker_digest.cpu(), digest):
        raise InputError(
            "expected strnn weights that were trained with this version's pixel tracker, found others; "
            "train them on from it (shibori train strnn --start) or use those that ship with this version"
        )
    network.tracker_digest.copy_(digest)


def tracker_state(preset: str) -> dict[str, Tensor]:
    """Parameters of the pixel tracker of this version."""
    return load_state(locate_weights("pixel", preset), "pixel", preset)


@torch.no_grad()
def start_from_tracker(network: StrnnNetwork) -> None:
    """The features of a network that nothing trained are the pixel tracker's embedding; the sweeps add nothing yet."""
    if network.tracker is None:
        return
    assert isinstance(network.size.extractor, TrackerSize)
    assert network.rnn.shortcut is not None
    assert network.fine is not None
    network.tracker.load_state_dict(tracker_state(network.size.extractor.preset))
    shortcut = network.rnn.shortcut.weight
    count = min(shortcut.shape[0], network.tracker.size.key_channels)
    nn.init.zeros_(shortcut)
    shortcut[:count, -network.tracker.size.key_channels :][:, :count, 0, 0].copy_(torch.eye(count))
    nn.init.zeros_(network.rnn.leave.weight)
    nn.init.zeros_(network.fine.weight)
