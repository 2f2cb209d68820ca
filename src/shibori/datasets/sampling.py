"""Training clips: a few frames of one object, each seen through a window of its own, as a tracker would see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from shibori.datasets.davis import DavisSequence, read_davis
from shibori.datasets.stills import Still
from shibori.datasets.synthesis import OTHERS, CutBase, Layer, Scene, camera_over, cut_out, moving_layer
from shibori.errors import InputError
from shibori.ops.mask_noise import as_detected

SCENE_SIDE = 240
"""Short side of a synthesised scene, in its own pixels."""


@dataclass(frozen=True)
class TrainingClip:
    """T frames of one object, or a batch of them with a leading B."""

    images: Tensor
    """(T, 3, S, S) uint8 RGB."""
    masks: Tensor
    """(T, S, S) uint8 0/1: the object."""
    others: Tensor
    """(T, S, S) uint8 0/1: other objects that the tracker is told about."""
    windows: Tensor
    """(T, 4) float32 xyxy, where each frame was looked at, in pixels of the scene."""


@dataclass(frozen=True)
class RealSequence:
    """A real clip with the masks of one object, kept in memory."""

    name: str
    images: tuple[NDArray[np.uint8], ...]
    masks: tuple[NDArray[np.uint8], ...]
    """1 the object, 2 the other objects that are marked, 0 the rest."""


@dataclass(frozen=True)
class SamplingPlan:
    """How training clips are drawn."""

    num_frames: int = 3
    """Frames a clip."""
    size: int = 208
    """Side of the square windows after resizing, in pixels."""
    real_share: float = 0.4
    """Share of clips drawn from real sequences."""
    max_gap: int = 4
    """Largest distance between neighbouring frames of a real clip."""
    gap_growth: int = 0
    """Number of clips over which that distance grows up to ``max_gap`` from 1; 0: it is ``max_gap`` from the start."""
    jump_share: float = 0.3
    """Share of clips whose first step is a long jump, so that only matching with the reference can help."""
    noisy_share: float = 0.0
    """Share of clips whose first mask is not the true one but such as a detector gives."""
    twin_share: float = 0.0
    """Share of clips in which copies of the object itself move beside it: only its place tells it from them. Of clips
    of a whole photograph none."""
    tiny_share: float = 0.0
    """Share of clips of a cut-out in which it is a few pixels across in a frame of usual size."""
    thin_share: float = 0.0
    """Share of clips of a cut-out in which it has thin parts."""
    cut_share: float = 0.0
    """Share of clips with a hard cut to a scene that does not show the object."""
    coarse_share: float = 0.0
    """Share of clips seen as enlarged from fewer pixels, as small objects are."""
    longest_jump: int = 40
    """Distance in frames that a long jump stays below, unless ``max_gap`` is no less."""


def read_real_sequences(root: Path, split: str) -> list[RealSequence]:
    """The sequences of a split of a DAVIS 2016 folder, by name, all frames decoded.

    Raises:
        InputError: if there is no such split, or what it lists is not there or cannot be read.
    """
    sequences = sorted(read_davis(root, 2016, split), key=lambda sequence: sequence.name)
    return [_decoded(sequence) for sequence in sequences]


def read_multi_sequences(root: Path, split: str) -> list[RealSequence]:
    """As ``read_real_sequences``, of a DAVIS 2017 folder: each object of each sequence once, its annotated frames.

    The sequences of one clip have the same name and share their frames.
    """
    return [one for sequence in read_davis(root, 2017, split) for one in _each_object(sequence)]


def _each_object(sequence: DavisSequence) -> list[RealSequence]:
    frames = [frame for frame in range(sequence.num_frames) if sequence.has_ids(frame)]
    images = tuple(map(sequence.read_image, frames))
    maps = [sequence.read_ids(frame) for frame in frames]
    ids = sorted({int(value) for ids in maps for value in np.unique(ids)} - {0})
    labelled = [tuple(np.where(m == i, 1, np.where(m > 0, OTHERS, 0)).astype(np.uint8) for m in maps) for i in ids]
    return [RealSequence(sequence.name, images, labels) for labels in labelled]


def _decoded(sequence: DavisSequence) -> RealSequence:
    frames = range(sequence.num_frames)
    return RealSequence(sequence.name, tuple(map(sequence.read_image, frames)), tuple(map(sequence.read_ids, frames)))


@dataclass(frozen=True)
class RealFrames:
    """Chosen frames of a real sequence as the base of a scene."""

    sequence: RealSequence
    frames: tuple[int, ...]
    flipped: bool

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the frames."""
        height, width = self.sequence.images[0].shape[:2]
        return height, width

    def render(self, frame: int, window: NDArray[np.float64], size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """See ``shibori.datasets.synthesis.Base``."""
        image, mask = self.sequence.images[self.frames[frame]], self.sequence.masks[self.frames[frame]]
        left, top, right, bottom = np.round(window).astype(int).tolist()
        if self.flipped:
            left, right = image.shape[1] - right, image.shape[1] - left
        rows, columns = slice(top, max(bottom, top + 2)), slice(left, max(right, left + 2))
        mode = _interpolation(right - left, size)
        small = cv2.resize(image[rows, columns], (size, size), interpolation=mode)
        step = -1 if self.flipped else 1
        labels = _shrunk_labels(mask[rows, columns], size, mode)[:, ::step]
        return np.ascontiguousarray(np.asarray(small)[:, ::step]), np.ascontiguousarray(labels)

    def start(self) -> tuple[NDArray[np.float64], float]:
        """Centre (2,) of the object in the first frame, and the root of its box's area, in pixels."""
        left, top, width, height = cv2.boundingRect((self._first_labels() == 1).astype(np.uint8))
        return np.array([left + width / 2, top + height / 2]), float(np.sqrt(max(width * height, 1)))

    def as_still(self) -> NDArray[np.uint8] | None:
        """(h, w, 4) the object of the first frame, cut out; None where it is not there or tiny."""
        labels = self._first_labels()
        if np.count_nonzero(labels == 1) < 100:
            return None
        step = -1 if self.flipped else 1
        image = np.ascontiguousarray(self.sequence.images[self.frames[0]][:, ::step])
        return cut_out(Still(image, labels, (1,), regions=False), 1)

    def _first_labels(self) -> NDArray[np.uint8]:
        return np.ascontiguousarray(self.sequence.masks[self.frames[0]][:, :: -1 if self.flipped else 1])


def _shrunk_labels(labels: NDArray[np.uint8], size: int, mode: int) -> NDArray[np.uint8]:
    """(h, w) labels 0, 1, 2 -> (size, size): each where it covers more than half."""
    target, others = (
        np.asarray(cv2.resize((labels == value).astype(np.uint8) * 255, (size, size), interpolation=mode)) > 127
        for value in (1, OTHERS)
    )
    return np.where(target, 1, np.where(others, OTHERS, 0)).astype(np.uint8)


def _interpolation(source: int, target: int) -> int:
    return cv2.INTER_AREA if source > target else cv2.INTER_LINEAR


class TrainingClips(Dataset[TrainingClip]):
    """An endless, reproducible supply: item ``i`` depends on the seed and ``i`` alone.

    Args:
        stills: photographs to synthesise from.
        sequences: real clips.
        plan: how to draw.
        seed: of the whole run.
        length: how many items it says it has.
        render: how a scene is looked at: closely, as a tracker does, or widely.

    Raises:
        InputError: if no object of the stills can be cut out.
    """

    def __init__(
        self,
        stills: Sequence[Still],
        sequences: Sequence[RealSequence],
        plan: SamplingPlan,
        seed: int,
        length: int,
        render: Callable[[Generator, Scene, SamplingPlan, bool], TrainingClip | None] | None = None,
    ) -> None:
        self.render = render or render_closely
        self.stills = stills
        self.sequences = sequences
        names = sorted({sequence.name for sequence in sequences})
        self.clips = [[sequence for sequence in sequences if sequence.name == name] for name in names]
        self.plan = plan
        self.seed = seed
        self.length = length
        self.objects = [(s, o) for s, still in enumerate(stills) for o in still.object_ids]
        self.cuttable = [pair for pair in self.objects if not stills[pair[0]].regions]
        if not self.cuttable:
            raise InputError(
                "expected photographs with objects that can be cut out, found only regions; add such a set"
            )

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> TrainingClip:
        rng = np.random.default_rng((self.seed, index))
        for _ in range(20):
            scene, tell_others = self._scene(rng, index)
            clip = self.render(rng, scene, self.plan, tell_others)
            if clip is not None:
                is_noisy = bool(self.plan.noisy_share) and rng.random() < self.plan.noisy_share
                return with_noisy_reference(rng, clip) if is_noisy else clip
        raise RuntimeError("twenty scenes in a row showed no object in their first frame")

    def max_gap(self, index: int) -> int:
        """Largest distance between neighbouring frames of a real clip, for item ``index``."""
        if index >= self.plan.gap_growth:
            return self.plan.max_gap
        return 1 + (self.plan.max_gap - 1) * index // self.plan.gap_growth

    def _scene(self, rng: Generator, index: int = 0) -> tuple[Scene, bool]:
        tell_others = bool(rng.random() < 0.6)
        pace = rng.uniform(0.5, 2.0, self.plan.num_frames - 1)
        jump = rng.random() < self.plan.jump_share
        if jump:
            pace[0] *= rng.uniform(4, 25)
        if self.sequences and rng.random() < self.plan.real_share:
            scene = self._real_scene(rng, pace, jump, self.max_gap(index))
        else:
            scene = self._synthetic_scene(rng, pace)
        return self._with_cut(rng, scene, pace), tell_others

    def _real_scene(self, rng: Generator, pace: NDArray[np.float64], jump: bool, max_gap: int) -> Scene:
        clip = self.clips[int(rng.integers(len(self.clips)))]
        sequence = clip[int(rng.integers(len(clip)))] if len(clip) > 1 else clip[0]
        gaps = rng.integers(1, max_gap + 1, len(pace))
        if jump:
            gaps[0] = rng.integers(max_gap, max(self.plan.longest_jump, max_gap + 1))
        offsets = np.concatenate([[0], gaps.cumsum()])
        last = len(sequence.images) - 1
        offsets = np.minimum(offsets, last)
        frames = int(rng.integers(0, last - offsets[-1] + 1)) + offsets
        if rng.random() < 0.5:
            frames = frames[::-1] if not jump else last - frames
        base = RealFrames(sequence, tuple(int(f) for f in frames), bool(rng.random() < 0.5))
        if _chance(rng, self.plan.twin_share):
            twin = base.as_still()
            if twin is not None:
                return Scene(base, tuple(self._twins(rng, base.size_hw, pace, twin, base.start())))
        layers = self._distractors(rng, base.size_hw, pace, None) if rng.random() < 0.35 else []
        return Scene(base, tuple(layers))

    def _with_cut(self, rng: Generator, scene: Scene, pace: NDArray[np.float64]) -> Scene:
        """The scene, or now and then the scene with a hard cut after the first frame."""
        if not _chance(rng, self.plan.cut_share):
            return scene
        num_frames = len(pace) + 1
        start = int(rng.integers(1, num_frames))
        stop = int(rng.integers(start + 1, num_frames + 1))
        is_cut = tuple(start <= frame < stop for frame in range(num_frames))
        still = self.stills[int(rng.integers(len(self.stills)))]
        base = CutBase(scene.base, camera_over(rng, still, None, scene.base.size_hw, pace), is_cut)
        layers = [
            replace(layer, visible=tuple(v and not cut for v, cut in zip(layer.visible, is_cut, strict=True)))
            for layer in scene.layers
        ]
        return Scene(base, tuple(layers))

    def _twins(
        self,
        rng: Generator,
        size_hw: tuple[int, int],
        pace: NDArray[np.float64],
        rgba: NDArray[np.uint8],
        near: tuple[NDArray[np.float64], float],
    ) -> list[Layer]:
        """One to four copies of the object, hardly changed, that move near it."""
        start, extent = near
        layers = []
        for _ in range(int(rng.integers(1, 5))):
            picture = rgba if rng.random() < 0.4 else recoloured(rng, rgba)
            place = start + rng.normal(0, 1.1, 2) * extent
            size = extent * float(np.exp(rng.normal(0, 0.06)))
            layers.append(moving_layer(rng, picture, place, size, pace, [True] * (len(pace) + 1), is_target=False))
        return layers

    def _synthetic_scene(self, rng: Generator, pace: NDArray[np.float64]) -> Scene:
        aspect = float(np.exp(rng.uniform(0.0, 0.58)))
        size_hw = (SCENE_SIDE, int(SCENE_SIDE * aspect))
        whole = rng.random() < 0.4
        still_index, object_id = self._draw(rng, self.objects if whole else self.cuttable)
        if whole:
            base = camera_over(rng, self.stills[still_index], object_id, size_hw, pace)
            layers = self._distractors(rng, size_hw, pace, None) if rng.random() < 0.3 else []
            return Scene(base, tuple(layers))
        background = self.stills[int(rng.integers(len(self.stills)))]
        base = camera_over(rng, background, None, size_hw, pace)
        smallest, largest = (0.025, 0.12) if _chance(rng, self.plan.tiny_share) else (0.15, 0.7)
        extent = SCENE_SIDE * float(np.exp(rng.uniform(np.log(smallest), np.log(largest))))
        start = rng.uniform(0.25, 0.75, 2) * np.array([size_hw[1], size_hw[0]])
        rgba = recoloured(rng, cut_out(self.stills[still_index], object_id))
        rgba = with_thin_parts(rng, rgba) if _chance(rng, self.plan.thin_share) else rgba
        target = moving_layer(rng, rgba, start, extent, pace, _visibility(rng, len(pace) + 1), is_target=True)
        if _chance(rng, self.plan.twin_share):
            layers = self._twins(rng, size_hw, pace, rgba, (start, extent))
        else:
            near = (start, extent, still_index)
            layers = self._distractors(rng, size_hw, pace, near) if rng.random() < 0.6 else []
        layers.insert(int(rng.integers(len(layers) + 1)), target)
        return Scene(base, tuple(layers))

    def _distractors(
        self,
        rng: Generator,
        size_hw: tuple[int, int],
        pace: NDArray[np.float64],
        near: tuple[NDArray[np.float64], float, int] | None,
    ) -> list[Layer]:
        """One or two moving cut-outs; near the target, if it is known where that is, and often from its picture."""
        layers = []
        for _ in range(int(rng.integers(1, 3))):
            still_index, object_id = self._draw(rng, self.cuttable)
            extent = min(size_hw) * float(rng.uniform(0.12, 0.5))
            start = rng.uniform(0, 1, 2) * np.array([size_hw[1], size_hw[0]])
            if near is not None:
                extent = near[1] * float(rng.uniform(0.5, 1.4))
                start = near[0] + rng.normal(0, 0.8, 2) * near[1]
                if rng.random() < 0.4:
                    still_index = near[2]
                    object_id = int(rng.choice(self.stills[still_index].object_ids))
            rgba = recoloured(rng, cut_out(self.stills[still_index], object_id))
            layers.append(moving_layer(rng, rgba, start, extent, pace, [True] * (len(pace) + 1), is_target=False))
        return layers

    def _draw(self, rng: Generator, pairs: Sequence[tuple[int, int]]) -> tuple[int, int]:
        return pairs[int(rng.integers(len(pairs)))]


def render_closely(rng: Generator, scene: Scene, plan: SamplingPlan, tell_others: bool) -> TrainingClip | None:
    """Look at each frame of the scene as a tracker would: where the object just was, somewhat off.

    Returns:
        None if the object cannot be seen well in the first frame.
    """
    boxes = [scene.target_box(t) for t in range(plan.num_frames)]
    if boxes[0] is None:
        return None
    look = _Look(float(np.exp(rng.normal(np.log(1.75), 0.22))), scene.base.size_hw)
    images, masks, others, windows = [], [], [], []
    known = boxes[0]
    shutter = Shutter.draw(rng)
    zoom = float(rng.uniform(1.3, 4.5)) if _chance(rng, plan.coarse_share) else 1.0
    for t in range(plan.num_frames):
        previous = boxes[t - 1] if t > 0 and rng.random() < 0.7 else boxes[t]
        known = previous if previous is not None else known
        window = look.window(rng, known, lost=boxes[t] is None or (t > 0 and boxes[t - 1] is None))
        image, mask, other = scene.render(t, window, plan.size)
        images.append(shutter.expose(rng, _from_fewer_pixels(image, zoom)))
        masks.append(mask)
        others.append(other if tell_others else np.zeros_like(other))
        windows.append(window)
    return None if masks[0].mean() < 0.015 else _stacked(images, masks, others, windows)


def _from_fewer_pixels(image: NDArray[np.uint8], zoom: float) -> NDArray[np.uint8]:
    """(S, S, 3) as if it had been enlarged ``zoom`` times."""
    if zoom <= 1:
        return image
    size = image.shape[0]
    few = max(round(size / zoom), 8)
    small = cv2.resize(image, (few, few), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def render_widely(rng: Generator, scene: Scene, plan: SamplingPlan, tell_others: bool) -> TrainingClip | None:
    """Look at all frames of the scene through one large window, as a system does that sees the whole frame.

    Returns:
        None if the object cannot be seen well in the first frame.
    """
    height, width = scene.base.size_hw
    side = min(height, width) * float(rng.uniform(0.6, 1.0))
    corner = rng.uniform(0, 1, 2) * (np.array([width, height]) - side)
    window = np.concatenate([corner, corner + side])
    shutter = Shutter.draw(rng)
    seen = [scene.render(t, window, plan.size) for t in range(plan.num_frames)]
    if seen[0][1].mean() < 0.01:
        return None
    images = [shutter.expose(rng, image) for image, _, _ in seen]
    others = [other if tell_others else np.zeros_like(other) for _, _, other in seen]
    return _stacked(images, [mask for _, mask, _ in seen], others, [window] * plan.num_frames)


def with_noisy_reference(rng: Generator, clip: TrainingClip) -> TrainingClip:
    """The clip with a first mask such as a detector gives; it covers what others it lies on."""
    noisy = torch.from_numpy(as_detected(rng, clip.masks[0].numpy() > 0)).to(clip.masks)
    masks, others = clip.masks.clone(), clip.others.clone()
    masks[0], others[0] = noisy, others[0] * (1 - noisy)
    return replace(clip, masks=masks, others=others)


def _stacked(
    images: list[NDArray[np.uint8]],
    masks: list[NDArray[np.uint8]],
    others: list[NDArray[np.uint8]],
    windows: list[NDArray[np.float64]],
) -> TrainingClip:
    stacked = np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))
    return TrainingClip(
        torch.from_numpy(stacked),
        torch.from_numpy(np.stack(masks)),
        torch.from_numpy(np.stack(others)),
        torch.from_numpy(np.stack(windows).astype(np.float32)),
    )


