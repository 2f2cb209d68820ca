"""Online classification: it learns the target, against a dense twin, and remembers with the right weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from shibori.boxtracking.atom.classification import (
    KERNEL,
    SOFTNESS,
    ClassificationRule,
    TargetClassifier,
    activation,
    label_map,
    normalised,
    scores_of,
)

COUNT = 12
RULE = ClassificationRule(channels=4, memory=5)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scene(place_xy: tuple[int, int], seed: int = 0) -> Tensor:
    """(1, 6, n, n) noise, and a thing of 4x4 cells whose middle is at a place."""
    cells = 0.3 * torch.randn(1, 6, COUNT, COUNT, generator=seeded(seed))
    x, y = place_xy
    cells[:, :, y - 2 : y + 2, x - 2 : x + 2] += torch.randn(1, 6, 4, 4, generator=seeded(99))
    return normalised(cells)


PLACES = [(6, 6), (4, 7), (8, 5)]


def learnt(rule: ClassificationRule = RULE) -> TargetClassifier:
    samples = torch.cat([scene(place, seed) for seed, place in enumerate(PLACES)])
    labels = label_map(torch.tensor(PLACES, dtype=torch.float32), COUNT, 1.0)
    return TargetClassifier(samples, labels, rule, seeded())


def peak(scores: Tensor) -> tuple[int, int]:
    row, column = divmod(int(scores.argmax()), scores.shape[1])
    return column, row


def test_normalised_samples_have_a_mean_square_of_one():
    samples = normalised(torch.tensor([5.0, 0.02])[:, None, None, None] * torch.randn(2, 3, 8, 8, generator=seeded()))
    torch.testing.assert_close(samples.square().mean((1, 2, 3)), torch.ones(2), atol=5e-3, rtol=0)


def test_the_activation_is_smooth_and_bounded_below():
    values = torch.tensor([-50.0, -0.01, 0.0, 0.01, 3.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(activation(values).sum(), values)
    torch.testing.assert_close(activation(values)[[0, 2, 4]].detach(), torch.tensor([-SOFTNESS, 0.0, 3.0]).double())
    assert float(slope[2]) == pytest.approx(1)
    assert 0.8 < slope[1] < 1


def test_a_score_stands_at_the_corner_its_kernel_is_about():
    cells = torch.zeros(1, 1, COUNT, COUNT)
    cells[0, 0, 5:9, 2:6] = 1  # about (4, 7)
    scores = scores_of(cells, torch.full((1, 1, KERNEL, KERNEL), 1 / KERNEL**2))
    assert scores.shape == (1, COUNT + 1, COUNT + 1)
    assert peak(scores[0]) == (4, 7)
    assert scores.max() == 1


def test_labels_are_gaussians_about_their_places():
    label = label_map(torch.tensor([[4.0, 7.0]]), COUNT, 1.5)[0]
    assert peak(label) == (4, 7)
    assert float(label[7, 4]) == 1
    torch.testing.assert_close(label[7, 6], torch.tensor(-4 / 4.5).exp())
    torch.testing.assert_close(label[9, 5], torch.tensor(-5 / 4.5).exp())


@pytest.mark.parametrize("place", [(5, 5), (9, 8), (3, 9)])
def test_it_finds_the_thing_where_it_was_never_seen(place: tuple[int, int]):
    scores = learnt().scores(scene(place, seed=10))
    assert peak(scores) == place
    assert scores.max() > 0.4


def test_a_scene_without_it_scores_low():
    nothing = normalised(0.3 * torch.randn(1, 6, COUNT, COUNT, generator=seeded(11)))
    assert learnt().scores(nothing).max() < 0.4


def test_learning_again_is_the_dense_gauss_newton_step():
    classifier = learnt(ClassificationRule(channels=2, conjugate_steps=80))
    samples, labels, weights = (part.double() for part in (classifier.samples, classifier.labels, classifier.weights))
    kernel = classifier.kernel.double()

    def residuals(flat: Tensor) -> Tensor:
        scores = functional.celu(functional.conv2d(samples, flat.view_as(kernel), padding=2)[:, 0], SOFTNESS)
        return torch.cat([((scores - labels) * weights.sqrt()[:, None, None]).flatten(), flat * 0.1**0.5])

    jacobian = torch.autograd.functional.jacobian(residuals, kernel.flatten())
    step = torch.linalg.solve(jacobian.T @ jacobian, -jacobian.T @ residuals(kernel.flatten()))
    classifier.samples, classifier.labels, classifier.weights = samples, labels, weights
    classifier.kernel = kernel
    classifier.learn()
    torch.testing.assert_close(classifier.kernel.flatten(), kernel.flatten() + step, atol=1e-7, rtol=1e-5)


def test_a_distractor_is_unlearnt():
    """Something like the thing scores high until a frame has shown that it is not it."""
    classifier = learnt(ClassificationRule(channels=4, conjugate_steps=20))
    both = scene((4, 6), seed=12)
    both[:, :, 4:8, 7:11] = 0.6 * both[:, :, 4:8, 2:6] + 0.3 * torch.randn(1, 6, 4, 4, generator=seeded(13))
    before = classifier.scores(both)[6, 9]
    for _ in range(3):
        classifier.remember(both, label_map(torch.tensor([[4.0, 6.0]]), COUNT, 1.0), 0.2)
        classifier.learn()
    after = classifier.scores(both)
    assert after[6, 9] < 0.75 * before
    assert peak(after) == (4, 6)


def test_memory_is_bounded_and_its_weights_sum_to_one():
    classifier = learnt()
    for seed in range(20):
        label = label_map(torch.tensor([[6.0, 6.0]]), COUNT, 1.0)
        classifier.remember(scene((6, 6), seed), label, 0.1)
        assert len(classifier.samples) == len(classifier.labels) == len(classifier.weights) <= RULE.memory
        assert float(classifier.weights.sum()) == pytest.approx(1)
        assert float(classifier.weights[: len(PLACES)].sum()) >= 0.2
    assert float(classifier.weights[-1]) == pytest.approx(max(classifier.weights[3:].tolist()))
