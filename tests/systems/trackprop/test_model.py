"""The networks of all presets: what they take and give, what is frozen, what is kept."""

from __future__ import annotations

import pytest
import torch

from shibori.errors import InputError
from shibori.systems.trackprop.model import PaperNetwork, RegionNetwork, build_trackprop
from shibori.systems.trackprop.size import SIZES, DeeplabSize
from shibori.tracking.shipped import load_shipped


@pytest.fixture(scope="module")
def network() -> RegionNetwork:
    torch.manual_seed(0)
    network = build_trackprop("tiny")
    load_shipped(network)
    return network.eval()


def inputs(size_hw: tuple[int, int] = (64, 96)) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(2, 3, *size_hw), torch.rand(2, 1, *size_hw) * 2 - 1, torch.rand(2, 1, *size_hw)


@torch.no_grad()
def test_all_three_give_log_odds_of_the_region(network):
    images, guidance, mask = inputs()
    seen = network.see(images)
    for logits in (
        network.propagate(seen, mask, None),
        network.segment(seen, guidance, None),
        network.correct(seen, guidance, mask, None),
    ):
        assert logits.shape == (2, 1, 64, 96)
        assert logits.dtype == torch.float32


@torch.no_grad()
def test_untrained_they_say_what_the_pixel_tracker_says(network):
    images, guidance, mask = inputs()
    matched = torch.randn(2, 1, 64, 96)
    seen = network.see(images)
    torch.testing.assert_close(network.propagate(seen, mask, matched), matched)
    torch.testing.assert_close(network.segment(seen, guidance, matched), matched)
    torch.testing.assert_close(network.correct(seen, guidance, mask, matched), matched)


@torch.no_grad()
def test_one_region_does_not_depend_on_the_others_in_its_batch(network):
    torch.nn.init.normal_(network.decoder.mask.weight)
    images, _, mask = inputs()
    both = network.propagate(network.see(images), mask, None)
    alone = network.propagate(network.see(images[:1]), mask[:1], None)
    torch.testing.assert_close(both[:1], alone, rtol=1e-4, atol=1e-4)
    torch.nn.init.zeros_(network.decoder.mask.weight)


def test_every_input_counts(network):
    torch.nn.init.normal_(network.decoder.mask.weight)
    images, guidance, mask = (part.requires_grad_() for part in inputs())
    matched = torch.randn(2, 1, 64, 96, requires_grad=True)
    network.correct(network.see(images), guidance, mask, matched).square().sum().backward()
    assert all(part.grad.abs().sum() > 0 for part in (images, guidance, mask, matched))
    torch.nn.init.zeros_(network.decoder.mask.weight)


def test_the_pixel_tracker_is_frozen_and_not_kept(network):
    assert not any(name.startswith("matcher.") for name in network.own_state())
    assert not any(parameter.requires_grad for parameter in network.matcher.parameters())
    network.train()
    assert not network.matcher.training
    network.eval()
    other = build_trackprop("tiny")
    other.load_own_state(network.own_state())
    load_shipped(other)
    other.matcher_digest[0] += 1
    with pytest.raises(InputError, match="trained with this version's pixel tracker"):
        load_shipped(other)


def test_weights_of_another_preset_are_refused(network):
    with pytest.raises(InputError, match="do not fit"):
        build_trackprop("compact").load_own_state(network.own_state())


def test_compact_is_small():
    own = build_trackprop("compact").own_state()
    assert sum(value.numel() for value in own.values()) < 1_000_000


def test_paper_has_four_four_and_five_input_channels():
    pytest.importorskip("segmentation_models_pytorch")
    small = DeeplabSize("resnet18", 16)
    network = PaperNetwork(small).eval()
    assert SIZES["paper"] == DeeplabSize("tu-xception65", 256)
    firsts = [
        next(module for module in part.modules() if isinstance(module, torch.nn.Conv2d))
        for part in (network.propagation, network.first, network.later)
    ]
    assert [first.in_channels for first in firsts] == [4, 4, 5]
    images, guidance, mask = inputs((65, 65))  # no multiple of 16, as 513 is none
    with torch.no_grad():
        seen = network.see(images)
        assert network.propagate(seen, mask, None).shape == (2, 1, 65, 65)
        assert network.correct(seen, guidance, mask, None).shape == (2, 1, 65, 65)
        assert not network.segment(seen, guidance, None).equal(network.segment(seen, -guidance, None))
