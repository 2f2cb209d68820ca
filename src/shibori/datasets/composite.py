"""Clips put together from parts, with exact ground truth: objects cross, hide each other, leave and come back.

Two kinds. ``composites_from_davis`` pastes objects cut out of annotated sequences over another sequence, whose own
object stays the first one: real pictures. ``make_demo_clip`` draws everything from nothing: no data needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.datasets.davis import DavisSequence
from shibori.datasets.puppet import Ball, Dog, Puppet, Van, draw
from shibori.datasets.scenery import Strip, make_landscape, pan

ImageAndIds = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True)
class CompositeSequence:
    """A made clip with its truth, of the same shape as ``DavisSequence``. Frames are composed when asked for."""

    name: str
    num_frames: int
    object_ids: tuple[int, ...]
    size_hw: tuple[int, int]
    compose: Callable[[int], ImageAndIds] = field(repr=False)
    """Frame index -> (H, W, 3) uint8 RGB image and (H, W) uint8 ids."""
    compose_ids: Callable[[int], NDArray[np.uint8]] | None = field(default=None, repr=False)
    """Frame index -> the ids alone, where they can be had for less."""

    def read_image(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB."""
        return self.compose(self._checked(index))[0]

    def has_ids(self, index: int) -> bool:
        """Every frame has its truth."""
        return 0 <= index < self.num_frames

    def frame_name(self, index: int) -> str:
        """The name of a frame's files without suffix, such as ``00000``."""
        return f"{index:05d}"

    def read_ids(self, index: int, *, keep_void: bool = False) -> NDArray[np.uint8]:
        """(H, W) uint8, 0 background; there is no void."""
        index = self._checked(index)
        return self.compose(index)[1] if self.compose_ids is None else self.compose_ids(index)

    def _checked(self, index: int) -> int:
        if not 0 <= index < self.num_frames:
            raise IndexError(f"frame {index} of {self.name}, which has {self.num_frames} frames")
        return index


# ---- drawn from nothing


@dataclass(frozen=True)
class Actor:
    """A figure and its way through the clip."""

    object_id: int
    puppet: Puppet
    height: float
    """Pixels."""
    feet_xy: NDArray[np.float64]
    """(T, 2) pixels."""
    ground_y: float
    """Where its shadow falls: pixels from the top."""
    mirror: bool
    """The figure looks to the left."""


def make_demo_clip(seed: int, size_hw: tuple[int, int] = (360, 640), num_frames: int = 60) -> CompositeSequence:
    """A dog (1), a van (2) and a ball (3) before a landscape that pans past.

    The dog passes in front of the van; the ball rolls behind the dog and in front of the van, leaves the picture and
    comes back. The same seed gives the same clip, bit by bit.
    """
    rng = np.random.default_rng(seed)
    actors = _cast(rng, size_hw, num_frames)
    panning = 0.35 * size_hw[1] * np.linspace(0, 1, num_frames)
    landscape = make_landscape(rng, size_hw, panning[-1])
    compose = partial(_draw_frame, landscape, panning, actors, size_hw, seed)
    return CompositeSequence(f"demo-{seed}", num_frames, (1, 2, 3), size_hw, compose)


def _cast(rng: np.random.Generator, size_hw: tuple[int, int], num_frames: int) -> list[Actor]:
    """The figures, back to front."""
    height, width = size_hw
    time = np.linspace(0, 1, num_frames)
    coats = [
        ((0.92, 0.88, 0.8), (0.5, 0.3, 0.16)),
        ((0.85, 0.66, 0.42), (0.6, 0.4, 0.2)),
        ((0.3, 0.28, 0.28), (0.9, 0.87, 0.83)),
    ]
    paints = [
        ((0.8, 0.18, 0.14), (0.95, 0.9, 0.8)),
        ((0.16, 0.42, 0.68), (0.95, 0.85, 0.3)),
        ((0.93, 0.73, 0.2), (0.25, 0.3, 0.4)),
    ]
    coat, paint = coats[rng.integers(len(coats))], paints[rng.integers(len(paints))]
    dog_height, van_height, ball_height = 0.4 * height, 0.36 * height, 0.2 * height
    van_y, ball_y, dog_y = 0.7 * height, 0.82 * height, 0.93 * height
    van_x = width * (0.25 + 0.48 * eased(time))
    dog_x = width * (0.78 - 0.58 * time)
    # The ball rolls to the right, out of the picture, and back in again.
    ball_x = width * np.interp(time, [0, 0.55, 0.68, 1], [0.2, 1.12, 1.12, 0.62])
    hops = 0.1 * height * np.abs(np.sin(5 * np.pi * time)) * (1 - time)
    white = (0.95, 0.94, 0.9)
    ball = Ball(ball_height, [(0.86, 0.16, 0.2), white, (0.15, 0.35, 0.8), white, (0.95, 0.76, 0.15), white])
    return [
        Actor(2, Van(rng, van_height, *paint), van_height, _path(van_x, van_y), van_y, False),
        Actor(3, ball, ball_height, _path(smoothed(ball_x), ball_y - hops), ball_y, False),
        Actor(1, Dog(rng, dog_height, *coat), dog_height, _path(dog_x, dog_y), dog_y, True),
    ]


