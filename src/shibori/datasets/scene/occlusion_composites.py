"""Made clips in which objects are hidden for a while and come back: for trackers that are given the first masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from shibori.datasets.davis import DavisSequence
from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.episodes import episodes
from shibori.datasets.scene.occlusions import Hiding, draw_hidings
from shibori.datasets.scene.scene_layout import Cast, draw_stage
from shibori.datasets.scene.sprite import BoundedCache, Footage, Stage

CACHE_BYTES = 384 << 20
_LEAST_SHARE = 0.006  # of the picture, for every object of the first frame
_TRIES, _MOST_TRIES = 10, 100


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
    clip has one hiding, most have two: outside the picture, behind a standing or passing piece of another sequence's
    background, or behind another object. Every object shows well in the first frame. ``episodes`` tells from the truth
    what came of it.

    Decoded pictures are kept within ``CACHE_BYTES``, shared by all clips.

    Raises:
        ValueError: fewer sequences than objects and one for the screens, or fewer than ``SHORTEST_CLIP`` frames.
    """
    if len(sequences) <= num_objects:
        raise ValueError(f"{num_objects} objects and a screen need a sequence each, got {len(sequences)} sequences")
    rng = np.random.default_rng(seed)
    cache = BoundedCache(CACHE_BYTES)
    footage = [Footage(sequence, cache) for sequence in sequences]
    clips = []
    for clip_index in range(num_clips):
        ground = footage[clip_index % len(footage)]
        others = [other for other in footage if other is not ground]
        order = [others[i] for i in rng.permutation(len(others))]
        cast = Cast(ground, tuple(order[: num_objects - 1]), tuple(order[num_objects - 1 :]), size_hw, num_frames)
        name = "+".join(part.name for part in (ground, *cast.actors))
        clips.append(composite_of(f"{clip_index:02d}-{name}", hidden_stage(rng, cast), cast))
    return clips


def composite_of(name: str, stage: Stage, cast: Cast) -> CompositeSequence:
    """A staged clip as a sequence."""
    object_ids = tuple(range(1, cast.num_objects + 1))
    return CompositeSequence(name, cast.num_frames, object_ids, cast.size_hw, stage, stage.ids)


def hidden_stage(rng: np.random.Generator, cast: Cast) -> Stage:
    """Draw until every planned hiding comes true and every object shows well at first; settle for one after a while.

    Raises:
        ValueError: nothing drawn hides any object.
    """
    for attempt in range(_MOST_TRIES):
        if attempt % _TRIES == 0:
            hidings = draw_hidings(rng, cast.num_objects, cast.num_frames)
        stage = draw_stage(rng, cast, hidings)
        came_true = 0 if stage is None else _count_true(stage, cast, hidings)
        if stage is not None and (came_true == len(hidings) or (came_true and attempt >= 2 * _TRIES)):
            return stage
    names = ", ".join(part.name for part in (cast.ground, *cast.actors))
    raise ValueError(f"none of {_MOST_TRIES} clips drawn from {names} hides an object as planned")


def _count_true(stage: Stage, cast: Cast, hidings: Sequence[Hiding]) -> int:
    """How many of the plans the truth shows; none where an object shows badly in the first frame."""
    first = np.bincount(stage.ids(0).ravel(), minlength=cast.num_objects + 1)[1:]
    if first.min() < _LEAST_SHARE * np.prod(cast.size_hw):
        return 0
    alone = [np.count_nonzero(replace(stage, layers=(layer,)).ids(0)) for layer in stage.layers if layer.object_id]
    in_order = [layer.object_id - 1 for layer in stage.layers if layer.object_id]
    if (first[in_order] < 0.6 * np.array(alone)).any():
        return 0
    clip = composite_of("", stage, cast)
    found = episodes(clip)
    return sum(
        any(e.object_id == h.slot + 1 and e.first_hidden < h.stop and e.first_back > h.start for e in found)
        for h in hidings
    )
