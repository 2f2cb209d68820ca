"""How a scene is looked at: closely, as a tracker does, or widely, as a system that sees the whole frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shibori.datasets.exposure import Shutter, from_fewer_pixels
from shibori.datasets.sampling_plan import SamplingPlan, chance
from shibori.datasets.synthesis import Scene
from shibori.datasets.training_clip import TrainingClip, stacked_clip


def render_closely(rng: Generator, scene: Scene, plan: SamplingPlan, tell_others: bool) -> TrainingClip | None:
    """Look at each frame of the scene as a tracker would: where the object just was, somewhat off.

    Returns:
        None if the object cannot be seen well in the first frame.
    """
    boxes = [scene.target_box(t) for t in range(plan.num_frames)]
    if boxes[0] is None:
        return None
    surroundings = _Surroundings(float(np.exp(rng.normal(np.log(1.75), 0.22))), scene.base.size_hw)
    images, masks, others, windows = [], [], [], []
    known = boxes[0]
    shutter = Shutter.draw(rng)
    zoom = float(rng.uniform(1.3, 4.5)) if chance(rng, plan.coarse_share) else 1.0
    for t in range(plan.num_frames):
        previous = boxes[t - 1] if t > 0 and rng.random() < 0.7 else boxes[t]
        known = previous if previous is not None else known
        window = surroundings.window(rng, known, lost=boxes[t] is None or (t > 0 and boxes[t - 1] is None))
        image, mask, other = scene.render(t, window, plan.size)
        images.append(shutter.expose(rng, from_fewer_pixels(image, zoom)))
        masks.append(mask)
        others.append(other if tell_others else np.zeros_like(other))
        windows.append(window)
    return None if masks[0].mean() < 0.015 else stacked_clip(images, masks, others, windows)


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
    return stacked_clip(images, [mask for _, mask, _ in seen], others, [window] * plan.num_frames)


@dataclass(frozen=True)
class _Surroundings:
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
