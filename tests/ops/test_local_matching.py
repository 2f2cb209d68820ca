"""Local matching against a twin that visits every pair of positions in plain Python."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from shibori.ops.local_matching import match_locally

GRID_HW = (8, 12)
SHARPNESS = torch.tensor(3.0)


def made_inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    query, memory = (
        functional.normalize(torch.randn(2, 5, *GRID_HW, generator=generator, dtype=torch.float64), dim=1)
        for _ in range(2)
    )
    label = torch.rand(2, *GRID_HW, generator=generator, dtype=torch.float64)
    return query, memory, label, label > 0.6


def slow_match(query: Tensor, memory: Tensor, label: Tensor, own: Tensor, radius: int) -> Tensor:
    """(D, H, W) ... of one object -> (3, H, W)."""
    height, width = GRID_HW
    found = torch.zeros(3, height, width, dtype=torch.float64)
    for y in range(height):
        for x in range(width):
            best, total, read = {True: -1.0, False: -1.0}, 0.0, 0.0
            for v in range(max(y - radius, 0), min(y + radius + 1, height)):
                for u in range(max(x - radius, 0), min(x + radius + 1, width)):
                    cosine = float((query[:, y, x] * memory[:, v, u]).sum())
                    best[bool(own[v, u])] = max(best[bool(own[v, u])], cosine)
                    weight = math.exp(cosine * float(SHARPNESS))
                    total += weight
                    read += weight * float(label[v, u])
            found[:, y, x] = torch.tensor([best[True], best[False], read / total], dtype=torch.float64)
    return found


@pytest.mark.parametrize("radius", [1, 3, 8])
def test_it_equals_its_loops(radius: int):
    inputs = made_inputs()
    found = match_locally(*inputs, SHARPNESS, radius)
    assert found.shape == (2, 3, *GRID_HW)
    for row in range(2):
        expected = slow_match(*(part[row] for part in inputs), radius)
        torch.testing.assert_close(found[row].double(), expected, rtol=1e-5, atol=1e-5)


def test_nothing_in_reach_is_as_unlike_as_can_be():
    query, memory, label, own = made_inputs()
    nothing = torch.zeros_like(own)
    found = match_locally(query, memory, label, nothing, SHARPNESS, 2)
    assert (found[:, 0] == -1).all()
    assert (found[:, 1] > -1).all()


def test_gradients_reach_query_and_memory_where_they_match():
    query, memory, label, own = made_inputs()
    query.requires_grad_()
    memory.requires_grad_()
    match_locally(query, memory, label, own, SHARPNESS, 2).sum().backward()
    for part in (query, memory):
        assert part.grad is not None
        assert part.grad.isfinite().all()
        assert part.grad.abs().sum() > 0
