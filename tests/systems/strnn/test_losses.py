"""Eq. 4 by hand, the adaption's loss against the online adaption, and what may go missing in a clip."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shibori.systems.strnn.losses import ClipLoss, kernel_ridge_logits, metric_loss
from shibori.systems.strnn.model import build_strnn
from shibori.systems.strnn.rule import AdaptionRule, KernelRule


def test_equation_4_by_hand():
    anchors = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    positives = torch.tensor([[0.0, 1.0], [3.0, 0.0], [1.0, 0.0]])
    negatives = torch.tensor([[0.0, 2.0], [-3.0, 0.0]])
    # Nearest positives at 1 and 0, nearest negatives at 4 and 5 (all squared).
    assert metric_loss(anchors, positives, negatives, alpha=0.5).item() == pytest.approx((1 / 4.5 + 0 / 5.5) / 2)
    assert metric_loss(anchors, negatives, anchors, alpha=0.5).item() == pytest.approx((4 / 0.5 + 5 / 0.5) / 2)


def test_equation_4_is_the_loop():
    torch.manual_seed(0)
    anchors, positives, negatives = torch.randn(5, 3), torch.randn(7, 3), torch.randn(6, 3)
    terms = []
    for anchor in anchors:
        near = min((anchor - other).square().sum() for other in positives)
        far = min((anchor - other).square().sum() for other in negatives)
        terms.append(near / (far + 0.1))
    torch.testing.assert_close(metric_loss(anchors, positives, negatives, 0.1), torch.stack(terms).mean())


def test_gradients_stay_finite_where_distances_are_zero():
    points = torch.nn.functional.normalize(torch.randn(6, 4), dim=1).requires_grad_()
    loss = metric_loss(points, points, points)
    logits = kernel_ridge_logits(points, torch.tensor([1.0, -1.0] * 3), points, AdaptionRule())
    (gradient,) = torch.autograd.grad(loss + logits.sum(), points)
    assert gradient.isfinite().all()


def test_the_linear_adaption_is_least_squares():
    rng = np.random.default_rng(0)
    samples, labels, points = rng.normal(size=(30, 4)), rng.choice([-1.0, 1.0], 30), rng.normal(size=(9, 4))
    rule = AdaptionRule(kernel=None, penalty=0.7, sharpness=3.0)
    system, goal = np.vstack([samples, np.sqrt(0.7) * np.eye(4)]), np.r_[labels, np.zeros(4)]
    expected = 3.0 * points @ np.linalg.lstsq(system, goal, rcond=None)[0]
    found = kernel_ridge_logits(*(torch.from_numpy(part) for part in (samples, labels, points)), rule)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-10)


def test_the_kernel_adaption_is_the_ridge_of_its_kernel():
    torch.manual_seed(0)
    samples, points = torch.randn(10, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    labels = torch.tensor([1.0, -1.0] * 5, dtype=torch.float64)
    rule = AdaptionRule(kernel=KernelRule(feature_width=0.9), penalty=0.2, sharpness=1.0)

    def kernel(first, second):
        return torch.exp(-torch.cdist(first, second).square() / (2 * 0.9**2))

    dual = torch.linalg.solve(kernel(samples, samples) + 0.2 * torch.eye(10), labels)
    torch.testing.assert_close(kernel_ridge_logits(samples, labels, points, rule), kernel(points, samples) @ dual)


@pytest.fixture(autouse=True)
def one_thread():
    """The float32 gradient of a strided 1x1 convolution of few channels ends the process in torch 2.15 with two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def loss_of() -> ClipLoss:
    torch.manual_seed(0)
    network = build_strnn("tiny")
    network.eval()
    return ClipLoss(network, AdaptionRule())


def made_batch(batch: int = 2, num_frames: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    images = torch.randint(0, 255, (batch, num_frames, 3, 64, 64), dtype=torch.uint8)
    masks = torch.zeros(batch, num_frames, 64, 64, dtype=torch.uint8)
    masks[:, :, 16:48, 16:40] = 1
    return images, masks


def test_a_batch_is_the_mean_of_its_parts_and_the_seed_decides_the_pixels(loss_of: ClipLoss):
    images, masks = made_batch()
    first, again, other = (loss_of(images, masks, False, seed) for seed in (0, 0, 1))
    assert first.total.item() == again.total.item() != other.total.item()
    assert first.total.item() == pytest.approx(first.metric.item() + first.adaption.item(), rel=1e-5)
    assert 0 <= first.iou <= 1


def test_only_the_second_step_hears_of_other_frames(loss_of: ClipLoss):
    images, masks = made_batch(1)
    for with_time in (False, True):
        loss_of.zero_grad()
        loss_of(images, masks, with_time, 0).total.backward()
        gradient = loss_of.network.rnn.temporal.grad
        assert (gradient is not None and bool(gradient.abs().sum() > 0)) == with_time


@pytest.mark.parametrize("fill", [0, 1])
def test_a_clip_without_object_or_background_costs_nothing(loss_of: ClipLoss, fill: int):
    images, masks = made_batch(1)
    loss = loss_of(images, torch.full_like(masks, fill), False, 0)
    assert loss.total.item() == 0
    loss.total.backward()


def test_eq_4_alone():
    torch.manual_seed(0)
    loss = ClipLoss(build_strnn("tiny").eval(), AdaptionRule(), adaption_weight=0.0)(*made_batch(), False, 0)
    assert loss.total.item() == pytest.approx(loss.metric.item())
