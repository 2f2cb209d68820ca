"""MobileNetV2 as a trunk: strides, what stays frozen, folding, and torchvision's own parameters by name."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import mobilenet_v2

from shibori.nn.mobile import FROZEN_LAYERS, STAGE_ENDS, DepthwiseBlock, MobileTrunk
from shibori.nn.prepare import prepare_network


@pytest.fixture
def trunk() -> MobileTrunk:
    torch.manual_seed(0)
    return MobileTrunk(24, 0.25)


def test_strides_and_channels(trunk: MobileTrunk):
    found = trunk.eval()(torch.randn(2, 3, 64, 96))
    c2, c4, c8 = trunk.channels
    shapes = [(2, c2, 32, 48), (2, c4, 16, 24), (2, c8, 8, 12), (2, 24, 4, 6), (2, trunk.raw16_channels, 4, 6)]
    assert [tuple(part.shape) for part in found] == shapes


@pytest.mark.parametrize("factor", [1.0, 0.25, 0.35, 1.4])
def test_it_takes_torchvisions_parameters_and_computes_the_same(factor: float):
    torch.manual_seed(1)
    whole, trunk = mobilenet_v2(weights=None, width_mult=factor).eval(), MobileTrunk(8, factor).eval()
    theirs = {name: value for name, value in whole.features.state_dict().items() if not name.startswith("18.")}
    assert list(trunk.features.state_dict()) == list(theirs)
    trunk.features.load_state_dict(theirs)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(trunk.features(images), whole.features[:18](images))
        torch.testing.assert_close(
            trunk(images).raw16, whole.features[: max(k for k in STAGE_ENDS if k < 14) + 1](images)
        )
        assert [64 // whole.features[: end + 1](images).shape[2] for end in STAGE_ENDS] == [2, 4, 8, 16, 32]


def test_early_layers_learn_nothing_and_keep_their_statistics(trunk: MobileTrunk):
    trunk.train()
    before = {name: value.clone() for name, value in trunk.features[:FROZEN_LAYERS].state_dict().items()}
    found = trunk(torch.randn(4, 3, 64, 64) + 3)
    (found.s8.square().mean() + found.s16.square().mean()).backward()
    assert all(p.grad is None for p in trunk.features[:FROZEN_LAYERS].parameters())
    assert all(p.grad is not None for p in trunk.features[FROZEN_LAYERS:].parameters())
    for name, value in trunk.features[:FROZEN_LAYERS].state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_folding_norms_changes_nothing(trunk: MobileTrunk):
    trunk.train()
    for _ in range(3):
        trunk(torch.randn(4, 3, 64, 64))  # statistics that are not those of a fresh network
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = trunk.eval()(images)
        folded = prepare_network(trunk, torch.device("cpu"), torch.float32)
        assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
        for part, wanted in zip(folded(images), expected, strict=True):
            torch.testing.assert_close(part, wanted, rtol=1e-3, atol=1e-4)


def test_a_block_keeps_the_shape_and_adds_to_its_input():
    block = DepthwiseBlock(6).eval()
    for parameter in block.body[-1].parameters():
        nn.init.zeros_(parameter)
    features = torch.rand(1, 6, 5, 7) * 5
    torch.testing.assert_close(block(features), features)
