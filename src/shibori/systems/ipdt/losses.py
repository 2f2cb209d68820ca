"""What the detector is trained with: torchvision's losses of Mask R-CNN, and one for objects whose class nobody says.

Axes: B pictures, K objects of a picture, N sampled boxes, C classes, m side of a mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import roi_align

from shibori.systems.ipdt.network import Detector

MASKS = 8
"""Boxes of a picture whose masks enter the loss."""


class Truth(NamedTuple):
    """The objects of one picture."""

    boxes: Tensor
    """(K, 4) float32 xyxy, pixels of the picture."""
    labels: Tensor
    """(K,) int64: 1 .. C, or C + 1 for an object of unknown class."""
    masks: Tensor
    """(K, H, W) uint8 0/1."""


class DetectorLoss(NamedTuple):
    """The parts, () float32 each."""

    total: Tensor
    objectness: Tensor
    proposal_boxes: Tensor
    classes: Tensor
    boxes: Tensor
    masks: Tensor
    accuracy: Tensor
    """Share of the boxes of objects of known class whose likeliest class, background left out, is right."""


class DetectorTraining(nn.Module):
    """A detector and its loss, as one module for data-parallel runs."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor, truths: Sequence[Truth]) -> DetectorLoss:
        """(B, 3, H, W) normalised pictures and their objects -> the losses (He et al. 2017, Sec. 3)."""
        detector = self.detector
        levels = detector.pyramid(detector.see(images))
        size_hw = (images.shape[2], images.shape[3])
        sizes = [size_hw] * len(images)
        targets = [{"boxes": truth.boxes, "labels": truth.labels, "masks": truth.masks} for truth in truths]
        proposals, rpn = detector.network.rpn(ImageList(images, sizes), levels, targets)
        heads = detector.network.roi_heads
        boxes, matched, labels, regression = heads.select_training_samples(proposals, targets)
        _, logits, deltas = detector.classify(levels, boxes, sizes)
        chosen = [drawn(own > 0, MASKS) for own in labels]
        picked = [own[places] for own, places in zip(boxes, chosen, strict=True)]
        numbers = [own[places] for own, places in zip(matched, chosen, strict=True)]
        mask_logits = detector.masks(levels, picked, sizes)
        all_labels, all_regression = torch.cat(labels), torch.cat(regression)
        class_part = class_loss(logits, all_labels)
        box_part = box_loss(deltas, all_regression, all_labels)
        mask_part = mask_loss(mask_logits, picked, numbers, truths)
        objectness, proposal_boxes = rpn["loss_objectness"], rpn["loss_rpn_box_reg"]
        total = objectness + proposal_boxes + class_part + box_part + mask_part
        accuracy = class_accuracy(logits.detach(), all_labels)
        return DetectorLoss(total, objectness, proposal_boxes, class_part, box_part, mask_part, accuracy)


def drawn(is_object: Tensor, number: int) -> Tensor:
    """(number,) places drawn from (N,) flags, some more than once if need be: one shape is compiled once. Or none."""
    places = is_object.nonzero()[:, 0]
    order = torch.randperm(len(places), device=places.device)
    return places[order.repeat(-(-number // max(len(places), 1)))[:number]]


def class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy; an object of unknown class is asked only not to be background.

    Args:
        logits: (N, C + 1), background first.
        labels: (N,) int64: 0 background, 1 .. C, or C + 1 for an object of unknown class, whose probability is the sum
            of those of all classes.
    """
    log_probs = logits.float().log_softmax(1)
    num_classes = logits.shape[1] - 1
    known = log_probs.gather(1, labels.clamp(max=num_classes)[:, None])[:, 0]
    return -torch.where(labels > num_classes, log_probs[:, 1:].logsumexp(1), known).mean()


def box_loss(deltas: Tensor, targets: Tensor, labels: Tensor) -> Tensor:
    """Smooth L1 of the box deltas of the objects, over all N samples.

    Args:
        deltas: (N, 4) or (N, 4C + 4), those of class c from 4c on.
        targets: (N, 4).
        labels: as in ``class_loss``; where deltas depend on the class, those of unknown class teach nothing.
    """
    of_class = deltas.unflatten(1, (-1, 4))
    if of_class.shape[1] == 1:
        places, rows = (labels > 0).nonzero()[:, 0], 0 * labels
    else:
        places, rows = ((labels > 0) & (labels < of_class.shape[1])).nonzero()[:, 0], labels
    chosen = of_class[places, rows[places]]
    return functional.smooth_l1_loss(chosen, targets[places], beta=1 / 9, reduction="sum") / max(len(labels), 1)


def mask_loss(logits: Tensor, boxes: Sequence[Tensor], numbers: Sequence[Tensor], truths: Sequence[Truth]) -> Tensor:
    """Mean binary cross entropy of the masks of the objects' boxes.

    Args:
        logits: (N, 1 or C + 1, m, m).
        boxes: (N_b, 4) for each picture, N in all.
        numbers: (N_b,) which object of the picture each is to show.
        truths: of the pictures.
    """
    if not len(logits):
        return logits.sum()
    side = logits.shape[-1]
    targets, labels = [], []
    for own, chosen, truth in zip(boxes, numbers, truths, strict=True):
        if len(own):
            rois = torch.cat([chosen[:, None].to(own), own], 1)
            targets.append(roi_align(truth.masks[:, None].to(own), rois, side, aligned=True)[:, 0])
            labels.append(truth.labels[chosen])
    target, label = torch.cat(targets), torch.cat(labels)
    if logits.shape[1] == 1:
        return functional.binary_cross_entropy_with_logits(logits[:, 0], target)
    known = (label < logits.shape[1]).nonzero()[:, 0]
    if not len(known):
        return 0 * logits.sum()
    return functional.binary_cross_entropy_with_logits(logits[known, label[known]], target[known])


def class_accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """() share of the objects of known class whose likeliest class is right; 0 where there is none."""
    known = (labels > 0) & (labels < logits.shape[1])
    right = logits[:, 1:].argmax(1) + 1 == labels
    return (right & known).sum() / known.sum().clamp_min(1)
