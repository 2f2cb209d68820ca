"""TinyViT (Wu et al., ECCV 2022) as the image encoder of a promptable network, which MobileSAM made of it.

Four stages at strides 4, 8, 16 and 16: inverted residual blocks, then attention within windows. Batch normalisation is
folded into the convolutions, as in the weights that it starts from. Any size that is a multiple of ``STRIDE`` will do:
windows that reach over the edge are filled with zeros there, as the paper has it.

Axes: B pictures, C channels, H W pixels, h w positions, N positions of a window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 16
"""Pixels of a picture to one position of the embedding."""
STEM_CHANNELS_SHARE = 2
"""The first convolution has this many times fewer channels than the first stage."""
EXPANSION = 4
"""Of the inverted residual blocks, and of the layers after attention."""
NORM_EPS = 1e-6
"""Of the normalisation over channels in the neck."""


@dataclass(frozen=True)
class TinyVitSize:
    """Widths of the stages and what they are made of."""

    channels: tuple[int, int, int, int] = (64, 128, 160, 320)
    depths: tuple[int, int, int, int] = (2, 2, 6, 2)
    """Blocks of each stage."""
    heads: tuple[int, int, int] = (4, 5, 10)
    """Of attention, in the last three stages."""
    windows: tuple[int, int, int] = (7, 14, 7)
    """Side of the windows of attention, in positions, in the last three stages."""
    out_channels: int = 256
    """Of the embedding."""


class TinyVitFeatures(NamedTuple):
    """What the network says of B pictures."""

    embedding: Tensor
    """(B, out_channels, H/16, W/16)."""
    eighth: Tensor
    """(B, channels[1], H/8, W/8) of the second stage."""
    quarter: Tensor
    """(B, channels[0], H/4, W/4) of the first."""


class TinyVit(nn.Module):
    """Picture -> embedding at stride 16.

    Args:
        size: of the network.
    """

    def __init__(self, size: TinyVitSize) -> None:
        super().__init__()
        first, *_, last = size.channels
        self.stem = nn.Sequential(
            nn.Conv2d(3, first // STEM_CHANNELS_SHARE, 3, 2, 1),
            nn.GELU(),
            nn.Conv2d(first // STEM_CHANNELS_SHARE, first, 3, 2, 1),
        )
        self.blocks = nn.Sequential(*(InvertedBlock(first) for _ in range(size.depths[0])))
        pairs = zip(size.channels[:-1], size.channels[1:], (2, 2, 1), strict=True)
        self.merges = nn.ModuleList(PatchMerging(*pair) for pair in pairs)
        kinds = zip(size.channels[1:], size.heads, size.windows, size.depths[1:], strict=True)
        self.stages = nn.ModuleList(
            nn.Sequential(*(AttentionBlock(channels, heads, window) for _ in range(depth)))
            for channels, heads, window, depth in kinds
        )
        self.neck = nn.Sequential(
            nn.Conv2d(last, size.out_channels, 1, bias=False),
            ChannelNorm(size.out_channels),
            nn.Conv2d(size.out_channels, size.out_channels, 3, padding=1, bias=False),
            ChannelNorm(size.out_channels),
        )

    @property
    def early(self) -> tuple[nn.Module, ...]:
        """The layers up to stride 8, general enough to stay as they were learned: they take half of a step's time."""
        return self.stem, self.blocks, self.merges[0]

    def forward(self, images: Tensor) -> TinyVitFeatures:
        """(B, 3, H, W) normalised, H and W multiples of ``STRIDE`` -> the embedding and what is finer."""
        found = [self.blocks(self.stem(images))]
        for merge, stage in zip(self.merges, self.stages, strict=True):
            found.append(stage(merge(found[-1])))
        return TinyVitFeatures(self.neck(found[-1]), found[1], found[0])


class InvertedBlock(nn.Module):
    """An inverted residual block with GELU (TinyViT, Sec. 3.3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = EXPANSION * channels
        self.widen = nn.Conv2d(channels, hidden, 1)
        self.filter = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.narrow = nn.Conv2d(hidden, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        hidden = functional.gelu(self.filter(functional.gelu(self.widen(features))))
        return functional.gelu(features + self.narrow(hidden))


class PatchMerging(nn.Module):
    """From one stage to the next: other channels, and half the positions along each axis where the stride is 2."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(in_channels, out_channels, 1)
        self.filter = nn.Conv2d(out_channels, out_channels, 3, stride, 1, groups=out_channels)
        self.mix = nn.Conv2d(out_channels, out_channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, Cin, h, w) -> (B, Cout, h/stride, w/stride)."""
        return self.mix(functional.gelu(self._filtered(functional.gelu(self.widen(features)))))

    def _filtered(self, features: Tensor) -> Tensor:
        """A depth-wise convolution with a stride; in bfloat16 its backward pass takes a CPU twenty times as long."""
        if features.device.type != "cpu" or not self.filter.weight.requires_grad:
            return self.filter(features)
        with torch.autocast("cpu", enabled=False):
            return self.filter(features.float())


class AttentionBlock(nn.Module):
    """Attention within windows, a depth-wise convolution, two layers (TinyViT, Sec. 3.3)."""

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attention = WindowAttention(channels, heads, window)
        self.local = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, EXPANSION * channels)
        self.narrow = nn.Linear(EXPANSION * channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        features = self.local(features + self._attended(features))
        positions = features.permute(0, 2, 3, 1)
        change = self.narrow(functional.gelu(self.widen(self.norm(positions))))
        return features + change.permute(0, 3, 1, 2)

    def _attended(self, features: Tensor) -> Tensor:
        batch, channels, height, width = features.shape
        side = self.window
        rows, columns = -(-height // side), -(-width // side)
        positions = features.permute(0, 2, 3, 1)
        positions = functional.pad(positions, (0, 0, 0, columns * side - width, 0, rows * side - height))
        tiles = positions.view(batch, rows, side, columns, side, channels).transpose(2, 3)
        tiles = self.attention(tiles.reshape(-1, side * side, channels))
        tiles = tiles.view(batch, rows, columns, side, side, channels).transpose(2, 3)
        whole = tiles.reshape(batch, rows * side, columns * side, channels)
        return whole[:, :height, :width].permute(0, 3, 1, 2)


class WindowAttention(nn.Module):
    """Attention among the positions of a window, with a learned bias for each offset between two of them."""

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.offset_bias = nn.Parameter(torch.zeros(heads, window * window))
        self.register_buffer("offsets", offset_index(window), persistent=False)
        self.offsets: Tensor

    def forward(self, tiles: Tensor) -> Tensor:
        """(B, N, C) -> the same shape."""
        parts = self.query_key_value(self.norm(tiles)).unflatten(2, (self.heads, -1)).transpose(1, 2)
        query, key, value = parts.chunk(3, dim=-1)
        bias = self.offset_bias[:, self.offsets].to(query.dtype)
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias[None])
        return self.out(found.transpose(1, 2).flatten(2))


def offset_index(side: int) -> Tensor:
    """(side^2, side^2) int64: number of the distance between two positions of a window, down * side + across."""
    places = torch.cartesian_prod(torch.arange(side), torch.arange(side))
    distance = (places[:, None] - places[None]).abs()
    return distance[..., 0] * side + distance[..., 1]


class ChannelNorm(nn.Module):
    """Normalisation over the channels of each position."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape, float32."""
        positions = features.permute(0, 2, 3, 1).float()
        normed = functional.layer_norm(
            positions, (features.shape[1],), self.weight.float(), self.bias.float(), NORM_EPS
        )
        return normed.permute(0, 3, 1, 2)
