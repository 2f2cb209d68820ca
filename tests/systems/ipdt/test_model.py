"""Detectors by name, and the trunk they share."""

from __future__ import annotations

import pytest
import torch

from shibori.datasets.classes import COARSE
from shibori.errors import InputError
from shibori.systems.ipdt import model
from shibori.systems.ipdt.model import build_detector, coco_size, fetch_coco_detector, load_trunk

from .made import tiny_detector


def test_compact_is_small_enough_to_ship():
    detector = build_detector("compact")
    own = sum(value.numel() for value in detector.own_state().values())
    assert 1.5e6 < own < 2.6e6  # two bytes each in the file
    assert detector.size.classes == COARSE


def test_coco_has_the_classes_of_coco_under_their_numbers():
    classes = coco_size().classes
    assert len(classes) == 90
    assert (classes[0], classes[17], classes[89]) == ("person", "dog", "toothbrush")


def test_weights_that_cannot_be_fetched_are_said(monkeypatch):
    def offline(**_):
        raise OSError("no network")

    monkeypatch.setattr(model, "maskrcnn_resnet50_fpn_v2", offline)
    monkeypatch.setattr(model, "resnet_fpn_backbone", offline)
    for build, name in ((fetch_coco_detector, "COCO"), (lambda: build_detector("paper", True), "ImageNet")):
        with pytest.raises(InputError, match=f"expected {name} weights"):
            build()


def test_the_trunk_is_the_shipped_one_and_no_other_is_taken():
    detector, other = tiny_detector(), tiny_detector(seed=5)
    for name, value in detector.trunk.state_dict().items():
        assert torch.equal(value, other.trunk.state_dict()[name])
    assert detector.trunk_digest.any()
    load_trunk(detector)  # again: it is the same
    detector.trunk_digest += 1
    with pytest.raises(InputError, match="trained with this version's pixel tracker"):
        load_trunk(detector)
