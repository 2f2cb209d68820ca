"""Pictures with the boxes, masks and classes of their objects: what a detector is trained on.

A photograph, or a frame of a real clip, is cut to a canvas; in most of them cut-out objects of drawn classes are
pasted, so that rare classes come up as often as common ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from shibori.datasets.classed_stills import VOID, ClassedStill
from shibori.datasets.classes import COARSE, COARSE_OF, CROWDED, KIND_OF_SEQUENCE, category_id
from shibori.datasets.cut_outs import recoloured
from shibori.datasets.davis import DavisSequence
from shibori.datasets.exposure import Shutter
from shibori.datasets.scene.motion import SpriteMotion
from shibori.datasets.scene.renderer import MovingSprite, lay_over
from shibori.datasets.scene.sprite import CutOut
from shibori.media.box import boxes_from_masks

UNKNOWN_CLASS = len(COARSE) + 1
"""Label of an object whose class nobody says."""
POSES = 8
"""A sequence has as many poses as so many photographs."""
_MIN_AREA, _MIN_SIDE = 0.0015, 8  # share of the canvas, and pixels, at which an object counts
_FIRST_PASTED = 200


@dataclass(frozen=True)
class DetectionScene:
    """One picture with its K objects."""

    image: Tensor
    """(3, H, W) uint8 RGB."""
    masks: Tensor
    """(K, H, W) uint8 0/1, visible parts."""
    boxes: Tensor
    """(K, 4) float32 xyxy around them."""
    labels: Tensor
    """(K,) int64: 1 .. of the coarse classes, or ``UNKNOWN_CLASS``."""


@dataclass(frozen=True)
class DetectionPlan:
    """How scenes are drawn."""

    size_hw: tuple[int, int] = (256, 320)
    """Of the canvas."""
    real_share: float = 0.3
    """Share of scenes whose ground is a frame of a real clip."""
    paste_share: float = 0.65
    """Share of scenes with pasted objects."""
    max_pasted: int = 4
    """Most objects pasted into one."""
    set_weights: dict[str, float] = field(
        default_factory=lambda: {"coco_small": 2.5, "oxford_pets128": 0.3, "ccp": 0.4}
    )
    """How often a photograph of a set is drawn, where that is not 1."""


Picture = tuple[NDArray[np.uint8], NDArray[np.uint8], dict[int, int]]
"""(H, W, 3) uint8 RGB, (H, W) uint8 ids, and the label of each id."""


class DetectionScenes(Dataset[DetectionScene]):
    """An endless, reproducible supply: item ``i`` depends on the seed and ``i`` alone.

    Args:
        stills: photographs.
        sequences: real clips; those that show unmarked objects are not shown as they are, only cut out of.
        plan: how to draw.
        seed: of the whole run.
        length: how many items it says it has.
    """

    def __init__(
        self,
        stills: Sequence[ClassedStill],
        sequences: Sequence[DavisSequence],
        plan: DetectionPlan,
        seed: int,
        length: int,
    ) -> None:
        self.stills, self.plan, self.seed, self.length = list(stills), plan, seed, length
        self.grounds = [sequence for sequence in sequences if sequence.name not in CROWDED]
        weights = np.array([plan.set_weights.get(still.set_name, 1.0) for still in stills])
        self.weights = weights / weights.sum()
        self.sources: dict[str, list[ClassedStill | DavisSequence]] = {name: [] for name in COARSE}
        for still in stills:
            for coarse in {COARSE_OF[kind] for kind in {still.kind, *still.kinds.values()} if kind in COARSE_OF}:
                self.sources[coarse].append(still)
        for sequence in sequences:
            if sequence.name in KIND_OF_SEQUENCE:
                coarse = COARSE_OF[KIND_OF_SEQUENCE[sequence.name]]
                self.sources[coarse] += [sequence] * POSES
        self.pasted = [name for name, sources in self.sources.items() if sources]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> DetectionScene:
        rng = np.random.default_rng((self.seed, 2, index))
        image, ids, labels = on_canvas(rng, self._ground(rng), self.plan.size_hw)
        if self.pasted and rng.random() < self.plan.paste_share:
            for number in range(int(rng.integers(1, self.plan.max_pasted + 1))):
                coarse = self.pasted[int(rng.integers(len(self.pasted)))]
                cut = self._cut(rng, coarse)
                if cut is not None:
                    paste(rng, image, ids, cut, _FIRST_PASTED + number)
                    labels[_FIRST_PASTED + number] = category_id(coarse)
        return scene_of(Shutter.draw(rng).expose(rng, image), ids, labels)

    def _ground(self, rng: Generator) -> Picture:
        if self.grounds and rng.random() < self.plan.real_share:
            sequence = self.grounds[int(rng.integers(len(self.grounds)))]
            frame = int(rng.integers(sequence.num_frames))
            label = label_of(KIND_OF_SEQUENCE.get(sequence.name))
            return sequence.read_image(frame), sequence.read_ids(frame), {1: label}
        still = self.stills[int(rng.choice(len(self.stills), p=self.weights))]
        return still_picture(still)

    def _cut(self, rng: Generator, coarse: str) -> NDArray[np.uint8] | None:
        """(h, w, 4) uint8: an object of a class with its coverage; None where it is small or cut off by its picture."""
        source = self.sources[coarse][int(rng.integers(len(self.sources[coarse])))]
        if isinstance(source, ClassedStill):
            image, ids, labels = still_picture(source)
            known = [number for number, label in labels.items() if label == category_id(coarse)]
        else:
            frame = int(rng.integers(source.num_frames))
            image, ids, known = source.read_image(frame), source.read_ids(frame), [1]
        if not known:
            return None
        mask = (ids == known[int(rng.integers(len(known)))]).astype(np.uint8)
        left, top, width, height = cv2.boundingRect(mask)
        touches = (left == 0) + (top == 0) + (left + width == ids.shape[1]) + (top + height == ids.shape[0])
        if min(width, height) < 30 or touches > 1:
            return None
        coverage = cv2.copyMakeBorder(mask * 255, 3, 3, 3, 3, cv2.BORDER_CONSTANT)
        colours = cv2.copyMakeBorder(image, 3, 3, 3, 3, cv2.BORDER_REPLICATE)
        place = slice(top, top + height + 6), slice(left, left + width + 6)
        return recoloured(rng, np.dstack([colours[place], coverage[place]]))


def label_of(kind: str | None) -> int:
    """The number of a kind's coarse class, or ``UNKNOWN_CLASS``."""
    return category_id(COARSE_OF[kind]) if kind in COARSE_OF else UNKNOWN_CLASS


