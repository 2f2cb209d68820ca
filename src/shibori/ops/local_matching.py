"""Matching with the previous frame, each position in a window of its own alone (FEELVOS, Sec. 3.4).

The grid is cut into small tiles, and each tile is matched with the square that all its windows share: a matrix product
of about twice the needed size, instead of one of all positions with all.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from shibori.ops.matching import ABSENT_SIMILARITY, EXCLUDED_SIMILARITY, maximum

TILE = 4
"""Side of a tile, in positions; grids are multiples of it."""
LEAST_EXPONENT = -80.0
"""Next to nothing. Smaller ones give denormal numbers, on which a CPU spends ten times as long."""


def match_locally(query: Tensor, memory: Tensor, label: Tensor, own: Tensor, sharpness: Tensor, radius: int) -> Tensor:
    """Best match with the object, with everything else, and the soft read of the label, around each position.

    Args:
        query: (B, D, H, W) unit vectors; H and W multiples of ``TILE``.
        memory: (B, D, H, W) unit vectors on the same grid.
        label: (B, H, W) share of each memory position that the object covers, in [0, 1].
        own: (B, H, W) bool: positions that count as the object's.
        sharpness: () inverse temperature of the read.
        radius: rows and columns that a match may be away.

    Returns:
        (B, 3, H, W) float: the two best similarities (-1 where there is none), then the label that was read.
    """
    grid_hw = (query.shape[2], query.shape[3])
    places, exclusion = _reach(grid_hw, radius, query.device)
    near = places.flatten()
    keys = _rows(functional.pad(memory, (radius,) * 4)).index_select(1, near).unflatten(1, places.shape)
    marks = functional.pad(torch.stack([label.float(), own.float()], 1), (radius,) * 4)
    shares, is_own = marks.flatten(2).index_select(2, near).unflatten(2, places.shape).unbind(1)  # (B, tiles, R)
    tiles = functional.unfold(query, TILE, stride=TILE).unflatten(1, (query.shape[1], -1)).permute(0, 3, 2, 1)
    similarities = (tiles @ keys.transpose(2, 3)).float() + exclusion  # (B, tiles, 16, R)
    to_object = maximum(similarities + ((1 - is_own) * EXCLUDED_SIMILARITY)[:, :, None])
    to_others = maximum(similarities + (is_own * EXCLUDED_SIMILARITY)[:, :, None])
    weights = ((similarities - 1) * sharpness).clamp_min(LEAST_EXPONENT).exp()
    read, total = (weights @ torch.stack([shares, torch.ones_like(shares)], -1)).unbind(-1)
    best = torch.stack([to_object, to_others], 1).clamp_min(ABSENT_SIMILARITY)
    found = torch.cat([best, (read / total.clamp_min(1e-30))[:, None]], 1)  # (B, 3, tiles, 16)
    return functional.fold(found.permute(0, 1, 3, 2).flatten(1, 2), grid_hw, TILE, stride=TILE)


def _rows(maps: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H * W, C)."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2)


@lru_cache(maxsize=64)
def _reach(grid_hw: tuple[int, int], radius: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """What each tile is matched with, of a grid with ``radius`` more positions on every side.

    Returns:
        (tiles, R) indices of positions, R = (TILE + 2 * radius) squared; and (tiles, TILE * TILE, R) what is added to
        similarities: much less where a position is too far, or outside the grid.
    """
    with torch.inference_mode(False):  # kept between calls, so it must serve training as well
        reach = torch.arange(TILE + 2 * radius, device=device)
        tops, lefts = (torch.arange(0, side, TILE, device=device)[:, None] + reach for side in grid_hw)
        places = (tops[:, None, :, None] * (grid_hw[1] + 2 * radius) + lefts[None, :, None, :]).flatten(2).flatten(0, 1)
        is_inside = [
            (part >= radius) & (part < side + radius) for part, side in zip((tops, lefts), grid_hw, strict=True)
        ]
        inside = (is_inside[0][:, None, :, None] & is_inside[1][None, :, None, :]).flatten(2).flatten(0, 1)
        near = (torch.arange(TILE, device=device)[:, None] + radius - reach[None]).abs() <= radius
        is_near = (near[:, None, :, None] & near[None, :, None, :]).flatten(2).flatten(0, 1)
        return places, (1 - (is_near[None] & inside[:, None]).float()) * EXCLUDED_SIMILARITY
