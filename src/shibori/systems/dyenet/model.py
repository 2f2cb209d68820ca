"""DyeNet as one module: shared features, proposals, re-identification, recurrent mask propagation (Fig. 2a)."""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from shibori.nn.backbones import PyramidFeatures, ResNetFeatures
from shibori.nn.deeplab import XceptionFeatures
from shibori.nn.flow import DisFlow, FlowEstimator, RaftFlow, build_raft, load_public_raft
from shibori.nn.frozen import FrozenTrunkNetwork
from shibori.nn.rpn import ProposalNetwork, ProposalRule
from shibori.ops.roi import roi_align
from shibori.systems.dyenet.network import MaskNetwork, RecurrentPropagation, ReidNetwork
from shibori.systems.dyenet.size import SIZES, DyeNetSize
from shibori.tracking.matcher import PixelTracker, build_matcher
from shibori.tracking.network import Encoded, PixelNetwork

ANCHOR_SIZES = (24, 48, 96, 192)
"""Square roots of the anchors' areas, in pixels of the resized frame."""


class Seen(NamedTuple):
    """What N_feat says of a batch of pictures."""

    features: PyramidFeatures
    encoded: Encoded | None
    """The pixel tracker's own view of them, where it is part of the network."""

    @property
    def appearance(self) -> Tensor:
        """(B, C8 + D, h, w) what identities are told from: features at stride 8, and the matching embedding if any."""
        if self.encoded is None:
            return self.features.s8
        return torch.cat([self.features.s8, self.encoded.key.to(self.features.s8.dtype)], 1)


class DyeNet(FrozenTrunkNetwork):
    """All networks of the system.

    Where the preset names a pixel tracker, that one is frozen: its trunk is N_feat, and its matches are a further input
    of the recurrent function. Where the preset names a RAFT, that one estimates the flow; it is frozen too, and its
    public weights are kept with the others, so that they are fetched for training alone.
    """

    system, frozen_name, digest_name = "dyenet", "matcher", "matcher_digest"

    def __init__(self, size: DyeNetSize, matcher: PixelNetwork | None, backbone: nn.Module | None) -> None:
        super().__init__()
        self.size = size
        self.matcher = matcher
        self.backbone = backbone
        self.proposals = ProposalNetwork(size.feature_channels[2], ProposalRule(ANCHOR_SIZES))
        self.masks = MaskNetwork(size)
        key_channels = matcher.size.key_channels if isinstance(matcher, PixelTracker) else 0
        self.reid = ReidNetwork(size, key_channels)
        self.propagation = RecurrentPropagation(size)
        self.raft = None if size.raft is None else build_raft(size.raft).eval().requires_grad_(False)
        self.freeze()

    @property
    def frozen(self) -> PixelNetwork | None:
        """See ``FrozenTrunkNetwork``."""
        return self.matcher

    @property
    def frozen_preset(self) -> str | None:
        """See ``FrozenTrunkNetwork``."""
        return self.size.matcher

    @property
    def trained_parts(self) -> tuple[nn.Module, ...]:
        """The networks that are trained; no parameter belongs to two of them."""
        own = (self.propagation, self.reid, self.masks, self.proposals)
        return own if self.backbone is None else (*own, self.backbone)

    def train(self, mode: bool = True) -> Self:
        """As ``nn.Module.train``; the frozen pixel tracker and RAFT stay as they are."""
        super().train(mode)
        if self.raft is not None:
            self.raft.eval()
        return self

    @property
    def flow(self) -> FlowEstimator:
        """What estimates motion between whole frames."""
        return DisFlow() if self.raft is None else RaftFlow(self.raft)

    def see(self, images: Tensor) -> Seen:
        """(B, 3, H, W) normalised pictures, H and W multiples of 16 -> features, shared by all that follows."""
        if self.matcher is None:
            assert self.backbone is not None
            return Seen(self.backbone(images.to(next(self.backbone.parameters()).dtype)), None)
        encoded = self.matcher.encode(images)
        return Seen(PyramidFeatures(*encoded.features), encoded)

    def embed(self, appearance: Tensor, boxes_xyxy: Tensor, batch_index: Tensor) -> tuple[Tensor, Tensor]:
        """Masks and identities of boxes: (K, 4) -> (K, m, m) log-odds and (K, E) unit vectors (Sec. 2.1)."""
        regions = roi_align(appearance.float(), boxes_xyxy, batch_index, self.size.region_side, 8)
        masks = self.segment(regions)
        return masks, self.reid(regions, masks.detach().sigmoid())

    def segment(self, regions: Tensor) -> Tensor:
        """(K, C8 + D, m, m) regions -> (K, m, m) log-odds of their main instances."""
        masks: Tensor = self.masks(regions[:, : self.size.feature_channels[2]])
        return masks

    def identify(self, appearance: Tensor, boxes_xyxy: Tensor, masks: Tensor) -> Tensor:
        """Identities of given masks, as templates are: (K, 4) boxes and (K, m, m) probabilities -> (K, E)."""
        index = torch.zeros(len(boxes_xyxy), dtype=torch.int64, device=boxes_xyxy.device)
        regions = roi_align(appearance.float(), boxes_xyxy, index, self.size.region_side, 8)
        identities: Tensor = self.reid(regions, masks)
        return identities


def build_dyenet(preset: str, pretrained: bool = False) -> DyeNet:
    """The network of a preset with random parameters.

    Args:
        preset: a name in ``SIZES``; KeyError for others.
        pretrained: fetch public weights, the backbone's of ImageNet and RAFT's, for the ``paper`` presets; the others
            have none.

    Raises:
        InputError: if they cannot be fetched.
    """
    size = SIZES[preset]
    if size.matcher is not None:
        return DyeNet(size, build_matcher(size.matcher), None)
    if size.backbone == "xception65":
        network = DyeNet(size, None, XceptionFeatures(pretrained))
    else:
        network = DyeNet(size, None, ResNetFeatures())
        if pretrained:
            load_imagenet_weights(network)
    if pretrained and network.raft is not None and size.raft is not None:
        load_public_raft(network.raft, size.raft)
    return network


def load_imagenet_weights(network: DyeNet) -> None:
    """Torchvision's ResNet-101: conv1 to conv4_x into N_feat, conv5_x into its three copies, by name."""
    from shibori.nn.backbones import fetch_resnet101_state

    state = fetch_resnet101_state()
    assert isinstance(network.backbone, ResNetFeatures)
    network.backbone.load_resnet(state)
    conv5 = {name.removeprefix("layer4."): value for name, value in state.items() if name.startswith("layer4.")}
    for blocks in (network.masks.blocks, network.reid.blocks, network.propagation.recurrent):
        assert isinstance(blocks, nn.Sequential)
        blocks[1].load_state_dict(conv5)
