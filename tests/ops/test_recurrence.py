"""The sweeps against a loop over vertices, and their laws."""

from __future__ import annotations

import pytest
import torch

from shibori.ops.recurrence import DIRECTIONS, sweep_southeast, turned

STEPS = {"southeast": (1, 1), "southwest": (1, -1), "northeast": (-1, 1), "northwest": (-1, -1)}


def sweep_twin(inputs: torch.Tensor, kernel: torch.Tensor, direction: str) -> torch.Tensor:
    """(H, W, C) one grid, one vertex at a time, in any of the four directions."""
    height, width, channels = inputs.shape
    down, right = STEPS[direction]
    hidden = torch.zeros_like(inputs)
    for row in range(height) if down > 0 else reversed(range(height)):
        for column in range(width) if right > 0 else reversed(range(width)):
            total = torch.zeros(channels)
            for y, x in ((row - down, column), (row, column - right), (row - down, column - right)):
                if 0 <= y < height and 0 <= x < width:
                    total += hidden[y, x]
            hidden[row, column] = torch.tanh(inputs[row, column] + total @ kernel)
    return hidden


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 6), (5, 1), (4, 7), (7, 4), (6, 6)])
def test_all_four_sweeps_are_their_loops(size_hw):
    torch.manual_seed(0)
    inputs, kernels = torch.randn(4, 2, *size_hw, 3), torch.randn(4, 3, 3) / 2
    hidden = turned(sweep_southeast(turned(inputs), kernels))
    for g, direction in enumerate(DIRECTIONS):
        for b in range(2):
            torch.testing.assert_close(hidden[g, b], sweep_twin(inputs[g, b], kernels[g], direction))


def test_turning_twice_changes_nothing():
    grids = torch.randn(4, 2, 3, 5, 2)
    assert not torch.equal(turned(grids)[1:], grids[1:])
    torch.testing.assert_close(turned(turned(grids)), grids)


def test_without_kernels_every_vertex_stands_alone():
    inputs = torch.randn(4, 2, 5, 6, 3)
    torch.testing.assert_close(sweep_southeast(inputs, torch.zeros(4, 3, 3)), inputs.tanh())


def test_a_vertex_hears_of_what_lies_northwest_of_it_and_of_nothing_else():
    torch.manual_seed(0)
    inputs = torch.randn(1, 1, 6, 7, 2, requires_grad=True)
    hidden = sweep_southeast(inputs, torch.randn(1, 2, 2))
    (heard,) = torch.autograd.grad(hidden[0, 0, 3, 4].sum(), inputs)
    reached = heard[0, 0].abs().sum(-1) > 0
    expected = torch.zeros(6, 7, dtype=torch.bool)
    expected[:4, :5] = True
    assert torch.equal(reached, expected)


def test_gradients_are_right():
    torch.manual_seed(0)
    inputs = torch.randn(2, 1, 3, 4, 2, dtype=torch.float64, requires_grad=True)
    kernels = torch.randn(2, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(sweep_southeast, (inputs, kernels))


def test_a_grid_first_seen_in_inference_can_be_trained_on_later():
    inputs = torch.randn(4, 1, 9, 11, 2)
    with torch.inference_mode():
        sweep_southeast(inputs, torch.zeros(4, 2, 2))
    sweep_southeast(inputs.requires_grad_(), torch.zeros(4, 2, 2)).sum().backward()
    assert inputs.grad is not None
