"""What DyeNet is trained on: L = L_reid + lambda (L_mask + L_remp), and the proposals' own loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import box_iou

from shibori.nn.backbones import PyramidFeatures
from shibori.ops.matching import EXCLUDED_SIMILARITY
from shibori.ops.normalise import normalise_images
from shibori.ops.roi import roi_align
from shibori.ops.warp import warp_between_windows
from shibori.systems.dyenet.batch import Clips, Scenes
from shibori.systems.dyenet.model import DyeNet, Seen
from shibori.systems.dyenet.network import REGION_STRIDE, Carried, Region, Step, switches_of
from shibori.systems.dyenet.variant import VARIANTS, Variant
from shibori.tracking.network import Encoded, Memory, PixelNetwork, as_seen_from, join_memories, split_frames
from shibori.training.losses import dice_loss, hard_pixel_cross_entropy, mask_iou

LAMBDA = 1.0
"""Weight of the two pixel losses; the paper names it and does not say how much it is."""
TEMPERATURE = 0.1
"""Of Online Instance Matching."""
MOMENTUM = 0.5
"""Share of an identity's old vector that is kept when it is seen again."""
QUALITY_WEIGHT, DICE_WEIGHT = 0.1, 0.7
JITTER = 0.12
"""Boxes of the training objects are off by about this share of their sides."""
MAX_REGIONS = 64
"""Most objects of the scenes that count in one step."""

EMPTY_IOU, MAX_EMPTY = 0.2, 8
"""Proposals that overlap no object by more show nothing known; most of them in a picture that are told apart."""
OUTSIDE = -1
"""Identity of what is outside the pool."""

MIX = ("combined", "advanced", "remp", "remp-no-attention", "combined", "advanced", "remp", "msk")
"""Variants of the clips of a batch, in turn, so that the same weights serve every row of Table 1."""


class JointLoss(NamedTuple):
    """The parts of one step's loss, and the mean IoU of the propagated masks."""

    total: Tensor
    reid: Tensor
    mask: Tensor
    remp: Tensor
    proposals: Tensor
    quality: Tensor
    iou: Tensor


def instance_matching_loss(embeddings: Tensor, identities: Tensor, table: Tensor, queue: Tensor) -> Tensor:
    """Online Instance Matching: cross entropy of each known identity against all stored ones (Xiao et al. 2017).

    What is still empty takes no part, and an identity counts from the second time it is seen: against a row of zeros
    there is nothing to match, and with a small temperature it would be the largest part of the loss (ours).

    Args:
        embeddings: (K, E) unit vectors.
        identities: (K,) int64; negative ones are not counted.
        table: (L, E) the last known vector of each identity; zeros where it was never seen.
        queue: (Q, E) vectors of objects without identity; zeros where still empty.

    Returns:
        Scalar, zero if no identity is known.
    """
    stored = torch.cat([table, queue])
    is_filled = stored.any(1)
    counted = (identities >= 0) & is_filled[identities.clamp_min(0)]
    if not counted.any():
        return embeddings.sum() * 0.0
    scores = (embeddings[counted] @ stored.T / TEMPERATURE).masked_fill(~is_filled, EXCLUDED_SIMILARITY)
    return functional.cross_entropy(scores, identities[counted])


