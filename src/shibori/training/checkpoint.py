"""Checkpoints that survive a kill at any moment and resume to the same losses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from shibori.errors import InputError


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` beside ``path`` and move it into place in one step."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what ``save_checkpoint`` wrote.

    Raises:
        InputError: if the file is missing or was not written by it.
    """
    if not path.is_file():
        raise InputError(f"expected a training checkpoint at {path}, found nothing; start a run without --resume")
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except (RuntimeError, EOFError, ValueError, KeyError, UnpicklingError) as error:
        raise InputError(
            f"expected a training checkpoint at {path}, found a file that cannot be read; start a run without --resume"
        ) from error


class ParameterAverage:
    """An exponential moving average of a network's parameters and buffers.

    The decay rises with the number of updates, so that early steps are forgotten quickly.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards ``network``, which has just made step number ``step``."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        for name, value in network.state_dict().items():
            average: Tensor = self.state[name]
            if average.dtype.is_floating_point:
                average.lerp_(value.to(average.dtype), weight)
            else:
                average.copy_(value)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up the values of a checkpoint, on the devices of the present ones; what it does not name stays."""
        self.state |= {name: value.to(self.state[name].device) for name, value in state.items()}