def still_picture(still: ClassedStill) -> Picture:
    """A photograph with the labels of its objects."""
    ids = still.read_ids()
    labels = {}
    for number in np.flatnonzero(np.bincount(ids.ravel(), minlength=256)[:_FIRST_PASTED])[1:].tolist():
        labels[number] = label_of(still.kind_of(number))
    return still.read_image(), ids, labels


def on_canvas(rng: Generator, picture: Picture, size_hw: tuple[int, int]) -> Picture:
    """A random part of a picture at a random scale, maybe mirrored; beyond the picture all is grey."""
    image, ids, labels = picture
    height, width = size_hw
    zoom = min(size_hw) / min(ids.shape) * float(np.exp(rng.uniform(np.log(0.75), np.log(1.6))))
    stretch = float(np.exp(rng.normal(0, 0.08)))
    sides = np.array([ids.shape[1] * zoom * stretch, ids.shape[0] * zoom / stretch])
    spare = np.array([width, height]) - sides
    corner = rng.uniform(0, 1, 2) * spare
    flip = rng.random() < 0.5
    matrix = np.array([[zoom * stretch, 0, corner[0]], [0, zoom / stretch, corner[1]]])
    if flip:
        matrix[0] = -matrix[0, 0], 0, width - corner[0]
    shrunk = image if zoom > 0.6 else cv2.GaussianBlur(image, (0, 0), 0.4 / zoom)
    seen = cv2.warpAffine(shrunk, matrix, (width, height), borderValue=(124, 116, 104))
    seen_ids = cv2.warpAffine(ids, matrix, (width, height), flags=cv2.INTER_NEAREST)
    return np.asarray(seen, np.uint8), np.asarray(seen_ids, np.uint8), dict(labels)


def paste(
    rng: Generator, image: NDArray[np.uint8], ids: NDArray[np.uint8], cut: NDArray[np.uint8], object_id: int
) -> None:
    """Lay an (h, w, 4) cut-out over a canvas, in place, somewhere, in some size, turned a little."""
    height, width = ids.shape
    extent = min(height, width) * float(np.exp(rng.uniform(np.log(0.18), np.log(0.8))))
    zoom = extent / np.sqrt(cut.shape[0] * cut.shape[1])
    turn, mirrored = rng.normal(0, 0.15), bool(rng.random() < 0.5)
    centre = rng.uniform(0.05, 0.95, (1, 2)) * [width, height]
    motion = SpriteMotion(centre, np.array([zoom]), np.array([turn]), mirrored)
    middle = np.array([cut.shape[1], cut.shape[0]]) / 2
    lay_over(image, ids, MovingSprite(object_id, CutOut("cut", cut), motion.matrices(middle)), 0)


def scene_of(image: NDArray[np.uint8], ids: NDArray[np.uint8], labels: dict[int, int]) -> DetectionScene:
    """The objects of which enough can be seen."""
    kept = []
    for number, area in enumerate(np.bincount(ids.ravel(), minlength=256)[:VOID]):
        if number in labels and area >= _MIN_AREA * ids.size:
            _, _, width, height = cv2.boundingRect((ids == number).astype(np.uint8))
            kept += [number] if min(width, height) >= _MIN_SIDE else []
    masks = np.stack([ids == number for number in kept]) if kept else np.zeros((0, *ids.shape), bool)
    return DetectionScene(
        torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))),
        torch.from_numpy(masks.astype(np.uint8)),
        torch.from_numpy(boxes_from_masks(masks)).float(),
        torch.tensor([labels[number] for number in kept], dtype=torch.int64),
    )
