"""The pixel tracker inside strnn: where the network's training starts."""

from __future__ import annotations

import torch
from torch import nn

from shibori.systems.strnn.model import StrnnNetwork
from shibori.tracking.shipped import shipped_state


@torch.no_grad()
def start_from_tracker(network: StrnnNetwork) -> None:
    """The features of a network that nothing trained are the pixel tracker's embedding; the sweeps add nothing yet."""
    if network.tracker is None:
        return
    assert network.frozen_preset is not None
    assert network.rnn.shortcut is not None
    assert network.fine is not None
    network.tracker.load_state_dict(shipped_state(network.frozen_preset))
    shortcut = network.rnn.shortcut.weight
    count = min(shortcut.shape[0], network.tracker.size.key_channels)
    nn.init.zeros_(shortcut)
    shortcut[:count, -network.tracker.size.key_channels :][:, :count, 0, 0].copy_(torch.eye(count))
    nn.init.zeros_(network.rnn.leave.weight)
    nn.init.zeros_(network.fine.weight)
