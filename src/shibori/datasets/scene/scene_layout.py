"""Which objects a made clip shows, how large, on which paths, and what hides them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.motion import SourceTrack, SpriteMotion, smoothed
from shibori.datasets.scene.occluder import occluder_layer
from shibori.datasets.scene.occlusions import (
    Occlusion,
    draw_path,
    hiding_weight,
    line_anchor,
    outline_around,
    outside_anchor,
    passing_path,
    pillar_outline,
    still_anchor,
)
from shibori.datasets.scene.renderer import FittedFootage, MovingSprite, Scene
from shibori.datasets.scene.sprite import Footage, Sprite, source_boxes

MOST_TRIES = 100
_LARGEST_OCCLUDER = 0.4  # of the picture
_STAY = 12  # frames an occluder stands after its object has begun to come out
_SMALLEST_SHRINKING = 0.35  # of an object that goes behind another


@dataclass(frozen=True)
class SceneSources:
    """What a clip is made of."""

    ground: Footage
    sprites: tuple[Sprite, ...]
    """The pasted objects."""
    occluders: tuple[Footage, ...]
    """Footage that occluders are cut from."""
    size_hw: tuple[int, int]
    num_frames: int
    bare_occluders: bool = False
    """Whether occluders must show nothing of their footage's object."""

    @property
    def num_objects(self) -> int:
        """With the ground's own."""
        return 1 + len(self.sprites)

    @property
    def name(self) -> str:
        """The names of the objects' sources in order."""
        return "+".join(part.name for part in (self.ground, *self.sprites))

    def sequence(self, clip_index: int, scene: Scene) -> CompositeSequence:
        """A scene of these sources as an annotated sequence of its objects."""
        object_ids = tuple(range(1, self.num_objects + 1))
        name = f"{clip_index:02d}-{self.name}"
        return CompositeSequence(name, self.num_frames, object_ids, self.size_hw, scene, scene.ids)


def clips_in_turn(
    rng: Generator, grounds: Sequence[Footage], footage: Sequence[Footage], num_clips: int
) -> Iterator[tuple[int, Footage, list[Footage]]]:
    """Each clip's number, its ground (in turn, so that a few clips already show all) and all others, shuffled."""
    for clip_index in range(num_clips):
        ground = grounds[clip_index % len(grounds)]
        others = [other for other in footage if other.name != ground.name]
        yield clip_index, ground, [others[i] for i in rng.permutation(len(others))]


def best_scene(
    draw: Callable[[], Scene | None], score: Callable[[Scene], float], enough: float, tries: int
) -> Scene | None:
    """Draw until a scene scores ``enough``; after so many tries settle for the best. None where none could be drawn."""
    best: tuple[float, Scene] | None = None
    for attempt in range(1, MOST_TRIES + 1):
        scene = draw()
        if scene is None:
            continue
        scored = score(scene)
        if best is None or scored > best[0]:
            best = scored, scene
        if best[0] >= enough or attempt >= tries:
            break
    return None if best is None else best[1]


def draw_scene(rng: Generator, sources: SceneSources, occlusions: Sequence[Occlusion]) -> Scene | None:
    """Layers of all objects and occluders; None where this draw would need too large an occluder or change of size."""
    ground = FittedFootage(sources.ground, sources.size_hw)
    placed = [place_sprite(rng, sources, slot, occlusions) for slot in range(1, sources.num_objects)]
    layers = [ground_object(sources, ground), *(each.layer() for each in placed)]
    depth = rng.permutation(len(layers)).tolist()
    occluders = []
    for occlusion in occlusions:
        if occlusion.kind == "object":
            moved = led_behind(placed[occlusion.slot - 1], layers[occlusion.host], occlusion)
            if moved is None:
                return None
            layers[occlusion.slot] = moved.layer()
            depth.remove(occlusion.slot)
            depth.insert(depth.index(occlusion.host), occlusion.slot)
        elif occlusion.kind != "outside":
            occluder = draw_occluder(rng, sources, layers[occlusion.slot], occlusion)
            if occluder is None:
                return None
            occluders.append(occluder)
    return Scene(ground, (*(layers[slot] for slot in depth), *occluders), sources.size_hw)


