"""Pictures of several objects, each seen twice, with masks and identities: what finding again is learned on.

A scene is a photograph, or a frame of a real clip, with cut-out objects moving over it; it is looked at twice, a few
moments apart. An object of the pool of identities is known again wherever it appears; all others are there to be told
apart from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from shibori.datasets.cut_outs import recoloured
from shibori.datasets.exposure import Shutter
from shibori.datasets.real_frames import RealSequence
from shibori.datasets.stills import Still
from shibori.datasets.synthesis import NO_MAP, Layer, WarpedStill, camera_over, cut_out, moving_layer, source_grid

UNKNOWN = -1
"""Identity of an object outside the pool."""
MIN_AREA = 0.004
"""Smallest share of the picture at which a visible object counts."""


@dataclass(frozen=True)
class InstanceView:
    """One picture with its K objects."""

    image: Tensor
    """(3, S, S) uint8 RGB."""
    masks: Tensor
    """(K, S, S) bool, visible parts."""
    boxes: Tensor
    """(K, 4) float32 xyxy around them."""
    identities: Tensor
    """(K,) int64, ``UNKNOWN`` for those outside the pool."""


@dataclass(frozen=True)
class InstancePlan:
    """How scenes are drawn."""

    size: int = 256
    """Side of the square pictures in pixels."""
    real_share: float = 0.35
    """Share of scenes whose ground is a real clip."""
    pool: int = 1000
    """Cut-out objects that are known again; the real clips' own objects always are."""
    max_layers: int = 4
    """Most cut-outs pasted into a scene."""
    max_gap: int = 40
    """Largest distance between the two views of a real clip, in frames."""


class InstanceScenes(Dataset[tuple[InstanceView, InstanceView]]):
    """An endless, reproducible supply: item ``i`` depends on the seed and ``i`` alone.

    Args:
        stills: photographs to synthesise from.
        sequences: real clips.
        plan: how to draw.
        seed: of the whole run.
        length: how many items it says it has.
    """

    def __init__(
        self, stills: Sequence[Still], sequences: Sequence[RealSequence], plan: InstancePlan, seed: int, length: int
    ) -> None:
        self.stills, self.sequences, self.plan, self.seed, self.length = stills, sequences, plan, seed, length
        cuttable = [(s, o) for s, still in enumerate(stills) if not still.regions for o in still.object_ids]
        chosen = np.random.default_rng(seed).permutation(len(cuttable))[: plan.pool]
        self.pool = [cuttable[int(i)] for i in chosen]
        self.grounds = [s for s, still in enumerate(stills) if not still.regions]
        self.num_identities = len(self.pool) + len(sequences)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[InstanceView, InstanceView]:
        rng = np.random.default_rng((self.seed, 1, index))
        for _ in range(20):
            views = self._views(rng)
            if all(len(view.identities) for view in views):
                return views
        raise RuntimeError("twenty scenes in a row showed no object")

    def _views(self, rng: Generator) -> tuple[InstanceView, InstanceView]:
        side = self.plan.size
        pace = rng.uniform(1, 12, 1)
        real = bool(self.sequences) and rng.random() < self.plan.real_share
        number = int(rng.integers(1 if real else 2, self.plan.max_layers + 1))
        layers = [self._layer(rng, side, pace) for _ in range(number)]
        grounds = self._real_ground(rng, side) if real else self._still_ground(rng, side, pace)
        shutter = Shutter.draw(rng)
        first, second = (self._view(rng, grounds[t], layers, t, shutter) for t in (0, 1))
        return first, second

    def _layer(self, rng: Generator, side: int, pace: NDArray[np.float64]) -> tuple[Layer, int]:
        """A cut-out of the pool on its way, and its identity."""
        identity = int(rng.integers(len(self.pool)))
        still_index, object_id = self.pool[identity]
        rgba = recoloured(rng, cut_out(self.stills[still_index], object_id))
        extent = side * float(np.exp(rng.uniform(np.log(0.12), np.log(0.55))))
        start = rng.uniform(0.1, 0.9, 2) * side
        return moving_layer(rng, rgba, start, extent, pace, [True, True], is_target=False), identity

    def _still_ground(
        self, rng: Generator, side: int, pace: NDArray[np.float64]
    ) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8], int]]:
        """Two views of a photograph with its own objects: image, ids, and the identity of id 1 (not in the pool)."""
        still = self.stills[self.grounds[int(rng.integers(len(self.grounds)))]]
        base = camera_over(rng, still, still.object_ids[0], (side, side), pace)
        return [(*_still_view(base, t, side), UNKNOWN) for t in (0, 1)]

    def _real_ground(self, rng: Generator, side: int) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8], int]]:
        """Two frames of a clip through one square window; id 1 is its object."""
        which = int(rng.integers(len(self.sequences)))
        sequence = self.sequences[which]
        last = len(sequence.images) - 1
        first = int(rng.integers(last + 1))
        second = int(np.clip(first + rng.integers(-self.plan.max_gap, self.plan.max_gap + 1), 0, last))
        flip = bool(rng.random() < 0.5)
        height, width = sequence.images[0].shape[:2]
        extent = int(rng.uniform(0.6, 1.0) * min(height, width))
        views = []
        for frame in (first, second):
            corner = _corner_near(rng, sequence.masks[frame], extent)
            views.append((*_real_view(sequence, frame, corner, extent, side, flip), len(self.pool) + which))
        return views

    def _view(
        self,
        rng: Generator,
        ground: tuple[NDArray[np.uint8], NDArray[np.uint8], int],
        layers: Sequence[tuple[Layer, int]],
        frame: int,
        shutter: Shutter,
    ) -> InstanceView:
        image, ids, identity = ground
        side = self.plan.size
        identities = {int(i): identity if i == 1 else UNKNOWN for i in np.unique(ids) if 0 < i < 200}
        ids = np.where(ids < 200, ids, 0).astype(np.uint8)
        window = np.array([0.0, 0.0, side, side])
        for number, (layer, layer_identity) in enumerate(layers, 200):
            ids[layer.paint(image, frame, window) > 127] = number
            identities[number] = layer_identity
        return _instances(shutter.expose(rng, image), ids, identities)


