"""Made clips in which objects are hidden for a while and come back: for trackers that are given the first masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.random import Generator

from shibori.datasets.davis import DavisSequence
from shibori.datasets.scene.cache import CLIP_BYTES, BoundedCache
from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.episodes import episodes
from shibori.datasets.scene.occlusions import Occlusion, draw_occlusions
from shibori.datasets.scene.renderer import Scene
from shibori.datasets.scene.scene_layout import MOST_TRIES, SceneSources, clips_in_turn, draw_scene
from shibori.datasets.scene.sprite import Footage

_TRIES = 10
_LEAST_SHARE = 0.006  # of the picture, for every object of the first frame
_LEAST_VISIBLE = 0.6  # of what an object would show in the first frame if nothing lay over it


def hidden_composites(
    sequences: Sequence[DavisSequence],
    seed: int,
    num_clips: int,
    num_objects: int = 3,
    size_hw: tuple[int, int] = (480, 854),
    num_frames: int = 90,
) -> list[CompositeSequence]:
    """Clips in which objects are fully hidden for 10 to 40 frames and come back, often elsewhere.

    A sequence with its own object (id 1) and others' objects (2, 3 ...) over it, as in ``composites_from_davis``. Each
    clip has one occlusion, most have two: outside the picture, behind a standing or passing piece of another sequence's
    background, or behind another object. Every object shows well in the first frame. ``episodes`` tells from the truth
    what came of it.

    Decoded pictures are kept within ``CLIP_BYTES``, shared by all clips.

    Raises:
        ValueError: fewer sequences than objects and one for the occluders, or fewer than ``SHORTEST_CLIP`` frames.
    """
    if len(sequences) <= num_objects:
        raise ValueError(f"{num_objects} objects and a screen need a sequence each, got {len(sequences)} sequences")
    rng, cache = np.random.default_rng(seed), BoundedCache(CLIP_BYTES)
    footage = [Footage(sequence, cache) for sequence in sequences]
    clips = []
    for clip_index, ground, others in clips_in_turn(rng, footage, footage, num_clips):
        sprites, occluders = tuple(others[: num_objects - 1]), tuple(others[num_objects - 1 :])
        sources = SceneSources(ground, sprites, occluders, size_hw, num_frames)
        clips.append(sources.sequence(clip_index, draw_hidden_scene(rng, sources)))
    return clips


def draw_hidden_scene(rng: Generator, sources: SceneSources) -> Scene:
    """Draw until every planned occlusion comes true and every object shows well at first; after a while one is enough.

    Raises:
        ValueError: nothing drawn hides any object.
    """
    for attempt in range(MOST_TRIES):
        if attempt % _TRIES == 0:
            occlusions = draw_occlusions(rng, sources.num_objects, sources.num_frames)
        scene = draw_scene(rng, sources, occlusions)
        came_true = 0 if scene is None else _count_true(scene, sources, occlusions)
        if scene is not None and (came_true == len(occlusions) or (came_true and attempt >= 2 * _TRIES)):
            return scene
    names = sources.name.replace("+", ", ")
    raise ValueError(f"none of {MOST_TRIES} clips drawn from {names} hides an object as planned")


def _count_true(scene: Scene, sources: SceneSources, occlusions: Sequence[Occlusion]) -> int:
    """How many of the plans the truth shows; none where an object shows badly in the first frame."""
    first = scene.areas(1, sources.num_objects)[0]
    if first.min() < _LEAST_SHARE * np.prod(sources.size_hw):
        return 0
    objects = [layer for layer in scene.layers if layer.object_id]
    alone = [np.count_nonzero(replace(scene, layers=(layer,)).ids(0)) for layer in objects]
    if (first[[layer.object_id - 1 for layer in objects]] < _LEAST_VISIBLE * np.array(alone)).any():
        return 0
    found = episodes(sources.sequence(0, scene))
    return sum(
        any(e.object_id == o.slot + 1 and e.first_hidden < o.stop and e.first_back > o.start for e in found)
        for o in occlusions
    )
