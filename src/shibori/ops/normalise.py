"""Pictures as networks want them."""

from __future__ import annotations

import torch
from torch import Tensor

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)


def normalise_images(images: Tensor) -> Tensor:
    """(..., 3, H, W) uint8 RGB -> float32 with the ImageNet mean and deviation."""
    mean = torch.tensor(IMAGE_MEAN, device=images.device).view(3, 1, 1)
    std = torch.tensor(IMAGE_STD, device=images.device).view(3, 1, 1)
    return (images.float() / 255 - mean) / std
