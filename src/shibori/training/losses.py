"""Losses on masks that more than one system trains with."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def hard_pixel_cross_entropy(logits: Tensor, masks: Tensor, share: float) -> Tensor:
    """Cross entropy averaged over the ``share`` of each image's pixels where it is highest (FEELVOS, Sec. 4).

    Args:
        logits: (B, H, W) log-odds.
        masks: (B, H, W) float in {0, 1}.
        share: of pixels counted, in (0, 1].

    Returns:
        (B,) float32.
    """
    losses = functional.binary_cross_entropy_with_logits(logits.float(), masks, reduction="none").flatten(1)
    if share >= 1:
        return losses.mean(1)
    count = max(int(losses.shape[1] * share), 1)
    return losses.topk(count, dim=1, sorted=False).values.mean(1)


def dice_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """One minus the soft Dice overlap.

    Args:
        logits: (B, H, W) log-odds.
        masks: (B, H, W) float in {0, 1}.

    Returns:
        (B,) float32 in [0, 1]; an empty mask asks for an empty prediction.
    """
    probs = logits.float().sigmoid().flatten(1)
    masks = masks.flatten(1)
    smooth = 1e-3 * masks.shape[1]
    return 1 - (2 * (probs * masks).sum(1) + smooth) / (probs.sum(1) + masks.sum(1) + smooth)


@torch.no_grad()
def mask_iou(logits: Tensor, masks: Tensor) -> Tensor:
    """(B, H, W) logits and float masks -> (B,) IoU of the thresholded prediction; one where both are empty."""
    predicted = (logits > 0).flatten(1)
    true = (masks > 0.5).flatten(1)
    union = (predicted | true).sum(1)
    return torch.where(union > 0, (predicted & true).sum(1) / union.clamp_min(1), 1.0)
