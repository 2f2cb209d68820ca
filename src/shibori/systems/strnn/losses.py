"""What strnn is trained on: the metric loss of Eq. 4, and how well the online adaption would do.

Axes: B clips, T frames, D features, h w the grid; A anchors, P and N pixels of the pools.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from shibori.ops.normalise import normalise_images
from shibori.ops.ridge import ridge_sums, solve_ridge
from shibori.systems.strnn.model import Extracted, StrnnNetwork
from shibori.systems.strnn.rule import AdaptionRule
from shibori.training.losses import dice_loss

SURE = 0.75
"""A position of the grid is the object's, or the background's, if that covers this share of it."""
ALPHA = 0.1
"""Of Eq. 4, for features of unit length, whose squared distances are between 0 and 4."""


class StrnnLoss(NamedTuple):
    """Mean losses over a batch, and the IoU that the adaption would reach."""

    total: Tensor
    metric: Tensor
    adaption: Tensor
    iou: Tensor


class ClipLoss(nn.Module):
    """How well the features of a few frames of each clip tell its object from everything else.

    Args:
        network: what is trained.
        rule: of the online adaption.
        num_pixels: drawn for each of the three sets of Eq. 4, and for each class of the adaption.
        adaption_weight: of the adaption's loss; 0 leaves Eq. 4 alone.
    """

    def __init__(
        self, network: StrnnNetwork, rule: AdaptionRule, num_pixels: int = 192, adaption_weight: float = 1.0
    ) -> None:
        super().__init__()
        self.network, self.rule = network, rule
        self.num_pixels, self.adaption_weight = num_pixels, adaption_weight

    def forward(self, images: Tensor, masks: Tensor, with_time: bool, seed: int) -> StrnnLoss:
        """Losses of a batch.

        Args:
            images: (B, T, 3, S, S) uint8.
            masks: (B, T, S, S) uint8, the object.
            with_time: whether the frames are linked (the second step of Sec. 2.4.1).
            seed: of the pixels that are drawn.
        """
        features = self._features(images, with_time)
        # Distances of unit vectors rounded to bfloat16 are noise.
        with torch.autocast(images.device.type, enabled=False):
            return self._losses(features, masks, seed)

    def _losses(self, features: Tensor, masks: Tensor, seed: int) -> StrnnLoss:
        shares = functional.avg_pool2d(masks.float(), self.network.stride)
        generator = torch.Generator().manual_seed(seed)
        metric, adaption, ious = [], [], []
        for clip, share in zip(features, shares, strict=True):
            metric.append(self._metric(clip, share, generator))
            loss, iou = self._adaption(clip, share, generator)
            adaption.append(loss)
            ious.append(iou)
        parts = [torch.stack(values).mean() for values in (metric, adaption, ious)]
        return StrnnLoss(parts[0] + self.adaption_weight * parts[1], *parts)

    def _features(self, images: Tensor, with_time: bool) -> Tensor:
        """(B, T, D, h, w) float32."""
        batch, num_frames = images.shape[:2]
        flat = normalise_images(images.flatten(0, 1)).contiguous(memory_format=torch.channels_last)
        extracted = self.network.extract(flat)
        if not with_time:
            return self.network.contextualise(extracted)[0].unflatten(0, (batch, num_frames))
        found, hidden = [], None
        for index in range(num_frames):
            frame = Extracted(
                extracted.features[index::num_frames],
                None if extracted.fine is None else extracted.fine[index::num_frames],
            )
            features, hidden = self.network.contextualise(frame, hidden)
            found.append(features)
        return torch.stack(found, dim=1)

    def _metric(self, clip: Tensor, share: Tensor, generator: torch.Generator) -> Tensor:
        """Eq. 4 of one clip (T, D, h, w): anchors from one frame, pools from the others."""
        anchor = int(torch.randint(len(clip), (1,), generator=generator))
        others = [index for index in range(len(clip)) if index != anchor]
        anchors = self._draw(clip[[anchor]], share[[anchor]] >= SURE, generator)
        positives = self._draw(clip[others], share[others] >= SURE, generator)
        negatives = self._draw(clip[others], share[others] <= 1 - SURE, generator)
        if min(map(len, (anchors, positives, negatives))) == 0:
            return clip.sum() * 0
        return metric_loss(anchors, positives, negatives)

    def _adaption(self, clip: Tensor, share: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Loss and IoU in the later frames of a classifier that was fitted on pixels of the first."""
        samples = [self._draw(clip[:1], sure, generator) for sure in (share[:1] >= SURE, share[:1] <= 1 - SURE)]
        if min(map(len, samples)) == 0:
            return clip.sum() * 0, clip.new_ones(())
        labels = torch.cat([clip.new_ones(len(samples[0])), -clip.new_ones(len(samples[1]))])
        later = clip[1:].movedim(1, -1).flatten(0, 2)  # ((T - 1) h w, D)
        logits = kernel_ridge_logits(torch.cat(samples), labels, later, self.rule)
        logits, truth = (maps.view(len(clip) - 1, *share.shape[1:]) for maps in (logits, share[1:].flatten()))
        loss = functional.binary_cross_entropy_with_logits(logits, truth) + dice_loss(logits, truth).mean()
        both = ((logits > 0) & (truth > 0.5)).sum()
        either = ((logits > 0) | (truth > 0.5)).sum()
        return loss, both / either.clamp_min(1)

    def _draw(self, clip: Tensor, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """(at most ``num_pixels``, D) random features of those that (T, h, w) ``chosen`` marks."""
        pixels = clip.movedim(1, -1)[chosen]
        order = torch.randperm(len(pixels), generator=generator)[: self.num_pixels]
        return pixels[order.to(pixels.device)]


def metric_loss(anchors: Tensor, positives: Tensor, negatives: Tensor, alpha: float = ALPHA) -> Tensor:
    """The mean over anchors of Eq. 4: squared distance to the nearest positive over that to the nearest negative.

    Args:
        anchors: (A, D).
        positives: (P, D).
        negatives: (N, D).
        alpha: added to the denominator.
    """
    near, far = (_squared_distances(anchors, pool).min(dim=1).values for pool in (positives, negatives))
    return (near / (far + alpha)).mean()


def kernel_ridge_logits(samples: Tensor, labels: Tensor, points: Tensor, rule: AdaptionRule) -> Tensor:
    """(Q,) log-odds at (Q, D) points of the classifier that Eq. 3 gives for (P, D) samples with labels 1 and -1.

    With a kernel in the rule it is solved in the samples' dual form, exactly, where the online adaption takes random
    features.
    """
    if rule.kernel is None:
        classifier = solve_ridge(ridge_sums(samples, labels[:, None]), rule.penalty)
        return rule.sharpness * (points @ classifier)[:, 0]
    scale = 2 * rule.kernel.feature_width**2
    gram = torch.exp(-_squared_distances(samples, samples) / scale)
    identity = torch.eye(len(gram), device=gram.device)
    dual = torch.cholesky_solve(labels[:, None], torch.linalg.cholesky(gram + rule.penalty * identity))
    return rule.sharpness * (torch.exp(-_squared_distances(points, samples) / scale) @ dual)[:, 0]


def _squared_distances(first: Tensor, second: Tensor) -> Tensor:
    """(A, D) and (P, D) -> (A, P). Not by ``cdist``, whose gradient at distance zero is not finite."""
    squares = first.square().sum(1)[:, None] + second.square().sum(1) - 2 * first @ second.T
    return squares.clamp_min(0)
