"""The detectors by name, and the trunk they share with the pixel tracker."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import torch
from torch import Tensor
from torchvision.models import ResNeXt101_32X8D_Weights
from torchvision.models.detection import MaskRCNN, MaskRCNN_ResNet50_FPN_V2_Weights, maskrcnn_resnet50_fpn_v2
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

from shibori.boxtracking.trunks import CompactViewTrunk, ResNet18ViewTrunk, fetch_resnet18_state
from shibori.boxtracking.views import ViewTrunk
from shibori.errors import InputError
from shibori.nn.backbones import COMPACT_TRUNKS, CompactTrunk
from shibori.nn.weights import load_state
from shibori.systems.ipdt.network import Detector, class_agnostic
from shibori.systems.ipdt.size import SIZES, DetectorSize
from shibori.tracking.compact import PixelTracker, build_pixel_tracker
from shibori.tracking.network import PixelNetwork
from shibori.weights import locate_weights

COCO = "coco"
"""The detector that torchvision trained on COCO: no weights of ours, no training."""


def build_detector(preset: str, pretrained: bool = False) -> Detector:
    """The detector of a preset, with random parameters and without its trunk's weights.

    Args:
        preset: a name in ``SIZES``; KeyError for others.
        pretrained: fetch public ImageNet weights for the backbone of ``paper``; the others have none.

    Raises:
        InputError: if they cannot be fetched.
    """
    size = SIZES[preset]
    if size.trunk is not None:
        trunk = CompactTrunk(*COMPACT_TRUNKS[size.trunk])
        return Detector(class_agnostic(trunk.channels[2], size), size, trunk)
    weights = ResNeXt101_32X8D_Weights.IMAGENET1K_V2 if pretrained else None
    try:
        backbone = resnet_fpn_backbone(backbone_name=size.backbone or "", weights=weights)
    except OSError as error:
        raise InputError(_cannot_fetch("ImageNet", error)) from error
    return Detector(MaskRCNN(backbone, len(size.classes) + 1), size, None)


def fetch_coco_detector() -> Detector:
    """Torchvision's Mask R-CNN on ResNet-50 FPN v2, trained on COCO; its weights are fetched, or come from its cache.

    Raises:
        InputError: if they cannot be fetched.
    """
    weights = MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1
    try:
        network = maskrcnn_resnet50_fpn_v2(weights=weights)
    except OSError as error:
        raise InputError(_cannot_fetch("COCO", error)) from error
    return Detector(network, coco_size(), None)


def coco_size() -> DetectorSize:
    """As ``paper``, with COCO's classes under COCO's numbers."""
    names = tuple(MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1.meta["categories"][1:])
    return replace(SIZES["paper"], backbone="resnet50", classes=names)


def _cannot_fetch(name: str, error: OSError) -> str:
    return (
        f"expected {name} weights from torchvision, found no way to fetch them ({error}); go online once, or use the "
        "preset compact"
    )


def load_trunk(detector: Detector) -> None:
    """Give a detector the trunk of the shipped pixel tracker, and note which one that is.

    Raises:
        InputError: if the detector was trained upon another trunk.
    """
    if detector.trunk is None or detector.size.trunk is None:
        return
    tracker = shipped_tracker(detector.size.trunk)
    assert isinstance(tracker, PixelTracker), "only the compact pixel trackers share their trunk"
    state = tracker.trunk.state_dict()
    digest = state_digest(state)
    if bool(detector.trunk_digest.any()) and not torch.equal(detector.trunk_digest.cpu(), digest):
        raise InputError(
            "expected ipdt weights that were trained with this version's pixel tracker, found others; train them on "
            "from it (shibori train ipdt --start) or use those that ship with this version"
        )
    detector.trunk_digest.copy_(digest)
    detector.trunk.load_state_dict(state)


def state_digest(state: dict[str, Tensor]) -> Tensor:
    """(8,) uint8: the first bytes of the SHA-256 of all parameters in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].contiguous().numpy().tobytes())
    return torch.tensor(list(digest.digest()[:8]), dtype=torch.uint8)


def shipped_tracker(preset: str) -> PixelNetwork:
    """The shipped pixel tracker; for ``tiny``, which is for tests, one that is random and always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tracker = build_pixel_tracker(preset)
    if preset != "tiny":
        tracker.load_state_dict(load_state(locate_weights("pixel", preset), "pixel", preset))
    return tracker


def trunk_of(tracker: PixelNetwork) -> ViewTrunk:
    """The trunk of a pixel tracker that has a compact one, as detectors and trackers of boxes see it."""
    assert isinstance(tracker, PixelTracker), "only the compact pixel trackers share their trunk"
    return CompactViewTrunk(tracker.trunk, tracker.key)


def public_trunk() -> ViewTrunk:
    """ResNet-18 with its public weights, frozen. InputError if they cannot be fetched."""
    trunk = ResNet18ViewTrunk()
    trunk.load_resnet(fetch_resnet18_state())
    trunk.eval().requires_grad_(False)
    return trunk
