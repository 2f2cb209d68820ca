"""Matching pixels by their embeddings: globally, in a window, and as a soft read of a memory.

Symbols: B batch, D embedding channels, V value channels, N memory positions, H W the query's grid.
Embeddings have unit length, so the squared distance of FEELVOS (Sec. 3.3) is ``2 - 2 * similarity``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import torch
from torch import Tensor
from torch.nn import functional

ABSENT_SIMILARITY = -1.0
"""What the best match is called where there is nothing to match with: the farthest two unit vectors can be."""


EXCLUDED_SIMILARITY = -100.0
"""Similarity of positions that must not be matched: finite, so that gradients through a softmax stay finite."""


def similarity(query: Tensor, memory: Tensor) -> Tensor:
    """Cosine of every memory position with every query position.

    Args:
        query: (B, D, H, W) unit vectors.
        memory: (B, D, N) unit vectors.

    Returns:
        (B, H*W, N), in the inputs' dtype (or autocast's), values in [-1, 1].
    """
    return query.flatten(2).transpose(1, 2) @ memory


@lru_cache(maxsize=4)
def window_offsets(height: int, width: int, radius: int, device: torch.device) -> Tensor:
    """(H*W, H*W) bool: whether two positions of one grid are at most ``radius`` apart in row and in column."""
    with torch.inference_mode(False):  # kept between calls, so it must serve training as well
        return positions_near(torch.arange(height * width, device=device), (height, width), radius)


def positions_near(chosen: Tensor, grid_hw: tuple[int, int], radius: int) -> Tensor:
    """(K,) positions of a grid -> (K, H*W) bool: those at most ``radius`` away in row and in column."""
    rows, columns = (torch.arange(side, device=chosen.device) for side in grid_hw)
    near_rows = (rows - (chosen // grid_hw[1])[:, None]).abs() <= radius
    near_columns = (columns - (chosen % grid_hw[1])[:, None]).abs() <= radius
    return (near_rows[:, :, None] & near_columns[:, None, :]).flatten(1)


def best_match(similarities: Tensor, labels: Tensor) -> Tensor:
    """Nearest neighbour among the object's memory positions, and among all others (FEELVOS, global matching).

    Args:
        similarities: (B, Q, N) from ``similarity``; positions outside a window hold ``EXCLUDED_SIMILARITY``.
        labels: (B, N) the share of each memory position that the object covers, in [0, 1].

    Returns:
        (B, 2, Q): the best similarity with the object (labels > 0.5) and with everything else;
        ``ABSENT_SIMILARITY`` where there is none.
    """
    return best_of_two(similarities, labels > 0.5)


def best_of_two(similarities: Tensor, own: Tensor) -> Tensor:
    """(B, Q, N) similarities, (B, N) bool: which positions are the object's -> (B, 2, Q), see ``best_match``."""
    is_object = own[:, None, :]
    to_object = maximum(similarities.masked_fill(~is_object, EXCLUDED_SIMILARITY))
    to_others = maximum(similarities.masked_fill(is_object, EXCLUDED_SIMILARITY))
    return torch.stack([to_object, to_others], 1).clamp_min(ABSENT_SIMILARITY)


def maximum(values: Tensor) -> Tensor:
    """The largest along the last axis; among equal ones a gradient goes to one.

    ``amax`` spreads it over ties, at ten times the cost of remembering one index.
    """
    return values.max(-1).values if values.requires_grad else values.amax(-1)


def read_memory(similarities: Tensor, values: Tensor, sharpness: Tensor | float) -> Tensor:
    """Soft attention: every query position reads the mean of the values, weighted by softmax of similarity.

    Args:
        similarities: (B, Q, N); ``EXCLUDED_SIMILARITY`` marks positions not to be read.
        values: (B, V, N).
        sharpness: inverse temperature of the softmax.

    Returns:
        (B, V, Q).
    """
    weights = torch.softmax(similarities * sharpness, dim=-1)
    return (weights.to(values.dtype) @ values.transpose(1, 2)).transpose(1, 2)


