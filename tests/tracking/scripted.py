"""A network that sees the blue of made pictures, and says of it what a test wants; no parameters.

Red and green of the pictures are column and row, so that it knows which windows it was shown.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from shibori.ops.normalise import IMAGE_MEAN, IMAGE_STD
from shibori.tracking.network import Comparison, Encoded, Memory, PixelNetwork, Prediction, Reading

SIZE_HW = (200, 255)


def picture(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB: an object that fills this box."""
    rows, columns = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    return np.stack([columns, rows, 255 * box_mask(left, top, right, bottom)], axis=-1).astype(np.uint8)


def box_mask(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    """(H, W) bool, true inside."""
    mask = np.zeros(SIZE_HW, bool)
    mask[top:bottom, left:right] = True
    return mask


NOTHING = picture(0, 0, 0, 0)


class ScriptedNetwork(PixelNetwork):
    """The object is what is blue."""

    def __init__(self) -> None:
        super().__init__()
        self.stride = 8
        self.quality = self.presence = 0.98
        """Probabilities."""
        self.far_quality: float | None = None
        """Of windows in the right half of the frame; None: the same."""
        self.unmasked_quality: float | None = None
        """Quality where no previous mask is told; None: the same."""
        self.share = 1.0
        """How much of what a place matches is the object, everywhere."""
        self.margin = 1.0
        """Cosine with the object and its lead, where there is blue; little elsewhere."""
        self.evidence = 4.0
        """Log-odds of what is blue; less of everything else."""
        self.frame = 0
        """Number of the frame that is shown: memories are told apart by it."""
        self.windows: list[np.ndarray] = []
        """(4,) xyxy of all windows that were shown."""
        self.sizes: list[tuple[int, int]] = []
        """Height and width that these were resized to."""
        self.recalled: list[set[int]] = []
        """For each object and answer, the frames in the memory it was matched with."""

    def encode(self, images: Tensor) -> Encoded:
        mean, std = (torch.tensor(each).view(3, 1, 1) for each in (IMAGE_MEAN, IMAGE_STD))
        pixels = (images.float() * std + mean) * 255
        for columns, rows, _ in pixels:
            low, high = [part.min().item() for part in (columns, rows)], [part.max().item() for part in (columns, rows)]
            self.windows.append(np.round([*low, high[0] + 1, high[1] + 1]))
            self.sizes.append((images.shape[2], images.shape[3]))
        key = functional.avg_pool2d(pixels / 255, self.stride)
        return Encoded((pixels[:, 2:],), key, key[:, :0])

    def remember(self, encoded: Encoded, mask: Tensor, others: Tensor) -> Memory:
        key = encoded.key.flatten(2)
        value = torch.full_like(key[:, :1], self.frame)
        return Memory(key, value, functional.avg_pool2d(mask, self.stride).flatten(1), key.mT[..., :0])

    def compare(self, encoded: Encoded, memory: Memory) -> Comparison:
        blue = encoded.key[:, 2]
        return Comparison(torch.full_like(blue, self.share), torch.where(blue > 0, self.margin, 0.3))

    def read(self, encoded: Encoded, memory: Memory) -> Reading:
        self.recalled.append(set(memory.value.int().unique().tolist()))
        return ()

    def segment(
        self, encoded: Encoded, reading: Reading, previous: Tensor, previous_mask: Tensor, previous_others: Tensor
    ) -> Prediction:
        logits = torch.where(encoded.features[0] > 127, self.evidence, -4.0)
        qualities = torch.full((len(logits),), self.quality)
        if self.far_quality is not None:
            qualities[encoded.key[:, 0].mean((1, 2)) * 255 > SIZE_HW[1] / 2] = self.far_quality
        if self.unmasked_quality is not None:
            qualities[previous_mask.amax((1, 2, 3)) == 0] = self.unmasked_quality
        presence = torch.full_like(qualities, self.presence).logit(1e-6)
        return Prediction(logits, qualities.logit(1e-6), presence, encoded.key[:, 2])
