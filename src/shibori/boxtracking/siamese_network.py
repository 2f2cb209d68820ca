"""A Siamese region proposal network (SiamRPN, Li et al. 2018) with depth-wise correlation.

What IPDT calls its instance-level tracker (Sec. 3.3): the RoI feature of the reference is correlated with the features
of the current frame, once for the discriminator (same target or not) and once for the correlator (the refined box).

The frame's features come from a frozen trunk (``views.py``), at a fine and a coarse stride. Reference and search region
are sampled from them in cells, ``CELLS`` to the size of the object, so that one network serves all sizes.
Coordinates are cells of the search region. Symbols: K objects, C channels, n cells a side, A anchors at each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from shibori.boxtracking.views import Features
from shibori.nn.backbones import ConvNorm
from shibori.ops.region import box_centres, centre_form, corner_form, object_sizes, paired_iou, square_regions
from shibori.ops.roi import roi_align

CELLS = 6
"""Cells along the size of an object."""
KERNEL = 7
"""Cells of the reference that are correlated, along a side: the object and a rim."""
MARGIN = (KERNEL - 1) // 2 + 1
"""Cells that the convolutions eat at each side of a search region."""
FIRST_NOISE = 0.2
"""Share of the usual random parameters with which the embeddings start beside the identity."""
RATIOS = (1 / 3, 1 / 2, 1.0, 2.0, 3.0)
"""Height to width of the anchors, all of the area of the object (SiamRPN, Sec. 3.2)."""
TRUE_IOU, FALSE_IOU = 0.6, 0.3
"""An anchor is the target above the one and not below the other (SiamRPN, Sec. 3.3)."""
HARDEST = 96
"""Of the anchors that are not the target, those that look most like it enter the loss."""


@dataclass(frozen=True)
class SiameseSize:
    """One preset."""

    channels: tuple[int, int]
    """Of the trunk's fine and coarse features."""
    width: int
    """Channels that are correlated."""


class Reference(NamedTuple):
    """What is remembered of K objects."""

    discriminator: Tensor
    """(K, C, 7, 7)."""
    correlator: Tensor
    """(K, C, 7, 7)."""


class Response(NamedTuple):
    """What a search for K objects found, before anything is chosen."""

    logits: Tensor
    """(K, A, n, n): log-odds of the anchor being the target."""
    boxes_xyxy: Tensor
    """(K, A, n, n, 4) refined boxes, in pixels."""


class SiameseNetwork(nn.Module):
    """Discriminator and correlator."""

    def __init__(self, size: SiameseSize) -> None:
        super().__init__()
        self.size = size
        self.enter = ConvNorm(sum(size.channels), size.width, 1)
        self.discriminator = CorrelationBranch(size.width, len(RATIOS))
        self.correlator = CorrelationBranch(size.width, 4 * len(RATIOS))

    def refer(self, features: Features, boxes_xyxy: Tensor, picture: Tensor) -> Reference:
        """Remember objects.

        Args:
            features: of B pictures.
            boxes_xyxy: (K, 4) float32 in pixels.
            picture: (K,) int64, which picture each is in.
        """
        count = KERNEL + 2
        sides = object_sizes(boxes_xyxy) * (count / CELLS)
        cells = self._cells(features, square_regions(box_centres(boxes_xyxy), sides), picture, count)
        return Reference(self.discriminator.reference(cells), self.correlator.reference(cells))

    def resemble(
        self, features: Features, references: Tensor, centre_xy: Tensor, size: Tensor, picture: Tensor, count: int
    ) -> Tensor:
        """Look for N things where one object is looked for: what the discriminator alone says of each.

        Args:
            features: of B pictures.
            references: (N, C, 7, 7) their ``Reference.discriminator``.
            centre_xy: (1, 2), see ``respond``.
            size: (1,) of the object that is looked for: all are supposed to be as large.
            picture: (1,) int64.
            count: n, see ``respond``.

        Returns:
            (N, A, n, n) log-odds of the anchor being the thing.
        """
        cells = self._cells(features, search_regions(centre_xy, size, count), picture, count + 2 * MARGIN)
        return self.discriminator(cells, references)

    def respond(
        self, features: Features, reference: Reference, centres_xy: Tensor, sizes: Tensor, picture: Tensor, count: int
    ) -> Response:
        """Look for objects around places.

        Args:
            features: of B pictures.
            reference: of the K objects.
            centres_xy: (K, 2) float32 pixels, where to look.
            sizes: (K,) float32 pixels, how large each object is supposed to be (``object_sizes``).
            picture: (K,) int64, where to look for each.
            count: n, how many cells around the place to look at, along a side.
        """
        logits, deltas = self.compare(features, reference, search_regions(centres_xy, sizes, count), picture, count)
        boxes = decoded(deltas, anchors(count, deltas.device))
        cell = (sizes / CELLS)[:, None, None, None, None]
        origin = (centres_xy - sizes[:, None] * (count / CELLS / 2)).repeat(1, 2)[:, None, None, None]
        return Response(logits, boxes * cell + origin)

    def compare(
        self, features: Features, reference: Reference, regions: Tensor, picture: Tensor, count: int
    ) -> tuple[Tensor, Tensor]:
        """(K, A, n, n) log-odds and (K, A, n, n, 4) refinements of the anchors, for ``search_regions``."""
        cells = self._cells(features, regions, picture, count + 2 * MARGIN)
        logits = self.discriminator(cells, reference.discriminator)
        deltas = self.correlator(cells, reference.correlator)
        return logits, deltas.unflatten(1, (len(RATIOS), 4)).movedim(2, -1)

    def _cells(self, features: Features, regions: Tensor, picture: Tensor, count: int) -> Tensor:
        fine, coarse = (
            roi_align(maps, regions, picture, count, stride)
            for maps, stride in zip(features[:2], features.strides, strict=True)
        )
        return self.enter(torch.cat([fine, coarse], 1).to(next(self.parameters()).dtype))


