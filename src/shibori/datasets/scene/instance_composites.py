"""Made clips of classed instances that enter, leave and hide: for systems that find and classify by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator

from shibori.datasets.classed_stills import ClassedObject
from shibori.datasets.classes import COARSE, COARSE_OF, CROWDED, KIND_OF_SEQUENCE, category_id
from shibori.datasets.davis import DavisSequence
from shibori.datasets.scene.cache import CLIP_BYTES, BoundedCache
from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.occlusions import draw_appearances
from shibori.datasets.scene.renderer import Scene
from shibori.datasets.scene.scene_layout import MOST_TRIES, SceneSources, best_scene, clips_in_turn, draw_scene
from shibori.datasets.scene.sprite import Footage, Sprite, StillSprite
from shibori.datasets.youtube_vis import InstanceAnnotation, InstanceDataset, Video
from shibori.media.box import boxes_from_masks
from shibori.media.picture import encode_jpeg
from shibori.media.rle import encode_rle
from shibori.media.segmentation_code import Rle

Box = tuple[float, float, float, float]
_LEAST_SHOWN, _LEAST_FRAMES = 0.004, 5  # share of the picture, for so many frames, that an instance is worth having
_LEAST_ANNOTATED = 1e-4  # share of the picture; less is a soft rim
_TRIES = 11
_STILL_SHARE = 0.5


@dataclass(frozen=True)
class InstanceComposite:
    """A made clip and what its objects are."""

    sequence: CompositeSequence
    kinds: dict[int, str]
    """Object id -> kind, such as horse; ``classes.COARSE_OF`` gives its coarse class."""


def instance_composites(
    sequences: Sequence[DavisSequence],
    objects: Sequence[ClassedObject],
    seed: int,
    num_clips: int,
    num_objects: int = 5,
    size_hw: tuple[int, int] = (480, 854),
    num_frames: int = 40,
) -> list[InstanceComposite]:
    """Clips of instances with known classes: some enter, some leave, some hide each other fully and come back.

    The ground is a sequence with its own object (id 1) that shows nothing else of the classes (``classes.CROWDED``);
    the others are cut out of further sequences and of photographs. Every instance shows well in some frames.

    Args:
        sequences: of the table ``classes.KIND_OF_SEQUENCE``.
        objects: of photographs, such as the held-out ones of ``read_classed_objects``; may be empty.
        seed: the same seed gives the same clips.
        num_clips: how many.
        num_objects: instances of each clip, the ground's own included.
        size_hw: of the clips.
        num_frames: of each clip.

    Raises:
        ValueError: no sequence can be a ground, one has no class, too little is there for so many objects, or fewer
            than ``SHORTEST_SCENE`` frames.
    """
    unknown = [sequence.name for sequence in sequences if sequence.name not in KIND_OF_SEQUENCE]
    if unknown:
        raise ValueError(f"sequence {unknown[0]} has no class: add it to the table in datasets/classes.py")
    rng, cache = np.random.default_rng(seed), BoundedCache(CLIP_BYTES)
    footage = [Footage(sequence, cache) for sequence in sequences]
    grounds = [each for each in footage if each.name not in CROWDED]
    if not grounds or len(footage) < (2 if objects else num_objects):
        raise ValueError(
            f"{num_objects} objects need more than {len(footage)} sequences, {len(grounds)} of them grounds"
        )
    clips = []
    for clip_index, ground, others in clips_in_turn(rng, grounds, footage, num_clips):
        sprites = _draw_sprites(rng, others, objects, num_objects - 1)
        occluders = tuple(other for other in (grounds if len(grounds) > 1 else footage) if other is not ground)
        sources = SceneSources(ground, tuple(sprites), occluders, size_hw, num_frames, bare_occluders=True)
        kinds = {number: _kind_of(part) for number, part in enumerate((ground, *sprites), 1)}
        clips.append(InstanceComposite(sources.sequence(clip_index, _draw_instances(rng, sources)), kinds))
    return clips


def _draw_sprites(
    rng: Generator, others: Sequence[Footage], objects: Sequence[ClassedObject], count: int
) -> list[Sprite]:
    """Sequences in order and photographs at random, about half and half; each at most once."""
    waiting, sprites = list(others), list[Sprite]()
    names: set[str] = set()
    while len(sprites) < count:
        if objects and (not waiting or rng.uniform() < _STILL_SHARE):
            still = StillSprite(objects[int(rng.integers(len(objects)))], others[0].cache)
            if still.name not in names and still.is_whole():
                names.add(still.name)
                sprites.append(still)
        else:
            sprites.append(waiting.pop(0))
    return sprites


def _kind_of(sprite: Sprite) -> str:
    return sprite.source.kind if isinstance(sprite, StillSprite) else KIND_OF_SEQUENCE[sprite.name]


def _draw_instances(rng: Generator, sources: SceneSources) -> Scene:
    """Draw until every instance shows well for a while; settle for the best after some tries.

    Raises:
        ValueError: no scene could be drawn.
    """

    def draw() -> Scene | None:
        return draw_scene(rng, sources, draw_appearances(rng, sources.num_objects, sources.num_frames))

    def fewest_frames(scene: Scene) -> int:
        areas = scene.areas(sources.num_frames, sources.num_objects)
        return int((areas >= _LEAST_SHOWN * np.prod(sources.size_hw)).sum(axis=0).min())

    scene = best_scene(draw, fewest_frames, _LEAST_FRAMES, _TRIES)
    if scene is None:
        raise ValueError(f"none of {MOST_TRIES} scenes drawn on {sources.ground.name} can be staged")
    return scene


def annotations_of(clips: Sequence[InstanceComposite], path: str | Path = "annotations.json") -> InstanceDataset:
    """The truth as YouTube-VIS annotations: video ids 1, 2 ... in order, coarse classes.

    ``write_youtube_vis`` writes them. A frame in which an instance covers less than a ten-thousandth of the picture has
    no mask of it.
    """
    videos, annotations = {}, list[InstanceAnnotation]()
    for video_id, clip in enumerate(clips, 1):
        sequence = clip.sequence
        files = tuple(f"{sequence.name}/{sequence.frame_name(i)}.jpg" for i in range(sequence.num_frames))
        videos[video_id] = Video(video_id, sequence.size_hw, sequence.num_frames, files)
        frames = [_masks(sequence, index) for index in range(sequence.num_frames)]
        for object_id in sequence.object_ids:
            codes, boxes, areas = zip(*(frame.get(object_id, (None, None, None)) for frame in frames), strict=True)
            if any(codes):
                category = category_id(COARSE_OF[clip.kinds[object_id]])
                number = len(annotations) + 1
                annotations.append(InstanceAnnotation(number, video_id, category, codes, boxes, areas))
    categories = {category_id(name): name for name in COARSE}
    return InstanceDataset(Path(path), videos, categories, tuple(annotations))


def _masks(sequence: CompositeSequence, index: int) -> dict[int, tuple[Rle, Box, float]]:
    """Object id -> code, box and area of what shows of it in a frame."""
    ids = sequence.read_ids(index)
    found: dict[int, tuple[Rle, Box, float]] = {}
    for object_id in sequence.object_ids:
        mask = ids == object_id
        area = int(mask.sum())
        if area >= _LEAST_ANNOTATED * mask.size:
            x0, y0, x1, y1 = boxes_from_masks(mask[None])[0].astype(float).tolist()
            found[object_id] = (encode_rle(mask), (x0, y0, x1, y1), area)
    return found


def write_frames(clips: Sequence[InstanceComposite], folder: str | Path) -> None:
    """Write the pictures as JPEG, under the names that ``annotations_of`` gives them."""
    for clip in clips:
        place = Path(folder) / clip.sequence.name
        place.mkdir(parents=True, exist_ok=True)
        for index in range(clip.sequence.num_frames):
            picture = encode_jpeg(clip.sequence.read_image(index), quality=92)
            (place / f"{clip.sequence.frame_name(index)}.jpg").write_bytes(picture)
