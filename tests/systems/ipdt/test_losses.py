"""Losses beside slow twins; the tiny detector learns two pictures by heart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from shibori.ops.normalise import normalise_images
from shibori.systems.ipdt.losses import (
    DetectorTraining,
    Truth,
    box_loss,
    class_accuracy,
    class_loss,
    drawn,
    mask_loss,
)

from .made import tiny_detector, two_squares


def test_class_loss_is_cross_entropy_where_all_classes_are_known():
    torch.manual_seed(0)
    logits, labels = torch.randn(20, 5), torch.randint(0, 5, (20,))
    assert torch.allclose(class_loss(logits, labels), functional.cross_entropy(logits, labels))


def test_an_object_of_unknown_class_must_only_not_be_background():
    logits = torch.tensor([[1.0, 2.0, 0.5]])
    probs = logits.softmax(1)[0]
    assert torch.allclose(class_loss(logits, torch.tensor([3])), -(probs[1] + probs[2]).log())
    # What moves probability from one class to the other is the same to it.
    moved = torch.tensor([[1.0, 0.5, 2.0]])
    assert torch.allclose(class_loss(logits, torch.tensor([3])), class_loss(moved, torch.tensor([3])))


@pytest.mark.parametrize("per_class", [False, True])
def test_box_loss_counts_objects_over_all_samples(per_class):
    torch.manual_seed(1)
    num_classes, labels = 3, torch.tensor([0, 2, 4, 1])  # 4: of unknown class
    deltas = torch.randn(4, 4 * (num_classes + 1) if per_class else 4)
    targets = torch.randn(4, 4)
    expected = 0.0
    for row, label in enumerate(labels.tolist()):
        if label == 0 or (per_class and label == 4):
            continue
        own = deltas[row, 4 * label : 4 * label + 4] if per_class else deltas[row]
        difference = (own - targets[row]).abs()
        small = difference < 1 / 9
        expected += torch.where(small, 4.5 * difference**2, difference - 1 / 18).sum()
    assert torch.allclose(box_loss(deltas, targets, labels), expected / 4)


@pytest.mark.parametrize("channels", [1, 4])
def test_mask_loss_is_small_for_the_right_mask_only(channels):
    masks = torch.zeros(2, 32, 32, dtype=torch.uint8)
    masks[0, 8:16, 8:24] = 1
    masks[1, 4:28, 4:12] = 1
    truth = Truth(torch.tensor([[8.0, 8, 24, 16], [4, 4, 12, 28]]), torch.tensor([2, 3]), masks)
    box, number = torch.tensor([[8.0, 4, 24, 20]]), torch.tensor([0])
    right = torch.full((1, channels, 16, 16), -9.0)
    right[0, 0 if channels == 1 else 2, 4:12] = 9.0
    assert mask_loss(right, [box], [number], [truth]) < 0.02
    assert mask_loss(-right, [box], [number], [truth]) > 3


def test_masks_of_unknown_class_teach_nothing_where_masks_depend_on_the_class():
    truth = Truth(torch.tensor([[0.0, 0, 8, 8]]), torch.tensor([4]), torch.ones(1, 16, 16, dtype=torch.uint8))
    logits = torch.randn(1, 4, 8, 8, requires_grad=True)
    loss = mask_loss(logits, [truth.boxes], [torch.tensor([0])], [truth])
    loss.backward()
    assert loss == 0
    assert not logits.grad.any()
    assert mask_loss(logits[:0], [truth.boxes[:0]], [torch.tensor([], dtype=torch.int64)], [truth]) == 0


def test_as_many_places_are_drawn_as_asked_for():
    flags = torch.tensor([True, False, True, True])
    assert drawn(flags, 8).shape == (8,)
    assert set(drawn(flags, 8).tolist()) == {0, 2, 3}
    assert len(set(drawn(flags, 2).tolist())) == 2
    assert drawn(torch.zeros(4, dtype=torch.bool), 8).shape == (0,)


def test_accuracy_is_over_objects_of_known_class():
    logits = torch.tensor([[9.0, 1, 0, 0], [0, 0, 5, 0], [0, 0, 0, 2], [0, 3, 0, 0]])
    assert class_accuracy(logits, torch.tensor([1, 2, 1, 4])) == pytest.approx(2 / 3)
    assert class_accuracy(logits, torch.zeros(4, dtype=torch.int64)) == 0


def test_the_tiny_detector_learns_two_pictures_by_heart():
    images, truths = two_squares()
    pictures = normalise_images(images)
    detector = tiny_detector().train()
    run = DetectorTraining(detector)
    optimiser = torch.optim.Adam([p for p in detector.parameters() if p.requires_grad], lr=4e-3)
    before = {name: value.clone() for name, value in detector.trunk.state_dict().items()}
    for step in range(120):
        torch.manual_seed(step)
        loss = run(pictures, truths)
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
    assert all(torch.equal(before[name], value) for name, value in detector.trunk.state_dict().items())
    detector.eval()
    for picture, truth in zip(pictures, truths, strict=True):
        found = detector.detect(detector.see(picture[None]), (96, 96), 0.5, 0.5, 10)
        order = found.class_scores.argmax(1).argsort()
        assert found.class_scores.argmax(1)[order].tolist() == [0, 1]
        assert np.abs(found.boxes[order].numpy() - truth.boxes.numpy()).max() < 6
        assert (found.mask_logits > 0).float().mean() > 0.85  # squares fill their boxes
