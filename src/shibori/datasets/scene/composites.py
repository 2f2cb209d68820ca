"""Clips put together from annotated sequences: objects cross, hide each other, leave and come back; exact truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.datasets.davis import DavisSequence
from shibori.datasets.scene.composite_sequence import CompositeSequence, ImageAndIds
from shibori.datasets.scene.cutting import feathered, fitted, object_mask
from shibori.datasets.scene.motion import SourceTrack, eased, there_and_back


@dataclass(frozen=True)
class Cutout:
    """An object of a sequence, moved over another one."""

    sequence: DavisSequence
    zoom: NDArray[np.float64]
    """(T,) size relative to the source."""
    shift_xy: NDArray[np.float64]
    """(T, 2) pixels added to the zoomed source frame."""

    def layer(self, index: int, size_hw: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(H, W, 3) colour in [0, 255] and (H, W) soft coverage in [0, 1] of the object in frame ``index``."""
        source = there_and_back(index, self.sequence.num_frames)
        zoom, (x, y) = self.zoom[index], self.shift_xy[index]
        matrix = np.array([[zoom, 0, x], [0, zoom, y]])
        image = self.sequence.read_image(source)
        mask = object_mask(self.sequence, source).astype(np.float32)
        colour = cv2.warpAffine(image, matrix, size_hw[::-1], borderMode=cv2.BORDER_REPLICATE)
        coverage = cv2.warpAffine(mask, matrix, size_hw[::-1])
        return colour.astype(np.float32), feathered(coverage.astype(np.float32))


def composites_from_davis(
    sequences: Sequence[DavisSequence],
    seed: int,
    num_clips: int,
    num_objects: int = 3,
    size_hw: tuple[int, int] = (480, 854),
    num_frames: int = 60,
) -> list[CompositeSequence]:
    """Clips of ``num_objects`` objects: a sequence with its own object (id 1), others' objects (2, 3 ...) over it.

    Each pasted object keeps its own motion and drifts along a smooth way of its own through the picture; some leave
    it and come back. Who is in front of whom is drawn once for a clip. Sequences shorter than ``num_frames`` are
    played there and back. Every object shows in the first frame.

    Raises:
        ValueError: fewer sequences than objects.
    """
    if len(sequences) < num_objects:
        raise ValueError(f"{num_objects} objects need as many sequences, got {len(sequences)}")
    rng = np.random.default_rng(seed)
    clips = []
    for clip_index in range(num_clips):
        # Backgrounds in turn, so that a few clips already show all of them.
        ground = sequences[clip_index % len(sequences)]
        others = [sequence for sequence in sequences if sequence.name != ground.name]
        chosen = [others[i] for i in rng.permutation(len(others))[: num_objects - 1]]
        compose = _stage(rng, ground, chosen, size_hw, num_frames)
        name = "+".join([ground.name, *(sequence.name for sequence in chosen)])
        object_ids = tuple(range(1, num_objects + 1))
        clips.append(CompositeSequence(f"{clip_index:02d}-{name}", num_frames, object_ids, size_hw, compose))
    return clips


def _stage(
    rng: np.random.Generator,
    ground: DavisSequence,
    chosen: Sequence[DavisSequence],
    size_hw: tuple[int, int],
    num_frames: int,
) -> Callable[[int], ImageAndIds]:
    """Draw ways and depths until every object shows well in the first frame; keep the best of a few tries."""
    tracks = [SourceTrack.of(sequence, num_frames) for sequence in chosen]
    best: tuple[float, Callable[[int], ImageAndIds]] | None = None
    for _ in range(12):
        ways = _ways(rng, len(chosen), num_frames)
        cutouts = [_place(rng, s, t, way, size_hw) for s, t, way in zip(chosen, tracks, ways, strict=True)]
        depth = rng.permutation(len(chosen) + 1) + 1
        compose = partial(_compose, ground, cutouts, tuple(depth.tolist()), size_hw)
        score = _least_area(compose(0)[1], len(chosen) + 1)
        if best is None or score > best[0]:
            best = (score, compose)
        if score > 0.008:
            break
    assert best is not None
    return best[1]


def _least_area(ids: NDArray[np.uint8], num_objects: int) -> float:
    """Share of the picture that the smallest object covers."""
    return float(np.bincount(ids.ravel(), minlength=num_objects + 1)[1:].min() / ids.size)


def _ways(rng: np.random.Generator, num_ways: int, num_frames: int) -> list[NDArray[np.float64]]:
    """(T, 2) each, in shares of the picture: from one side across to another; one of them goes out and comes back."""
    time = np.linspace(0, 1, num_frames)
    sides = np.linspace(0.2, 0.8, max(num_ways, 2))
    leaver = int(rng.integers(num_ways)) if num_ways else -1
    ways = []
    for place in range(num_ways):
        start = np.array([sides[place] + rng.uniform(-0.06, 0.06), rng.uniform(0.4, 0.68)])
        end = np.array([sides[-1 - place] + rng.uniform(-0.1, 0.1), rng.uniform(0.35, 0.7)])
        swing = rng.uniform(0.02, 0.06, 2) * np.sin(2 * np.pi * rng.uniform(0.6, 1.6, 2) * time[:, None])
        way = start + (end - start) * eased(time)[:, None] + swing
        if place == leaver:
            outwards = 1.3 if way[num_frames // 2, 0] > 0.5 else -1.3
            way[:, 0] += _excursion(time, rng) * outwards
        ways.append(way)
    return ways


def _excursion(time: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """0, then 1 for a while, then 0 again, all smooth: out of the picture and back."""
    out, back = rng.uniform(0.15, 0.25), rng.uniform(0.8, 0.92)
    return eased(((time - out) / 0.28).clip(0, 1)) * eased(((back - time) / 0.28).clip(0, 1))


def _place(
    rng: np.random.Generator,
    sequence: DavisSequence,
    track: SourceTrack,
    way: NDArray[np.float64],
    size_hw: tuple[int, int],
) -> Cutout:
    """A size for the object, and its own motion (kept within bounds) on top of its way."""
    height, width = size_hw
    growth = track.size / track.size[0]
    zoom = np.sqrt(rng.uniform(0.05, 0.12) * height * width) / track.size[0] * growth.clip(0.7, 1.5) / growth
    own = (track.centre_xy - track.centre_xy[0]) * zoom[:, None]
    reach = 0.15 * height
    centre = way * (width, height) + reach * np.tanh(own / reach)
    return Cutout(sequence, zoom, centre - track.centre_xy * zoom[:, None])


def _compose(
    ground: DavisSequence, cutouts: Sequence[Cutout], depth: tuple[int, ...], size_hw: tuple[int, int], index: int
) -> ImageAndIds:
    """Frame ``index``: the ground, then the objects (1 is the ground's own) in the order ``depth``, back to front."""
    source = there_and_back(index, ground.num_frames)
    base = fitted(ground.read_image(source), size_hw, cv2.INTER_AREA).astype(np.float32)
    own = fitted(object_mask(ground, source).astype(np.uint8), size_hw, cv2.INTER_NEAREST).astype(np.float32)
    image, ids = base, np.zeros(size_hw, np.uint8)
    for object_id in depth:
        colour, coverage = (base, own) if object_id == 1 else cutouts[object_id - 2].layer(index, size_hw)
        soft = feathered(own) if object_id == 1 else coverage
        image = image + soft[..., None] * (colour - image)
        ids[coverage > 0.5] = object_id
    return image.round().clip(0, 255).astype(np.uint8), ids
