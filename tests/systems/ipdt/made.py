"""Candidates made by hand; small networks and clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from shibori.boxtracking.presets import build_siamese
from shibori.interfaces import FrameSource
from shibori.media.rle import encode_rle
from shibori.nn.frozen import TRUNK_DIGEST, state_digest
from shibori.systems.ipdt.build import segmenter_from_states
from shibori.systems.ipdt.candidate import Candidate
from shibori.systems.ipdt.inference import IpdtSegmenter
from shibori.systems.ipdt.losses import Truth
from shibori.systems.ipdt.model import build_detector, load_trunk, trunk_of
from shibori.systems.ipdt.network import Detector
from shibori.systems.ipdt.rule import DiscoveryRule
from shibori.tracking.shipped import shipped_tracker

SIZE = (40, 60)


def box_mask(x0: int, y0: int, x1: int, y1: int) -> dict:
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    return encode_rle(mask)


def candidate(frame_index: int, box: tuple[int, int, int, int], scores, look: float | None = None) -> Candidate:
    """``look`` is an angle: appearances are points of a circle."""
    embedding = None if look is None else np.array([np.cos(look), np.sin(look)], np.float32)
    return Candidate(frame_index, np.array(scores, float), np.array(box, float), box_mask(*box), embedding)


# ---- small networks and clips


class Frames(FrameSource):
    """Pictures in memory; those in ``missing`` cannot be decoded."""

    def __init__(self, images: Sequence[np.ndarray], missing: Sequence[int] = ()) -> None:
        self.images, self.missing = list(images), set(missing)

    @property
    def size_hw(self) -> tuple[int, int]:
        return self.images[0].shape[:2]

    @property
    def num_frames(self) -> int:
        return len(self.images)

    def read(self, index: int) -> np.ndarray:
        return self.images[index]

    def forward(self, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        return ((i, self.images[i]) for i in range(start, stop) if i not in self.missing)

    def backward(self, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        return ((i, self.images[i]) for i in range(start, stop, -1) if i not in self.missing)


def tiny_siamese() -> dict[str, Tensor]:
    """Random parameters with the digest of the tiny trunk."""
    torch.manual_seed(0)
    state = build_siamese("tiny").state_dict()
    return state | {TRUNK_DIGEST: state_digest(trunk_of(shipped_tracker("tiny")).state_dict())}


def tiny_detector(seed: int = 0) -> Detector:
    """Random parameters on the tiny trunk."""
    torch.manual_seed(seed)
    detector = build_detector("tiny")
    load_trunk(detector)
    return detector


def tiny_segmenter(rule: DiscoveryRule | None = None) -> IpdtSegmenter:
    """All parts of the preset, with random parameters."""
    return segmenter_from_states(tiny_detector().own_state(), tiny_siamese(), "tiny", torch.device("cpu"), rule=rule)


def two_squares(num: int = 2, side: int = 96) -> tuple[Tensor, list[Truth]]:
    """Pictures of a red and a green square on grey, of classes 1 and 2, and what is true of them."""
    images, truths = torch.full((num, 3, side, side), 90, dtype=torch.uint8), []
    for picture in range(num):
        masks = torch.zeros(2, side, side, dtype=torch.uint8)
        boxes = torch.tensor([[8.0, 10 + 6 * picture, 44, 46 + 6 * picture], [52, 40, 88, 84 - 6 * picture]])
        for slot, (x0, y0, x1, y1) in enumerate(boxes.int().tolist()):
            masks[slot, y0:y1, x0:x1] = 1
            images[picture, slot, y0:y1, x0:x1] = 250
        truths.append(Truth(boxes, torch.tensor([1, 2]), masks))
    return images, truths
