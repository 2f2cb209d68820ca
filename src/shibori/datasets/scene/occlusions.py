"""The paths of objects through a made clip, and how they are hidden for a while. Pure arrays, one row a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shibori.datasets.scene.motion import eased

OcclusionKind = Literal["outside", "standing", "passing", "object"]
TRAVEL = 9
"""Frames an object takes to go where it is hidden, and to come back."""
SHORTEST_CLIP = 46
"""Fewer frames do not hold a hiding of ten frames with ways there and back."""
SHORTEST_SCENE = 32
"""Fewer frames do not hold a hiding of six frames."""
_LONG_CLIP = 80
_AFTERWARDS = 8


@dataclass(frozen=True)
class Occlusion:
    """A plan: one object is out of sight from ``start`` until just before ``stop``."""

    slot: int
    """Which object: 0 is the ground's own."""
    kind: OcclusionKind
    """Out of the picture; behind an occluder that comes and stands; behind one that passes; behind another object."""
    start: int
    stop: int
    host: int = 0
    """The pasted object it hides behind; 0 where it hides otherwise."""

    @property
    def middle(self) -> int:
        """A frame well inside, in which nobody sees the object change places."""
        return (self.start + self.stop) // 2


def draw_occlusions(rng: np.random.Generator, num_objects: int, num_frames: int) -> list[Occlusion]:
    """One or two occlusions (two in four of five long clips), of different objects where there are some.

    The ground's own object, which goes its own way, can only be passed by an occluder. Behind another one an object
    hides only where a pasted one is not hidden itself in the clip.
    """
    if num_frames < SHORTEST_CLIP:
        raise ValueError(f"objects are hidden in clips of {SHORTEST_CLIP} frames or more, got {num_frames}")
    num_occlusions = 2 if num_frames >= _LONG_CLIP and rng.uniform() < 0.8 else 1
    slots = _slots(rng, num_objects, num_occlusions)
    hosts = [slot for slot in range(1, num_objects) if slot not in slots]
    edges = np.linspace(0, num_frames, num_occlusions + 1).round().astype(int).tolist()
    occlusions = []
    for slot, (begin, end) in zip(slots, pairwise(edges), strict=True):
        start = begin + TRAVEL + int(rng.integers(3, 9))
        stop = min(start + int(rng.integers(12, 33)), end - (_AFTERWARDS if end == num_frames else 2))
        kind = _kind(rng, slot, bool(hosts))
        occlusions.append(Occlusion(slot, kind, start, stop, int(rng.choice(hosts)) if kind == "object" else 0))
    return occlusions


