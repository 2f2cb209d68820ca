"""Gauss-Newton with conjugate gradients against dense algebra."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from shibori.ops.gauss_newton import conjugate_gradients, gauss_newton

Parameters = tuple[Tensor, ...]


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_conjugate_gradients_solve_a_dense_system():
    root, right_side = numbers(6, 6), numbers(6, seed=1)
    matrix = root @ root.T + torch.eye(6, dtype=torch.float64)
    (solution,) = conjugate_gradients(lambda x: (matrix @ x[0],), (right_side,), 6)
    torch.testing.assert_close(solution, torch.linalg.solve(matrix, right_side))


def test_they_stop_at_the_solution():
    (solution,) = conjugate_gradients(lambda x: (x[0],), (torch.zeros(3, dtype=torch.float64),), 5)
    assert not solution.any()


def test_one_step_solves_a_linear_problem():
    matrix, targets = numbers(12, 5), numbers(12, seed=1)
    (found,) = gauss_newton(lambda p: matrix @ p[0] - targets, [numbers(5, seed=2)], 1, 5)
    torch.testing.assert_close(found, torch.linalg.lstsq(matrix, targets).solution)


SAMPLES = numbers(3, 4, 5, 5, seed=3)
TRUTH = (0.3 * numbers(2, 4, 1, 1, seed=5), 0.3 * numbers(1, 2, 2, 2, seed=6))
START = tuple(part + 0.1 * numbers(*part.shape, seed=7) for part in TRUTH)


def scores(parameters: Parameters) -> Tensor:
    """Of a small network of two convolutions with a curved activation."""
    first, second = parameters
    return functional.elu(functional.conv2d(functional.conv2d(SAMPLES, first), second))


def two_layers(parameters: Parameters) -> Tensor:
    """Residuals: of the scores from others that nearly such a network gave, and of the parameters."""
    labels = scores(TRUTH) + 0.05 * numbers(3, 1, 4, 4, seed=4)
    return torch.cat([(scores(parameters) - labels).flatten(), *(0.1 * part.flatten() for part in parameters)])


def dense_step(parameters: Parameters) -> Parameters:
    sizes = [part.numel() for part in parameters]

    def flat_residuals(flat: Tensor) -> Tensor:
        parts = [part.view_as(like) for part, like in zip(flat.split(sizes), parameters, strict=True)]
        return two_layers(tuple(parts))

    flat = torch.cat([part.flatten() for part in parameters])
    jacobian = torch.autograd.functional.jacobian(flat_residuals, flat)
    step = torch.linalg.solve(jacobian.T @ jacobian, -jacobian.T @ flat_residuals(flat))
    return tuple(part.view_as(like) for part, like in zip((flat + step).split(sizes), parameters, strict=True))


def test_a_step_of_two_layers_equals_the_dense_one():
    found = gauss_newton(two_layers, START, 1, 40)
    for part, wanted in zip(found, dense_step(START), strict=True):
        torch.testing.assert_close(part, wanted, atol=1e-7, rtol=1e-6)


def second_layer(parameters: Parameters) -> Tensor:
    """As above, the first layer given: with both, one can grow as the other shrinks, and steps go to and fro."""
    return two_layers((START[0], *parameters))


def test_steps_go_down_to_where_the_gradient_is_none():
    ends = [gauss_newton(second_layer, START[1:], steps, 6) for steps in (0, 1, 3, 20)]
    losses = [float(second_layer(end).square().sum()) for end in ends]
    assert losses == sorted(losses, reverse=True)
    end = tuple(part.requires_grad_() for part in ends[-1])
    for slope in torch.autograd.grad(second_layer(end).square().sum(), end):
        assert slope.abs().max() < 1e-6


def test_nothing_keeps_a_graph():
    with torch.no_grad():
        found = gauss_newton(two_layers, START, 2, 4)
    assert not any(part.requires_grad for part in (*found, *START))
