"""The decoder on the pixel tracker's trunk: what it gives, what it depends on, what it does not."""

from __future__ import annotations

import pytest
import torch

from shibori.nn.backbones import PyramidFeatures
from shibori.systems.trackprop.network import Planes, RegionDecoder, Stem
from shibori.systems.trackprop.size import SIZES, DecoderSize

SIZE = SIZES["tiny"]
HEIGHT, WIDTH = 48, 64


def drawn(channels: tuple[int, int, int], seed: int, count: int = 3) -> list[torch.Tensor]:
    """Features at strides 2, 4, 8."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [
        (count, depth, HEIGHT // stride, WIDTH // stride) for depth, stride in zip(channels, (2, 4, 8), strict=True)
    ]
    return [torch.randn(shape, generator=generator) for shape in shapes]


@pytest.fixture
def decoder() -> RegionDecoder:
    assert isinstance(SIZE, DecoderSize)
    torch.manual_seed(0)
    decoder = RegionDecoder(SIZE)
    torch.nn.init.normal_(decoder.mask.weight)
    return decoder.eval()


def inputs() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    assert isinstance(SIZE, DecoderSize)
    return drawn(SIZE.trunk_channels, 1), drawn(SIZE.stem_channels, 2)


def test_a_stem_gives_its_channels_at_the_strides_of_the_trunk():
    assert isinstance(SIZE, DecoderSize)
    planes = Stem(3, SIZE.stem_channels)(torch.rand(2, 3, HEIGHT, WIDTH))
    shapes = [
        (2, depth, HEIGHT // stride, WIDTH // stride)
        for depth, stride in zip(SIZE.stem_channels, (2, 4, 8), strict=True)
    ]
    assert [tuple(part.shape) for part in planes] == shapes


def test_a_stem_computes_in_its_own_precision():
    stem = Stem(2, (4, 8, 8)).bfloat16()
    assert stem(torch.rand(1, 2, 16, 16)).s8.dtype == torch.bfloat16


@torch.no_grad()
def test_untrained_a_decoder_adds_nothing():
    assert isinstance(SIZE, DecoderSize)
    features, planes = inputs()
    logits = RegionDecoder(SIZE)(PyramidFeatures(*features), Planes(*planes))
    assert logits.shape == (3, 1, HEIGHT, WIDTH)
    assert not logits.any()


def test_every_stride_of_trunk_and_stem_counts(decoder: RegionDecoder):
    features, planes = inputs()
    leaves = [part.requires_grad_() for part in (*features, *planes)]
    decoder(PyramidFeatures(*leaves[:3]), Planes(*leaves[3:])).square().sum().backward()
    assert all(leaf.grad.abs().sum() > 0 for leaf in leaves)


@torch.no_grad()
def test_a_region_is_decoded_alike_whatever_else_is_in_the_batch(decoder: RegionDecoder):
    """In training, too: no statistics of a batch are kept."""
    features, planes = inputs()
    decoder.train()
    together = decoder(PyramidFeatures(*features), Planes(*planes))
    alone = decoder(PyramidFeatures(*(part[1:2] for part in features)), Planes(*(part[1:2] for part in planes)))
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_log_odds_are_float32_whatever_comes_in(decoder: RegionDecoder):
    features, planes = inputs()
    half = PyramidFeatures(*(part.bfloat16() for part in features))
    assert decoder(half, Planes(*planes)).dtype == torch.float32
