"""Training clips: a few frames of one object, each seen through a window of its own, as a tracker would see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from torch.utils.data import Dataset

from shibori.datasets.cut_outs import recoloured, with_thin_parts
from shibori.datasets.real_frames import RealFrames, RealSequence
from shibori.datasets.sampling_plan import SamplingPlan, chance
from shibori.datasets.stills import Still
from shibori.datasets.synthesis import CutBase, Layer, Scene, camera_over, cut_out, moving_layer
from shibori.datasets.training_clip import TrainingClip, with_noisy_reference
from shibori.datasets.views import render_closely
from shibori.errors import InputError

SCENE_SIDE = 240
"""Short side of a synthesised scene, in its own pixels."""


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
        if chance(rng, self.plan.twin_share):
            twin = base.as_still()
            if twin is not None:
                return Scene(base, tuple(self._twins(rng, base.size_hw, pace, twin, base.start())))
        layers = self._distractors(rng, base.size_hw, pace, None) if rng.random() < 0.35 else []
        return Scene(base, tuple(layers))

    def _with_cut(self, rng: Generator, scene: Scene, pace: NDArray[np.float64]) -> Scene:
        """The scene, or now and then the scene with a hard cut after the first frame."""
        if not chance(rng, self.plan.cut_share):
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
        smallest, largest = (0.025, 0.12) if chance(rng, self.plan.tiny_share) else (0.15, 0.7)
        extent = SCENE_SIDE * float(np.exp(rng.uniform(np.log(smallest), np.log(largest))))
        start = rng.uniform(0.25, 0.75, 2) * np.array([size_hw[1], size_hw[0]])
        rgba = recoloured(rng, cut_out(self.stills[still_index], object_id))
        rgba = with_thin_parts(rng, rgba) if chance(rng, self.plan.thin_share) else rgba
        target = moving_layer(rng, rgba, start, extent, pace, _visibility(rng, len(pace) + 1), is_target=True)
        if chance(rng, self.plan.twin_share):
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


def _visibility(rng: Generator, num_frames: int) -> list[bool]:
    """Mostly always there; now and then hidden in one frame after the first."""
    visible = [True] * num_frames
    if rng.random() < 0.1:
        visible[int(rng.integers(1, num_frames))] = False
    return visible
