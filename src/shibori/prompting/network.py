"""The promptable network: a picture is embedded once, and each set of marks on it is answered by a small decoder.

Segment Anything (Kirillov et al., ICCV 2023) with the encoder of MobileSAM. Ours: any size and shape of picture, and
whole objects, which it is trained on (``losses.py``). As in SAM 2 (Ravi et al., 2024, Sec. 4), the decoder also sees
the encoder's finer features at strides 8 and 4, for thin parts and edges.

Axes: B objects, N points, M masks, C channels, H W pixels of the picture, h w positions of its embedding (stride 16),
4h 4w cells of a mask (stride 4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from shibori.nn.tiny_vit import STRIDE, ChannelNorm, TinyVit, TinyVitSize
from shibori.prompting.transformer import TwoWayTransformer

MASK_STRIDE = 4
"""Pixels of the picture to one cell of a mask."""
NOTHING, BACKGROUND, OBJECT, BOX_START, BOX_END = range(-1, 4)
"""What a point is: filling, not the object, the object, the upper left of its box, the lower right of it."""
NUM_KINDS = 4
NUM_CANDIDATES = 3
"""Masks for marks that can mean several things: a part, an object, a group."""


@dataclass(frozen=True)
class PromptSize:
    """Widths of the network."""

    encoder: TinyVitSize = field(default_factory=TinyVitSize)
    depth: int = 2
    """Blocks of the decoder."""
    heads: int = 8
    hidden: int = 2048
    """Of the layers after attention."""
    mask_channels: tuple[int, int] = (4, 16)
    """Of a previous mask on its way to stride 16."""


class Prompts(NamedTuple):
    """What is said of B objects in one picture."""

    points: Tensor
    """(B, N, 2) float32 x, y in pixels of the picture (of the network's input), corners on integers."""
    kinds: Tensor
    """(B, N) int64: ``NOTHING``, ``BACKGROUND``, ``OBJECT``, ``BOX_START`` or ``BOX_END``."""
    masks: Tensor | None = None
    """(B, 1, 4h, 4w) log-odds of previous masks; None where no object has one."""
    has_mask: Tensor | None = None
    """(B,) bool: whose previous mask counts. None: each one's."""


class PictureFeatures(NamedTuple):
    """A picture as the decoder takes it."""

    embedding: Tensor
    """(B, C, h, w)."""
    eighth: Tensor
    """(B, C/4, 2h, 2w)."""
    quarter: Tensor
    """(B, C/8, 4h, 4w)."""


class PromptedMasks(NamedTuple):
    """The answer to B sets of marks."""

    logits: Tensor
    """(B, 1 + NUM_CANDIDATES, 4h, 4w) log-odds: for clear marks, then for those that can mean several things."""
    quality: Tensor
    """(B, 1 + NUM_CANDIDATES) expected IoU of each."""


class PromptNetwork(nn.Module):
    """Encoder, prompt encoder and mask decoder."""

    def __init__(self, size: PromptSize) -> None:
        super().__init__()
        channels = size.encoder.out_channels
        self.encoder = TinyVit(size.encoder)
        self.eighth = first_silent(nn.Conv2d(size.encoder.channels[1], channels // 4, 1))
        self.quarter = first_silent(nn.Conv2d(size.encoder.channels[0], channels // 8, 1))
        self.prompts = PromptEncoder(channels, size.mask_channels)
        self.decoder = MaskDecoder(channels, size.depth, size.heads, size.hidden)
        self.size = size

    def encode(self, images: Tensor) -> PictureFeatures:
        """(B, 3, H, W) normalised, H and W multiples of 16 -> features of the pictures."""
        found = self.encoder(images)
        return PictureFeatures(found.embedding, self.eighth(found.eighth), self.quarter(found.quarter))

    def forward(self, picture: PictureFeatures, prompts: Prompts) -> PromptedMasks:
        """Masks of B objects in one picture.

        Args:
            picture: the features of that one.
            prompts: what is said of the objects.
        """
        grid_hw = (picture.embedding.shape[2], picture.embedding.shape[3])
        tokens = self.prompts.tokens(prompts, STRIDE * max(grid_hw))
        said = self.prompts.dense(prompts, grid_hw)
        told = picture._replace(embedding=picture.embedding + said)
        return self.decoder(told, tokens, self.prompts.places(grid_hw))


class PromptEncoder(nn.Module):
    """Marks -> tokens, and a previous mask -> channels beside the embedding (SAM, Sec. 3)."""

    def __init__(self, channels: int, mask_channels: tuple[int, int]) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(2, channels // 2))
        self.frequencies: Tensor
        self.kinds = nn.Parameter(torch.randn(NUM_KINDS, channels) * 0.02)
        self.nothing = nn.Parameter(torch.randn(channels) * 0.02)
        self.no_mask = nn.Parameter(torch.randn(channels) * 0.02)
        first, second = mask_channels
        self.mask_layers = nn.Sequential(
            nn.Conv2d(1, first, 2, 2),
            ChannelNorm(first),
            nn.GELU(),
            nn.Conv2d(first, second, 2, 2),
            ChannelNorm(second),
            nn.GELU(),
            nn.Conv2d(second, channels, 1),
        )

    def tokens(self, prompts: Prompts, extent: int) -> Tensor:
        """(B, N, C) of the points; ``extent`` is the longer side of the picture in pixels."""
        placed = self._waves(prompts.points / extent)
        known = (prompts.kinds != NOTHING)[..., None]
        return torch.where(known, placed + self.kinds[prompts.kinds.clamp_min(0)], self.nothing)

    def dense(self, prompts: Prompts, grid_hw: tuple[int, int]) -> Tensor:
        """(B, C, h, w) of the previous masks, or of there being none."""
        empty = self.no_mask[None, :, None, None]
        if prompts.masks is None:
            return empty.expand(len(prompts.points), -1, *grid_hw)
        said = self.mask_layers(prompts.masks)
        return said if prompts.has_mask is None else torch.where(prompts.has_mask[:, None, None, None], said, empty)

    def places(self, grid_hw: tuple[int, int]) -> Tensor:
        """(h * w, C) where the positions are."""
        rows, columns = (torch.arange(side, device=self.frequencies.device) + 0.5 for side in grid_hw)
        centres = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
        return self._waves(centres.flatten(0, 1) / max(grid_hw))

    def _waves(self, shares: Tensor) -> Tensor:
        """(..., 2) places in [0, 1] -> (..., C) random Fourier features."""
        with torch.autocast(shares.device.type, enabled=False):
            angles = 2 * math.pi * ((2 * shares - 1) @ self.frequencies)
        return torch.cat([angles.sin(), angles.cos()], -1)


class MaskDecoder(nn.Module):
    """Embedding and tokens -> masks and their qualities (SAM, Fig. 14)."""

    def __init__(self, channels: int, depth: int, heads: int, hidden: int) -> None:
        super().__init__()
        num_masks = 1 + NUM_CANDIDATES
        self.mask_tokens = nn.Parameter(torch.randn(num_masks, channels) * 0.02)
        self.quality_token = nn.Parameter(torch.randn(1, channels) * 0.02)
        self.transformer = TwoWayTransformer(channels, depth, heads, hidden)
        quarter, eighth = channels // 4, channels // 8
        self.enlarge = nn.Sequential(
            nn.ConvTranspose2d(channels, quarter, 2, 2),
            ChannelNorm(quarter),
            nn.GELU(),
            nn.ConvTranspose2d(quarter, eighth, 2, 2),
            nn.GELU(),
        )
        self.kernels = nn.ModuleList(three_layers(channels, eighth) for _ in range(num_masks))
        self.quality = three_layers(channels, num_masks)

    def forward(self, picture: PictureFeatures, tokens: Tensor, places: Tensor) -> PromptedMasks:
        """Answer.

        Args:
            picture: features of one picture; the embedding B times, with what previous masks say.
            tokens: (B, N, C) of the marks.
            places: (h * w, C).
        """
        own = torch.cat([self.quality_token, self.mask_tokens])
        tokens = torch.cat([own.expand(len(tokens), -1, -1), tokens], 1)
        positions = picture.embedding.flatten(2).transpose(1, 2)
        tokens, positions = self.transformer(tokens, positions, places)
        fine = self._enlarged(positions.transpose(1, 2).unflatten(2, picture.embedding.shape[2:]), picture)
        kernels = torch.stack([layers(tokens[:, 1 + mask]) for mask, layers in enumerate(self.kernels)], 1)
        logits = torch.einsum("bmc,bchw->bmhw", kernels.to(fine.dtype), fine)
        return PromptedMasks(logits.float(), self.quality(tokens[:, 0]).float())

    def _enlarged(self, coarse: Tensor, picture: PictureFeatures) -> Tensor:
        """(B, C, h, w) -> (B, C/8, 4h, 4w) with the finer features of the picture."""
        first, norm, act, second, last_act = self.enlarge
        fine = act(norm(first(coarse) + picture.eighth))
        return last_act(second(fine) + picture.quarter)


def first_silent(layer: nn.Conv2d) -> nn.Conv2d:
    """A layer that says nothing until it is trained, so that weights without it stay as good as they are."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def three_layers(channels: int, out_channels: int) -> nn.Sequential:
    """Three linear layers with ReLU between them."""
    return nn.Sequential(
        nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels), nn.ReLU(),
        nn.Linear(channels, out_channels),
    )  # fmt: skip


def vague_marks(prompts: Prompts) -> Tensor:
    """(B,) bool: one point alone and no previous mask, which can mean a part, an object or a group."""
    vague = (prompts.kinds != NOTHING).sum(1) == 1
    if prompts.masks is None:
        return vague
    return torch.zeros_like(vague) if prompts.has_mask is None else vague & ~prompts.has_mask


def shown_slots(answer: PromptedMasks, vague: Tensor) -> Tensor:
    """(B,) which mask is shown: for vague marks the candidate of the highest quality, else the one for clear marks."""
    return torch.where(vague, 1 + answer.quality[:, 1:].argmax(1), 0)
