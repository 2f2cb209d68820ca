"""What trackprop is trained on: the rounds a clip goes through, with the networks' own masks fed back.

Axes: B clips, T frames, S side of a region. The last frame shows the first one again, more widely.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from shibori.ops.mask_noise import affine_copy, with_ellipses
from shibori.ops.normalise import normalise_images
from shibori.ops.resize import resample_windows
from shibori.systems.trackprop.drawing import draw_correction, draw_object
from shibori.systems.trackprop.guidance import guidance_map
from shibori.systems.trackprop.model import RegionNetwork, Seen
from shibori.systems.trackprop.recall import Hints, match_marks
from shibori.tracking.network import Encoded, Memory, as_seen_from, encoded_row, join_memories, split_frames
from shibori.training.losses import dice_loss, hard_pixel_cross_entropy, mask_iou

DICE_WEIGHT = 0.7
UNMATCHED_SHARE = 0.35
"""Of the clips in which the pixel tracker takes no part: what the paper has."""
VIRTUAL_SHARE = 0.3
"""Of the previous masks that are affine copies of the present one (Sec. 4)."""
NOISY_SHARE, OWN_SHARE = 0.4, 0.3
"""Of the first masks: noise added; the networks' own. The others are true."""
FRESH_SHARE = 0.5
"""Of the corrections of a mask that is not the networks' own but a true one with noise."""
REMEMBERED_SHARE = 0.6
"""Of the corrections in which the earlier marks of the frame are seen too."""


class RoundsLoss(NamedTuple):
    """Mean losses over a batch, and the IoU of the masks of each of the three networks."""

    total: Tensor
    first: Tensor
    later: Tensor
    propagated: Tensor
    iou_first: Tensor
    iou_before: Tensor
    """Of the masks that are corrected."""
    iou_later: Tensor
    iou_propagated: Tensor


class Batch(NamedTuple):
    """B clips of one object each."""

    images: Tensor
    """(B, T, 3, S, S) uint8."""
    masks: Tensor
    """(B, T, S, S) uint8."""
    others: Tensor
    """(B, T, S, S) uint8."""
    windows: Tensor
    """(B, T, 4) float32 xyxy."""

    def on(self, device: torch.device) -> Batch:
        """The same on another device."""
        return Batch(*(part.to(device, non_blocking=True) for part in self))


class RoundsTraining(nn.Module):
    """First marks, a correction, propagation from frame to frame, a correction of what was propagated."""

    def __init__(self, network: RegionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch, hard_share: float, seed: int) -> RoundsLoss:
        """Losses of a batch.

        Args:
            batch: clips of at least three frames, the last of which is the wide view of the first.
            hard_share: share of pixels that the cross entropy counts.
            seed: of what is drawn and of all noise.
        """
        course = _Course(self.network, batch, np.random.default_rng(seed))
        wide = batch.images.shape[1] - 1
        labels = _drawn(batch, wide, course.rng)
        guidance, matched = course.guidance(wide, labels, None)
        first = self.network.segment(course.seen[wide], guidance, matched)
        corrected, before = course.correction(wide, first, labels)
        propagated = course.propagation(corrected)
        again, before_again = course.correction(wide - 1, propagated[-1], np.zeros_like(labels))
        answers = [(wide, first), (wide, corrected), (wide - 1, again), *enumerate(propagated, 1)]
        losses = [course.loss(index, logits, hard_share) for index, logits in answers]
        ious = [course.iou(wide, first), (course.iou(wide, before) + course.iou(wide - 1, before_again)) / 2]
        ious.append((course.iou(wide, corrected) + course.iou(wide - 1, again)) / 2)
        ious.append(torch.stack([course.iou(t, logits) for t, logits in enumerate(propagated, 1)]).mean())
        later, along = (losses[1] + losses[2]) / 2, torch.stack(losses[3:]).mean()
        return RoundsLoss(losses[0] + later + along, losses[0], later, along, *ious)


def _drawn(batch: Batch, index: int, rng: Generator) -> NDArray[np.int8]:
    """(B, S, S) first marks."""
    masks, others = (part[:, index].bool().cpu().numpy() for part in (batch.masks, batch.others))
    return np.stack([draw_object(rng, mask, other) for mask, other in zip(masks, others, strict=True)])