def ground_object(sources: SceneSources, ground: FittedFootage) -> MovingSprite:
    """The ground's own object, where it is."""
    height, width = sources.ground.picture(0).shape[:2]
    matrix = np.array([[sources.size_hw[1] / width, 0, 0], [0, sources.size_hw[0] / height, 0]])
    return MovingSprite(1, sources.ground, np.tile(matrix, (sources.num_frames, 1, 1)), home=ground)


@dataclass(frozen=True, eq=False)
class PlacedSprite:
    """A pasted object on its path."""

    object_id: int
    sprite: Sprite
    track: SourceTrack
    """Where it is in its own picture."""
    motion: SpriteMotion
    """Where that goes in the clip."""

    def layer(self) -> MovingSprite:
        """Its layer of a scene."""
        return MovingSprite(self.object_id, self.sprite, self.motion.matrices(self.track.centre_xy))


def place_sprite(rng: Generator, sources: SceneSources, slot: int, occlusions: Sequence[Occlusion]) -> PlacedSprite:
    """A size and a path for a pasted object, occlusions outside or behind occluders included."""
    sprite, num_frames = sources.sprites[slot - 1], sources.num_frames
    boxes = source_boxes(sprite, num_frames)
    track = SourceTrack.of_boxes(boxes)
    zoom = track.zoom_to(_share(rng, slot, occlusions) * np.prod(sources.size_hw))
    shown = boxes[:, 2] > boxes[:, 0]
    offsets = np.abs(boxes.reshape(-1, 2, 2) - track.centre_xy[:, None])[shown]
    reach = (offsets.max(axis=1) * zoom[shown, None]).max(axis=0)
    own_motion = track.bounded_motion(zoom, 0.15 * sources.size_hw[0])
    own_occlusions = [occlusion for occlusion in occlusions if occlusion.slot == slot]
    path = _first_path(rng, sources, slot, own_occlusions)
    centre = _hidden_path(rng, sources.size_hw, path, own_motion, own_occlusions, reach)
    turn = np.zeros(num_frames)
    if sprite.is_rigid:
        turn, zoom = _swaying(rng, num_frames), zoom * np.exp(_swaying(rng, num_frames))
    return PlacedSprite(slot + 1, sprite, track, SpriteMotion(centre, zoom, turn))


def _swaying(rng: Generator, num_frames: int) -> NDArray[np.float64]:
    """(T,) a slow wave of at most 0.15."""
    periods = rng.uniform(0.5, 1.5) * num_frames / 60
    return rng.uniform(0.03, 0.15) * np.sin(2 * np.pi * (periods * np.linspace(0, 1, num_frames) + rng.uniform()))


def _share(rng: Generator, slot: int, occlusions: Sequence[Occlusion]) -> float:
    """How much of the picture an object's box is to have: what hides another is large, what hides behind it small."""
    if any(occlusion.host == slot for occlusion in occlusions):
        return rng.uniform(0.16, 0.26)
    if any(occlusion.host and occlusion.slot == slot for occlusion in occlusions):
        return rng.uniform(0.022, 0.035)
    return rng.uniform(0.05, 0.12)


def _first_path(
    rng: Generator, sources: SceneSources, slot: int, occlusions: Sequence[Occlusion]
) -> NDArray[np.float64]:
    """(T, 2) pixels: where the object would go if nothing hid it; the objects begin side by side."""
    height, width = sources.size_hw
    sides = np.linspace(0.2, 0.8, max(sources.num_objects - 1, 2))
    first = np.array([sides[slot - 1] + rng.uniform(-0.06, 0.06), rng.uniform(0.4, 0.68)])
    return draw_path(rng, first, occlusions, sources.num_frames) * (width, height)


