"""Which objects play in a made clip, how large, on which ways, and what hides them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.datasets.scene.motion import SourceTrack, smoothed
from shibori.datasets.scene.occluder import screen_layer
from shibori.datasets.scene.occlusions import (
    Hiding,
    draw_way,
    hold,
    line_anchor,
    outline_around,
    outside_anchor,
    passing_way,
    pillar_outline,
    still_anchor,
)
from shibori.datasets.scene.sprite import Footage, Layer, Sprite, Stage

_LARGEST_SCREEN = 0.4  # of the picture
_STAY = 12  # frames a screen stands after its object has begun to come out
_SMALLEST_SHRINKING = 0.35  # of an object that goes behind another


@dataclass(frozen=True)
class Cast:
    """What a clip is made of."""

    ground: Footage
    actors: tuple[Sprite, ...]
    """The pasted objects."""
    screens: tuple[Footage, ...]
    """Footage that screens are cut from."""
    size_hw: tuple[int, int]
    num_frames: int
    bare_screens: bool = False
    """Whether screens must show nothing of their footage's object."""

    @property
    def num_objects(self) -> int:
        """With the ground's own."""
        return 1 + len(self.actors)


def draw_stage(rng: np.random.Generator, cast: Cast, hidings: Sequence[Hiding]) -> Stage | None:
    """Layers of all objects and screens; None where this draw would need a screen or a change of size too large."""
    layers = [own_layer(cast)]
    actors = [draw_actor(rng, cast, slot, hidings) for slot in range(1, cast.num_objects)]
    layers += [actor.layer() for actor in actors]
    depth = rng.permutation(len(layers)).tolist()
    screens = []
    for hiding in hidings:
        if hiding.kind == "object":
            moved = behind(actors[hiding.slot - 1], layers[hiding.host], hiding)
            if moved is None:
                return None
            layers[hiding.slot] = moved.layer()
            depth.remove(hiding.slot)
            depth.insert(depth.index(hiding.host), hiding.slot)
        elif hiding.kind != "outside":
            screen = draw_screen(rng, cast, layers[hiding.slot], hiding)
            if screen is None:
                return None
            screens.append(screen)
    return Stage(cast.ground, (*(layers[slot] for slot in depth), *screens), cast.size_hw)


def own_layer(cast: Cast) -> Layer:
    """The ground's own object, where it is."""
    height, width = cast.ground.picture(0).shape[:2]
    matrix = np.array([[cast.size_hw[1] / width, 0, 0], [0, cast.size_hw[0] / height, 0]])
    return Layer(1, cast.ground, np.tile(matrix, (cast.num_frames, 1, 1)), at_home=True)


@dataclass(frozen=True, eq=False)
class Actor:
    """A pasted object on its way."""

    object_id: int
    sprite: Sprite
    track: SourceTrack
    """Where it is in its own picture."""
    zoom: NDArray[np.float64]
    """(T,) size relative to the source."""
    centre_xy: NDArray[np.float64]
    """(T, 2) pixels of the composite."""
    reach_xy: NDArray[np.float64]
    """(2,) pixels its box can reach from its centre."""
    turn: NDArray[np.float64]
    """(T,) radians it is turned around its centre."""

    def layer(self) -> Layer:
        """Its layer of a stage."""
        matrices = np.zeros((len(self.zoom), 2, 3))
        cosine, sine = self.zoom * np.cos(self.turn), self.zoom * np.sin(self.turn)
        matrices[:, 0, 0], matrices[:, 0, 1] = cosine, -sine
        matrices[:, 1, 0], matrices[:, 1, 1] = sine, cosine
        matrices[:, :, 2] = self.centre_xy - np.einsum("tij,tj->ti", matrices[:, :, :2], self.track.centre_xy)
        return Layer(self.object_id, self.sprite, matrices)


def draw_actor(rng: np.random.Generator, cast: Cast, slot: int, hidings: Sequence[Hiding]) -> Actor:
    """A size and a way for a pasted object, hidings outside or behind screens included."""
    sprite = cast.actors[slot - 1]
    boxes = np.array([sprite.silhouette(index).box_xyxy for index in range(cast.num_frames)], np.float64)
    track = SourceTrack.of_boxes(boxes)
    growth = track.size / track.size[0]
    root = np.sqrt(_share(rng, slot, hidings) * np.prod(cast.size_hw))
    zoom = root / track.size[0] * growth.clip(0.7, 1.5) / growth
    offsets = np.abs(boxes.reshape(-1, 2, 2) - track.centre_xy[:, None])[boxes[:, 2] > boxes[:, 0]]
    reach = (offsets.max(axis=1) * zoom[boxes[:, 2] > boxes[:, 0], None]).max(axis=0)
    own_hidings = [hiding for hiding in hidings if hiding.slot == slot]
    centre = _centre(rng, cast, slot, own_hidings, (track.centre_xy - track.centre_xy[0]) * zoom[:, None], reach)
    turn = np.zeros(cast.num_frames)
    if sprite.is_rigid:
        turn, zoom = _swaying(rng, cast.num_frames), zoom * np.exp(_swaying(rng, cast.num_frames))
    return Actor(slot + 1, sprite, track, zoom, centre, reach, turn)


def _swaying(rng: np.random.Generator, num_frames: int) -> NDArray[np.float64]:
    """(T,) a slow wave of at most 0.15."""
    periods = rng.uniform(0.5, 1.5) * num_frames / 60
    return rng.uniform(0.03, 0.15) * np.sin(2 * np.pi * (periods * np.linspace(0, 1, num_frames) + rng.uniform()))


