"""What the promptable network is trained on: rounds of marks on several objects of a picture, embedded once.

As Segment Anything (Sec. 3 and Appendix A) has it: each next click in the largest error of the last answer, which is
told as the previous mask; of the three candidates for one click only the best is taught. Ours: boxes, strokes and wrong
previous masks from elsewhere; the mask for clear marks is taught on one click too.

Axes: K objects of a picture, M masks, H W pixels, h w cells of a mask at half the size of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn import functional

from shibori.ops.normalise import normalise_images
from shibori.prompting.network import MASK_STRIDE, PromptedMasks, PromptNetwork, Prompts, shown_slots, vague_marks
from shibori.prompting.pictures import PromptPicture
from shibori.prompting.simulated_marks import (
    DrawnMarks,
    Mask,
    add_correction,
    as_log_odds,
    first_marks,
    stacked_marks,
    wrong_mask,
)
from shibori.training.losses import dice_loss, hard_pixel_cross_entropy, mask_iou

LOSS_STRIDE = 2
"""Pixels of the picture to one cell on which masks are compared."""
QUALITY_WEIGHT = 1.0
CANDIDATES_WEIGHT = 0.7
"""Of the best candidate for one click, beside the mask for clear marks."""
GIVEN_SHARE = 0.15
"""Of objects that come with a wrong mask, and a correction of it for a first mark."""
TOLD_SHARE = 0.85
"""Of later rounds in which the network is told its previous mask."""
FAR = 12.0
"""Log-odds that a previous mask is limited to."""
ROUND_WEIGHTS = (0.2, 0.18, 0.16, 0.13, 0.11, 0.09, 0.07, 0.06)
"""How often a picture is marked once, twice ... as often as is allowed."""


class PromptLoss(NamedTuple):
    """Means over objects and rounds."""

    total: Tensor
    mask: Tensor
    quality: Tensor
    iou: Tensor
    """Of the mask that would be shown."""
    iou_first: Tensor
    """Of that after the first marks."""


class RoundsOfMarks(nn.Module):
    """Rounds of simulated marks.

    Args:
        network: that is trained.
        most_rounds: of one picture, at most 8.
    """

    def __init__(self, network: PromptNetwork, most_rounds: int) -> None:
        super().__init__()
        self.network = network
        self.most_rounds = most_rounds

    def forward(self, pictures: Sequence[PromptPicture], hard_share: float, seed: int) -> PromptLoss:
        """Losses of some pictures.

        Args:
            pictures: of any sizes.
            hard_share: share of pixels that the cross entropy counts.
            seed: of all marks.
        """
        rng = np.random.default_rng(seed)
        found = [loss for picture in pictures for loss in self._rounds(picture, rng, hard_share)]
        columns = [torch.stack(column) for column in zip(*found, strict=True)]
        return PromptLoss(*(column.nanmean() for column in columns))

    def _rounds(self, picture: PromptPicture, rng: Generator, hard_share: float) -> list[PromptLoss]:
        features = self.network.encode(normalise_images(picture.image[None]))
        course = _Course(picture, rng)
        weights = np.array(ROUND_WEIGHTS[: self.most_rounds])
        count = 1 + int(rng.choice(len(weights), p=weights / weights.sum()))
        losses = []
        for number in range(count):
            prompts = course.prompts(is_first=number == 0)
            answer = self.network(features, prompts)
            losses.append(course.loss(answer, prompts, hard_share, is_first=number == 0))
            if number + 1 < count:
                course.take(answer, prompts)
        return losses


class _Course:
    """The objects of one picture on their way through the rounds."""

    def __init__(self, picture: PromptPicture, rng: Generator) -> None:
        self.rng = rng
        self.device = picture.image.device
        self.known = _shrunk(~picture.ignored[None])[0]
        self.truth = _shrunk(picture.masks).float() * self.known  # (K, h, w)
        self.true = [mask.cpu().numpy() > 0 for mask in self.truth]
        self.marks: list[DrawnMarks] = []
        self.previous: Tensor | None = None  # (K, 1, ...) at MASK_STRIDE
        self.has_previous = [False] * len(self.true)

    def prompts(self, *, is_first: bool) -> Prompts:
        """What is said now."""
        if is_first:
            self._begin()
        points, kinds = stacked_marks(self.marks, self.device)
        told = torch.tensor(self.has_previous, device=self.device)
        if not is_first:
            told &= torch.from_numpy(self.rng.random(len(self.true)) < TOLD_SHARE).to(self.device)
        if self.previous is None or not bool(told.any()):
            return Prompts(points, kinds)
        return Prompts(points, kinds, self.previous, told)

    def take(self, answer: PromptedMasks, prompts: Prompts) -> None:
        """Remember what was answered, and mark its largest errors."""
        slots = shown_slots(answer, vague_marks(prompts))
        logits = answer.logits.detach()[torch.arange(len(slots), device=self.device), slots]
        self.previous = logits[:, None].clamp(-FAR, FAR)
        self.has_previous = [True] * len(self.true)
        fine = (_enlarged(logits) > 0).cpu().numpy() & self.known.cpu().numpy()
        for one, pred, true in zip(self.marks, fine, self.true, strict=True):
            add_correction(self.rng, one, pred, true, LOSS_STRIDE)

    def loss(self, answer: PromptedMasks, prompts: Prompts, hard_share: float, *, is_first: bool) -> PromptLoss:
        """Of one round."""
        wrong, iou = self._compared(answer.logits[:, 0], self.truth, hard_share)
        mask_loss, quality, shown = wrong.mean(), ((answer.quality[:, 0] - iou) ** 2).mean(), iou
        vague = vague_marks(prompts)
        if bool(vague.any()):
            candidates, truth = answer.logits[vague, 1:], self.truth[vague]
            num_masks = candidates.shape[1]
            wrong, iou = self._compared(candidates.flatten(0, 1), truth.repeat_interleave(num_masks, 0), hard_share)
            wrong, iou = wrong.unflatten(0, (-1, num_masks)), iou.unflatten(0, (-1, num_masks))
            expected = answer.quality[vague, 1:]
            share = vague.float().mean()
            mask_loss = mask_loss + share * CANDIDATES_WEIGHT * wrong.min(1).values.mean()
            quality = quality + share * ((expected - iou) ** 2).mean()
            shown = torch.cat([shown[~vague], iou.gather(1, expected.argmax(1, keepdim=True))[:, 0]])
        shown = shown.mean()
        first = shown if is_first else shown.new_tensor(torch.nan)
        return PromptLoss(mask_loss + QUALITY_WEIGHT * quality, mask_loss, quality, shown, first)

    def _compared(self, logits: Tensor, truth: Tensor, hard_share: float) -> tuple[Tensor, Tensor]:
        """(B,) loss and (B,) IoU of (B, 4h, 4w) log-odds against (B, h, w) masks, where anything is known."""
        logits = torch.where(self.known > 0, _enlarged(logits), -FAR)
        wrong = hard_pixel_cross_entropy(logits, truth, hard_share) + dice_loss(logits, truth)
        return wrong, mask_iou(logits, truth)

    def _begin(self) -> None:
        given = []
        for slot, true in enumerate(self.true):
            start = np.zeros_like(true)
            if self.rng.random() < GIVEN_SHARE:
                other = self.true[(slot + 1) % len(self.true)] if len(self.true) > 1 else None
                start = wrong_mask(self.rng, true, other)
            self.has_previous[slot] = bool(start.any())
            given.append(as_log_odds(self.rng, start))
            self.marks.append(self._first_marks(start, true))
        maps = torch.from_numpy(np.stack(given))[:, None].to(self.device)
        self.previous = functional.avg_pool2d(maps, MASK_STRIDE // LOSS_STRIDE)

    def _first_marks(self, start: Mask, true: Mask) -> DrawnMarks:
        if not start.any():
            return first_marks(self.rng, true, LOSS_STRIDE)
        marks = DrawnMarks()
        if self.rng.random() < 0.8:
            add_correction(self.rng, marks, start, true, LOSS_STRIDE)
        return marks


def _shrunk(masks: Tensor) -> Tensor:
    """(K, H, W) bool -> (K, h, w) bool: cells that are covered by half or more."""
    return functional.avg_pool2d(masks.float()[:, None], LOSS_STRIDE)[:, 0] >= 0.5


def _enlarged(logits: Tensor) -> Tensor:
    """(B, 4h, 4w) at ``MASK_STRIDE`` -> (B, h, w) at ``LOSS_STRIDE``."""
    factor = MASK_STRIDE / LOSS_STRIDE
    return functional.interpolate(logits[:, None], scale_factor=factor, mode="bilinear")[:, 0]