def eased(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 at 0 and 1 at 1, flat at both."""
    return time * time * (3 - 2 * time)


def _path(x: NDArray[np.float64], y: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.stack([x, np.broadcast_to(y, x.shape)], axis=1)


def smoothed(values: NDArray[np.float64], reach: int = 3) -> NDArray[np.float64]:
    """Running mean, ends held: takes the corners off a path."""
    padded = np.pad(values, reach, mode="edge")
    return np.convolve(padded, np.full(2 * reach + 1, 1 / (2 * reach + 1)), mode="valid")


def _draw_frame(
    landscape: list[Strip],
    panning: NDArray[np.float64],
    actors: list[Actor],
    size_hw: tuple[int, int],
    seed: int,
    index: int,
) -> ImageAndIds:
    image = pan(landscape, panning[index], size_hw)
    for actor in actors:
        _cast_shadow(image, actor, index)
    ids = np.zeros(size_hw, np.uint8)
    for actor in actors:
        # A figure turns its wheels and legs by the ground it covers, and the ground moves below it too.
        gone = np.abs(np.diff(actor.feet_xy[: index + 1, 0] + panning[: index + 1])).sum() / actor.height
        phase = gone if not actor.mirror else 1.2 * gone + 0.05 * index
        layer = draw(actor.puppet, phase, tuple(actor.feet_xy[index]), actor.height, size_hw, actor.mirror)
        image = layer[..., :3] + image * (1 - layer[..., 3:])
        ids[layer[..., 3] > 0.5] = actor.object_id
    return _photographed(image, np.random.default_rng((seed, index))), ids


def _cast_shadow(image: NDArray[np.float32], actor: Actor, index: int) -> None:
    """Darken the ground below an actor, the less the higher it is above it."""
    x, y = actor.feet_xy[index]
    lift = (actor.ground_y - y) / actor.height
    wide = actor.height * {1: 0.62, 2: 0.95}.get(actor.object_id, 0.5) * (1 - 0.3 * min(lift, 1))
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    distance = ((columns - x) / wide) ** 2 + ((rows - actor.ground_y) / (0.1 * actor.height)) ** 2
    image *= (1 - 0.5 * (1 - 0.6 * min(lift, 1)) * np.exp(-1.5 * distance**2))[..., None].astype(np.float32)


def _photographed(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A little softness and sensor noise, and 8 bits."""
    soft = cv2.GaussianBlur(image, (0, 0), 0.6)
    grain = rng.standard_normal(image.shape[:2], np.float32)[..., None] * 0.012
    photographed: NDArray[np.uint8] = ((soft + grain) * 255).clip(0, 255).round().astype(np.uint8)
    return photographed


# ---- from annotated sequences


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


@dataclass(frozen=True)
class SourceTrack:
    """Where the object of a sequence is and how large, smoothed over time; gaps filled in."""

    centre_xy: NDArray[np.float64]
    """(T, 2) pixels of the source."""
    size: NDArray[np.float64]
    """(T,) root of the box's area in pixels."""

    @classmethod
    def of(cls, sequence: DavisSequence, num_frames: int) -> SourceTrack:
        """The track of the first ``num_frames`` composite frames, the sequence played there and back."""
        masks = [object_mask(sequence, index) for index in range(min(num_frames, sequence.num_frames))]
        boxes = np.array([tight_box(mask) for mask in masks], np.float64)
        return cls.of_boxes(boxes[[there_and_back(index, sequence.num_frames) for index in range(num_frames)]])

    @classmethod
    def of_boxes(cls, boxes_xyxy: NDArray[np.float64]) -> SourceTrack:
        """The track of (T, 4) tight boxes, half-open; those without area are gaps."""
        low, high = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]
        seen = np.flatnonzero((high > low).all(axis=1))
        rows = [(low + high)[:, 0] / 2, (low + high)[:, 1] / 2, np.sqrt((high - low).prod(axis=1))]
        x, y, size = (smoothed(np.interp(np.arange(len(low)), seen, row[seen])) for row in rows)
        return cls(np.stack([x, y], axis=1), size)


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


def there_and_back(index: int, num_frames: int) -> int:
    """0, 1 ... n-1, n-2 ... 1, 0, 1 ...: a source frame for every composite frame, without a jump."""
    period = max(2 * num_frames - 2, 1)
    return (num_frames - 1) - abs((num_frames - 1) - index % period)


def feathered(coverage: NDArray[np.float32]) -> NDArray[np.float32]:
    """Soft edges about a pixel wide, pulled inwards so that no rim of the old background comes along."""
    return ((cv2.GaussianBlur(coverage, (0, 0), 1.2) - 0.35) / 0.5).clip(0, 1)


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


def object_mask(sequence: DavisSequence, index: int) -> NDArray[np.bool_]:
    """(H, W) bool: all objects of the sequence as one, void left out."""
    ids = sequence.read_ids(index)
    return (ids > 0) & (ids < 255)


def fitted(picture: NDArray[np.uint8], size_hw: tuple[int, int], interpolation: int) -> NDArray[np.uint8]:
    """A picture or map at another size; as it is where it has that size."""
    if picture.shape[:2] == tuple(size_hw):
        return picture
    return cv2.resize(picture, size_hw[::-1], interpolation=interpolation).astype(np.uint8)


def tight_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom, half-open, of a mask; all 0 for an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
