"""What the pixel tracker is trained on: a clip unrolled with its own predictions fed back."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from shibori.ops.resize import resample_windows
from shibori.systems.pixel.network import Encoded, Memory, PixelNetwork, Prediction
from shibori.training.losses import dice_loss, hard_pixel_cross_entropy, mask_iou

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)

DICE_WEIGHT = 0.7
MATCHED_WEIGHT = 0.3
VERDICT_WEIGHT = 0.1


def normalise_images(images: Tensor) -> Tensor:
    """(..., 3, H, W) uint8 RGB -> float32 with the ImageNet mean and deviation."""
    mean = torch.tensor(IMAGE_MEAN, device=images.device).view(3, 1, 1)
    std = torch.tensor(IMAGE_STD, device=images.device).view(3, 1, 1)
    return (images.float() / 255 - mean) / std


class UnrolledLoss(NamedTuple):
    """Mean losses over the predicted frames of a batch, and how good the masks were."""

    total: Tensor
    pixels: Tensor
    matched: Tensor
    verdict: Tensor
    iou: Tensor


class UnrolledTracker(nn.Module):
    """Follows each clip of a batch from its first mask, as inference does, and says how wrong it went."""

    def __init__(self, network: PixelNetwork) -> None:
        super().__init__()
        self.network = network

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
        frames = _split(self.network.encode(flat), num_frames)
        truth, rest = masks.float(), others.float()
        memory = self.network.remember(frames[0], truth[:, :1], rest[:, :1])
        previous, previous_mask = memory, truth[:, :1]
        losses = []
        for t in range(1, num_frames):
            seen, seen_mask, seen_others = _as_seen_from(
                previous, previous_mask, rest[:, t - 1 : t], windows[:, t - 1], windows[:, t], self.network.stride
            )
            prediction = self.network(frames[t], memory, seen, seen_mask, seen_others)
            losses.append(_frame_loss(prediction.logits[:, 0], prediction, truth[:, t], hard_share))
            previous_mask = prediction.logits.detach().sigmoid()
            if t + 1 < num_frames:
                previous = self.network.remember(frames[t], previous_mask, rest[:, t : t + 1])
                memory = join_memories(memory, previous)
        return UnrolledLoss(*(torch.stack(parts).mean() for parts in zip(*losses, strict=True)))


def join_memories(first: Memory, second: Memory) -> Memory:
    """Both, one after the other along the positions."""
    return Memory(
        torch.cat([first.key, second.key], 2),
        torch.cat([first.value, second.value], 2),
        torch.cat([first.label, second.label], 1),
        torch.cat([first.traits, second.traits], 1),
    )


def _split(encoded: Encoded, num_frames: int) -> list[Encoded]:
    features = zip(*(maps.chunk(num_frames) for maps in encoded.features), strict=True)
    keys, traits = encoded.key.chunk(num_frames), encoded.traits.chunk(num_frames)
    return [Encoded(*parts) for parts in zip(features, keys, traits, strict=True)]


def _as_seen_from(
    previous: Memory, mask: Tensor, others: Tensor, window_from: Tensor, window_to: Tensor, stride: int
) -> tuple[Memory, Tensor, Tensor]:
    grid_hw = (mask.shape[2] // stride, mask.shape[3] // stride)
    both = resample_windows(torch.cat([mask, others], 1), window_from, window_to, (mask.shape[2], mask.shape[3]))
    key = resample_windows(previous.key.unflatten(2, grid_hw), window_from, window_to, grid_hw).flatten(2)
    label = functional.avg_pool2d(both[:, :1], stride).flatten(1)
    return previous._replace(key=key, label=label), both[:, :1], both[:, 1:]


def _frame_loss(logits: Tensor, prediction: Prediction, truth: Tensor, hard_share: float) -> tuple[Tensor, ...]:
    pixels = (hard_pixel_cross_entropy(logits, truth, hard_share) + DICE_WEIGHT * dice_loss(logits, truth)).mean()
    stride = truth.shape[1] // prediction.matched.shape[1]
    share = functional.avg_pool2d(truth[:, None], stride)[:, 0]
    matched = functional.binary_cross_entropy(prediction.matched.float().clamp(1e-3, 1 - 1e-3), share)
    iou = mask_iou(logits, truth)
    is_there = (truth.flatten(1).mean(1) > 1e-3).float()
    verdict = functional.binary_cross_entropy_with_logits(prediction.quality, iou)
    verdict = verdict + functional.binary_cross_entropy_with_logits(prediction.presence, is_there)
    return pixels + MATCHED_WEIGHT * matched + VERDICT_WEIGHT * verdict, pixels, matched, verdict, iou.mean()
