"""The pixel tracker asked about marks (ours): what in a region looks like what is marked, here and in marked frames.

What is marked is taken for a memory of which little is known: at the marked positions what is there, and at the rim of
the region that there is background. The answer is put into that memory, and it is asked again.

Axes: one region, H W its pixels, h w its stride-8 grid, N positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from shibori.tracking.network import Encoded, Memory, PixelNetwork, join_memories, positions_of

Mask = NDArray[np.bool_]

MARK_WIDTH = 9
"""Diameter in pixels of the region of what a mark says of its surroundings."""
EMPHASIS = 8
"""What is marked is remembered as if it had been seen this often: it stands against a mask that may be wrong."""
SURE = 0.1
"""A position whose share of the object is this near to 0 or 1 is remembered."""


@dataclass(frozen=True)
class Hints:
    """Marks in a region, as wide as they can be trusted."""

    positive: Tensor
    """(1, 1, H, W) 0 or 1."""
    negative: Tensor
    """(1, 1, H, W) 0 or 1, zero where ``positive`` is not."""
    rim: tuple[bool, bool, bool, bool] = (True, True, True, True)
    """Left, top, right, bottom: whether the rim of the region is beside the object."""

    @classmethod
    def of(
        cls,
        positive: Mask,
        negative: Mask,
        device: torch.device,
        rim: tuple[bool, bool, bool, bool] = (True, True, True, True),
    ) -> Hints:
        """From lines one pixel wide, (H, W)."""
        disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (MARK_WIDTH, MARK_WIDTH))
        wide = [cv2.dilate(mask.astype(np.uint8), disk) > 0 for mask in (positive, negative)]
        wide[1] &= ~wide[0]
        positive_map, negative_map = (torch.from_numpy(mask).float()[None, None].to(device) for mask in wide)
        return cls(positive_map, negative_map, rim)

    def applied(self, mask: Tensor) -> Tensor:
        """(1, 1, H, W) probability with what is marked set to what it is."""
        return torch.maximum(mask, self.positive) * (1 - self.negative)


def match_marks(
    matcher: PixelNetwork,
    encoded: Encoded,
    hints: Hints,
    before: Tensor | None = None,
    references: Sequence[Memory] = (),
    rounds: int = 2,
) -> Tensor:
    """What the pixel tracker makes of marks.

    Args:
        matcher: the pixel tracker.
        encoded: of one region.
        hints: the marks in it.
        before: (1, 1, H, W) probability of the object in the previous round; None where nothing was said yet.
        references: the object in marked frames.
        rounds: how often it is asked.

    Returns:
        (1, 1, H, W) float32 log-odds.
    """
    none = torch.zeros_like(hints.positive)
    known = _known(hints, encoded, matcher.stride, with_rim=before is None)
    is_marked = _known(hints, encoded, matcher.stride, with_rim=False) >= 0
    mask, is_first = hints.applied(none if before is None else before), before is None
    for _ in range(rounds):
        whole = matcher.remember(encoded, mask, none)
        share = functional.avg_pool2d(mask, matcher.stride).flatten()
        chosen = known >= 0 if is_first else (known >= 0) | ((share - 0.5).abs() >= 0.5 - SURE)
        label = torch.where(known >= 0, known, share)[None]
        memory = positions_of(whole._replace(label=label), chosen.nonzero()[:, 0])
        said = positions_of(whole._replace(label=label), is_marked.nonzero()[:, 0])
        for further in [*[said] * (EMPHASIS - 1), *references]:
            memory = join_memories(memory, further)
        key = encoded.key * chosen.view(encoded.key.shape[2:]).to(encoded.key) if is_first else encoded.key
        logits: Tensor = matcher(encoded, memory, key, mask, none).logits.float()
        mask, is_first = hints.applied(logits.sigmoid()), False
    return logits


def _known(hints: Hints, encoded: Encoded, stride: int, with_rim: bool) -> Tensor:
    """(h w,) 1 where the object is marked, 0 where anything else is, -1 elsewhere; nor is it at the rim."""
    known = torch.full(encoded.key.shape[2:], -1.0, device=encoded.key.device)
    sides = (known[:, 0], known[0], known[:, -1], known[-1])
    for side, goes_on in zip(sides, hints.rim, strict=True):
        if with_rim and goes_on:
            side.fill_(0)
    for label, marked in ((0.0, hints.negative), (1.0, hints.positive)):
        known[functional.max_pool2d(marked, stride)[0, 0] > 0] = label
    return known.flatten()
