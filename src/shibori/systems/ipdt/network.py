"""The object detector (Sec. 3.1): Mask R-CNN (He et al. 2017) from torchvision's parts.

Boxes are xyxy float32 in pixels of the resized frame, half-open. Axes: B pictures, C classes, N boxes, m side of a
mask.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign, clip_boxes_to_image, nms
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from shibori.nn.backbones import CompactTrunk, ConvNorm, ResidualBlock
from shibori.nn.frozen import FrozenTrunkNetwork
from shibori.systems.ipdt.size import DetectorSize

CANONICAL_SIDE = 112
"""Side of the boxes whose features come from stride 16, in pixels; torchvision's 224 is for frames twice as large."""

BOXES = 48
"""Boxes of a picture that enter the loss."""


class Detections(NamedTuple):
    """What was found in one picture, best score first."""

    boxes: Tensor
    """(N, 4)."""
    class_scores: Tensor
    """(N, C) probabilities of the classes times the ``sharpness`` of the mask; their sum is the score."""
    mask_logits: Tensor
    """(N, m, m) of the likeliest class, over the box."""
    embeddings: Tensor
    """(N, E) appearance, of length 1: the box head's features."""


class Detector(FrozenTrunkNetwork):
    """Mask R-CNN whose heads may be class-agnostic, and which tells the probabilities of all classes for each box.

    Args:
        network: torchvision's; only its backbone, its proposal network and its heads are used.
        size: the preset.
        trunk: gives the features of the preset's backbone, if that has no trunk of its own; it is not trained.
    """

    system, frozen_name, digest_name = "ipdt", "trunk", "trunk_digest"

    def __init__(self, network: MaskRCNN, size: DetectorSize, trunk: CompactTrunk | None) -> None:
        super().__init__()
        self.network, self.size, self.trunk = network, size, trunk
        self.in_channels = 3 if trunk is None else trunk.channels[2]
        self.freeze()

    @property
    def frozen(self) -> CompactTrunk | None:
        """See ``FrozenTrunkNetwork``."""
        return self.trunk

    @property
    def frozen_preset(self) -> str | None:
        """See ``FrozenTrunkNetwork``."""
        return self.size.trunk

    def see(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) normalised pictures -> the trunk's features at stride 8; the pictures where it has no trunk."""
        if self.trunk is None:
            return images
        with torch.no_grad():
            features: Tensor = self.trunk(_as(self.trunk, images)).s8
        return features

    def pyramid(self, seen: Tensor) -> OrderedDict[str, Tensor]:
        """Feature maps of all levels, finest first, float32."""
        inputs = _as(self.network.backbone, seen)
        return OrderedDict((name, level.float()) for name, level in self.network.backbone(inputs).items())

    @torch.no_grad()
    def detect(self, seen: Tensor, size_hw: tuple[int, int], threshold: float, nms_iou: float, most: int) -> Detections:
        """The objects of one picture (B = 1).

        Args:
            seen: what ``see`` gave.
            size_hw: height and width of the picture in pixels.
            threshold: least score, and least probability of being an object, of whichever class.
            nms_iou: of two boxes with a larger IoU the one that is less probably an object is dropped.
            most: boxes kept, at most.
        """
        levels = self.pyramid(seen)
        picture = ImageList(next(iter(levels.values())).new_zeros(1, 3, *size_hw), [size_hw])
        (proposals,), _ = self.network.rpn(picture, levels)
        hidden, logits, deltas = self.classify(levels, [proposals], [size_hw])
        scores = logits.softmax(1)[:, 1:]
        index, objectness = scores.argmax(1), scores.sum(1)
        deltas = deltas.unflatten(1, (-1, 4))
        if deltas.shape[1] > 1:
            deltas = deltas[torch.arange(len(index), device=index.device), index + 1][:, None]
        coder = self.network.roi_heads.box_coder
        boxes = clip_boxes_to_image(coder.decode(deltas.flatten(1), [proposals])[:, 0], size_hw)
        sound = (objectness > threshold) & ((boxes[:, 2:] - boxes[:, :2]).amin(1) >= 1)
        places = sound.nonzero()[:, 0]
        places = places[nms(boxes[places], objectness[places], nms_iou)[:most]]
        masks = self.masks(levels, [boxes[places]], [size_hw])
        masks = masks[torch.arange(len(places)), index[places] + 1] if masks.shape[1] > 1 else masks[:, 0]
        scores = scores[places] * sharpness(masks)[:, None]
        order = scores.sum(1).argsort(descending=True, stable=True)
        order = order[scores[order].sum(1) > threshold]
        chosen = places[order]
        embeddings = nn.functional.normalize(hidden[chosen].float(), dim=1)
        return Detections(boxes[chosen], scores[order], masks[order], embeddings)

    def classify(
        self, levels: OrderedDict[str, Tensor], boxes: list[Tensor], sizes_hw: list[tuple[int, int]]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes of all pictures -> (N, E) hidden features, (N, C + 1) class logits, (N, 4 or 4C + 4) box deltas."""
        heads = self.network.roi_heads
        hidden = heads.box_head(_as(heads.box_head, heads.box_roi_pool(levels, boxes, sizes_hw)))
        logits, deltas = heads.box_predictor(_as(heads.box_predictor, hidden))
        return hidden, logits.float(), deltas.float()

    def masks(self, levels: OrderedDict[str, Tensor], boxes: list[Tensor], sizes_hw: list[tuple[int, int]]) -> Tensor:
        """Boxes of all pictures -> (N, 1 or C + 1, m, m) mask logits."""
        heads = self.network.roi_heads
        if not sum(map(len, boxes)):
            return next(iter(levels.values())).new_zeros(0, 1, 28, 28)
        pooled = _as(heads.mask_head, heads.mask_roi_pool(levels, boxes, sizes_hw))
        logits: Tensor = heads.mask_predictor(_as(heads.mask_predictor, heads.mask_head(pooled)))
        return logits.float()


def sharpness(mask_logits: Tensor) -> Tensor:
    """(N,) mean probability of the pixels of each (m, m) mask, in [0.5, 1]; 0 where it is empty.

    A mask head is unsure where the box or the object is wrong, so this tells good masks from bad ones (the maskness of
    SOLO, Wang et al. 2020).
    """
    inside = mask_logits > 0
    probs = mask_logits.sigmoid() * inside
    return probs.sum((1, 2)) / inside.sum((1, 2)).clamp_min(1)


def _as(module: nn.Module, inputs: Tensor) -> Tensor:
    """In the precision of the module's parameters."""
    return inputs.to(next(module.parameters()).dtype)


class TrunkPyramid(nn.Module):
    """Residual stages at strides 16 and 32 upon a trunk's stride 8, and a feature pyramid over the three."""

    def __init__(self, in_channels: int, size: DetectorSize) -> None:
        super().__init__()
        w16, w32 = size.stage_channels
        self.stage16 = nn.Sequential(ResidualBlock(in_channels, w16, 2), ResidualBlock(w16, w16))
        self.stage32 = ResidualBlock(w16, w32, 2)
        widths, self.out_channels = [in_channels, w16, w32], size.pyramid_channels
        self.fpn = FeaturePyramidNetwork(widths, self.out_channels, LastLevelMaxPool())

    def forward(self, features_s8: Tensor) -> OrderedDict[str, Tensor]:
        """(B, C, h, w) at stride 8 -> levels 0, 1, 2 and pool at strides 8, 16, 32, 64."""
        s16 = self.stage16(features_s8)
        levels: OrderedDict[str, Tensor] = self.fpn(
            OrderedDict([("0", features_s8), ("1", s16), ("2", self.stage32(s16))])
        )
        return levels


class ProposalHead(RPNHead):  # type: ignore[misc]
    """Torchvision's, in whichever precision; what follows it needs float32."""

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Levels -> for each the objectness logits and the box deltas of the anchors."""
        dtype = self.cls_logits.weight.dtype
        logits, deltas = super().forward([level.to(dtype) for level in x])
        return [level.float() for level in logits], [level.float() for level in deltas]


class BoxHead(nn.Sequential):
    """(N, C, 7, 7) -> (N, E): a convolution and two fully connected layers."""

    def __init__(self, in_channels: int, hidden_channels: int) -> None:
        super().__init__(
            ConvNorm(in_channels, in_channels),
            nn.Flatten(),
            nn.Linear(in_channels * 49, hidden_channels),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_channels, hidden_channels),
            nn.ReLU(inplace=True),
        )


class BoxPredictor(nn.Module):
    """(N, E) -> class logits and one set of deltas for all classes."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.classes = nn.Linear(in_channels, num_classes + 1)
        self.deltas = nn.Linear(in_channels, 4)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """(N, E) -> (N, C + 1), (N, 4)."""
        return self.classes(hidden), self.deltas(hidden)


def class_agnostic(in_channels: int, size: DetectorSize) -> MaskRCNN:
    """Torchvision's Mask R-CNN with small heads whose boxes and masks do not depend on the class."""
    names, width = ["0", "1", "2"], size.mask_channels
    pools: dict[str, Any] = {"sampling_ratio": 2, "canonical_scale": CANONICAL_SIDE}
    mask_head = nn.Sequential(ConvNorm(size.pyramid_channels, width), ConvNorm(width, width), ConvNorm(width, width))
    upscale = nn.ConvTranspose2d(width, width, 2, 2)
    ratios = ((0.5, 1.0, 2.0),) * len(size.anchor_sizes)
    return MaskRCNN(
        TrunkPyramid(in_channels, size),
        rpn_anchor_generator=AnchorGenerator(tuple((side,) for side in size.anchor_sizes), ratios),
        rpn_head=ProposalHead(size.pyramid_channels, len(ratios[0])),
        rpn_pre_nms_top_n_train=300,
        rpn_post_nms_top_n_train=200,
        rpn_pre_nms_top_n_test=300,
        rpn_post_nms_top_n_test=100,
        box_batch_size_per_image=BOXES,
        box_roi_pool=MultiScaleRoIAlign(names, 7, **pools),
        box_head=BoxHead(size.pyramid_channels, size.box_channels),
        box_predictor=BoxPredictor(size.box_channels, len(size.classes)),
        mask_roi_pool=MultiScaleRoIAlign(names, 14, **pools),
        mask_head=mask_head,
        mask_predictor=nn.Sequential(upscale, nn.ReLU(inplace=True), nn.Conv2d(width, 1, 1)),
    )
