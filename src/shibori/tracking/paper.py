"""The preset ``paper`` of the pixel tracker: IPDT's pixel-level half (Sec. 3.3), built as FEELVOS builds it.

Axes: B objects (one window each), C channels, H W the window's pixels, h w its stride-4 grid, N memory positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from shibori.nn.backbones import ConvNorm
from shibori.nn.deeplab import DeeplabFeatures
from shibori.ops.matching import nearest_distances, nearest_in_window
from shibori.tracking.network import (
    Comparison,
    Encoded,
    Memory,
    PixelNetwork,
    Prediction,
    Reading,
    pooled_features,
)

NUM_CUES = 6
"""Two global and two local distances, the previous mask, the mask of the other objects."""


@dataclass(frozen=True)
class PaperTrackerSize:
    """The paper's numbers; a smaller one is for tests."""

    backbone: str = "tu-xception65"
    """A name of segmentation-models-pytorch (resnet101), or of timm after "tu-" (FEELVOS, Sec. 4: Xception-65)."""
    output_stride: int = 16
    """Of the backbone's last stage, 8 or 16."""
    feature_channels: int = 256
    """Channels of the DeepLabv3+ features at stride 4."""
    key_channels: int = 100
    """Embedding channels (FEELVOS, Sec. 4)."""
    head_channels: int = 256
    """Channels of the dynamic segmentation head (FEELVOS, Sec. 3.6)."""
    head_layers: int = 4
    """Depthwise-separable convolutions of the head."""
    head_kernel: int = 7
    """Their kernel size."""
    local_radius: int = 15
    """Half size of the local matching window, in stride-4 positions (FEELVOS, Sec. 4)."""


class PaperTracker(PixelNetwork):
    """DeepLabv3+ features, embedding layer, global and local matching, dynamic segmentation head, all at stride 4.

    Args:
        size: widths and backbone.
        pretrained: start the backbone from public ImageNet weights, which are fetched.

    Raises:
        InputError: if the optional libraries are not installed, or the weights cannot be fetched.
    """

    stride = DeeplabFeatures.stride

    def __init__(self, size: PaperTrackerSize, pretrained: bool = False) -> None:
        super().__init__()
        self.size = size
        self.trunk = DeeplabFeatures(size.backbone, size.feature_channels, size.output_stride, pretrained)
        self.embedding = nn.Sequential(
            _depthwise(size.feature_channels, 3), nn.Conv2d(size.feature_channels, size.key_channels, 1)
        )
        self.distance_bias = nn.Parameter(torch.zeros(2))
        self.head = DynamicSegmentationHead(size)

    def encode(self, images: Tensor) -> Encoded:
        """See ``PixelNetwork.encode``."""
        features = self.trunk(images)
        key = self.embedding(features).float()
        return Encoded((features,), key, key[:, :0])

    def remember(self, encoded: Encoded, mask: Tensor, others: Tensor) -> Memory:
        """See ``PixelNetwork.remember``; there are no values and no traits."""
        key = encoded.key.flatten(2)
        label = functional.avg_pool2d(mask.float(), self.stride).flatten(1)
        return Memory(key, key[:, :0], label, key[:, :0].transpose(1, 2))

    def compare(self, encoded: Encoded, memory: Memory) -> Comparison:
        """See ``PixelNetwork.compare``: a soft choice between the nearest of the object and of everything else.

        Embeddings have any length here: one minus half a squared distance stands for a cosine.
        """
        distances = self._global_distances(encoded.key, memory)
        own, other = distances.unbind(1)
        return Comparison(_softly_nearest(distances), (1 - own + other / 2).clamp(-3, 3))

    def read(self, encoded: Encoded, memory: Memory) -> Reading:
        """See ``PixelNetwork.read``: squared distances to the object and to everything else."""
        return (self._global_distances(encoded.key, memory),)

    def segment(
        self, encoded: Encoded, reading: Reading, previous_key: Tensor, previous_mask: Tensor, previous_others: Tensor
    ) -> Prediction:
        """See ``PixelNetwork.segment``."""
        grid_hw = (encoded.key.shape[2], encoded.key.shape[3])
        (global_distances,) = reading
        shares = functional.avg_pool2d(previous_mask.float(), self.stride).flatten(1)
        local_distances = nearest_in_window(
            encoded.key,
            previous_key,
            _groups(previous_key.flatten(2), shares).unflatten(2, grid_hw),
            self.size.local_radius,
        )
        bias = self.distance_bias[:, None, None]
        masks = functional.avg_pool2d(torch.cat([previous_mask, previous_others], 1).float(), self.stride)
        cues = [bounded_distance(global_distances + bias), bounded_distance(local_distances + bias), masks]
        logits, quality, presence = self.head(encoded.features[0], torch.cat(cues, 1))
        return Prediction(logits, quality, presence, _softly_nearest(global_distances))

    def _global_distances(self, key: Tensor, memory: Memory) -> Tensor:
        distances = nearest_distances(key.flatten(2), memory.key, _groups(memory.key, memory.label))
        return distances.unflatten(2, (key.shape[2], key.shape[3]))


class DynamicSegmentationHead(nn.Module):
    """Features, distances and previous masks in, one object's mask out (FEELVOS, Sec. 3.6), and how good it is."""

    def __init__(self, size: PaperTrackerSize) -> None:
        super().__init__()
        width = size.head_channels
        widths = [size.feature_channels + NUM_CUES] + [width] * size.head_layers
        self.layers = nn.Sequential(
            *[
                nn.Sequential(_depthwise(before, size.head_kernel), ConvNorm(before, after, 1))
                for before, after in pairwise(widths)
            ]
        )
        self.mask = nn.Conv2d(width, 1, 1)
        self.quality_head = nn.Sequential(nn.Linear(2 * width, 64), nn.ReLU(inplace=True), nn.Linear(64, 2))

    def forward(self, features: Tensor, cues: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, h, w) features and (B, 6, h, w) cues -> logits (B, 1, 4h, 4w), quality (B,), presence (B,)."""
        hidden = self.layers(torch.cat([features, cues.to(features.dtype)], 1))
        logits = self.mask(hidden).float()
        judged = self.quality_head(pooled_features(hidden, logits)).float()
        upsampled = functional.interpolate(logits, scale_factor=float(DeeplabFeatures.stride), mode="bilinear")
        return upsampled, judged[:, 0], judged[:, 1]


def bounded_distance(distances: Tensor) -> Tensor:
    """``1 - 2 / (1 + exp(d))`` of squared distances (FEELVOS, Eq. 1), which is ``tanh(d / 2)`` and cannot overflow."""
    return torch.tanh(distances / 2)


def _softly_nearest(distances: Tensor) -> Tensor:
    """(B, 2, h, w) squared distances to the object and to everything else -> (B, h, w) share of the object."""
    return (distances[:, 1] - distances[:, 0]).sigmoid()


def _depthwise(channels: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False)


def _groups(key: Tensor, label: Tensor) -> Tensor:
    """(B, 2, N) bool: the object's positions, and everything else's; positions never seen are in neither."""
    is_object = label > 0.5
    is_seen = (key != 0).any(1)
    return torch.stack([is_object & is_seen, ~is_object & is_seen], 1)