class IdentityTable(nn.Module):
    """The lookup table and the circular queue of Online Instance Matching."""

    table: Tensor
    queue: Tensor
    next_slot: Tensor

    def __init__(self, num_identities: int, queue_length: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("table", torch.zeros(num_identities, channels))
        self.register_buffer("queue", torch.zeros(queue_length, channels))
        self.register_buffer("next_slot", torch.zeros((), dtype=torch.int64))

    def forward(self, embeddings: Tensor, identities: Tensor) -> Tensor:
        """The loss against what is stored; then store these, if in training."""
        # Copies, because the tensors change before the backward pass needs them.
        loss = instance_matching_loss(embeddings, identities, self.table.clone(), self.queue.clone())
        if self.training:
            self._store(embeddings.detach().float(), identities)
        return loss

    @torch.no_grad()
    def _store(self, embeddings: Tensor, identities: Tensor) -> None:
        for vector, identity in zip(embeddings, identities.tolist(), strict=True):
            if identity >= 0:
                mixed = MOMENTUM * self.table[identity] + (1 - MOMENTUM) * vector
                self.table[identity] = functional.normalize(mixed, dim=0)
            elif len(self.queue):
                self.queue[int(self.next_slot)] = vector
                self.next_slot.copy_((self.next_slot + 1) % len(self.queue))


class JointTraining(nn.Module):
    """The network with its losses, as one module for data parallel training."""

    def __init__(self, network: DyeNet, num_identities: int, queue_length: int = 1000) -> None:
        super().__init__()
        self.network = network
        self.identities = IdentityTable(num_identities, queue_length, network.reid.out_channels)

    def forward(self, clips: Clips | None, scenes: Scenes, hard_share: float) -> JointLoss:
        """Losses of one batch of clips, if there is one, and one of scenes."""
        nothing = torch.zeros((), device=scenes.images.device)
        remp, quality, iou = (nothing,) * 3 if clips is None else self._follow(clips, hard_share)
        reid, mask, proposals = self._identify(scenes)
        total = reid + LAMBDA * (mask + remp) + proposals + QUALITY_WEIGHT * quality
        return JointLoss(total, reid, mask, remp, proposals, quality, iou)

    def _identify(self, scenes: Scenes) -> tuple[Tensor, Tensor, Tensor]:
        network, size_hw = self.network, (scenes.images.shape[2], scenes.images.shape[3])
        seen = see(network, scenes.images)
        features = seen.features.s8
        boxes = [scenes.boxes[scenes.picture == n] for n in range(len(scenes.images))]
        proposals = network.proposals.loss(features.float(), size_hw, boxes)
        chosen = torch.randperm(len(scenes.boxes))[:MAX_REGIONS].to(scenes.boxes.device)
        shaken = _shaken(scenes.boxes[chosen], size_hw)
        side = network.size.region_side
        true = scenes.masks[chosen].float()[:, None]
        target = roi_align(true, shaken, torch.arange(len(chosen), device=true.device), side, 1)[:, 0]
        empty, where = self._empty_boxes(features, size_hw, boxes)
        index = torch.cat([scenes.picture[chosen], where])
        # In one batch, so that the statistics of normalisation are those inference meets.
        regions = roi_align(seen.appearance.float(), torch.cat([shaken, empty]), index, side, REGION_STRIDE)
        logits = network.segment(regions)
        of_objects = logits[: len(chosen)]
        pixels = functional.binary_cross_entropy_with_logits(of_objects, target) + dice_loss(of_objects, target).mean()
        # Templates have given masks, candidates predicted ones: the vectors must agree.
        given = torch.rand(len(chosen), 1, 1, device=true.device) < 0.5
        probs = logits.detach().sigmoid()
        masks = torch.cat([torch.where(given, target, probs[: len(chosen)]), probs[len(chosen) :]])
        embeddings = network.reid(regions, masks)
        # One view after the other, so that the second meets what the first has just stored.
        identities, is_second = scenes.identities[chosen], scenes.picture[chosen] % 2 == 1
        known = embeddings[: len(chosen)]
        views = [self.identities(known[part], identities[part]) for part in (~is_second, is_second)]
        self.identities(embeddings[len(chosen) :].detach(), torch.full_like(where, OUTSIDE))
        return torch.stack(views).mean(), pixels, proposals

    @torch.no_grad()
    def _empty_boxes(
        self, features: Tensor, size_hw: tuple[int, int], boxes: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Proposals that show no known object, most of what inference compares: (N, 4) and the (N,) pictures' numbers.

        Their vectors go into the queue, so that objects are told apart from them too.
        """
        proposed = [found for found, _ in self.network.proposals.propose(features.float(), size_hw)]
        empty = []
        for found, objects in zip(proposed, boxes, strict=True):
            overlaps = box_iou(found, objects).amax(1) if len(objects) else found.new_zeros(len(found))
            empty.append(found[overlaps < EMPTY_IOU][:MAX_EMPTY])
        where = [torch.full((len(part),), n, dtype=torch.int64, device=features.device) for n, part in enumerate(empty)]
        return torch.cat(empty), torch.cat(where)

    def _follow(self, clips: Clips, hard_share: float) -> tuple[Tensor, Tensor, Tensor]:
        """L_remp of a batch in which the rows of Table 1 take turns."""
        names = [
            MIX[b % len(MIX)] if self.network.matcher is not None else "advanced" for b in range(len(clips.images))
        ]
        return propagation_loss(self.network, clips, [VARIANTS[name] for name in names], hard_share)


def propagation_loss(
    network: DyeNet, clips: Clips, variants: Sequence[Variant], hard_share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """L_remp: each clip unrolled from its first mask, its own masks and hidden states fed back.

    Args:
        network: whose propagation is trained.
        clips: B of them.
        variants: which parts take part, for each clip.
        hard_share: share of pixels that the cross entropy counts.

    Returns:
        The pixels' loss, the loss of the expected IoU and presence, and the mean IoU.
    """
    views = ClipViews(network, clips, variants)
    switches = switches_of(variants, clips.images.device)
    truth, rest = clips.masks.float(), clips.others.float()
    mask = truth[:, :1]
    hidden = network.propagation.begin(views.features(0), mask, rest[:, :1])
    views.remember(0, mask, rest[:, :1])
    losses = []
    for t in range(1, clips.images.shape[1]):
        carried = Carried(*views.warped(t, hidden, mask, rest[:, t - 1 : t]))
        region = Region(views.features(t), views.flow(t), views.matched(t, mask, rest[:, t - 1 : t]))
        step = network.propagation(region, carried, switches)
        losses.append(_frame_loss(step, truth[:, t], hard_share))
        mask, hidden = step.logits.detach().sigmoid(), step.hidden
        views.remember(t, mask, rest[:, t : t + 1])
    remp, quality, iou = (torch.stack(parts).mean() for parts in zip(*losses, strict=True))
    return remp, quality, iou


def see(network: DyeNet, images: Tensor) -> Seen:
    """(N, 3, S, S) uint8 -> what N_feat says of them; without gradient where the features are frozen."""
    with torch.set_grad_enabled(network.matcher is None and torch.is_grad_enabled()):
        normal = normalise_images(images).contiguous(memory_format=torch.channels_last)
        return network.see(normal)


class ClipViews:
    """What a batch of clips looks like to the propagation: patches for some of it, far-away RoIs for the rest.

    Where a variant takes no patches, the pictures are made smaller and their features larger again: as a RoI of the
    whole frame looks.
    """

    def __init__(self, network: DyeNet, clips: Clips, variants: Sequence[Variant]) -> None:
        assert clips.flows is not None
        self.network, self.clips, self.flows, self.variants = network, clips, clips.flows, variants
        self.num_frames = clips.images.shape[1]
        self.side = clips.images.shape[-1]
        self.grid_hw = (self.side // REGION_STRIDE, self.side // REGION_STRIDE)
        self.near = torch.tensor([v.patches for v in variants], device=clips.images.device).nonzero()[:, 0]
        self.far = torch.tensor([not v.patches for v in variants], device=clips.images.device).nonzero()[:, 0]
        self.order = torch.cat([self.near, self.far]).argsort()
        self.frames: list[Encoded] = []
        self.maps = self._features()
        self.memory: Memory | None = None

    def _features(self) -> list[PyramidFeatures]:
        parts = [self._near()] if len(self.near) else []
        if len(self.far):
            parts.append(self._far())
        joined = []
        for frames in zip(*parts, strict=True):
            maps = (torch.cat(levels)[self.order] for levels in zip(*frames, strict=True))
            joined.append(PyramidFeatures(*maps))
        return joined

    def _near(self) -> list[PyramidFeatures]:
        images = self.clips.images[self.near].transpose(0, 1).flatten(0, 1)
        matcher = self.network.matcher
        if matcher is None:
            maps = see(self.network, images).features
            return [PyramidFeatures(*part) for part in zip(*(m.chunk(self.num_frames) for m in maps), strict=True)]
        with torch.no_grad():
            normal = normalise_images(images).contiguous(memory_format=torch.channels_last)
            self.frames = split_frames(matcher.encode(normal), self.num_frames)
        return [PyramidFeatures(*frame.features) for frame in self.frames]

    def _far(self) -> list[PyramidFeatures]:
        images = self.clips.images[self.far].transpose(0, 1).flatten(0, 1)
        zoom = float(torch.empty(()).uniform_(0.45, 0.9))
        side = max(round(self.side * zoom / 16), 2) * 16
        small = functional.interpolate(images.float(), (side, side), mode="bilinear", antialias=True)
        maps = see(self.network, small).features
        sizes = [self.grid_hw[0] * factor for factor in (4, 2, 1)]
        large = [
            functional.interpolate(m, (s, s), mode="bilinear").chunk(self.num_frames)
            for m, s in zip(maps, sizes, strict=True)
        ]
        return [PyramidFeatures(*part) for part in zip(*large, strict=True)]

    def features(self, t: int) -> PyramidFeatures:
        """x_t of all clips."""
        return self.maps[t]

    def flow(self, t: int) -> Tensor:
        """(B, 2, h, w) in shares of the window."""
        return functional.adaptive_avg_pool2d(self.flows[:, t].float(), self.grid_hw) / self.side

    def warped(self, t: int, hidden: Tensor, mask: Tensor, others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The previous frame's state and masks as the window of frame t sees them, along the flow."""
        before, now = self.clips.windows[:, t - 1], self.clips.windows[:, t]
        scale = self.side / (now[:, 2:] - now[:, :2]).repeat(1, 2)
        window_from = (before - now[:, :2].repeat(1, 2)) * scale
        window_to = torch.zeros_like(before)
        window_to[:, 2:] = self.side
        flow, frame_hw = self.flows[:, t].float(), (self.side, self.side)
        both = torch.cat([mask, others], 1)
        masks = warp_between_windows(both, flow, window_from, window_to, frame_hw, frame_hw)
        state = warp_between_windows(hidden, flow, window_from, window_to, self.grid_hw, frame_hw)
        return state, masks[:, :1], masks[:, 1:]

    @torch.no_grad()
    def remember(self, t: int, mask: Tensor, others: Tensor) -> None:
        """Tell the pixel tracker of the patches what frame t held."""
        if not self.frames or t + 1 == self.num_frames:
            return
        matcher = self.network.matcher
        assert isinstance(matcher, PixelNetwork)
        memory = matcher.remember(self.frames[t], mask[self.near], others[self.near])
        self.memory = memory if self.memory is None else join_memories(self.memory, memory)

    @torch.no_grad()
    def matched(self, t: int, mask: Tensor, others: Tensor) -> Tensor:
        """(B, 1, S, S) log-odds of the pixel tracker in frame t; zeros for RoIs."""
        answer = torch.zeros(len(self.variants), 1, self.side, self.side, device=mask.device)
        if not self.frames:
            return answer
        matcher, windows = self.network.matcher, self.clips.windows[self.near]
        assert isinstance(matcher, PixelNetwork)
        assert self.memory is not None
        key = self.frames[t - 1].key
        seen = as_seen_from(key, mask[self.near], others[self.near], windows[:, t - 1], windows[:, t])
        answer[self.near] = matcher(self.frames[t], self.memory, *seen).logits.float()
        return answer


def _frame_loss(step: Step, truth: Tensor, hard_share: float) -> tuple[Tensor, Tensor, Tensor]:
    logits = step.logits[:, 0]
    pixels = (hard_pixel_cross_entropy(logits, truth, hard_share) + DICE_WEIGHT * dice_loss(logits, truth)).mean()
    iou = mask_iou(logits, truth)
    is_there = (truth.flatten(1).mean(1) > 1e-3).float()
    quality = functional.binary_cross_entropy_with_logits(step.quality, iou)
    quality = quality + functional.binary_cross_entropy_with_logits(step.presence, is_there)
    return pixels, quality, iou.mean()


def _shaken(boxes: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """(K, 4) boxes, moved and stretched a little, within the picture, at least two pixels wide and high."""
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    moved = boxes + torch.randn_like(boxes) * JITTER * 0.5 * sides
    limit = torch.tensor([size_hw[1], size_hw[0]], device=boxes.device)
    start = torch.minimum(moved[:, :2].clamp_min(0), limit - 2)
    end = torch.minimum(moved[:, 2:], limit)
    return torch.cat([start, torch.maximum(end, start + 2)], 1)
