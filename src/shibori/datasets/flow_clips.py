"""Training clips with the optical flow between their frames, for systems that follow it."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from shibori.datasets.sampling import TrainingClips
from shibori.datasets.training_clip import TrainingClip
from shibori.nn.flow import FlowEstimator


class FlowClips(Dataset[tuple[TrainingClip, Tensor | None]]):
    """Each clip of ``clips`` with its backward flows.

    Args:
        clips: where they come from.
        side: of the square flow fields that are returned.
        estimator: None where the flow is estimated later, of a whole batch: no flow is returned.
    """

    def __init__(self, clips: TrainingClips, side: int, estimator: FlowEstimator | None) -> None:
        self.clips, self.side, self.estimator = clips, side, estimator

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[TrainingClip, Tensor | None]:
        """The clip, and (T, 2, side, side) float16: see ``backward_flows``."""
        clip = self.clips[index]
        return clip, None if self.estimator is None else backward_flows(clip, self.estimator, self.side)


def backward_flows(clip: TrainingClip, estimator: FlowEstimator, side: int) -> Tensor:
    """From each frame's window to the previous picture seen through it, in pixels of the window.

    Returns:
        (T, 2, side, side) float16 (x, y); zeros for the first frame.
    """
    pictures = clip.images.numpy().transpose(0, 2, 3, 1)
    windows = clip.windows.numpy().astype(np.float64)
    flows = np.zeros((len(pictures), side, side, 2), np.float16)
    for t in range(1, len(pictures)):
        before = _seen_through(pictures[t - 1], windows[t - 1], windows[t])
        flow = estimator.estimate(np.ascontiguousarray(pictures[t]), before).vectors
        flows[t] = cv2.resize(flow, (side, side), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(flows).permute(0, 3, 1, 2)


def _seen_through(
    picture: NDArray[np.uint8], window_from: NDArray[np.float64], window_to: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """A square picture of ``window_from`` as ``window_to`` would show it; its edge goes on outside."""
    size = picture.shape[0]
    zoom = (window_to[2:] - window_to[:2]) / (window_from[2:] - window_from[:2])
    # Pixel centres lie at +0.5: p_from = (p_to + 0.5) * zoom + offset - 0.5.
    offset = (window_to[:2] - window_from[:2]) / (window_from[2:] - window_from[:2]) * size
    matrix = np.array([[zoom[0], 0, offset[0] + 0.5 * zoom[0] - 0.5], [0, zoom[1], offset[1] + 0.5 * zoom[1] - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(picture, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.uint8)