class CorrelationBranch(nn.Module):
    """Both sides embedded, correlated channel by channel, and read."""

    def __init__(self, width: int, out_channels: int) -> None:
        super().__init__()
        self.embed_reference = _valid_conv(width)
        self.embed_search = _valid_conv(width)
        self.read = nn.Sequential(ConvNorm(width, width, 1), nn.Conv2d(width, out_channels, 1))

    def reference(self, cells: Tensor) -> Tensor:
        """(K, C, 9, 9) -> (K, C, 7, 7)."""
        return self.embed_reference(cells)

    def forward(self, cells: Tensor, reference: Tensor) -> Tensor:
        """(K, C, n + 8, n + 8), or 1 for all K, and (K, C, 7, 7) -> (K, out, n, n) float32."""
        search = self.embed_search(cells).expand(len(reference), -1, -1, -1)
        return self.read(depthwise_correlation(search, reference)).float()


def _valid_conv(width: int) -> nn.Module:
    """A 3x3 convolution without padding, so that every cell is treated alike.

    It starts near the identity: then both sides of a correlation speak of the same things from the first step on.
    """
    layer = ConvNorm(width, width, 3)
    convolution = layer[0]
    assert isinstance(convolution, nn.Conv2d)
    convolution.padding = (0, 0)
    noise = FIRST_NOISE * convolution.weight.detach().clone()
    nn.init.dirac_(convolution.weight)
    with torch.no_grad():
        convolution.weight += noise
    return layer


def depthwise_correlation(search: Tensor, reference: Tensor) -> Tensor:
    """(K, C, h, w) and (K, C, m, m) -> (K, C, h - m + 1, w - m + 1): each channel with its own, the mean over cells."""
    number, channels, side, _ = reference.shape
    kernels = reference.flatten(0, 1)[:, None] / side**2
    correlated = functional.conv2d(search.flatten(0, 1)[None], kernels, groups=number * channels)
    return correlated[0].unflatten(0, (number, channels))


def search_regions(centres_xy: Tensor, sizes: Tensor, count: int) -> Tensor:
    """(K, 4) what must be sampled to answer for n = ``count`` cells around each place."""
    return square_regions(centres_xy, sizes * ((count + 2 * MARGIN) / CELLS))


def anchors(count: int, device: torch.device | None = None) -> Tensor:
    """(A, n, n, 4) about the centres of the cells; (0, 0) is the corner of the first cell that is answered for."""
    ratios = torch.tensor(RATIOS, device=device)
    extents = CELLS * torch.stack([ratios.rsqrt(), ratios.sqrt()], 1)  # (A, 2)
    places = torch.arange(count, dtype=torch.float32, device=device) + 0.5
    centres = torch.stack(torch.meshgrid(places, places, indexing="xy"), -1)  # (n, n, 2)
    shape = (len(RATIOS), count, count, 2)
    return corner_form(centres.expand(shape), extents[:, None, None].expand(shape))


def decoded(deltas: Tensor, anchors_xyxy: Tensor) -> Tensor:
    """(..., 4) refinements of (..., 4) anchors -> boxes: shifts in shares of the anchor, log ratios of its sides."""
    centres, extents = centre_form(anchors_xyxy)
    return corner_form(centres + deltas[..., :2] * extents, extents * deltas[..., 2:].clamp(-3, 3).exp())


def encoded(boxes_xyxy: Tensor, anchors_xyxy: Tensor) -> Tensor:
    """The opposite of ``decoded``."""
    centres, extents = centre_form(boxes_xyxy)
    anchor_centres, anchor_extents = centre_form(anchors_xyxy)
    return torch.cat([(centres - anchor_centres) / anchor_extents, (extents / anchor_extents).log()], -1)


class SiameseLoss(NamedTuple):
    """Scalars."""

    same: Tensor
    """Cross entropy of the discriminator."""
    box: Tensor
    """Smooth L1 of the correlator, where the target is."""


def siamese_loss(logits: Tensor, deltas: Tensor, true_xyxy: Tensor, is_there: Tensor) -> SiameseLoss:
    """The loss of SiamRPN (Sec. 3.3) over the anchors that are the target, and the hardest that are not.

    Args:
        logits: (K, A, n, n) of ``SiameseNetwork.compare``.
        deltas: (K, A, n, n, 4).
        true_xyxy: (K, 4) in cells.
        is_there: (K,) bool, whether the target is in the region at all.
    """
    places = anchors(logits.shape[-1], logits.device)
    overlap = paired_iou(places, true_xyxy[:, None, None, None]) * is_there[:, None, None, None]
    flat = overlap.flatten(1)
    best = flat.amax(1, keepdim=True)
    # A long object overlaps with no anchor by much: the best one is it all the same.
    is_target = (flat >= TRUE_IOU) | ((flat >= 0.95 * best) & (flat > FALSE_IOU))
    losses = functional.binary_cross_entropy_with_logits(
        logits.flatten(1), is_target.float(), reduction="none"
    )  # (K, A n n)
    true_share = (losses * is_target).sum(1) / is_target.sum(1).clamp_min(1)
    wrong = losses.masked_fill(flat >= FALSE_IOU, 0).topk(HARDEST, dim=1).values.mean(1)
    wanted = encoded(true_xyxy[:, None, None, None], places).flatten(1, 3)
    errors = functional.smooth_l1_loss(deltas.flatten(1, 3), wanted, reduction="none", beta=0.1).sum(-1)
    box = (errors * is_target).sum() / is_target.sum().clamp_min(1)
    return SiameseLoss((true_share + wrong).mean(), box)
