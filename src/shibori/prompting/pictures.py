"""Pictures to train on: a frame or photograph, a window of it, and the masks of whole objects in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from shibori.datasets.cut_outs import recoloured, with_thin_parts
from shibori.datasets.exposure import Shutter
from shibori.datasets.real_frames import RealSequence
from shibori.datasets.scene.blending import over_in_8_bits
from shibori.datasets.stills import VOID, Still
from shibori.datasets.synthesis import cut_out
from shibori.errors import InputError
from shibori.ops.window import cut_window
from shibori.prompting.view import GRID, view_size, whole_window, window_around

MIN_AREA = 64
"""Pixels of a picture below which an object is not asked for."""
MIN_LEFT = 0.3
"""Share of an object that a cut-out laid over it must leave."""
REACHES = (1.05, 4.0)
"""Longer side of a window to that of the object it is drawn around, from the least to the most."""
SHIFT = 0.25
"""Standard deviation of how far a window is moved, in longer sides of the object."""


class PromptPicture(NamedTuple):
    """A picture and K objects in it."""

    image: Tensor
    """(3, H, W) uint8 RGB, H and W multiples of ``GRID``."""
    masks: Tensor
    """(K, H, W) bool, K at least 1; each with ``MIN_AREA`` pixels."""
    ignored: Tensor
    """(H, W) bool where nothing is known."""


@dataclass(frozen=True)
class PicturePlan:
    """How pictures are drawn."""

    side: int = 512
    """Longer side of the largest, in pixels."""
    smallest_side: int = 256
    """Longer side of the smallest."""
    real_share: float = 0.5
    """Share that are frames of real clips."""
    whole_share: float = 0.3
    """Share that are shown whole instead of in a window around an object."""
    pasted_share: float = 0.35
    """Share that another object is laid over."""
    thin_share: float = 0.2
    """Share of those laid over that have thin parts."""
    most_objects: int = 4
    """Objects that are asked for."""


class _Labelled(NamedTuple):
    image: NDArray[np.uint8]
    ids: NDArray[np.uint8]
    """(H, W) object ids, ``VOID`` ignored."""


class PromptPictures(Dataset[PromptPicture]):
    """An endless, reproducible supply: item ``i`` depends on the seed and ``i`` alone.

    Args:
        stills: photographs with objects; those with regions are left out.
        sequences: real clips; those of one name are objects of one clip.
        plan: how to draw.
        seed: of the whole run.
        length: how many items it says it has.

    Raises:
        InputError: if no photograph has an object.
    """

    def __init__(
        self, stills: Sequence[Still], sequences: Sequence[RealSequence], plan: PicturePlan, seed: int, length: int
    ) -> None:
        self.stills = [still for still in stills if not still.regions]
        names = sorted({sequence.name for sequence in sequences})
        self.clips = [[sequence for sequence in sequences if sequence.name == name] for name in names]
        self.plan, self.seed, self.length = plan, seed, length
        if not self.stills:
            raise InputError("expected photographs with objects, found only regions; add such a set")

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> PromptPicture:
        rng = np.random.default_rng((self.seed, index))
        for _ in range(50):
            picture = self._picture(rng)
            if picture is not None:
                return picture
        raise RuntimeError("fifty pictures in a row showed no object")

    def _picture(self, rng: Generator) -> PromptPicture | None:
        source = self._frame(rng) if self.clips and rng.random() < self.plan.real_share else self._photograph(rng)
        present = [value for value in np.unique(source.ids).tolist() if value not in (0, VOID)]
        if not present:
            return None
        chosen = present[int(rng.integers(len(present)))]
        seen = self._view(rng, source, chosen)
        if rng.random() < self.plan.pasted_share:
            seen = self._covered(rng, seen, chosen)
        if rng.random() < 0.5:
            seen = _Labelled(seen.image[:, ::-1], seen.ids[:, ::-1])
        image = Shutter.draw(rng).expose(rng, np.ascontiguousarray(seen.image)) if rng.random() < 0.6 else seen.image
        return self._asked(rng, image, seen.ids, chosen)

    def _photograph(self, rng: Generator) -> _Labelled:
        still = self.stills[int(rng.integers(len(self.stills)))]
        return _Labelled(still.image, np.where(np.isin(still.ids, (*still.object_ids, VOID)), still.ids, 0))

    def _frame(self, rng: Generator) -> _Labelled:
        clip = self.clips[int(rng.integers(len(self.clips)))]
        frame = int(rng.integers(len(clip[0].images)))
        ids = np.zeros(clip[0].masks[frame].shape, np.uint8)
        for slot, sequence in enumerate(clip, 1):
            ids[sequence.masks[frame] == 1] = slot
        return _Labelled(clip[0].images[frame], ids)

    def _view(self, rng: Generator, source: _Labelled, chosen: int) -> _Labelled:
        """A window of the source, resized."""
        size_hw = source.image.shape[:2]
        window = whole_window((size_hw[0], size_hw[1]))
        if rng.random() >= self.plan.whole_share:
            left, top, width, height = cv2.boundingRect((source.ids == chosen).astype(np.uint8))
            moved = np.tile(rng.normal(0, SHIFT, 2) * max(width, height), 2)
            box = np.array([left, top, left + width, top + height], np.float64) + moved
            reach = float(np.exp(rng.uniform(*np.log(REACHES))))
            window = window_around(box, reach, (size_hw[0], size_hw[1]))
        side = int(rng.integers(self.plan.smallest_side // GRID, self.plan.side // GRID + 1)) * GRID
        shape = view_size(window, side)
        return _Labelled(cut_window(source.image, window, shape), resized_ids(source.ids, window, shape))

    def _covered(self, rng: Generator, seen: _Labelled, chosen: int) -> _Labelled:
        """The picture with a cut-out of a photograph over it, as an object of its own."""
        still = self.stills[int(rng.integers(len(self.stills)))]
        rgba = recoloured(rng, cut_out(still, int(rng.choice(still.object_ids))))
        if rng.random() < self.plan.thin_share:
            rgba = with_thin_parts(rng, rgba)
        extent = max(seen.ids.shape) * float(np.exp(rng.uniform(np.log(0.08), np.log(0.6))))
        layer = _placed(rng, rgba, extent, (seen.ids.shape[0], seen.ids.shape[1]))
        covers = layer[..., 3] > 127
        if np.count_nonzero((seen.ids == chosen) & ~covers) < MIN_LEFT * np.count_nonzero(seen.ids == chosen):
            return seen
        coverage = np.asarray(layer[..., 3] / 255, np.float32)
        image = over_in_8_bits(coverage, np.ascontiguousarray(layer[..., :3]), seen.image)
        return _Labelled(image, np.where(covers, VOID - 1, seen.ids).astype(np.uint8))

    def _asked(
        self, rng: Generator, image: NDArray[np.uint8], ids: NDArray[np.uint8], chosen: int
    ) -> PromptPicture | None:
        counts = np.bincount(ids.ravel(), minlength=256)
        large = [value for value in np.flatnonzero(counts >= MIN_AREA).tolist() if value not in (0, VOID)]
        if chosen not in large:
            return None
        others = rng.permutation([value for value in large if value != chosen]).astype(int).tolist()
        asked = [chosen, *others][: self.plan.most_objects]
        masks = np.stack([ids == value for value in asked])
        pixels = torch.from_numpy(np.ascontiguousarray(np.transpose(image, (2, 0, 1))))
        return PromptPicture(pixels, torch.from_numpy(masks), torch.from_numpy(np.ascontiguousarray(ids == VOID)))


def resized_ids(ids: NDArray[np.uint8], window: NDArray[np.float64], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W) ids -> (*size_hw): a window of them, each id where it covers more than half of a pixel."""
    left, top, right, bottom = window.astype(int).tolist()
    cut = ids[top:bottom, left:right]
    resized = np.zeros(size_hw, np.uint8)
    for value in np.unique(cut).tolist():
        if value:
            share = cut_window((ids == value).astype(np.uint8) * 255, window, size_hw)
            resized[share > 127] = value
    return resized


def _placed(rng: Generator, rgba: NDArray[np.uint8], extent: float, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w, 4) cut-out -> (*size_hw, 4): turned a little, of the given extent, somewhere in the picture."""
    height, width = rgba.shape[:2]
    zoom = extent / max(height, width)
    few = np.asarray(cv2.resize(rgba, None, fx=min(zoom, 1), fy=min(zoom, 1), interpolation=cv2.INTER_AREA))
    motion = cv2.getRotationMatrix2D((few.shape[1] / 2, few.shape[0] / 2), float(rng.normal(0, 15)), max(zoom, 1.0))
    place = rng.uniform(0.05, 0.95, 2) * (size_hw[1], size_hw[0])
    motion[:, 2] += place - np.array([few.shape[1] / 2, few.shape[0] / 2])
    return np.asarray(cv2.warpAffine(few, motion, (size_hw[1], size_hw[0]), flags=cv2.INTER_LINEAR), np.uint8)
