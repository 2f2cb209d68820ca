"""Least squares by Gauss-Newton steps, each solved by conjugate gradients (ATOM, Sec. 3.2, Eq. 4-6, Algorithm 1).

No matrix is ever formed: all that is needed of the Jacobian J are its products with vectors, and automatic
differentiation gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Parameters = tuple[Tensor, ...]
ENOUGH = 1e-20
"""A residual of the linear system that is not worth another step, squared."""


def gauss_newton(
    residuals_of: Callable[[Parameters], Tensor], start: Sequence[Tensor], steps: int, conjugate_steps: int
) -> Parameters:
    """Minimise the sum of the squares of ``residuals_of`` its parameters.

    Args:
        residuals_of: parameters -> (R,) float, differentiable twice.
        start: where to begin.
        steps: Gauss-Newton steps: how often the residuals are linearised.
        conjugate_steps: steps of conjugate gradients on each linearised problem, which begins at no change.

    Returns:
        The parameters after the last step, without gradients.
    """
    parameters: Parameters = tuple(part.detach() for part in start)
    for _ in range(steps):
        parameters = _gauss_newton_step(residuals_of, parameters, conjugate_steps)
    return parameters


def _gauss_newton_step(
    residuals_of: Callable[[Parameters], Tensor], parameters: Parameters, conjugate_steps: int
) -> Parameters:
    with torch.enable_grad():
        here = tuple(part.requires_grad_() for part in parameters)
        residuals = residuals_of(here)
        # J^T v is linear in v, so its derivative along p, taken at any v, is J p: backwards twice goes forwards.
        dual = torch.zeros_like(residuals, requires_grad=True)
        pulled = torch.autograd.grad(residuals, here, dual, create_graph=True)

    def normal_product(change: Parameters) -> Parameters:
        """J^T J p."""
        (pushed,) = torch.autograd.grad(pulled, dual, change, retain_graph=True)
        return torch.autograd.grad(residuals, here, pushed, retain_graph=True)

    slope = torch.autograd.grad(residuals, here, residuals.detach(), retain_graph=True)  # J^T r
    change = conjugate_gradients(normal_product, tuple(-part for part in slope), conjugate_steps)
    return tuple(part.detach() + step for part, step in zip(here, change, strict=True))


def conjugate_gradients(product: Callable[[Parameters], Parameters], right_side: Parameters, steps: int) -> Parameters:
    """Solve ``A x = b`` for a symmetric positive definite A, of which only products with vectors are known.

    Args:
        product: x -> A x.
        right_side: b.
        steps: most steps; as many as there are unknowns solve it exactly.
    """
    solution = tuple(torch.zeros_like(part) for part in right_side)
    remainder = right_side
    direction = remainder
    size = inner(remainder, remainder)
    for _ in range(steps):
        if float(size) < ENOUGH:
            break
        image = product(direction)
        length = size / inner(direction, image)
        solution = _moved(solution, direction, length)
        remainder = _moved(remainder, image, -length)
        next_size = inner(remainder, remainder)
        direction = _moved(remainder, direction, next_size / size)
        size = next_size
    return solution


def inner(first: Parameters, second: Parameters) -> Tensor:
    """() the inner product over all parameters."""
    return torch.stack([(one * other).sum() for one, other in zip(first, second, strict=True)]).sum()


def _moved(start: Parameters, direction: Parameters, length: Tensor) -> Parameters:
    return tuple(one + length * other for one, other in zip(start, direction, strict=True))
