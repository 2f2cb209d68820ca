"""What every network of the pixel tracker can do, whatever its preset: the interface that training and inference use.

Axes: B objects (one window each), C channels, H W the window's pixels, h w its grid at the network's stride, N memory
positions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from shibori.ops.resize import resample_windows

MASK_CELLS = 16
"""Channels of a mask's 4x4 cells (``mask_cells``)."""
NOTHING = 0.02
"""Share of a position below which the object is not in it."""
SURROUNDED = 1.2
"""Areas of a window from which a wider one shows something around it."""


class Encoded(NamedTuple):
    """What the trunk knows about one batch of windows."""

    features: tuple[Tensor, ...]
    """(B, C, ...) maps for the network's own head, as its trunk left them."""
    key: Tensor
    """(B, D, h, w) vectors for matching; of unit length in ``compact``, of any length in ``paper``."""
    traits: Tensor
    """(B, R, h, w) unit vectors the ridge classifier is fitted on; R is 0 where there is none."""


class Memory(NamedTuple):
    """What is remembered of some frames, flattened over their positions."""

    key: Tensor
    """(B, D, N) as in ``Encoded``."""
    value: Tensor
    """(B, V, N) what a position looked like and which part of it was the object; V is 0 where values are not read."""
    label: Tensor
    """(B, N) share of the position that the object covered."""
    traits: Tensor
    """(B, N, R) float32."""


Reading = tuple[Tensor, ...]
"""What a network takes from a memory: (B, ...) each, of its own kind."""


class Comparison(NamedTuple):
    """One frame against a memory, position by position."""

    foreground_share: Tensor
    """(B, h, w) in [0, 1]: how much of what the position matches is the object."""
    similarity_margin: Tensor
    """(B, h, w) cosine with the object's most similar position, plus how much that is more than the cosine with the
    most similar other one: in [-3, 3], hardly ever above 1. It tells objects apart better than the share does,
    because what is like nothing in the memory has little of it."""


class Prediction(NamedTuple):
    """The answer for one batch of windows."""

    logits: Tensor
    """(B, 1, H, W) log-odds of the object."""
    quality: Tensor
    """(B,) logit of the expected IoU of the mask."""
    presence: Tensor
    """(B,) logit of the object being in the window at all."""
    matched: Tensor
    """(B, h, w) share of the object among what each position matched in the memory, in [0, 1]."""


class PixelNetwork(nn.Module, ABC):
    """A network of the pixel tracker: encodes windows, remembers frames, segments one object a window."""

    stride: int
    """Pixels of a window to one position of its grid."""

    @abstractmethod
    def encode(self, images: Tensor) -> Encoded:
        """(B, 3, H, W) normalised windows -> trunk features, embedding, traits. H and W are multiples of 16."""

    @abstractmethod
    def remember(self, encoded: Encoded, mask: Tensor, others: Tensor) -> Memory:
        """Store a frame whose masks are known.

        Args:
            encoded: of the B windows.
            mask: (B, 1, H, W) probability of the object.
            others: (B, 1, H, W) probability of all other marked objects together.
        """

    @abstractmethod
    def compare(self, encoded: Encoded, memory: Memory) -> Comparison:
        """What each position has in common with what is remembered."""

    @abstractmethod
    def read(self, encoded: Encoded, memory: Memory) -> Reading:
        """What the memory says of B windows, for ``segment``: tensors (B, ...) that do not depend on N.

        Args:
            encoded: of the current windows.
            memory: reference frame(s) and remembered frames, N positions; the first h*w need not be the reference.
        """

    @abstractmethod
    def segment(
        self, encoded: Encoded, reading: Reading, previous_key: Tensor, previous_mask: Tensor, previous_others: Tensor
    ) -> Prediction:
        """Segment the object in B windows, whose memories may have been read one by one.

        Args:
            encoded: of the current windows.
            reading: of their memories.
            previous_key: (B, D, h, w) key of the previous frame as the current windows see it; zero where the previous
                window did not reach.
            previous_mask: (B, 1, H, W) the previous mask as the current windows see it.
            previous_others: (B, 1, H, W) the same for all other objects together.
        """

    def forward(
        self, encoded: Encoded, memory: Memory, previous_key: Tensor, previous_mask: Tensor, previous_others: Tensor
    ) -> Prediction:
        """``read`` and ``segment`` for B memories of one size."""
        return self.segment(encoded, self.read(encoded, memory), previous_key, previous_mask, previous_others)


def join_memories(*memories: Memory) -> Memory:
    """All of them, at least one, one after the other along the positions."""
    keys, values, labels, traits = zip(*memories, strict=True)
    return Memory(torch.cat(keys, 2), torch.cat(values, 2), torch.cat(labels, 1), torch.cat(traits, 1))


