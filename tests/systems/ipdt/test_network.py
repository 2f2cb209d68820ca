"""The detector's parts: shapes, what is trained, what detections promise."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign

from shibori.ops.normalise import normalise_images
from shibori.systems.ipdt.losses import DetectorTraining
from shibori.systems.ipdt.network import (
    Detector,
    TrunkPyramid,
    class_agnostic,
    sharpness,
)
from shibori.systems.ipdt.size import SIZES

from .made import tiny_detector, two_squares

TINY = SIZES["tiny"]


def test_the_pyramid_has_a_level_for_each_anchor_size():
    torch.manual_seed(0)
    levels = TrunkPyramid(24, TINY)(torch.randn(2, 24, 12, 20))
    assert [tuple(level.shape) for level in levels.values()] == [
        (2, 16, 12, 20),
        (2, 16, 6, 10),
        (2, 16, 3, 5),
        (2, 16, 2, 3),
    ]
    assert len(levels) == len(TINY.anchor_sizes)


def test_everything_but_the_trunk_is_trained_and_saved():
    detector = tiny_detector().train()
    assert not detector.trunk.training
    assert not any(parameter.requires_grad for parameter in detector.trunk.parameters())
    own = detector.own_state()
    trained = {name for name, parameter in detector.named_parameters() if parameter.requires_grad}
    assert trained <= set(own)
    assert not any(name.startswith("trunk.") for name in own)
    other = tiny_detector(seed=1)
    assert not torch.equal(
        other.own_state()["network.backbone.stage32.first.0.weight"], own["network.backbone.stage32.first.0.weight"]
    )
    other.load_own_state(own)
    assert all(torch.equal(value, own[name]) for name, value in other.own_state().items())


def test_detections_are_ordered_apart_inside_the_picture_and_above_the_threshold():
    images, _ = two_squares()
    detector = tiny_detector().eval()
    with torch.no_grad():  # random masks may be empty ones, which are no detections
        detector.network.roi_heads.mask_predictor[-1].bias += 3
    seen = detector.see(normalise_images(images[:1]))
    found = detector.detect(seen, (96, 90), 0.05, 0.5, 7)
    best = found.class_scores.sum(1)
    assert 0 < len(best) <= 7
    assert best.tolist() == sorted(best.tolist(), reverse=True)
    assert best.min() > 0.05
    assert found.class_scores.sum(1).max() <= 1
    assert found.boxes.min() >= 0
    assert found.boxes[:, 2].max() <= 90
    assert found.mask_logits.shape == (len(best), 28, 28)
    assert torch.allclose(found.embeddings.norm(dim=1), torch.ones(len(best)), atol=1e-4)
    nothing = detector.detect(seen, (96, 90), 0.99, 0.5, 7)
    assert [len(part) for part in nothing] == [0, 0, 0, 0]


def test_sharp_masks_are_those_that_are_sure_inside():
    sure, unsure, empty = torch.full((4, 4), 6.0), torch.full((4, 4), 0.1), torch.full((4, 4), -3.0)
    half = sure.clone()
    half[:, 2:] = -0.1  # doubt outside does not count
    found = sharpness(torch.stack([sure, unsure, empty, half]))
    assert found.tolist() == pytest.approx([0.9975, 0.525, 0.0, 0.9975], abs=1e-3)


def test_of_two_alike_detections_the_sharper_has_the_better_score():
    detector = tiny_detector().eval()
    images, _ = two_squares()
    with torch.no_grad():
        detector.network.roi_heads.mask_predictor[-1].bias += 3
        seen = detector.see(normalise_images(images[:1]))
        soft = detector.detect(seen, (96, 90), 0.01, 0.5, 5)
        detector.network.roi_heads.mask_predictor[-1].bias += 3
        sharp = detector.detect(seen, (96, 90), 0.01, 0.5, 5)
    assert sharp.class_scores.sum() > soft.class_scores.sum()


def test_heads_do_not_depend_on_the_class():
    network = class_agnostic(24, TINY)
    logits, deltas = network.roi_heads.box_predictor(torch.randn(5, TINY.box_channels))
    assert logits.shape == (5, len(TINY.classes) + 1)
    assert deltas.shape == (5, 4)


def class_specific() -> Detector:
    """As ``paper`` is built: torchvision's own heads, a box and a mask for each class."""
    torch.manual_seed(0)
    anchors = AnchorGenerator(tuple((side,) for side in TINY.anchor_sizes), ((1.0,),) * len(TINY.anchor_sizes))
    pools = {"sampling_ratio": 2, "canonical_scale": 64}
    network = MaskRCNN(
        TrunkPyramid(3, TINY),
        len(TINY.classes) + 1,
        rpn_anchor_generator=anchors,
        box_roi_pool=MultiScaleRoIAlign(["0", "1", "2"], 7, **pools),
        mask_roi_pool=MultiScaleRoIAlign(["0", "1", "2"], 14, **pools),
        mask_head=nn.Conv2d(16, 256, 1),
    )
    return Detector(network, replace(TINY, trunk=None), None)


def test_heads_may_depend_on_the_class():
    images, truths = two_squares()
    detector = class_specific().train()
    pictures = normalise_images(images)
    assert detector.see(pictures) is pictures
    loss = DetectorTraining(detector)(pictures, truths)
    loss.total.backward()
    assert all(torch.isfinite(part) for part in loss)
    found = detector.eval().detect(pictures[:1], (96, 96), 0.05, 0.5, 5)
    assert found.mask_logits.shape[1:] == (28, 28)
    assert found.boxes.shape == (len(found.class_scores), 4)
    assert len(found.boxes) > 0