def _share(rng: np.random.Generator, slot: int, hidings: Sequence[Hiding]) -> float:
    """How much of the picture an object's box is to have: what hides another is large, what hides behind it small."""
    if any(hiding.host == slot for hiding in hidings):
        return rng.uniform(0.16, 0.26)
    if any(hiding.host and hiding.slot == slot for hiding in hidings):
        return rng.uniform(0.022, 0.035)
    return rng.uniform(0.05, 0.12)


def _centre(
    rng: np.random.Generator,
    cast: Cast,
    slot: int,
    hidings: Sequence[Hiding],
    own_motion: NDArray[np.float64],
    reach_xy: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(T, 2) pixels: the drawn way, the object's own motion upon it (kept within bounds), and its hidings."""
    (height, width), num_frames = cast.size_hw, cast.num_frames
    sides = np.linspace(0.2, 0.8, max(cast.num_objects - 1, 2))
    first = np.array([sides[slot - 1] + rng.uniform(-0.06, 0.06), rng.uniform(0.4, 0.68)])
    way = draw_way(rng, first, hidings, num_frames) * (width, height)
    held = np.max([hold(hiding, num_frames) for hiding in hidings], axis=0, initial=0.0) * np.ones(num_frames)
    bound = 0.15 * height
    centre = way + bound * np.tanh(own_motion / bound) * (1 - held)[:, None]
    for hiding in hidings:
        if hiding.kind == "outside":
            anchor = outside_anchor(rng, hiding, way, reach_xy, cast.size_hw)
        elif hiding.kind == "screen":
            anchor = still_anchor(rng, hiding, way, reach_xy, cast.size_hw)
        else:
            anchor = line_anchor(hiding, way)
        centre = centre + hold(hiding, num_frames)[:, None] * (anchor - centre)
    return centre


def behind(actor: Actor, host: Layer, hiding: Hiding) -> Actor | None:
    """The actor led behind the thickest part of another, as small as need be; None where that would be too small."""
    num_frames = len(actor.zoom)
    cores = np.array([_core(host, index) for index in range(num_frames)])
    anchor = np.stack([smoothed(cores[:, 0]), smoothed(cores[:, 1])], axis=1)
    radius = np.quantile(cores[hiding.start : hiding.stop, 2], 0.1)
    boxes = actor.layer().boxes(num_frames)[hiding.start : hiding.stop]
    half = np.quantile(np.hypot(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) / 2, 0.9)
    # A box has empty corners, and a little may show.
    shrinking = min(1.0, 1.2 * radius / half)
    if shrinking < _SMALLEST_SHRINKING:
        return None
    held = hold(hiding, num_frames)
    centre = actor.centre_xy + held[:, None] * (anchor - actor.centre_xy)
    return replace(actor, centre_xy=centre, zoom=actor.zoom * (1 - held * (1 - shrinking)))


def _core(layer: Layer, index: int) -> tuple[float, float, float]:
    """Centre (pixels of the composite) and radius of the largest disk inside a layer's silhouette."""
    cut, matrix = layer.sprite.silhouette(index), layer.matrices[index]
    if not cut.mask.size:
        return *matrix[:, 2], 0.0
    distances = cv2.distanceTransform(cut.mask, cv2.DIST_L2, 3)
    _, radius, _, place = cv2.minMaxLoc(distances)
    x, y = matrix[:, :2] @ np.add(place, cut.corner_xy) + matrix[:, 2]
    return x, y, radius * np.hypot(matrix[0, 0], matrix[1, 0])


def draw_screen(rng: np.random.Generator, cast: Cast, target: Layer, hiding: Hiding) -> Layer | None:
    """What hides a layer from ``start`` to ``stop``; None where it would have to be too large, or is not bare."""
    boxes = _inside(target.boxes(cast.num_frames), cast.size_hw)
    dwelling = boxes[hiding.start : hiding.stop]
    low, high = dwelling[:, :2].min(axis=0), dwelling[:, 2:].max(axis=0)
    if hiding.kind == "screen":
        half = (high - low) / 2 + 3
        goals, stop = np.tile((low + high) / 2, (cast.num_frames, 1)), min(hiding.stop + _STAY, cast.num_frames)
    else:
        half = (dwelling[:, 2:] - dwelling[:, :2]).max(axis=0) / 2 + 4
        goals, stop = (boxes[:, :2] + boxes[:, 2:]) / 2, hiding.stop
    centre = passing_way(rng, (hiding.start, stop), goals, 1.3 * half, cast.size_hw)
    if 4 * 1.3 * np.prod(half) > _LARGEST_SCREEN * np.prod(cast.size_hw):
        return None
    if hiding.kind == "screen" and rng.uniform() < 0.5:
        outline = pillar_outline(rng, half[0], -goals[0, 1], cast.size_hw[0] - goals[0, 1])
    else:
        outline = outline_around(rng, half)
    footage = cast.screens[rng.integers(len(cast.screens))]
    return screen_layer(rng, footage, outline, centre, cast.bare_screens)


def _inside(boxes_xyxy: NDArray[np.float64], size_hw: tuple[int, int]) -> NDArray[np.float64]:
    """(T, 4) boxes cut to the picture; between those with area the others are filled in."""
    cut = boxes_xyxy.clip(0, np.tile(size_hw[::-1], 2))
    seen = np.flatnonzero((cut[:, 2:] > cut[:, :2]).all(axis=1))
    return np.stack([np.interp(np.arange(len(cut)), seen, side[seen]) for side in cut.T], axis=1)
