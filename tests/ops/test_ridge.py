"""The closed form against numpy's least squares in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shibori.ops.ridge import add_sums, balanced_weights, fit_ridge, ridge_sums, solve_ridge


def made_samples(seed: int, batch: int = 3, count: int = 40, channels: int = 6):
    generator = torch.Generator().manual_seed(seed)
    samples = torch.randn(batch, count, channels, generator=generator)
    targets = torch.randn(batch, count, generator=generator)
    weights = torch.rand(batch, count, generator=generator)
    return samples, targets, weights


@pytest.mark.parametrize("penalty", [1e-2, 1.0, 50.0])
def test_equals_least_squares_with_the_penalty_as_extra_rows(penalty: float):
    samples, targets, weights = made_samples(0)
    fitted = fit_ridge(samples, targets, weights, penalty).double().numpy()
    for row in range(len(samples)):
        root = np.sqrt(weights[row].double().numpy())
        system = np.vstack([samples[row].double().numpy() * root[:, None], np.sqrt(penalty) * np.eye(6)])
        goal = np.concatenate([targets[row].double().numpy() * root, np.zeros(6)])
        expected = np.linalg.lstsq(system, goal, rcond=None)[0]
        np.testing.assert_allclose(fitted[row], expected, atol=1e-4, rtol=1e-4)


def test_no_small_step_does_better():
    samples, targets, weights = made_samples(1, batch=1)

    def cost(classifier: torch.Tensor) -> float:
        errors = (samples.double() @ classifier[:, :, None])[:, :, 0] - targets.double()
        return float((weights * errors.square()).sum() + 0.3 * classifier.square().sum())

    best = fit_ridge(samples, targets, weights, 0.3).double()
    generator = torch.Generator().manual_seed(2)
    steps = 0.01 * torch.randn(20, 1, 6, generator=generator, dtype=torch.float64)
    assert all(cost(best + step) > cost(best) for step in steps)


def test_fewer_samples_than_channels_stay_finite_also_under_autocast():
    samples, targets, weights = made_samples(3, batch=1, count=3, channels=12)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fitted = fit_ridge(samples, targets, weights, 1e-3)
    assert fitted.dtype == torch.float32
    assert fitted.isfinite().all()


def test_weight_of_two_is_a_sample_given_twice():
    samples, targets, _ = made_samples(4, batch=1, count=5)
    heavy = torch.tensor([[2.0, 1, 1, 1, 1]])
    twice = [torch.cat([part[:, :1], part], 1) for part in (samples, targets)]
    torch.testing.assert_close(
        fit_ridge(samples, targets, heavy, 0.1), fit_ridge(*twice, torch.ones(1, 6), 0.1), atol=1e-5, rtol=1e-4
    )


def test_gradients_equal_differences():
    samples, targets, weights = (part.double().requires_grad_() for part in made_samples(5, 1, 6, 3))
    penalty = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(fit_ridge, (samples, targets, weights, penalty))


def test_balanced_weights_give_both_sides_half():
    labels = torch.tensor([[1.0, 0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 0.5, 0]])
    weights = balanced_weights(labels)
    torch.testing.assert_close((weights * labels).sum(1)[:1], torch.tensor([0.5]))
    assert weights[0].tolist() == pytest.approx([0.5] + [0.5 / 7] * 7)
    torch.testing.assert_close(weights.sum(1), torch.ones(2))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_balanced_weights_of_one_side_alone_are_finite(share: float):
    weights = balanced_weights(torch.full((1, 9), share))
    assert weights.isfinite().all()
    assert weights.sum().item() == pytest.approx(0.5)


def test_samples_that_arrive_in_turn_give_the_solution_of_all_together():
    """Three batches; from the second on there is one object more. Against least squares of everything in float64."""
    rng = np.random.default_rng(0)
    batches = [(rng.normal(size=(n, 8)), np.eye(3)[rng.integers(0, k, n)]) for n, k in ((30, 2), (1, 3), (17, 3))]
    sums = ridge_sums(torch.from_numpy(batches[0][0]), torch.from_numpy(batches[0][1][:, :2]))
    for samples, targets in batches[1:]:
        sums = add_sums(sums, ridge_sums(torch.from_numpy(samples), torch.from_numpy(targets)))
    system = np.vstack([*(samples for samples, _ in batches), np.sqrt(0.7) * np.eye(8)])
    goal = np.vstack([*(targets for _, targets in batches), np.zeros((8, 3))])
    expected = np.linalg.lstsq(system, goal, rcond=None)[0]
    np.testing.assert_allclose(solve_ridge(sums, 0.7).numpy(), expected, atol=1e-12)
    single = solve_ridge(type(sums)(*(part.float() for part in sums)), 0.7)
    np.testing.assert_allclose(single.numpy(), expected, atol=1e-5)
