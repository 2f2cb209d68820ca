"""The image encoder: sizes, and its parts against slower ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from shibori.nn.tiny_vit import ChannelNorm, TinyVit, TinyVitSize, WindowAttention, offset_index

SMALL = TinyVitSize((8, 12, 16, 24), (1, 1, 2, 1), (2, 2, 2), (3, 4, 3), 16)


@pytest.mark.parametrize("size_hw", [(32, 32), (64, 96), (48, 112)])
def test_every_multiple_of_the_stride_is_embedded(size_hw):
    torch.manual_seed(0)
    network = TinyVit(SMALL).eval()
    with torch.no_grad():
        found = network(torch.randn(2, 3, *size_hw))
    assert found.embedding.shape == (2, 16, size_hw[0] // 16, size_hw[1] // 16)
    assert found.eighth.shape == (2, 12, size_hw[0] // 8, size_hw[1] // 8)
    assert found.quarter.shape == (2, 8, size_hw[0] // 4, size_hw[1] // 4)
    assert all(level.isfinite().all() for level in found)


def test_what_is_published_has_its_number_of_parameters():
    assert sum(value.numel() for value in TinyVit(TinyVitSize()).parameters()) == 5_738_964


def test_attention_is_that_of_the_formula():
    torch.manual_seed(1)
    attention = WindowAttention(8, 2, 3).eval()
    nn.init.normal_(attention.offset_bias)
    tiles = torch.randn(2, 9, 8)
    with torch.no_grad():
        found = attention(tiles)
        parts = attention.query_key_value(attention.norm(tiles)).view(2, 9, 2, 12)
        heads = []
        for head in range(2):
            query, key, value = parts[:, :, head].split(4, -1)
            scores = query @ key.transpose(1, 2) / 2.0
            for first in range(9):
                for second in range(9):
                    down, across = abs(first // 3 - second // 3), abs(first % 3 - second % 3)
                    scores[:, first, second] += attention.offset_bias[head, 3 * down + across]
            heads.append(scores.softmax(-1) @ value)
        expected = attention.out(torch.cat(heads, -1))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_positions_far_apart_do_not_see_each_other_before_the_windows_meet():
    torch.manual_seed(2)
    block = TinyVit(SMALL).stages[0][0].eval()
    features = torch.randn(1, 12, 12, 12)
    changed = features.clone()
    changed[:, :, 0, 0] += 5
    with torch.no_grad():
        difference = (block(features) - block(changed)).abs().sum(1)[0]
    assert difference[0, 0] > 0
    assert difference[6:].max() == 0  # a window of three and a convolution do not reach so far


def test_offsets_are_numbered_by_distance():
    index = offset_index(3)
    assert index[0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert torch.equal(index, index.T)


def test_channels_are_normalised_at_each_position():
    found = ChannelNorm(6)(torch.randn(2, 6, 3, 4) * 5 + 2)
    torch.testing.assert_close(found.mean(1), torch.zeros(2, 3, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.var(1, unbiased=False), torch.ones(2, 3, 4), atol=1e-3, rtol=0)