class _Course:
    """One batch on its way through the rounds."""

    def __init__(self, network: RegionNetwork, batch: Batch, rng: Generator) -> None:
        self.network, self.batch, self.rng = network, batch, rng
        self.truth, self.others = batch.masks.float(), batch.others.float()
        self.seen = _seen(network, batch.images)

    def guidance(self, index: int, labels: NDArray[np.int8], before: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """(B, S, S) marks -> (B, 1, S, S) map, and what the pixel tracker makes of them."""
        maps = np.stack([guidance_map(entry > 0, entry < 0) for entry in labels])
        guidance = torch.from_numpy(maps)[:, None].to(self.truth.device)
        matcher, encoded = self.network.matcher, self.seen[index].encoded
        if matcher is None or encoded is None:
            return guidance, None
        matched = []
        with torch.no_grad():
            for slot, entry in enumerate(labels):
                hints = Hints.of(entry > 0, entry < 0, guidance.device, _free_sides(self.batch.masks[slot, index]))
                one = None if before is None else before[slot : slot + 1]
                matched.append(match_marks(matcher, encoded_row(encoded, slot), hints, one))
        return guidance, torch.cat(matched)

    def correction(self, index: int, logits: Tensor, labels: NDArray[np.int8]) -> tuple[Tensor, Tensor]:
        """Log-odds after a correction of what was said, or of a true mask with noise, and those before it."""
        before = (logits.detach().float()[:, 0] > 0).cpu().numpy()
        truth = self.batch.masks[:, index].bool().cpu().numpy()
        soft = logits.detach().float().sigmoid()
        marks = np.zeros_like(labels)
        for slot, true in enumerate(truth):
            if self.rng.random() < FRESH_SHARE and true.any():
                before[slot] = with_ellipses(self.rng, affine_copy(self.rng, true) if self.rng.random() < 0.4 else true)
                soft[slot, 0] = torch.from_numpy(before[slot]).to(soft)
            marks[slot] = draw_correction(self.rng, before[slot], true)
            if self.rng.random() < REMEMBERED_SHARE:
                marks[slot] = np.where(marks[slot], marks[slot], labels[slot])
        guidance, matched = self.guidance(index, marks, soft)
        corrected = self.network.correct(self.seen[index], guidance, soft, matched)
        return corrected, (torch.from_numpy(before).to(soft) - 0.5)[:, None]

    def propagation(self, wide_logits: Tensor) -> list[Tensor]:
        """Log-odds of the frames after the first, each from the one before."""
        mask = self._starting_masks(wide_logits.detach().float().sigmoid())
        matching = torch.from_numpy(self.rng.random(len(mask)) >= UNMATCHED_SHARE).to(mask)[:, None, None, None]
        memory, found = self._remember(0, mask), []
        for t in range(1, len(self.seen) - 1):
            mask, matched = self._carried(t, mask, memory)
            matched = None if matched is None else matched * matching
            logits = self.network.propagate(self.seen[t], self._virtual(t, mask), matched)
            found.append(logits)
            mask = logits.detach().sigmoid()
            last = self._remember(t, mask)
            memory = join_memories(memory, last) if memory is not None and last is not None else None
        return found

    def loss(self, index: int, logits: Tensor, hard_share: float) -> Tensor:
        """Mean over the batch."""
        truth = self.truth[:, index]
        return (
            hard_pixel_cross_entropy(logits[:, 0], truth, hard_share) + DICE_WEIGHT * dice_loss(logits[:, 0], truth)
        ).mean()

    def iou(self, index: int, logits: Tensor) -> Tensor:
        """Mean over the batch."""
        return mask_iou(logits[:, 0], self.truth[:, index]).mean()

    def _starting_masks(self, wide: Tensor) -> Tensor:
        """(B, 1, S, S): masks of the first frame as they are in use: true, with noise, or the networks' own."""
        windows = self.batch.windows[:, -1], self.batch.windows[:, 0]
        own = resample_windows(wide, *windows, (wide.shape[2], wide.shape[3]))
        masks = self.truth[:, :1].clone()
        for slot, true in enumerate(self.batch.masks[:, 0].bool().cpu().numpy()):
            kind = self.rng.random()
            if kind < NOISY_SHARE:
                masks[slot, 0] = torch.from_numpy(with_ellipses(self.rng, true)).to(masks)
            elif kind < NOISY_SHARE + OWN_SHARE:
                masks[slot] = own[slot]
        return masks

    def _virtual(self, index: int, mask: Tensor) -> Tensor:
        """Some of the previous masks replaced by copies of the present one, and some with noise (Sec. 4)."""
        masks = mask.clone()
        for slot, true in enumerate(self.batch.masks[:, index].bool().cpu().numpy()):
            kind = self.rng.random()
            if kind < VIRTUAL_SHARE and true.any():
                masks[slot, 0] = torch.from_numpy(with_ellipses(self.rng, affine_copy(self.rng, true))).to(masks)
        return masks

    def _carried(self, index: int, mask: Tensor, memory: Memory | None) -> tuple[Tensor, Tensor | None]:
        """The previous mask as the region sees it, and the pixel tracker's answer."""
        windows = self.batch.windows[:, index - 1], self.batch.windows[:, index]
        matcher, encoded, before = self.network.matcher, self.seen[index].encoded, self.seen[index - 1].encoded
        if matcher is None or memory is None or before is None or encoded is None:
            return resample_windows(mask, *windows, (mask.shape[2], mask.shape[3])), None
        others = self.others[:, index - 1 : index]
        with torch.no_grad():
            key, mask, others = as_seen_from(before.key, mask, others, *windows)
            return mask, matcher(encoded, memory, key, mask, others).logits.float()

    def _remember(self, index: int, mask: Tensor) -> Memory | None:
        matcher, encoded = self.network.matcher, self.seen[index].encoded
        if matcher is None or encoded is None:
            return None
        with torch.no_grad():
            return matcher.remember(encoded, mask, self.others[:, index : index + 1])


def _free_sides(mask: Tensor) -> tuple[bool, bool, bool, bool]:
    """Left, top, right, bottom: where an (S, S) mask does not touch the side, as if the frame ended where it does."""
    sides = (mask[:, 0], mask[0], mask[:, -1], mask[-1])
    left, top, right, bottom = (not bool(side.any()) for side in sides)
    return left, top, right, bottom


def _seen(network: RegionNetwork, images: Tensor) -> list[Seen]:
    """T views of B regions."""
    num_frames = images.shape[1]
    flat = normalise_images(images.transpose(0, 1).flatten(0, 1)).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        seen = network.see(flat)
    pictures = flat.chunk(num_frames)
    if seen.encoded is None:
        return [Seen(picture, None) for picture in pictures]
    parts: list[Encoded] = split_frames(seen.encoded, num_frames)
    return [Seen(picture, part) for picture, part in zip(pictures, parts, strict=True)]
