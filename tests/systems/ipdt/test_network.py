"""The detector's parts: shapes, what is trained, what detections promise."""

from __future__ import annotations

import torch

from shibori.ops.normalise import normalise_images
from shibori.systems.ipdt.network import TrunkPyramid, class_agnostic
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
    seen = detector.see(normalise_images(images[:1]))
    found = detector.detect(seen, (96, 90), 0.05, 0.5, 7)
    best = found.class_scores.amax(1)
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


def test_heads_do_not_depend_on_the_class():
    network = class_agnostic(24, TINY)
    logits, deltas = network.roi_heads.box_predictor(torch.randn(5, TINY.box_channels))
    assert logits.shape == (5, len(TINY.classes) + 1)
    assert deltas.shape == (5, 4)