def match_and_read(
    query: Tensor, memory: Tensor, values: Tensor, labels: Tensor, sharpness: Tensor, radius: int | None = None
) -> tuple[Tensor, Tensor]:
    """``best_match`` and ``read_memory`` over the same similarities.

    Without gradients and for a single batch row the object's and the other positions are matched apart and in blocks,
    in bounded memory; the results are the same up to rounding.

    Args:
        query: (B, D, H, W) unit vectors.
        memory: (B, D, N) unit vectors.
        values: (B, V, N).
        labels: (B, N) in [0, 1].
        sharpness: () inverse temperature of the read.
        radius: match only positions at most this many rows and columns away; the memory is then on the query's grid.

    Returns:
        (B, 2, H*W) as ``best_match``, and (B, V + 1, H*W) as ``read_memory``: the values, then the labels.
    """
    if query.shape[0] == 1 and not torch.is_grad_enabled():
        best, read = _match_apart(query[0], memory[0], values[0], labels[0], sharpness, radius)
        return best[None], read[None]
    similarities = similarity(query, memory)
    if radius is not None:
        near = window_offsets(query.shape[2], query.shape[3], radius, query.device)
        similarities = similarities.masked_fill(~near, EXCLUDED_SIMILARITY)
    labelled = torch.cat([values.float(), labels[:, None]], 1)
    return best_match(similarities, labels), read_memory(similarities, labelled, sharpness)


BLOCK = 256
"""Memory positions that are matched at once without gradients. All blocks have one shape, where the number of an
object's positions is hardly ever the same twice: a CPU's library compiles a multiplication for every shape (5 ms) and
keeps it (half a megabyte). And the similarities of a block fit a core's cache."""


def _match_apart(
    query: Tensor, memory: Tensor, values: Tensor, labels: Tensor, sharpness: Tensor, radius: int | None
) -> tuple[Tensor, Tensor]:
    dtype = values.dtype
    grid_hw = (query.shape[1], query.shape[2])
    near = None if radius is None else partial(positions_near, grid_hw=grid_hw, radius=radius)
    sharp_query = (query.flatten(1) * sharpness).to(dtype)  # (D, Q)
    keys = memory.to(dtype).transpose(0, 1).contiguous()  # (N, D)
    rows = torch.cat([values, labels.to(dtype)[None], torch.ones_like(labels, dtype=dtype)[None]])  # (V + 2, N)
    is_object = labels > 0.5
    best, total = [], torch.zeros(rows.shape[0], sharp_query.shape[1], device=query.device)
    for group in (is_object.nonzero()[:, 0], (~is_object).nonzero()[:, 0]):
        found = torch.full_like(total[0], -torch.inf)
        for start in range(0, len(group), BLOCK):
            chosen = group[start : start + BLOCK]
            block_best, block_read = _match_block(sharp_query, keys, rows, chosen, near)
            found = torch.maximum(found, block_best / sharpness)
            total += block_read
        best.append(found.clamp_min(ABSENT_SIMILARITY))
    return torch.stack(best), total[:-1] / total[-1:].clamp_min(1e-30)


def _match_block(
    sharp_query: Tensor, keys: Tensor, rows: Tensor, chosen: Tensor, near: Callable[[Tensor], Tensor] | None
) -> tuple[Tensor, Tensor]:
    """Match with the ``chosen`` positions, 1 to ``BLOCK``: (Q,) highest product, (V + 2, Q) sum of weighed rows."""
    missing = BLOCK - len(chosen)
    filled = torch.cat([chosen, chosen[:1].expand(missing)])  # a repeat changes no maximum, and weighs nothing below
    products = keys.index_select(0, filled) @ sharp_query  # (BLOCK, Q)
    if near is not None:
        products.masked_fill_(~near(filled), -torch.inf)
    weighed = functional.pad(rows.index_select(1, chosen), (0, missing))
    return products.amax(0).float(), weighed @ products.exp_()


ABSENT_DISTANCE = 1e4
"""Squared distance where there is nothing to match with: far more than any two embeddings that were trained."""