def _still_view(base: WarpedStill, frame: int, side: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    window = np.array([0.0, 0.0, side, side])
    image, _ = base.render(frame, window, side)
    grid = base.ripple.displace(source_grid(base.motions[frame], window, side), frame)
    ids = cv2.remap(base.still.ids, grid, NO_MAP, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
    # Number 1 is kept for the object of a real clip.
    ids = np.where((ids > 0) & (ids < 190), ids + 1, 0)
    return np.ascontiguousarray(image), ids.astype(np.uint8)


def _corner_near(rng: Generator, mask: NDArray[np.uint8], extent: int) -> tuple[int, int]:
    """Left and top of a window that shows the object, or any where there is none."""
    height, width = mask.shape
    left, top, box_width, box_height = cv2.boundingRect(mask)
    centre = (left + box_width / 2, top + box_height / 2) if box_width else (width / 2, height / 2)
    x, y = (int(c + rng.uniform(-0.3, 0.3) * extent - extent / 2) for c in centre)
    return max(min(x, width - extent), 0), max(min(y, height - extent), 0)


def _real_view(
    sequence: RealSequence, frame: int, corner: tuple[int, int], extent: int, side: int, flip: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    rows, columns = slice(corner[1], corner[1] + extent), slice(corner[0], corner[0] + extent)
    image = cv2.resize(sequence.images[frame][rows, columns], (side, side), interpolation=cv2.INTER_AREA)
    mask = cv2.resize(sequence.masks[frame][rows, columns], (side, side), interpolation=cv2.INTER_NEAREST)
    step = -1 if flip else 1
    return np.ascontiguousarray(np.asarray(image)[:, ::step]), np.ascontiguousarray(np.asarray(mask)[:, ::step])


def _instances(image: NDArray[np.uint8], ids: NDArray[np.uint8], identities: dict[int, int]) -> InstanceView:
    """The objects of which enough can be seen."""
    masks, boxes, kept = [], [], []
    for number, identity in identities.items():
        mask = ids == number
        if mask.mean() < MIN_AREA:
            continue
        left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
        masks.append(mask)
        boxes.append((left, top, left + width, top + height))
        kept.append(identity)
    return InstanceView(
        torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))),
        torch.from_numpy(np.stack(masks) if masks else np.zeros((0, *ids.shape), bool)),
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(kept, dtype=torch.int64),
    )