def _hidden_path(
    rng: Generator,
    size_hw: tuple[int, int],
    path_xy: NDArray[np.float64],
    own_motion: NDArray[np.float64],
    occlusions: Sequence[Occlusion],
    reach_xy: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(T, 2) pixels: the path, the object's own motion upon it where it is not hidden, and the ways into hiding."""
    weights = [hiding_weight(occlusion, len(path_xy)) for occlusion in occlusions]
    held = np.max(weights, axis=0, initial=0.0) * np.ones(len(path_xy))
    centre = path_xy + own_motion * (1 - held)[:, None]
    for occlusion, weight in zip(occlusions, weights, strict=True):
        if occlusion.kind == "outside":
            anchor = outside_anchor(rng, occlusion, path_xy, reach_xy, size_hw)
        elif occlusion.kind == "standing":
            anchor = still_anchor(rng, occlusion, path_xy, reach_xy, size_hw)
        else:
            anchor = line_anchor(occlusion, path_xy)
        centre = centre + weight[:, None] * (anchor - centre)
    return centre


def led_behind(placed: PlacedSprite, host: MovingSprite, occlusion: Occlusion) -> PlacedSprite | None:
    """The object led behind the thickest part of another, as small as need be; None where that would be too small."""
    motion = placed.motion
    num_frames = len(motion.zoom)
    cores = np.array([_core(host, index) for index in range(num_frames)])
    anchor = np.stack([smoothed(cores[:, 0]), smoothed(cores[:, 1])], axis=1)
    radius = np.quantile(cores[occlusion.start : occlusion.stop, 2], 0.1)
    boxes = placed.layer().boxes(num_frames)[occlusion.start : occlusion.stop]
    half = np.quantile(np.hypot(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) / 2, 0.9)
    # A box has empty corners, and a little may show.
    shrinking = min(1.0, 1.2 * radius / half)
    if shrinking < _SMALLEST_SHRINKING:
        return None
    weight = hiding_weight(occlusion, num_frames)
    centre = motion.centre_xy + weight[:, None] * (anchor - motion.centre_xy)
    return replace(placed, motion=replace(motion, centre_xy=centre, zoom=motion.zoom * (1 - weight * (1 - shrinking))))


def _core(layer: MovingSprite, index: int) -> tuple[float, float, float]:
    """Centre (pixels of the clip) and radius of the largest disk inside a layer's silhouette."""
    cut, matrix = layer.sprite.silhouette(index), layer.matrices[index]
    if not cut.mask.size:
        return *matrix[:, 2], 0.0
    distances = cv2.distanceTransform(cut.mask, cv2.DIST_L2, 3)
    _, radius, _, place = cv2.minMaxLoc(distances)
    x, y = matrix[:, :2] @ np.add(place, cut.corner_xy) + matrix[:, 2]
    return x, y, radius * np.hypot(matrix[0, 0], matrix[1, 0])


def draw_occluder(
    rng: Generator, sources: SceneSources, target: MovingSprite, occlusion: Occlusion
) -> MovingSprite | None:
    """What hides a layer from ``start`` to ``stop``; None where it would have to be too large, or is not bare."""
    boxes = _inside(target.boxes(sources.num_frames), sources.size_hw)
    dwelling = boxes[occlusion.start : occlusion.stop]
    low, high = dwelling[:, :2].min(axis=0), dwelling[:, 2:].max(axis=0)
    if occlusion.kind == "standing":
        half, stop = (high - low) / 2 + 3, min(occlusion.stop + _STAY, sources.num_frames)
        goals = np.tile((low + high) / 2, (sources.num_frames, 1))
    else:
        half, stop = (dwelling[:, 2:] - dwelling[:, :2]).max(axis=0) / 2 + 4, occlusion.stop
        goals = (boxes[:, :2] + boxes[:, 2:]) / 2
    centre = passing_path(rng, (occlusion.start, stop), goals, 1.3 * half, sources.size_hw)
    if 4 * 1.3 * np.prod(half) > _LARGEST_OCCLUDER * np.prod(sources.size_hw):
        return None
    if occlusion.kind == "standing" and rng.uniform() < 0.5:
        outline = pillar_outline(rng, half[0], -goals[0, 1], sources.size_hw[0] - goals[0, 1])
    else:
        outline = outline_around(rng, half)
    footage = sources.occluders[rng.integers(len(sources.occluders))]
    return occluder_layer(rng, footage, outline, centre, sources.bare_occluders)


def _inside(boxes_xyxy: NDArray[np.float64], size_hw: tuple[int, int]) -> NDArray[np.float64]:
    """(T, 4) boxes cut to the picture; between those with area the others are filled in."""
    cut = boxes_xyxy.clip(0, np.tile(size_hw[::-1], 2))
    seen = np.flatnonzero((cut[:, 2:] > cut[:, :2]).all(axis=1))
    return np.stack([np.interp(np.arange(len(cut)), seen, side[seen]) for side in cut.T], axis=1)
