"""The two-way transformer of the mask decoder: prompts look at the picture, and the picture at the prompts.

Segment Anything (Kirillov et al., ICCV 2023), Fig. 14. Axes: B prompts' objects, T tokens, P positions of the picture,
C channels.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class TwoWayTransformer(nn.Module):
    """Blocks of attention both ways, and one more look of the tokens at the picture.

    Args:
        channels: of tokens and positions.
        depth: blocks.
        heads: of attention.
        hidden: width of the layers after attention.
    """

    def __init__(self, channels: int, depth: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(TwoWayBlock(channels, heads, hidden, is_first=place == 0) for place in range(depth))
        self.last_look = Attention(channels, channels // 2, heads)
        self.last_norm = nn.LayerNorm(channels)

    def forward(self, tokens: Tensor, positions: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Let both look at each other.

        Args:
            tokens: (B, T, C).
            positions: (B, P, C) the picture.
            places: (P, C) where its positions are.

        Returns:
            Tokens and positions, changed.
        """
        prompts = tokens
        for block in self.blocks:
            tokens, positions = block(tokens, positions, prompts, places)
        found = self.last_look(tokens + prompts, positions + places, positions)
        return self.last_norm(tokens + found), positions


class TwoWayBlock(nn.Module):
    """Tokens among themselves, tokens at the picture, two layers, the picture at the tokens."""

    def __init__(self, channels: int, heads: int, hidden: int, *, is_first: bool) -> None:
        super().__init__()
        self.is_first = is_first
        self.among_tokens = Attention(channels, channels, heads)
        self.at_picture = Attention(channels, channels // 2, heads)
        self.at_tokens = Attention(channels, channels // 2, heads)
        self.widen, self.narrow = nn.Linear(channels, hidden), nn.Linear(hidden, channels)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(4))

    def forward(self, tokens: Tensor, positions: Tensor, prompts: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """See ``TwoWayTransformer.forward``; ``prompts`` are the tokens as they were at first."""
        if self.is_first:
            tokens = self.among_tokens(tokens, tokens, tokens)
        else:
            placed = tokens + prompts
            tokens = tokens + self.among_tokens(placed, placed, tokens)
        tokens = self.norms[0](tokens)
        tokens = self.norms[1](tokens + self.at_picture(tokens + prompts, positions + places, positions))
        tokens = self.norms[2](tokens + self.narrow(functional.relu(self.widen(tokens))))
        positions = self.norms[3](positions + self.at_tokens(positions + places, tokens + prompts, tokens))
        return tokens, positions


class Attention(nn.Module):
    """Attention in ``inner`` channels."""

    def __init__(self, channels: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(channels, inner) for _ in range(3))
        self.out = nn.Linear(inner, channels)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(B, T, C), (B, P, C), (B, P, C) -> (B, T, C)."""
        query, key, value = (
            layer(given).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer, given in ((self.query, query), (self.key, key), (self.value, value))
        )
        found = functional.scaled_dot_product_attention(query, key, value)
        return self.out(found.transpose(1, 2).flatten(2))
