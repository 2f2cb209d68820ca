"""Clips put together from annotated sequences: objects cross, hide each other, leave and come back; exact truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shibori.datasets.davis import DavisSequence
from shibori.datasets.scene.blending import Picture, feathered, over_in_float
from shibori.datasets.scene.cache import CLIP_BYTES, BoundedCache
from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.motion import SourceTrack, SpriteMotion, eased
from shibori.datasets.scene.renderer import FittedFootage, Patch, Scene, fitted
from shibori.datasets.scene.scene_layout import SceneSources, best_scene, clips_in_turn
from shibori.datasets.scene.sprite import Footage, source_boxes

_WHOLE = slice(None), slice(None)
_TRIES = 12
_LEAST_SHARE = 0.008  # of the picture, for every object of the first frame


def composites_from_davis(
    sequences: Sequence[DavisSequence],
    seed: int,
    num_clips: int,
    num_objects: int = 3,
    size_hw: tuple[int, int] = (480, 854),
    num_frames: int = 60,
) -> list[CompositeSequence]:
    """Clips of ``num_objects`` objects: a sequence with its own object (id 1), others' objects (2, 3 ...) over it.

    Each pasted object keeps its own motion and drifts along a smooth path of its own through the picture; some leave
    it and come back. Who is in front of whom is drawn once for a clip. Sequences shorter than ``num_frames`` are
    played there and back. Every object shows in the first frame.

    Raises:
        ValueError: fewer sequences than objects.
    """
    if len(sequences) < num_objects:
        raise ValueError(f"{num_objects} objects need as many sequences, got {len(sequences)}")
    rng, cache = np.random.default_rng(seed), BoundedCache(CLIP_BYTES)
    footage = [Footage(sequence, cache) for sequence in sequences]
    clips = []
    for clip_index, ground, others in clips_in_turn(rng, footage, footage, num_clips):
        chosen = others[: num_objects - 1]
        sources = SceneSources(ground, tuple(chosen), (), size_hw, num_frames)
        draw = partial(_draw_scene, rng, sources, chosen)
        scene = best_scene(draw, partial(_least_share, num_objects), _LEAST_SHARE, _TRIES)
        assert scene is not None
        clips.append(sources.sequence(clip_index, scene))
    return clips


def _least_share(num_objects: int, scene: Scene) -> float:
    """Share of the first picture that the smallest object covers."""
    return float(scene.areas(1, num_objects).min() / np.prod(scene.size_hw))


def _draw_scene(rng: Generator, sources: SceneSources, pasted: Sequence[Footage]) -> Scene:
    paths = _draw_paths(rng, len(pasted), sources.num_frames)
    ground = FittedFootage(sources.ground, sources.size_hw, np.float32)
    layers: list[WholeObject | WholeSprite] = [WholeObject(1, ground)]
    for object_id, (footage, path) in enumerate(zip(pasted, paths, strict=True), 2):
        layers.append(_place(rng, object_id, footage, path, sources.size_hw))
    depth = rng.permutation(len(layers))
    return Scene(ground, [layers[slot] for slot in depth], sources.size_hw, _in_8_bits)


def _draw_paths(rng: Generator, num_paths: int, num_frames: int) -> list[NDArray[np.float64]]:
    """(T, 2) each, in shares of the picture: from one side across to another; one of them goes out and comes back."""
    time = np.linspace(0, 1, num_frames)
    sides = np.linspace(0.2, 0.8, max(num_paths, 2))
    leaver = int(rng.integers(num_paths)) if num_paths else -1
    paths = []
    for place in range(num_paths):
        start = np.array([sides[place] + rng.uniform(-0.06, 0.06), rng.uniform(0.4, 0.68)])
        end = np.array([sides[-1 - place] + rng.uniform(-0.1, 0.1), rng.uniform(0.35, 0.7)])
        swing = rng.uniform(0.02, 0.06, 2) * np.sin(2 * np.pi * rng.uniform(0.6, 1.6, 2) * time[:, None])
        path = start + (end - start) * eased(time)[:, None] + swing
        if place == leaver:
            outwards = 1.3 if path[num_frames // 2, 0] > 0.5 else -1.3
            path[:, 0] += _excursion(time, rng) * outwards
        paths.append(path)
    return paths


def _excursion(time: NDArray[np.float64], rng: Generator) -> NDArray[np.float64]:
    """0, then 1 for a while, then 0 again, all smooth: out of the picture and back."""
    out, back = rng.uniform(0.15, 0.25), rng.uniform(0.8, 0.92)
    return eased(((time - out) / 0.28).clip(0, 1)) * eased(((back - time) / 0.28).clip(0, 1))


def _place(
    rng: Generator, object_id: int, footage: Footage, path: NDArray[np.float64], size_hw: tuple[int, int]
) -> WholeSprite:
    """A size for the object, and its own motion (kept within bounds) on top of its path."""
    height, width = size_hw
    track = SourceTrack.of_boxes(source_boxes(footage, len(path)))
    zoom = track.zoom_to(rng.uniform(0.05, 0.12) * height * width)
    centre = path * (width, height) + track.bounded_motion(zoom, 0.15 * height)
    motion = SpriteMotion(centre, zoom, np.zeros(len(path)))
    return WholeSprite(object_id, footage, motion.matrices(track.centre_xy))


# ---- the layers of these clips: over the whole picture and in float32, as since their first scores, which another
# rounding would leave without comparison


@dataclass(frozen=True, eq=False)
class WholeSprite:
    """The object of some footage on its way."""

    object_id: int
    footage: Footage
    matrices: NDArray[np.float64]
    """(T, 2, 3) affine, pixels of the footage -> pixels of the clip."""

    def patch(self, index: int, size_hw: tuple[int, int]) -> Patch:
        """See ``Layer``."""
        mask, size_wh = self.footage.mask(index).astype(np.float32), size_hw[::-1]
        coverage = feathered(np.asarray(cv2.warpAffine(mask, self.matrices[index], size_wh), np.float32))
        return Patch(_WHOLE, coverage, partial(self._over, coverage, index))

    def _over(self, coverage: NDArray[np.float32], index: int, below: Picture) -> Picture:
        picture, size_wh = self.footage.picture(index), coverage.shape[::-1]
        colours = cv2.warpAffine(picture, self.matrices[index], size_wh, borderMode=cv2.BORDER_REPLICATE)
        return over_in_float(coverage, colours, below)


@dataclass(frozen=True, eq=False)
class WholeObject:
    """The object that the ground shows itself."""

    object_id: int
    ground: FittedFootage

    def patch(self, index: int, size_hw: tuple[int, int]) -> Patch:
        """See ``Layer``."""
        mask = self.ground.footage.mask(index).astype(np.uint8)
        coverage = fitted(mask, size_hw, cv2.INTER_NEAREST).astype(np.float32)
        return Patch(_WHOLE, coverage, lambda below: over_in_float(feathered(coverage), self.ground(index), below))


def _in_8_bits(image: Picture, index: int) -> NDArray[np.uint8]:
    rounded: NDArray[np.uint8] = image.round().clip(0, 255).astype(np.uint8)
    return rounded
