"""Recurrence over a grid in four directed acyclic sweeps (strnn, Sec. 2.2; DAG-RNN, Shuai et al. 2018).

In a southeast sweep the direct predecessors of a vertex are its neighbours above, to the left, and above to the left.
The other three sweeps are the same on the grid turned over. Vertices of one anti-diagonal do not depend on each other,
so a sweep takes H + W - 1 steps, in which all four directions go together.

Axes: G sweeps, B grids, H W rows and columns, C channels, S steps (anti-diagonals).
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

DIRECTIONS = ("southeast", "southwest", "northeast", "northwest")


def turned(grids: Tensor) -> Tensor:
    """(4, B, H, W, C): each direction's grid turned over so that its sweep runs southeast. Its own inverse."""
    southeast, southwest, northeast, northwest = grids
    return torch.stack([southeast, southwest.flip(2), northeast.flip(1), northwest.flip(1, 2)])


def sweep_southeast(inputs: Tensor, kernels: Tensor) -> Tensor:
    """Hidden states ``h_v = tanh(inputs_v + sum of h_p over the predecessors p of v, times kernel)`` (strnn, Eq. 1).

    Args:
        inputs: (G, B, H, W, C) everything that does not come from a neighbour: ``U x + b``, and in Eq. 2 ``K h`` of the
            frame before.
        kernels: (G, C, C) one for each sweep; a predecessor's state is a row that is multiplied from the left.

    Returns:
        (G, B, H, W, C) hidden states.
    """
    num_sweeps, batch, height, width, channels = inputs.shape
    places, valid = _diagonals(height, width, inputs.device)
    rows = functional.pad(inputs.flatten(2, 3), (0, 0, 0, 1)).index_select(2, places.flatten())  # zero where no vertex
    steps = rows.unflatten(2, places.shape).permute(2, 0, 1, 3, 4)  # (S, G, B, H, C)
    nothing = torch.zeros_like(steps[0])
    states: list[Tensor] = []
    for step, given in enumerate(steps.unbind()):
        last, before = (states[step - back] if step >= back else nothing for back in (1, 2))
        near = last + functional.pad((last + before)[:, :, :-1], (0, 0, 1, 0))  # left, above, above left
        summed = torch.baddbmm(given.flatten(1, 2), near.flatten(1, 2), kernels)
        states.append(summed.view(num_sweeps, batch, height, channels).tanh() * valid[step])
    hidden = torch.stack(states, dim=2).flatten(2, 3)  # (G, B, S * H, C)
    return hidden.index_select(2, _vertices(height, width, inputs.device)).view(inputs.shape)


@lru_cache(maxsize=32)
def _diagonals(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(S, H) flat place of the vertex in each anti-diagonal and row, H * W for none; (S, H, 1) 1 where there is one."""
    with torch.inference_mode(False):  # what is kept here must serve training later
        row = torch.arange(height, device=device)
        column = torch.arange(height + width - 1, device=device)[:, None] - row
        valid = (column >= 0) & (column < width)
        return torch.where(valid, row * width + column, height * width), valid[:, :, None].float()


@lru_cache(maxsize=32)
def _vertices(height: int, width: int, device: torch.device) -> Tensor:
    """(H * W,) where each vertex is among the (S, H) flattened places of the anti-diagonals."""
    with torch.inference_mode(False):
        row = torch.arange(height, device=device)[:, None]
        column = torch.arange(width, device=device)
        return ((row + column) * height + row).flatten()