def draw_appearances(rng: np.random.Generator, num_objects: int, num_frames: int) -> list[Occlusion]:
    """What the pasted objects of a shorter clip do: some enter, some leave, some are hidden in between, others stay.

    To enter is to be outside from before the first frame on, to leave until after the last.
    """
    if num_frames < SHORTEST_SCENE:
        raise ValueError(f"objects enter, leave and hide in clips of {SHORTEST_SCENE} frames or more, got {num_frames}")
    roles = rng.choice(["stay", "enter", "leave", "hide"], num_objects, p=[0.3, 0.2, 0.2, 0.3]).tolist()
    hosts = [slot for slot in range(1, num_objects) if roles[slot] != "hide"]
    occlusions = []
    for slot in range(1, num_objects):
        start = TRAVEL + 2 + int(rng.integers(0, num_frames // 4))
        if roles[slot] == "enter":
            occlusions.append(Occlusion(slot, "outside", -TRAVEL - 1, start))
        elif roles[slot] == "leave":
            occlusions.append(Occlusion(slot, "outside", num_frames - start, num_frames + TRAVEL + 1))
        elif roles[slot] == "hide":
            stop = min(start + int(rng.integers(6, max(num_frames // 3, 7))), num_frames - TRAVEL)
            kind = _kind(rng, slot, bool(hosts))
            occlusions.append(Occlusion(slot, kind, start, stop, int(rng.choice(hosts)) if kind == "object" else 0))
    return occlusions


def _slots(rng: np.random.Generator, num_objects: int, num_occlusions: int) -> list[int]:
    """Whose turn it is: a pasted object first, then any other."""
    if num_objects == 1:
        return [0] * num_occlusions
    first = int(rng.integers(1, num_objects))
    others = [slot for slot in range(num_objects) if slot != first]
    return [first, *(int(rng.choice(others)) for _ in range(num_occlusions - 1))]


def _kind(rng: np.random.Generator, slot: int, has_hosts: bool) -> OcclusionKind:
    if slot == 0:
        return "passing"
    kinds: tuple[OcclusionKind, ...] = ("outside", "standing", "passing", "object")
    return kinds[rng.integers(4 if has_hosts else 3)]


def hiding_weight(occlusion: Occlusion, num_frames: int) -> NDArray[np.float64]:
    """(T,) in [0, 1]: how far an object is on its way into hiding; 1 while it is hidden."""
    return weight_between(occlusion.start, occlusion.stop, num_frames)


def weight_between(start: int, stop: int, num_frames: int, travel: int = TRAVEL) -> NDArray[np.float64]:
    """(T,) in [0, 1]: 1 from ``start`` until before ``stop``, rising and falling smoothly in ``travel`` frames."""
    time = np.arange(num_frames)
    arriving, leaving = (time - start + travel) / travel, (stop - 1 + travel - time) / travel
    return eased(arriving.clip(0, 1)) * eased(leaving.clip(0, 1))


def draw_path(
    rng: np.random.Generator, first_xy: NDArray[np.float64], occlusions: Sequence[Occlusion], num_frames: int
) -> NDArray[np.float64]:
    """(T, 2) in shares of the picture: a slow drift from ``first_xy``, that goes on elsewhere after every occlusion.

    The change of place is a jump in the middle of the occlusion, where the object is held by something else.
    """
    path = np.empty((num_frames, 2))
    place = first_xy
    middles = [occlusion.middle for occlusion in occlusions if 0 < occlusion.middle < num_frames]
    for begin, end in pairwise([0, *middles, num_frames]):
        drift = rng.uniform(-1, 1, 2) * (0.16, 0.06) * (end - begin) / 45
        path[begin:end] = place + drift * np.linspace(0, 1, end - begin)[:, None]
        place = _elsewhere(rng, place)
    swing = rng.uniform(0.01, 0.03, 2) * np.sin(
        2 * np.pi * rng.uniform(0.6, 1.6, 2) * np.arange(num_frames)[:, None] / 60
    )
    return (path + swing).clip((0.12, 0.25), (0.88, 0.8))


def _elsewhere(rng: np.random.Generator, place: NDArray[np.float64]) -> NDArray[np.float64]:
    """A place at least a quarter of the picture's width away."""
    while True:
        other = rng.uniform((0.15, 0.38), (0.85, 0.7))
        if abs(other[0] - place[0]) > 0.25:
            return other


def outside_anchor(
    rng: np.random.Generator,
    occlusion: Occlusion,
    path_xy: NDArray[np.float64],
    reach_xy: NDArray[np.float64],
    size_hw: tuple[int, int],
) -> NDArray[np.float64]:
    """(T, 2) pixels beside the picture: out at the nearer side, in again at either."""
    width = size_hw[1]
    sides = (-reach_xy[0] - 6, width + reach_xy[0] + 6)
    out = int(path_xy[max(occlusion.start, 0), 0] > width / 2)
    back = out if rng.uniform() < 0.5 else 1 - out
    x = np.where(np.arange(len(path_xy)) < occlusion.middle, sides[out], sides[back])
    return np.stack([x, path_xy[:, 1]], axis=1)


def line_anchor(occlusion: Occlusion, path_xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, 2) pixels: from where the object is at the beginning to where it will go on, while it is hidden."""
    time = np.arange(len(path_xy))
    along = eased(((time - occlusion.start) / max(occlusion.stop - occlusion.start, 1)).clip(0, 1))[:, None]
    before, after = path_xy[max(occlusion.start - 1, 0)], path_xy[min(occlusion.stop, len(path_xy) - 1)]
    return before + along * (after - before)


def still_anchor(
    rng: np.random.Generator,
    occlusion: Occlusion,
    path_xy: NDArray[np.float64],
    reach_xy: NDArray[np.float64],
    size_hw: tuple[int, int],
) -> NDArray[np.float64]:
    """(T, 2) pixels: one place away from where the object was and will be, so far inside that an occluder fits."""
    whole = np.array(size_hw[::-1], np.float64)
    low = np.minimum(reach_xy, whole / 2)
    known = path_xy[[occlusion.start, min(occlusion.stop + TRAVEL, len(path_xy) - 1)], 0]
    choices = rng.uniform(low[0], whole[0] - low[0] + 1e-6, 12)
    x = choices[np.abs(choices[:, None] - known).min(axis=1).argmax()]
    y = path_xy[occlusion.start : occlusion.stop, 1].mean().clip(low[1], whole[1] - low[1])
    return np.tile((x, y), (len(path_xy), 1))


def passing_path(
    rng: np.random.Generator,
    stay: tuple[int, int],
    target_xy: NDArray[np.float64],
    reach_xy: NDArray[np.float64],
    size_hw: tuple[int, int],
) -> NDArray[np.float64]:
    """(T, 2) pixels of an occluder's centre: in from one side, with the target in ``stay`` (half-open), out again."""
    width, (start, stop) = size_hw[1], stay
    sides = (-reach_xy[0] - 10, width + reach_xy[0] + 10)
    came, goes = rng.integers(2, size=2)
    time = np.arange(len(target_xy))
    beside = np.where(time < (start + stop) // 2, sides[came], sides[goes])
    held = weight_between(start, stop, len(target_xy), TRAVEL + 3)[:, None]
    away = np.stack([beside, target_xy[np.clip(time, start, stop - 1), 1]], axis=1)
    return away + held * (target_xy - away)


def outline_around(rng: np.random.Generator, half_xy: NDArray[np.float64], num_points: int = 72) -> NDArray[np.float64]:
    """(N, 2) pixels around (0, 0): a rounded, slightly ragged shape that contains the box of these half sides."""
    angles = np.linspace(0, 2 * np.pi, num_points, endpoint=False)
    exponent = rng.uniform(4, 8)
    # The superellipse through the corners of the box, and a little more for what is ragged.
    radii = half_xy * 2 ** (1 / exponent) * 1.05
    cosine, sine = np.cos(angles), np.sin(angles)
    around = np.stack([cosine, sine], axis=1)
    length = (np.abs(around) ** exponent).sum(axis=1) ** (-1 / exponent)
    waves = np.sum([np.sin(k * angles + rng.uniform(0, 6.28)) * rng.uniform(0, 1) / k for k in (3, 5, 8)], axis=0)
    return around * length[:, None] * radii * (1 + 0.02 * (1 + waves))[:, None]


def pillar_outline(rng: np.random.Generator, half_width: float, top: float, bottom: float) -> NDArray[np.float64]:
    """(N, 2) pixels around (0, 0): an upright strip with slightly wavy sides, at least this wide."""
    y = np.linspace(top, bottom, 24)
    sides = [
        half_width * (1.04 + 0.04 * (1 + np.sin(rng.uniform(0.01, 0.03) * y + rng.uniform(0, 6.28)))) for _ in range(2)
    ]
    return np.concatenate([np.stack([-sides[0], y], axis=1), np.stack([sides[1], y], axis=1)[::-1]])
