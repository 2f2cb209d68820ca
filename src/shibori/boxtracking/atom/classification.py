"""Target classification (ATOM, Sec. 3.2): is this the object? A small network that is learnt online, on one clip.

f(x; w) = activation(w2 * (w1 * x)): a 1x1 convolution that leaves few channels, and a 4x4 one that leaves a score. A
score stands at every corner between cells: its kernel reaches as far to every side. The loss (Eq. 3) is a weighted sum
of squares, and is minimised by Gauss-Newton steps with conjugate gradients (``ops/gauss_newton.py``).

Symbols: N samples, C channels of the trunk, D channels after w1, n cells along the side of a sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from shibori.ops.gauss_newton import gauss_newton

CELLS = 4
"""Along the size of an object: in the paper, 288 / 5 / 16."""
KERNEL = 4
"""Cells along a side of w2."""
SOFTNESS = 0.05
"""alpha of the activation: scores below zero are squeezed to no less than minus this."""


@dataclass(frozen=True)
class ClassificationRule:
    """How the classifier learns."""

    channels: int = 64
    """D."""
    filter_penalty: float = 0.1
    """lambda of w2."""
    projection_penalty: float = 1e-4
    """lambda of w1."""
    first_steps: int = 6
    """Gauss-Newton steps on the first frame, for both layers."""
    first_conjugate_steps: int = 10
    """Of conjugate gradients in each of them."""
    conjugate_steps: int = 5
    """Of the one Gauss-Newton step of later frames, for w2 alone."""
    every: int = 10
    """Frames from one such step to the next."""
    learning_rate: float = 0.01
    """Weight of a new sample among all."""
    hard_learning_rate: float = 0.02
    """The same for a frame with a distractor, on which the classifier learns at once."""
    memory: int = 50
    """Samples that are kept; the paper keeps 250."""
    first_share: float = 0.25
    """The first frame's samples never weigh less than this together."""
    label_deviation: float = 1.0
    """Of the Gaussian that the score should be, in cells: a quarter of the object's size."""


def normalised(samples: Tensor) -> Tensor:
    """(N, C, n, n) of mean square one, whatever the trunk's scale."""
    return samples * samples.square().mean((1, 2, 3), keepdim=True).add(1e-6).rsqrt()


def activation(values: Tensor) -> Tensor:
    """The identity above zero, and smoothly no less than ``-SOFTNESS`` (phi_2 of Sec. 3.2)."""
    return functional.celu(values, SOFTNESS)


def scores_of(projected: Tensor, kernel: Tensor) -> Tensor:
    """(N, D, n, n) and (1, D, 4, 4) -> (N, n + 1, n + 1): score (i, j) is that of the place (x = j, y = i) in cells."""
    return activation(functional.conv2d(projected, kernel, padding=KERNEL // 2)[:, 0])


def label_map(centres_xy: Tensor, count: int, deviation: float) -> Tensor:
    """(N, 2) places in cells -> (N, n + 1, n + 1): what the scores should be."""
    places = torch.arange(count + 1, dtype=centres_xy.dtype, device=centres_xy.device)
    across = torch.exp(-((places - centres_xy[:, :1]) ** 2) / (2 * deviation**2))
    down = torch.exp(-((places - centres_xy[:, 1:]) ** 2) / (2 * deviation**2))
    return down[:, :, None] * across[:, None, :]


class TargetClassifier:
    """The classifier of one object, with its memory of samples.

    Args:
        samples: (N, C, n, n) of the first frame and its augmentations, ``normalised``.
        labels: (N, n + 1, n + 1) of them.
        rule: how to learn.
        generator: draws the first w1.
    """

    def __init__(self, samples: Tensor, labels: Tensor, rule: ClassificationRule, generator: torch.Generator) -> None:
        self.rule = rule
        noise = torch.randn((samples.shape[1], rule.channels), generator=generator)
        projection = torch.linalg.qr(noise)[0].T[:, :, None, None].contiguous().to(samples)
        kernel = samples.new_zeros(1, len(projection), KERNEL, KERNEL)
        weights = samples.new_full((len(samples),), 1 / len(samples))

        def residuals_of(parameters: tuple[Tensor, ...]) -> Tensor:
            first, second = parameters
            scores = scores_of(functional.conv2d(samples, first), second)
            return _residuals(
                scores, labels, weights, [(second, rule.filter_penalty), (first, rule.projection_penalty)]
            )

        steps = rule.first_steps, rule.first_conjugate_steps
        self.projection, self.kernel = gauss_newton(residuals_of, (projection, kernel), *steps)
        self.samples = functional.conv2d(samples, self.projection)  # (M, D, n, n)
        self.labels, self.weights = labels, weights
        self.num_first = len(samples)

    def scores(self, sample: Tensor) -> Tensor:
        """(1, C, n, n) normalised, of any n, -> (n + 1, n + 1)."""
        return scores_of(functional.conv2d(sample, self.projection), self.kernel)[0]

    def remember(self, sample: Tensor, label: Tensor, learning_rate: float) -> None:
        """Keep a sample, (1, C, n, n) normalised, with its (1, n + 1, n + 1) label; forget the lightest if need be."""
        projected = functional.conv2d(sample, self.projection)
        weights = self.weights * (1 - learning_rate)
        first = weights[: self.num_first]
        if float(first.sum()) < self.rule.first_share:
            weights = torch.cat([first * (self.rule.first_share / first.sum()), weights[self.num_first :]])
        if len(self.samples) >= self.rule.memory:
            lightest = self.num_first + int(weights[self.num_first :].argmin())
            kept = [index for index in range(len(weights)) if index != lightest]
            self.samples, self.labels, weights = self.samples[kept], self.labels[kept], weights[kept]
        self.samples = torch.cat([self.samples, projected])
        self.labels = torch.cat([self.labels, label])
        weights = torch.cat([weights, weights.new_tensor([learning_rate])])
        self.weights = weights / weights.sum()

    def learn(self) -> None:
        """One Gauss-Newton step of w2 on all that is remembered."""

        def residuals_of(parameters: tuple[Tensor, ...]) -> Tensor:
            scores = scores_of(self.samples, parameters[0])
            return _residuals(scores, self.labels, self.weights, [(parameters[0], self.rule.filter_penalty)])

        (self.kernel,) = gauss_newton(residuals_of, (self.kernel,), 1, self.rule.conjugate_steps)


def _residuals(scores: Tensor, labels: Tensor, weights: Tensor, penalised: list[tuple[Tensor, float]]) -> Tensor:
    """The residuals whose squares are summed in Eq. 3: of the scores, and of the parameters."""
    errors = ((scores - labels) * weights.sqrt()[:, None, None]).flatten()
    return torch.cat([errors, *(parameters.flatten() * penalty**0.5 for parameters, penalty in penalised)])
