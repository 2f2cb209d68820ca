"""The detectors by name, and the trunk they share with the pixel tracker."""

from __future__ import annotations

from dataclasses import replace

from torchvision.models import ResNeXt101_32X8D_Weights
from torchvision.models.detection import MaskRCNN, MaskRCNN_ResNet50_FPN_V2_Weights, maskrcnn_resnet50_fpn_v2
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

from shibori.boxtracking.trunks import CompactViewTrunk
from shibori.boxtracking.views import ViewTrunk
from shibori.errors import InputError
from shibori.nn.backbones import COMPACT_TRUNKS, CompactTrunk
from shibori.nn.frozen import part_of
from shibori.systems.ipdt.network import Detector, class_agnostic
from shibori.systems.ipdt.size import SIZES, DetectorSize
from shibori.tracking.matcher import PixelTracker
from shibori.tracking.network import PixelNetwork
from shibori.tracking.shipped import shipped_state

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
    if detector.frozen_preset is not None:
        detector.load_frozen(part_of(shipped_state(detector.frozen_preset), "trunk"))


def trunk_of(tracker: PixelNetwork) -> ViewTrunk:
    """The trunk of a pixel tracker that has a compact one, as detectors and trackers of boxes see it."""
    assert isinstance(tracker, PixelTracker), "only the compact pixel trackers share their trunk"
    return CompactViewTrunk(tracker.trunk, tracker.key)
