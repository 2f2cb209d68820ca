"""From names and weights to a system, and what is refused."""

from __future__ import annotations

import pytest
import torch

from shibori.errors import InputError
from shibori.nn.frozen import TRUNK_DIGEST
from shibori.nn.weights import save_state
from shibori.systems.ipdt.build import build_ipdt_segmenter, load_states, segmenter_from_states
from shibori.systems.ipdt.calibration import BETA

from .made import tiny_detector, tiny_siamese

CPU = torch.device("cpu")


@pytest.fixture
def weights(tmp_path):
    save_state(tmp_path / "ipdt.safetensors", tiny_detector().own_state(), "ipdt", "tiny")
    save_state(tmp_path / "siamese.safetensors", tiny_siamese(), "siamese", "tiny")
    return tmp_path / "ipdt.safetensors", tmp_path / "siamese.safetensors"


def test_files_give_a_system_that_is_ready(weights):
    segmenter = build_ipdt_segmenter("tiny", "cpu", 128, *weights)
    assert segmenter.parts.tracker.pixel.config.window.area_side == 128
    assert segmenter.parts.tracker.instance is not None
    assert build_ipdt_segmenter("tiny", "cpu", None, *weights, most_tracked=3).rule.most_tracked == 3
    assert not any(parameter.requires_grad for parameter in segmenter.parts.finder.detector.parameters())


def test_a_preset_says_whether_classes_are_calibrated(weights):
    assert build_ipdt_segmenter("tiny", "cpu", None, *weights).rule.beta == BETA
    segmenter = build_ipdt_segmenter("compact", "cpu", 128)
    assert segmenter.rule.beta == 1
    assert segmenter.parts.tracker.pixel.config.window.area_side == 128


def test_the_trunk_is_the_pixel_trackers_own(weights):
    parts = build_ipdt_segmenter("tiny", "cpu", None, *weights).parts
    assert parts.trunk.trunk is parts.tracker.pixel.network.trunk
    assert parts.finder.detector.trunk is None


def test_ways_share_their_networks(weights):
    segmenter = build_ipdt_segmenter("tiny", "cpu", None, *weights)
    alone = segmenter.with_way("pixel")
    assert alone.parts.tracker.instance is None
    assert alone.parts.tracker.pixel is segmenter.parts.tracker.pixel
    assert segmenter.with_way("dual").parts.tracker.instance is segmenter.parts.tracker.instance


def test_what_is_refused(weights):
    with pytest.raises(InputError, match="expected a preset of ipdt"):
        build_ipdt_segmenter("huge", "cpu")
    with pytest.raises(InputError, match="at least 64 pixels"):
        build_ipdt_segmenter("tiny", "cpu", 20, *weights)
    with pytest.raises(InputError, match="expected at least one candidate that is tracked, found 0"):
        build_ipdt_segmenter("tiny", "cpu", None, *weights, most_tracked=0)
    with pytest.raises(InputError, match="expected weights of siamese/tiny"):
        load_states("tiny", weights[0], weights[0])
    with pytest.raises(InputError, match="parameters that do not fit"):
        segmenter_from_states({"a": torch.zeros(1)}, tiny_siamese(), "tiny", CPU)
    digest = {TRUNK_DIGEST: tiny_siamese()[TRUNK_DIGEST]}
    with pytest.raises(InputError, match="parameters that do not fit"):
        segmenter_from_states(tiny_detector().own_state(), digest, "tiny", CPU)
    with pytest.raises(InputError, match="trained on this version's trunk"):
        segmenter_from_states(tiny_detector().own_state(), tiny_siamese() | {TRUNK_DIGEST: torch.zeros(8)}, "tiny", CPU)