@dataclass(frozen=True)
class _Look:
    """How wide around an object a tracker looks."""

    reach: float
    size_hw: tuple[int, int]

    def window(self, rng: Generator, box: NDArray[np.float64], lost: bool) -> NDArray[np.float64]:
        """A square xyxy window inside the frame, around ``box``, off by some, wider when the object is lost."""
        reach = self.reach * float(np.exp(rng.normal(0, 0.08)))
        if lost or rng.random() < 0.08:
            reach *= float(rng.uniform(1.3, 2.5))
        side = max(box[2] - box[0], box[3] - box[1]) * reach
        side = float(np.clip(side, min(self.size_hw) * 0.1, min(self.size_hw)))
        centre = np.array([box[0] + box[2], box[1] + box[3]]) / 2 + rng.normal(0, 0.05, 2) * side
        limit = np.array([self.size_hw[1], self.size_hw[0]]) - side
        corner = np.clip(centre - side / 2, 0, limit)
        return np.concatenate([corner, corner + side])


@dataclass(frozen=True)
class Shutter:
    """Photometric conditions of one clip; each frame drifts a little from them."""

    gain: NDArray[np.float64]
    lift: float
    gamma: float
    blur: float
    noise: float
    grey: bool

    @classmethod
    def draw(cls, rng: Generator) -> Shutter:
        gain = np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.06, 3))
        blur = float(rng.uniform(0.4, 1.3)) if rng.random() < 0.3 else 0.0
        noise = float(rng.uniform(1, 8)) if rng.random() < 0.2 else 0.0
        return cls(gain, rng.normal(0, 10), float(np.exp(rng.normal(0, 0.15))), blur, noise, bool(rng.random() < 0.04))

    def expose(self, rng: Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(S, S, 3) uint8 -> the same under these conditions."""
        now = replace(self, gain=self.gain * np.exp(rng.normal(0, 0.03)), lift=self.lift + rng.normal(0, 3))
        levels = (np.arange(256) / 255.0) ** now.gamma * 255
        table = np.clip(levels[:, None] * now.gain + now.lift, 0, 255).astype(np.uint8)
        image = np.asarray(cv2.LUT(image, table[:, None, :].transpose(1, 0, 2).reshape(1, 256, 3)))
        if now.grey:
            image = np.repeat(image.mean(2, keepdims=True), 3, 2).astype(np.uint8)
        if now.blur:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), now.blur))
        if rng.random() < 0.1:
            image = np.asarray(cv2.filter2D(image, -1, _streak(rng)))
        if now.noise:
            image = np.clip(image + rng.normal(0, now.noise, image.shape).astype(np.float32), 0, 255).astype(np.uint8)
        return image


def _streak(rng: Generator) -> NDArray[np.float32]:
    """A motion blur kernel: a line of 3 to 9 pixels in a random direction."""
    kernel = np.zeros((9, 9), np.float32)
    reach = rng.uniform(1, 4.5) * np.array([np.cos(angle := rng.uniform(0, np.pi)), np.sin(angle)])
    start, end = (4.0 - reach).round().astype(int), (4.0 + reach).round().astype(int)
    cv2.line(kernel, tuple(start.clip(0, 8).tolist()), tuple(end.clip(0, 8).tolist()), 1.0)
    return kernel / kernel.sum()


def _chance(rng: Generator, share: float) -> bool:
    """Whether it happens this time; draws nothing where it never does."""
    return bool(share) and bool(rng.random() < share)


def with_thin_parts(rng: Generator, rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 4) -> (h', w', 4): a cut-out with one to three thin limbs, in colours of its own, on a wider canvas."""
    height, width = rgba.shape[:2]
    margin = max(height, width) // 3
    wide = np.asarray(cv2.copyMakeBorder(rgba, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0)))
    places = np.argwhere(wide[..., 3] > 127)
    if len(places) == 0:
        return rgba
    thickness = max(int(rng.uniform(0.012, 0.04) * max(height, width)), 1)
    for _ in range(int(rng.integers(1, 4))):
        row, column = places[rng.integers(len(places))]
        colour = wide[tuple(places[rng.integers(len(places))])][:3].tolist()
        end = (np.array([column, row]) + rng.normal(0, 0.5, 2) * max(height, width)).astype(int)
        wide = np.ascontiguousarray(wide)
        cv2.line(wide, (int(column), int(row)), tuple(end.tolist()), (*colour, 255), thickness, cv2.LINE_AA)
    return np.asarray(wide, np.uint8)


def _visibility(rng: Generator, num_frames: int) -> list[bool]:
    """Mostly always there; now and then hidden in one frame after the first."""
    visible = [True] * num_frames
    if rng.random() < 0.1:
        visible[int(rng.integers(1, num_frames))] = False
    return visible


def recoloured(rng: Generator, rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A cut-out under a slightly different light than it was photographed in."""
    gain = np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.05, 3))
    colours = np.clip(rgba[..., :3] * gain, 0, 255).astype(np.uint8)
    return np.dstack([colours, rgba[..., 3]])