def most_different(memories: Sequence[Memory], count: int) -> list[Memory]:
    """The ``count`` memories (B = 1) that show the object most differently, in order; the last is always among them.

    Of the two that are most alike the earlier one goes, until few enough are left.
    """
    kept, looks = list(memories), [_mean_key(memory) for memory in memories]
    while len(kept) > count:
        similarities = torch.stack(looks) @ torch.stack(looks).T
        alike = similarities.tril(-1) + torch.full_like(similarities, -2.0).triu()
        earlier = int(alike.argmax()) % len(kept)
        del kept[earlier], looks[earlier]
    return kept


def _mean_key(memory: Memory) -> Tensor:
    """(D,) unit vector: the mean of the object's keys."""
    return functional.normalize((memory.key[0].float() * memory.label[0].float()).sum(1), dim=0)


def join_readings(readings: Sequence[Reading]) -> Reading:
    """Those of several windows of one size, as one batch."""
    return tuple(torch.cat(parts) for parts in zip(*readings, strict=True))


def split_frames(encoded: Encoded, num_frames: int) -> list[Encoded]:
    """What was encoded as one batch, frame after frame."""
    features = zip(*(maps.chunk(num_frames) for maps in encoded.features), strict=True)
    keys, traits = encoded.key.chunk(num_frames), encoded.traits.chunk(num_frames)
    return [Encoded(*parts) for parts in zip(features, keys, traits, strict=True)]


def encoded_row(encoded: Encoded, slot: int) -> Encoded:
    """One window of a batch, as a batch of one."""
    rows = slice(slot, slot + 1)
    return Encoded(tuple(maps[rows] for maps in encoded.features), encoded.key[rows], encoded.traits[rows])


def as_seen_from(
    key: Tensor,
    mask: Tensor,
    others: Tensor,
    window_from: Tensor,
    window_to: Tensor,
    size_hw: tuple[int, int] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """The previous frame as the current windows see it: its key, the object's mask, that of all others.

    Args:
        key: (B, D, h, w) of the previous windows.
        mask: (B, 1, H, W) of the previous windows.
        others: (B, 1, H, W) the same for all other objects.
        window_from: (B, 4) xyxy of the previous windows in the frame.
        window_to: (B, 4) xyxy of the current ones.
        size_hw: of the current windows, in pixels; by default that of the previous ones.
    """
    before_hw = (mask.shape[2], mask.shape[3])
    height, width = size_hw or before_hw
    both = resample_windows(torch.cat([mask, others], 1), window_from, window_to, (height, width))
    stride = before_hw[0] // key.shape[2]
    seen_key = resample_windows(key, window_from, window_to, (height // stride, width // stride))
    return seen_key, both[:, :1], both[:, 1:]


def mask_cells(mask: Tensor, stride: int) -> Tensor:
    """(B, 1, H, W) -> (B, 16, H/stride, W/stride): the 4x4 cells of each position, as channels."""
    return functional.pixel_unshuffle(functional.avg_pool2d(mask.float(), stride // 4), 4)


def pooled_features(hidden: Tensor, logits: Tensor) -> Tensor:
    """Mean of features over a predicted object, and over the whole window.

    Args:
        hidden: (B, C, h, w).
        logits: (B, 1, H, W) of the object; H a multiple of h.

    Returns:
        (B, 2 * C).
    """
    weights = functional.avg_pool2d(logits.detach().sigmoid(), logits.shape[2] // hidden.shape[2])
    inside = (hidden * weights.to(hidden.dtype)).sum((2, 3)) / (weights.sum((2, 3)) + 1.0).to(hidden.dtype)
    return torch.cat([inside, hidden.mean((2, 3))], 1)


def positions_of(memory: Memory, places: Tensor) -> Memory:
    """The positions of a memory (B = 1) with the indices (P,) int64."""
    return Memory(
        memory.key.index_select(2, places),
        memory.value.index_select(2, places),
        memory.label.index_select(1, places),
        memory.traits.index_select(1, places),
    )


def background_of(memory: Memory) -> Memory:
    """The positions of a memory (B = 1) that the object does not touch."""
    return positions_of(memory, (memory.label[0] < NOTHING).nonzero()[:, 0])


def with_surroundings(
    memory: Memory, window: NDArray[np.float64], wide: NDArray[np.float64], look: Callable[[], Memory]
) -> Memory:
    """A reference, and as background what stands around it, so that this is known not to be the object.

    Args:
        memory: of the reference (B = 1), in its window.
        window: (4,) xyxy of that.
        wide: (4,) xyxy of a wider one around it.
        look: gives what is remembered of the wider one; called only if that shows enough more.
    """
    if np.prod(wide[2:] - wide[:2]) < SURROUNDED * np.prod(window[2:] - window[:2]):
        return memory
    return join_memories(memory, background_of(look()))
