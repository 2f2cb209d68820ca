"""Shapes, strides and receptive fields of the trunk."""

from __future__ import annotations

import pytest
import torch

from shibori.nn.backbones import CompactTrunk, ConvNorm, ResidualBlock

WIDTHS = (4, 6, 8, 10)


@pytest.fixture
def trunk() -> CompactTrunk:
    torch.manual_seed(0)
    return CompactTrunk(WIDTHS, (1, 2, 1)).eval()


@pytest.mark.parametrize("size_hw", [(16, 16), (48, 32), (16, 80)])
def test_strides_and_widths(trunk: CompactTrunk, size_hw: tuple[int, int]):
    features = trunk(torch.rand(2, 3, *size_hw))
    for stride, maps, width in zip((2, 4, 8), features, WIDTHS[:3], strict=True):
        assert maps.shape == (2, width, size_hw[0] // stride, size_hw[1] // stride)
    assert trunk.channels == WIDTHS[:3]


def test_each_image_is_seen_alone_in_evaluation(trunk: CompactTrunk):
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    together = trunk(images)
    for row in range(3):
        for whole, alone in zip(together, trunk(images[row : row + 1]), strict=True):
            torch.testing.assert_close(whole[row], alone[0], atol=1e-5, rtol=1e-5)


def test_shifting_by_the_largest_stride_shifts_the_features(trunk: CompactTrunk):
    image = torch.zeros(1, 3, 320, 320)
    image[..., 136:168, 136:168] = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    moved = image.roll(16, dims=3)
    inner = slice(16, 24)  # away from the border, whose padding does not move
    there, here = trunk(moved).s8, trunk(image).s8
    torch.testing.assert_close(there[..., inner, inner], here.roll(2, dims=3)[..., inner, inner], atol=1e-5, rtol=1e-4)


def test_stride_16_context_reaches_stride_8(trunk: CompactTrunk):
    images = torch.rand(1, 3, 32, 32)
    before = trunk(images).s8
    with torch.no_grad():
        trunk.lateral16[1].bias.add_(5.0)
    assert not torch.allclose(trunk(images).s8, before)


def test_gradients_reach_every_parameter(trunk: CompactTrunk):
    trunk.train()
    trunk(torch.rand(2, 3, 32, 32)).s8.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trunk.parameters())


def test_a_residual_block_whose_second_norm_is_zero_is_its_shortcut():
    block = ResidualBlock(5, 5).eval()
    torch.nn.init.zeros_(block.second[1].weight)
    features = torch.rand(1, 5, 6, 6)
    torch.testing.assert_close(block(features), features)
    assert isinstance(ResidualBlock(5, 6).shortcut, ConvNorm)


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (3, 2), (5, 1)])
def test_convolutions_keep_the_size(kernel: int, dilation: int):
    assert ConvNorm(2, 3, kernel, dilation=dilation)(torch.rand(2, 2, 9, 7)).shape == (2, 3, 9, 7)