LARGEST_MATRIX = 1 << 23
"""Distances that are held at once: 32 MiB of float32."""


def nearest_distances(query: Tensor, memory: Tensor, groups: Tensor, largest: int = LARGEST_MATRIX) -> Tensor:
    """Squared distance to the nearest memory position of each group (FEELVOS, Sec. 3.3), in bounded memory.

    The search holds at most ``largest`` distances at once (or one query's, if those are more) and leaves nothing for
    the backward pass; the gradient flows through the distance to the position that was found.

    Args:
        query: (B, D, Q) float32 embeddings of any length.
        memory: (B, D, N) float32.
        groups: (B, G, N) bool, which positions belong to a group.
        largest: number of matrix elements.

    Returns:
        (B, G, Q) float32; ``ABSENT_DISTANCE`` where a group is empty.
    """
    count = max(largest // max(memory.shape[0] * memory.shape[2], 1), 1)
    return torch.cat([_nearest(part, memory, groups) for part in query.split(count, dim=2)], 2)


def nearest_in_window(query: Tensor, memory: Tensor, groups: Tensor, radius: int, tile: int = 16) -> Tensor:
    """``nearest_distances`` among the positions at most ``radius`` rows and columns away (FEELVOS, Sec. 3.4).

    Args:
        query: (B, D, H, W) float32.
        memory: (B, D, H, W) float32, on the same grid.
        groups: (B, G, H, W) bool.
        radius: half size of the window, in positions.
        tile: side of the square of queries that are matched at once.

    Returns:
        (B, G, H, W) float32; ``ABSENT_DISTANCE`` where a group has nothing in the window.
    """
    height, width = query.shape[2:]
    bands = []
    for top in range(0, height, tile):
        rows, rows_near, is_near_row = _reach(top, tile, radius, height, query.device)
        band = []
        for left in range(0, width, tile):
            columns, columns_near, is_near_column = _reach(left, tile, radius, width, query.device)
            near = (is_near_row[:, None, :, None] & is_near_column[None, :, None, :]).flatten(2).flatten(0, 1)
            part = query[:, :, rows, columns]
            found = _nearest(
                part.flatten(2),
                memory[:, :, rows_near, columns_near].flatten(2),
                groups[:, :, rows_near, columns_near].flatten(2),
                near,
            )
            band.append(found.unflatten(2, part.shape[2:]))
        bands.append(torch.cat(band, 3))
    return torch.cat(bands, 2)


def _reach(start: int, tile: int, radius: int, size: int, device: torch.device) -> tuple[slice, slice, Tensor]:
    """Along one axis: a tile's positions, those it may match, and (tile, reach) bool which may match which."""
    end = min(start + tile, size)
    first, last = max(start - radius, 0), min(end + radius, size)
    own, other = torch.arange(start, end, device=device), torch.arange(first, last, device=device)
    return slice(start, end), slice(first, last), (own[:, None] - other[None, :]).abs() <= radius


def _nearest(query: Tensor, memory: Tensor, groups: Tensor, near: Tensor | None = None) -> Tensor:
    """(B, D, Q), (B, D, N), (B, G, N) bool, (Q, N) bool -> (B, G, Q) squared distances."""
    with torch.no_grad(), torch.autocast(query.device.type, enabled=False):
        # |q - m|^2 = |q|^2 - (2 q.m - |m|^2); the first term is the same for all m.
        closeness = torch.baddbmm(-memory.square().sum(1)[:, None], query.transpose(1, 2), memory, alpha=2)
        if near is not None:
            closeness.masked_fill_(~near, -torch.inf)
        found = [closeness.masked_fill(~group[:, None], -torch.inf).max(-1) for group in groups.unbind(1)]
    distances = []
    for best, index in found:
        nearest = memory.gather(2, index[:, None].expand(-1, memory.shape[1], -1))
        distance = (query - nearest).square().sum(1)
        distances.append(torch.where(best.isfinite(), distance, ABSENT_DISTANCE))
    return torch.stack(distances, 1)
