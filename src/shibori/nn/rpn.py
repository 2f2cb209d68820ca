"""Where objects may be: torchvision's region proposal network (Ren et al. 2015) for one feature map of one stride.

Boxes are xyxy float32 in pixels of the image, half-open. Axes: B images, C channels, h w positions, A anchors at each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torchvision.models.detection.rpn import RegionProposalNetwork

ANCHOR_SIZES = (32, 64, 128, 256, 512)
"""Square roots of the anchors' areas, in pixels of the image."""
ANCHOR_RATIOS = (0.5, 1.0, 2.0)
"""Height to width."""
TRUE_IOU, FALSE_IOU = 0.7, 0.3
"""An anchor is an object above the one and background below the other (Ren et al. 2015, Sec. 3.1.2)."""
SAMPLES, TRUE_SHARE = 256, 0.5
"""Anchors of an image that enter the loss, and the share of objects among them, if there are enough."""
NOT_SAMPLED = -1.0
"""How torchvision labels an anchor that does not enter the loss."""
CANDIDATES = 1000
"""The best anchors of an image, of which non-maximum suppression leaves some."""


@dataclass(frozen=True)
class ProposalRule:
    """Which anchors there are, and which of them become proposals."""

    sizes: Sequence[int] = ANCHOR_SIZES
    """Square roots of the anchors' areas, in pixels of the image."""
    ratios: Sequence[float] = ANCHOR_RATIOS
    """Of the anchors' height to width."""
    top_n: int = 50
    """Most proposals of an image."""
    nms_threshold: float = 0.7
    """Of two boxes with a larger intersection over union the worse is dropped."""
    stride: int = 8
    """Pixels of the image from one feature position to the next."""


class ProposalHead(nn.Module):
    """One 3x3 convolution and two of 1x1, named as those of torchvision's ``RPNHead``."""

    def __init__(self, in_channels: int, num_anchors: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Sequential(nn.Conv2d(in_channels, in_channels, 3, padding=1), nn.ReLU(inplace=True))
        )
        self.cls_logits = nn.Conv2d(in_channels, num_anchors, 1)
        self.bbox_pred = nn.Conv2d(in_channels, num_anchors * 4, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, levels: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Levels (B, C, h, w) -> for each (B, A, h, w) objectness logits and (B, 4A, h, w) box deltas."""
        seen = [self.conv(level) for level in levels]
        return [self.cls_logits(level) for level in seen], [self.bbox_pred(level) for level in seen]


class ProposalNetwork(nn.Module):
    """Proposals of a feature map, and the loss that teaches them.

    Args:
        in_channels: C.
        rule: anchors and proposals.
    """

    def __init__(self, in_channels: int, rule: ProposalRule) -> None:
        super().__init__()
        self.rule = rule
        self.rpn = nn.ModuleDict({"head": ProposalHead(in_channels, len(rule.sizes) * len(rule.ratios))})

    @cached_property
    def whole(self) -> RegionProposalNetwork:
        """Torchvision's network around the head, made when it is first asked: the import takes as long as PyTorch's."""
        from torchvision.models.detection.anchor_utils import AnchorGenerator
        from torchvision.models.detection.rpn import RegionProposalNetwork

        anchors = AnchorGenerator((tuple(self.rule.sizes),), (tuple(self.rule.ratios),))
        most = {"training": CANDIDATES, "testing": CANDIDATES}
        left = {"training": self.rule.top_n, "testing": self.rule.top_n}
        return RegionProposalNetwork(
            anchors,
            self.rpn["head"],
            TRUE_IOU,
            FALSE_IOU,
            SAMPLES,
            TRUE_SHARE,
            most,
            left,
            nms_thresh=self.rule.nms_threshold,
        )

    @torch.no_grad()
    def propose(self, features: Tensor, size_hw: tuple[int, int]) -> list[tuple[Tensor, Tensor]]:
        """The boxes that look most like an object, after non-maximum suppression.

        Args:
            features: (B, C, h, w) float.
            size_hw: height and width of the images in pixels; boxes are cut to it, whatever the features cover.

        Returns:
            For each image (M, 4) boxes and (M,) their scores in [0, 1], descending; M is at most ``top_n``.
        """
        logits, deltas = self._predict(features)
        logits = logits.view(len(features), -1)
        # Only what can be kept is decoded: torchvision decodes the other 99 of 100 as well.
        best, index = logits.topk(min(CANDIDATES, logits.shape[1]))
        deltas = deltas.view(len(features), -1, 4).gather(1, index[:, :, None].expand(-1, -1, 4))
        anchors = self._anchors(features)[index]  # (B, N, 4)
        decoded = self.whole.box_coder.decode(deltas.flatten(0, 1), [anchors.flatten(0, 1)]).view_as(anchors)
        boxes, scores = self.whole.filter_proposals(decoded, best, [size_hw] * len(features), [best.shape[1]])
        return list(zip(boxes, scores, strict=True))

    def loss(self, features: Tensor, size_hw: tuple[int, int], boxes: Sequence[Tensor]) -> Tensor:
        """Cross entropy of objectness and smooth L1 of box regression (Ren et al. 2015, Eq. 1) over sampled anchors.

        Args:
            features: (B, C, h, w) float.
            size_hw: height and width of the images in pixels; anchors whose centre is beyond teach nothing.
            boxes: for each image (M, 4) the boxes of its objects; M may be 0.

        Returns:
            () float32.
        """
        logits, deltas = self._predict(features)
        anchors = self._anchors(features)
        labels, matched = self.whole.assign_targets_to_anchors(
            [anchors] * len(features), [{"boxes": image_boxes.float()} for image_boxes in boxes]
        )
        targets = self.whole.box_coder.encode(matched, [anchors] * len(features))
        is_beyond = _centres_beyond(anchors, size_hw)
        labels = [image_labels.masked_fill(is_beyond, NOT_SAMPLED) for image_labels in labels]
        objectness, regression = self.whole.compute_loss(logits, deltas, labels, targets)
        return objectness + regression

    def _predict(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B * h * w * A, 1) objectness logits and (B * h * w * A, 4) box deltas, float32."""
        head = self.rpn["head"]
        (logits,), (deltas,) = head([features.to(next(head.parameters()).dtype)])
        deltas = deltas.unflatten(1, (-1, 4)).permute(0, 3, 4, 1, 2)  # (B, h, w, A, 4)
        return logits.permute(0, 2, 3, 1).reshape(-1, 1).float(), deltas.reshape(-1, 4).float()

    def _anchors(self, features: Tensor) -> Tensor:
        """(h * w * A, 4) float32, about the centres of the positions (torchvision's are about their corners)."""
        generator = self.whole.anchor_generator
        generator.set_cell_anchors(torch.float32, features.device)
        stride = torch.tensor(self.rule.stride, device=features.device)
        return generator.grid_anchors([list(features.shape[2:])], [[stride, stride]])[0] + self.rule.stride / 2


def _centres_beyond(anchors: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """(N, 4) -> (N,) bool: which are about a place right of the image or below it, where features are padding."""
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2
    return (centres >= centres.new_tensor([size_hw[1], size_hw[0]])).any(1)
