"""What the pixel tracker is trained on: a clip unrolled with its own predictions fed back."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from shibori.ops.normalise import normalise_images
from shibori.tracking.network import PixelNetwork, Prediction, as_seen_from, join_memories, split_frames
from shibori.training.losses import dice_loss, hard_pixel_cross_entropy, mask_iou

DICE_WEIGHT = 0.7
MATCHED_WEIGHT = 0.3
QUALITY_WEIGHT = 0.1


class UnrolledLoss(NamedTuple):
    """Mean losses over the predicted frames of a batch, and how good the masks were."""

    total: Tensor
    pixels: Tensor
    matched: Tensor
    quality: Tensor
    iou: Tensor


class UnrolledTracker(nn.Module):
    """Follows each clip of a batch from its first mask, as inference does, and says how wrong it went.

    Args:
        network: that learns.
        remembered_share: of the frames after the first that are matched globally by later ones; inference keeps few.
        lost_share: of the predicted frames in which the object is looked for without its previous mask.
    """

    def __init__(self, network: PixelNetwork, remembered_share: float = 1.0, lost_share: float = 0.0) -> None:
        super().__init__()
        self.network, self.remembered_share, self.lost_share = network, remembered_share, lost_share

    def forward(
        self, images: Tensor, masks: Tensor, others: Tensor, windows: Tensor, hard_share: float
    ) -> UnrolledLoss:
        """Unroll.

        Args:
            images: (B, T, 3, S, S) uint8.
            masks: (B, T, S, S) uint8, the object.
            others: (B, T, S, S) uint8, other objects the tracker is told about.
            windows: (B, T, 4) float32 xyxy.
            hard_share: share of pixels that the cross entropy counts.
        """
        num_frames = images.shape[1]
        flat = normalise_images(images.transpose(0, 1).flatten(0, 1)).contiguous(memory_format=torch.channels_last)
        frames = split_frames(self.network.encode(flat), num_frames)
        truth, rest = masks.float(), others.float()
        memory = self.network.remember(frames[0], truth[:, :1], rest[:, :1])
        previous_mask = truth[:, :1]
        losses = []
        for t in range(1, num_frames):
            before = as_seen_from(
                frames[t - 1].key, previous_mask, rest[:, t - 1 : t], windows[:, t - 1], windows[:, t]
            )
            prediction = self.network(frames[t], memory, *self._withheld(*before))
            losses.append(_frame_loss(prediction.logits[:, 0], prediction, truth[:, t], hard_share))
            previous_mask = prediction.logits.detach().sigmoid()
            if t + 1 < num_frames and torch.rand(()) < self.remembered_share:
                memory = join_memories(memory, self.network.remember(frames[t], previous_mask, rest[:, t : t + 1]))
        return UnrolledLoss(*(torch.stack(parts).mean() for parts in zip(*losses, strict=True)))

    def _withheld(self, key: Tensor, mask: Tensor, others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The previous frame as the windows see it, for some without the mask: the memory alone must find the object.

        Half of these do not see the previous frame at all, as a window does that lies elsewhere.
        """
        if self.lost_share == 0:
            return key, mask, others
        drawn = torch.rand(len(key), 1, 1, 1, device=key.device)
        return key * (drawn >= self.lost_share / 2), mask * (drawn >= self.lost_share), others


def _frame_loss(logits: Tensor, prediction: Prediction, truth: Tensor, hard_share: float) -> tuple[Tensor, ...]:
    pixels = (hard_pixel_cross_entropy(logits, truth, hard_share) + DICE_WEIGHT * dice_loss(logits, truth)).mean()
    stride = truth.shape[1] // prediction.matched.shape[1]
    share = functional.avg_pool2d(truth[:, None], stride)[:, 0]
    matched = functional.binary_cross_entropy(prediction.matched.float().clamp(1e-3, 1 - 1e-3), share)
    iou = mask_iou(logits, truth)
    is_there = (truth.flatten(1).mean(1) > 1e-3).float()
    quality = functional.binary_cross_entropy_with_logits(prediction.quality, iou)
    quality = quality + functional.binary_cross_entropy_with_logits(prediction.presence, is_there)
    return pixels + MATCHED_WEIGHT * matched + QUALITY_WEIGHT * quality, pixels, matched, quality, iou.mean()
