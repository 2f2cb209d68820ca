"""Two of torchvision's compiled operators, without the package around them.

``import torchvision`` takes as long as ``import torch`` and 160 MB: it brings all its models and PyTorch's compiler. So
the library that holds the operators is loaded alone, until something needs the package itself.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


@cache
def _operators() -> Any:
    """``torch.ops.torchvision``."""
    found = find_spec("torchvision")
    libraries = [] if found is None else list(Path(str(found.origin)).parent.glob("_C*.so"))
    if len(libraries) == 1:
        torch.ops.load_library(libraries[0])
    else:  # Windows, or another layout
        import torchvision  # noqa: F401
    return torch.ops.torchvision


def align_regions(features: Tensor, rois: Tensor, side: int, scale: float) -> Tensor:
    """Torchvision's ``roi_align`` with ``aligned=True`` and as many samples a cell as there are positions under it.

    Args:
        features: (B, C, h, w) float32.
        rois: (K, 5) float32: image, then xyxy in pixels of the image.
        side: m.
        scale: positions of the features to a pixel.

    Returns:
        (K, C, m, m) float32.
    """
    if features.requires_grad and torch.is_grad_enabled():
        import torchvision  # noqa: F401  # the gradient is registered by the package
    aligned: Tensor = _operators().roi_align(features, rois, scale, side, side, -1, True)
    return aligned


def suppress(boxes_xyxy: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Non-maximum suppression: (N, 4), (N,) float32 -> (M,) int64, the boxes that stay, by falling score.

    Of two boxes whose intersection over union is above ``threshold`` the one with the lower score goes.
    """
    kept: Tensor = _operators().nms(boxes_xyxy, scores, threshold)
    return kept
